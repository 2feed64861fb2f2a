"""ASPECTS, with what the user calls by a name learnt from rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from server.capabilities.aspects import said_of
from server.capabilities.reading import Readings
from server.own.adapt import adapt
from server.own.aspect_features import (
    POLARITIES,
    Features,
    Said,
    features_of,
    targets_of,
    told,
    without_learning,
)
from server.own.heads import ASPECTS, AspectsHead
from server.own.kinds import Fitted
from server.own.reader import Reader, readings_of
from server.own.rows import Labelled, LabelledRow, check_enough
from server.own.scores import Scores, aspect_scores
from server.semantics.few_shot import FOLDS
from udfs.errors import ModelFailed

THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5)  # from which probability an aspect counts as mentioned


class AspectsKind:
    """Aspects named by the user; without a version, found by the meaning of their names."""

    name = ASPECTS
    named = False
    measure = "f1"

    def check(self, data: Labelled) -> None:
        check_enough(data, "aspect")

    def fit(self, reader: Reader, rows: Sequence[LabelledRow]) -> Fitted:
        aspects = sorted({name for row in rows for name in row.answers})
        readings, said = _read(reader, rows, aspects)
        features = features_of(reader.model, readings, said, len(aspects))
        mentioned = targets_of([row.answers for row in rows], aspects)
        rates = _rates(features.matched, mentioned)
        width = readings.vectors.shape[1]
        inputs, prior = features.mention_inputs(), features.mention_prior(rates)
        mentions = adapt(inputs, prior, mentioned, width, False, reader.tick)
        config = {
            "encoder": reader.version,
            "aspects": aspects,
            "polarities": list(POLARITIES),
            "rates": list(rates),
            "threshold": _threshold(inputs, prior, mentioned, width, reader),
        }
        tensors = mentions.tensors("mentions.")
        tensors |= _polarity(features, rows, aspects, width, reader)
        return Fitted(tensors, config)

    def score(
        self, reader: Reader, head: AspectsHead | None, rows: Sequence[LabelledRow]
    ) -> Scores:
        learnt = [] if head is None else list(head.aspects)
        other = sorted({name for row in rows for name in row.answers} - set(learnt))
        readings, said = _read(reader, rows, [*learnt, *other])
        answers = without_learning(other, [_from(items, len(learnt)) for items in said])
        if head is not None:
            features = features_of(reader.model, readings, said, len(learnt))
            for answer, own in zip(answers, told(head, features), strict=True):
                answer |= own
        return aspect_scores(answers, [row.answers for row in rows])


def _read(
    reader: Reader, rows: Sequence[LabelledRow], names: Sequence[str]
) -> tuple[Readings, list[Said]]:
    if not reader.model.aspect_categories:
        raise ModelFailed("This encoder reads no aspects. Use the one that comes with Shopsheet.")
    texts = [row.text for row in rows]
    outcomes = reader.outcomes(texts)
    readings = readings_of(reader.model, texts, outcomes)
    return readings, said_of(
        reader.model, names, texts, outcomes, reader.outcomes, reader.knowledge
    )


def _from(items: Said, first: int) -> Said:
    return [(polarity, sure, hits[first:]) for polarity, sure, hits in items]


def _rates(matched: np.ndarray, mentioned: np.ndarray) -> tuple[float, float]:
    """How often an aspect is meant that is not matched, and that is."""

    def rate(chosen: np.ndarray) -> float:
        return float((mentioned[chosen].sum() + 1) / (chosen.sum() + 2))

    return round(rate(~matched), 6), round(rate(matched), 6)


def _threshold(
    inputs: np.ndarray, prior: np.ndarray, mentioned: np.ndarray, width: int, reader: Reader
) -> float:
    """The threshold of best F1 on a fifth of the rows that the others are fitted without."""
    unseen = np.arange(len(inputs)) % FOLDS == 0
    seen = ~unseen
    head = adapt(inputs[seen], prior[seen], mentioned[seen], width, False, reader.tick)
    shares = head.predict_proba(inputs[unseen], prior[unseen])
    right = mentioned[unseen] > 0

    def f1(threshold: float) -> float:
        guess = shares >= threshold
        return 2 * float((guess & right).sum()) / max(1.0, float(guess.sum() + right.sum()))

    return max(THRESHOLDS, key=f1)


def _polarity(
    features: Features,
    rows: Sequence[LabelledRow],
    aspects: Sequence[str],
    width: int,
    reader: Reader,
) -> dict[str, np.ndarray]:
    """Tensors of the polarity head; none where the rows tell no polarity."""
    pairs = [
        (text, aspects.index(name), POLARITIES.index(polarity))
        for text, row in enumerate(rows)
        for name, polarity in sorted(row.answers.items())
        if polarity is not None
    ]
    if not pairs:
        return {}
    texts, which, right = (np.array(column) for column in zip(*pairs, strict=True))
    targets = np.eye(len(POLARITIES))[right]
    inputs = features.polarity_inputs(texts, which)
    prior = features.judged[texts, which]
    return adapt(inputs, prior, targets, width, tick=reader.tick).tensors("polarity.")
