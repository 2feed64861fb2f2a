"""ASPECTS: what a text judges, in its own words, and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

import numpy as np

from server.capabilities.base import Outcome, column_of
from server.capabilities.reading import (
    BLOCK_ROWS,
    POLARITIES,
    UNSAID,
    ReadingCapability,
    Readings,
    read_texts,
    texts_of,
)
from server.models import intents
from server.models.aspect_categories import SHOP_CATEGORIES
from server.models.scale import scale_of
from server.semantics.matching import AspectMatcher
from server.semantics.recent import Recent
from udfs.catalogue import ASPECTS
from udfs.errors import BadInput, CellError, ModelFailed, ShopsheetError

DECIMALS = 4
MIXED = "mixed"
# Whether texts judge nothing, of the latest ones: a column is asked twice in each call.
_SILENT: Final[Recent[bool]] = Recent(200_000)


class Aspects(ReadingCapability):
    """A table of all aspects, or a column of polarities for each aspect that the user names."""

    name = "aspects"

    def prepare(self, args: Mapping[str, Any]) -> list[str | None]:
        if args["layout"] == "wide" and not args["aspects"]:
            raise BadInput(
                'layout "wide" has a column per aspect, and aspects is empty. Name some, such as '
                '"price;delivery;battery", or leave layout out.'
            )
        if args["layout"] == "long":
            column_of(args["text"], "text")
        return texts_of(args["text"])

    def further(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> Sequence[str]:
        if not model.aspect_categories:
            raise ModelFailed(
                "This encoder reads no aspects. Use the one that comes with Shopsheet."
            )
        if not args["aspects"]:
            return ()
        phrases = {aspect for _, aspect, _ in _found(model, args, outcomes) if aspect}
        return [*args["aspects"], *SHOP_CATEGORIES, *sorted(phrases)]

    def answer(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> list[list[Any]]:
        cells = list(chain.from_iterable(args["text"]))
        names = args["aspects"]
        own, read = outcomes[: len(cells)], outcomes[len(cells) :]
        meant = _matched(model, args, own, read) if names else {}
        if args["layout"] == "wide":
            return _wide(cells, own, names, meant)
        return [list(ASPECTS.columns(args)), *_long(model, args, own, meant if names else None)]


# What is meant by the aspects of a text: per text, its (polarity, confidence, names meant).
Meant = dict[int, list[tuple[str, float, np.ndarray]]]


def _found(
    model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
) -> Iterator[tuple[int, str | None, np.void]]:
    """(place of the text, words of the aspect or None, the stored aspect), in order."""
    texts = texts_of(args["text"])
    readings, places = read_texts(model, outcomes[: len(texts)])
    judging = [row for row, aspects in enumerate(readings.aspects) if len(aspects)]
    for start in range(0, len(judging), BLOCK_ROWS):
        rows = judging[start : start + BLOCK_ROWS]
        own = [str(texts[places[row]]) for row in rows]
        silent = _judge_nothing(model, own, readings, rows)
        for row, text, nothing in zip(rows, own, silent, strict=True):
            for one in () if nothing else readings.aspects[row]:
                yield places[row], _words(text, one["aspect_start"], one["aspect_end"]), one


def _judge_nothing(
    model: Any, texts: Sequence[str], readings: Readings, rows: Sequence[int]
) -> Sequence[bool]:
    """Whether each of these texts is a question, plan or statement, in which nothing is judged.

    An encoder of the user's own may have no head that tells; then all count.
    """
    try:
        head = intents.SHIPPED.head_for(model)
    except ModelFailed:
        return [False] * len(texts)
    keys = head.keys(texts, [readings.stored[row] for row in rows])
    known = {key: silent for key in set(keys) if (silent := _SILENT.find(key)) is not None}
    new = list({key: place for place, key in enumerate(keys) if key not in known}.items())
    if new:
        own = [rows[place] for _, place in new]
        silent_now = head.judges_nothing(
            [texts[place] for _, place in new],
            readings.vectors_of(own),
            readings.probabilities[own],
            model.labels,
        )
        for (key, _), silent in zip(new, silent_now.tolist(), strict=True):
            known[key] = silent
            _SILENT.keep(key, silent)
    return [known[key] for key in keys]


def _words(text: str, start: int, end: int) -> str | None:
    return None if start == UNSAID else text[start:end]


def _matched(
    model: Any, args: Mapping[str, Any], own: Sequence[Outcome], read: Sequence[Outcome]
) -> Meant:
    names = args["aspects"]
    found = list(_found(model, args, own))
    phrases = sorted({aspect for _, aspect, _ in found if aspect})
    for outcome in read:
        if isinstance(outcome, ShopsheetError):
            raise outcome
    vectors = read_texts(model, read)[0].vectors
    edge = len(names) + len(SHOP_CATEGORIES)
    matcher = AspectMatcher(
        names, vectors[: len(names)], vectors[len(names) : edge], scale_of(model)
    )
    vector_of = dict(zip(phrases, vectors[edge:], strict=True))
    meant: Meant = {}
    known: dict[tuple[str | None, int], np.ndarray] = {}
    for place, phrase, one in found:
        key = phrase, int(one["category"])
        if key not in known:  # many rows say the same
            vector = vector_of[phrase] if phrase else None
            known[key] = matcher.match(phrase, vector, model.aspect_categories[key[1]])
        meant.setdefault(place, []).append(
            (POLARITIES[one["polarity"]], float(one["probability"]), known[key])
        )
    return meant


def _wide(
    cells: Sequence[Any], outcomes: Sequence[Outcome], names: Sequence[str], meant: Meant
) -> list[list[Any]]:
    rows: list[list[Any]] = []
    for place, (cell, outcome) in enumerate(zip(cells, outcomes, strict=True)):
        if isinstance(outcome, ShopsheetError):
            rows.append([outcome.to_cell()] * len(names))
        elif isinstance(cell, CellError):
            rows.append([cell] * len(names))
        else:
            said = meant.get(place, [])
            rows.append([_together(said, number) for number in range(len(names))])
    return rows


def _together(said: Sequence[tuple[str, float, np.ndarray]], number: int) -> str:
    """One polarity for all that is said of an aspect; blank where nothing is."""
    polarities = {polarity for polarity, _, hits in said if hits[number]}
    if {"positive", "negative"} <= polarities:
        return MIXED
    return next((p for p in ("negative", "positive", "neutral") if p in polarities), "")


def _long(
    model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome], meant: Meant | None
) -> Iterator[list[Any]]:
    texts = texts_of(args["text"])
    cells = list(chain.from_iterable(args["text"]))
    number_in_text: dict[int, int] = {}
    for place, aspect, one in _found(model, args, outcomes):
        number = number_in_text[place] = number_in_text.get(place, -1) + 1
        if meant is not None and not meant[place][number][2].any():
            continue
        # The text was read without the spaces around it; the user counts in the cell.
        cell = cells[place]
        before = cell[: len(cell) - len(cell.lstrip()) + int(one["aspect_start"])]
        opinion = _words(str(texts[place]), one["opinion_start"], one["opinion_end"])
        yield [
            place + 1,
            aspect or "",
            model.aspect_categories[one["category"]],
            opinion or "",
            POLARITIES[one["polarity"]],
            round(float(one["probability"]), DECIMALS),
            characters(before) + 1 if aspect else "",
            characters(aspect) if aspect else "",
        ]


def characters(text: str) -> int:
    """How many characters a sheet counts, as in MID and LEN: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
