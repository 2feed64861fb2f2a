"""SENTIMENT: the encoder's probabilities per text, turned into label, score and confidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from server.capabilities.base import Outcome, knowledge_in
from server.capabilities.reading import ReadingCapability, read_texts, texts_of
from server.own.heads import OWN, SENTIMENT, in_use
from server.settings import Settings
from udfs.errors import CellError, ShopsheetError
from udfs.kinds import number_text

DECIMALS = 4  # finer than the 0.0005 within which two ways of computing may differ


class Sentiment(ReadingCapability):
    """Label, score and confidence of texts, from the stored probabilities."""

    name = "sentiment"
    knows = ("slang",)

    def resolve(self, args: Mapping[str, Any], settings: Settings) -> Mapping[str, Any]:
        """The arguments, with the user's own head if there is one."""
        own = in_use(settings.home, SENTIMENT)
        return args if own is None else {**args, OWN: own}

    def signed(self, identity: str, args: Mapping[str, Any]) -> str:
        return args[OWN].signed(identity) if OWN in args else identity

    def prepare(self, args: Mapping[str, Any]) -> list[str | None]:
        knowledge = knowledge_in(args)
        return [text and knowledge.as_read(text) for text in texts_of(args["text"])]

    def answer(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> list[list[Any]]:
        grid, output = args["text"], args["output"]
        cells = list(chain.from_iterable(grid))
        readings, _ = read_texts(model, outcomes)
        probabilities = readings.probabilities
        if OWN in args:
            args[OWN].check_encoder(model)
            probabilities = args[OWN].head.predict_proba(readings.vectors, probabilities)
        judged = _judge(model.labels, probabilities)
        width = len(grid[0])
        answers: list[Any] = []
        for cell, outcome in zip(cells, outcomes, strict=True):
            if isinstance(outcome, bytes):
                label, score, confidence = next(judged)
                answers.append(_show(label, score, confidence, output, args["min_confidence"]))
                continue
            # A bad cell shows its own error, an empty one stays empty.
            shown: Any = ""
            if isinstance(outcome, ShopsheetError):
                shown = outcome.to_cell()
            elif isinstance(cell, CellError):
                shown = cell
            answers.append([shown] * 3 if output == "all" else shown)
        if output == "all":
            return answers
        return [answers[start : start + width] for start in range(0, len(answers), width)]


def _judge(labels: Sequence[str], rows: np.ndarray) -> Iterator[tuple[str, float, float]]:
    """Label, score and confidence of each row of probabilities."""
    label_ids = rows.argmax(axis=1) if len(rows) else np.zeros(0, dtype=int)
    scores = rows[:, labels.index("positive")] - rows[:, labels.index("negative")]
    confidence = rows[np.arange(len(rows)), label_ids]
    # Adding 0.0 turns a rounded -0.0 into 0.0.
    return zip(
        [labels[label_id] for label_id in label_ids.tolist()],
        (scores.round(DECIMALS) + 0.0).tolist(),
        confidence.round(DECIMALS).tolist(),
        strict=True,
    )


def _show(label: str, score: float, confidence: float, output: str, min_confidence: float) -> Any:
    undecided: CellError | None = None
    if confidence < min_confidence:
        undecided = CellError(
            "#N/A",
            f"confidence {number_text(confidence)} is below min_confidence "
            f"{number_text(min_confidence)}",
        )
    if output == "all":  # the confidence is shown in any case: it says why
        return [undecided or label, score if undecided is None else undecided, confidence]
    return undecided or (label if output == "label" else score)
