"""What can be fitted to users' rows: sentiment, labels of their own, aspects of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from server.capabilities.classify import label_reading
from server.models.scale import scale_of
from server.own.adapt import adapt
from server.own.heads import ASPECTS, CLASSIFY, SENTIMENT, ClassifyHead, SentimentHead
from server.own.reader import Reader
from server.own.rows import Labelled, LabelledRow, check_enough
from server.own.scores import Scores, label_scores
from server.semantics.few_shot import Head, Strength, fit_head
from udfs.errors import BadInput, ModelFailed


@dataclass(frozen=True)
class Fitted:
    """A head as it is saved."""

    tensors: dict[str, np.ndarray]
    config: dict[str, Any]


class OwnKind(Protocol):
    """A kind of model that users fit to their rows."""

    name: str
    named: bool  # whether there may be several, told apart by name
    measure: str  # the score by which a version is better than another

    def check(self, data: Labelled) -> None:
        """Nothing. Raises: BadInput if that is too little to learn from."""

    def fit(self, reader: Reader, rows: Sequence[LabelledRow]) -> Fitted:
        """The head that these rows teach."""

    def score(self, reader: Reader, head: Any, rows: Sequence[LabelledRow]) -> Scores:
        """How well a head does on rows; None is the model that comes with Shopsheet."""


class SentimentKind:
    """SENTIMENT, as the user's rows would have it."""

    name = SENTIMENT
    named = False
    measure = "macro_f1"

    def check(self, data: Labelled) -> None:
        check_enough(data, "label")
        _check_two(data)

    def fit(self, reader: Reader, rows: Sequence[LabelledRow]) -> Fitted:
        labels = reader.model.labels
        unknown = {row.labels[0] for row in rows} - set(labels)
        if unknown:
            raise ModelFailed(f"This encoder does not tell {', '.join(sorted(unknown))}.")
        read = reader.read([row.text for row in rows])
        prior = np.log(np.maximum(read.probabilities, 1e-6))
        inputs = np.hstack([read.vectors, prior])
        targets = _one_hot([row.labels[0] for row in rows], labels)
        adapted = adapt(inputs, prior, targets, read.vectors.shape[1], tick=reader.tick)
        return Fitted(adapted.tensors(), {"encoder": reader.version, "labels": list(labels)})

    def score(
        self, reader: Reader, head: SentimentHead | None, rows: Sequence[LabelledRow]
    ) -> Scores:
        read = reader.read([row.text for row in rows])
        probabilities = read.probabilities
        if head is not None:
            probabilities = head.predict_proba(read.vectors, probabilities)
        return label_scores(probabilities, reader.model.labels, [row.labels[0] for row in rows])


class ClassifyKind:
    """CLASSIFY with labels that have a name; without a version, by the meaning of their words."""

    name = CLASSIFY
    named = True
    measure = "macro_f1"

    def check(self, data: Labelled) -> None:
        check_enough(data, "label")
        _check_two(data)

    def fit(self, reader: Reader, rows: Sequence[LabelledRow]) -> Fitted:
        labels = sorted({row.labels[0] for row in rows})
        meant = reader.read([label_reading(label) for label in labels]).vectors
        vectors = reader.read([row.text for row in rows]).vectors
        targets = _one_hot([row.labels[0] for row in rows], labels)
        scale = scale_of(reader.model).label_scale
        prior = scale * (vectors @ meant.T)
        moved = adapt(vectors, prior, targets, vectors.shape[1], tick=reader.tick)
        tensors = {
            "weights": (scale * meant + moved.weights) / moved.temperature,
            "intercepts": moved.intercepts / moved.temperature,
        }
        return Fitted(
            {name: array.astype(np.float32) for name, array in tensors.items()},
            {"encoder": reader.version, "labels": labels},
        )

    def score(
        self, reader: Reader, head: ClassifyHead | None, rows: Sequence[LabelledRow]
    ) -> Scores:
        truth = [row.labels[0] for row in rows]
        if head is None:
            labels = tuple(sorted(set(truth)))
            head = ClassifyHead(labels, self._untaught(reader, labels))
        vectors = reader.read([row.text for row in rows]).vectors
        return label_scores(head.head.predict_proba(vectors), head.labels, truth)

    def _untaught(self, reader: Reader, labels: Sequence[str]) -> Head:
        vectors = reader.read([label_reading(label) for label in labels]).vectors
        return fit_head(vectors, strength=Strength.of(scale_of(reader.model)))


def _check_two(data: Labelled) -> None:
    labels = sorted(data.counts())
    if len(labels) < 2:
        raise BadInput(f"All rows have the label {labels[0]!r}; expected two labels or more.")


def _one_hot(given: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    targets = np.zeros((len(given), len(labels)))
    targets[np.arange(len(given)), [list(labels).index(label) for label in given]] = 1.0
    return targets


def kind_of(name: str) -> OwnKind:
    """The kind of that name."""
    from server.own.aspects import AspectsKind  # heavy: reads aspects as ASPECTS does

    kinds: dict[str, OwnKind] = {
        SENTIMENT: SentimentKind(),
        CLASSIFY: ClassifyKind(),
        ASPECTS: AspectsKind(),
    }
    return kinds[name]
