"""NEEDS: the need behind each text, what sort of text it is, and how common the needs are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from server.capabilities.base import Outcome, column_of, grid_like, knowledge_in
from server.capabilities.reading import (
    BLOCK_ROWS,
    POLARITIES,
    UNSAID,
    ReadingCapability,
    Readings,
    read_texts,
    texts_of,
)
from server.knowledge.model import SHEETS, Knowledge
from server.models import intents
from server.models.aspects import FoundAspect
from server.models.scale import scale_of
from server.semantics.needs import Need, find_need, match_taxonomy, rank_needs
from server.semantics.recent import Recent
from udfs.catalogue import NEEDS
from udfs.errors import ModelFailed, ShopsheetError, error_from_code, short

DECIMALS = 4
# Needs found lately, by all that decides them: to find one takes longer than to fetch what the
# encoder read, and a refreshed column has the same ones. 100 MB at most.
_KNOWN: Final[Recent[Need]] = Recent(150_000)


class Needs(ReadingCapability):
    """Need, kind, actionability and evidence of each text, or the table of a range's needs."""

    name = "needs"
    knows = SHEETS

    def prepare(self, args: Mapping[str, Any]) -> list[str | None]:
        if args["output"] == "ranked":
            column_of(args["text"], "text")
        return texts_of(args["text"])

    def further(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> Sequence[str]:
        if not args["taxonomy"]:
            return ()
        try:
            shop = knowledge_in(args)
            found = needs_of(model, texts_of(args["text"]), outcomes, shop).values()
        except ModelFailed:  # of this call alone: `answer` says so
            return ()
        return [*args["taxonomy"], *_words(found)]

    def answer(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> list[list[Any]]:
        texts = texts_of(args["text"])
        own, read = outcomes[: len(texts)], outcomes[len(texts) :]
        found = needs_of(model, texts, own, knowledge_in(args))
        if args["taxonomy"]:
            found = _under_taxonomy(model, args["taxonomy"], found, read, knowledge_in(args))
        output = args["output"]
        if output == "ranked":
            return [list(NEEDS.columns(args)), *_ranked(found)]
        each = iter(found.values())
        shown = grid_like(args["text"], own, lambda stored: _show(next(each), output))
        if output != "all":
            return shown
        return [cell if isinstance(cell, list) else [cell] * 4 for (cell,) in shown]


def needs_of(
    model: Any, texts: Sequence[str | None], outcomes: Sequence[Outcome], shop: Knowledge
) -> dict[int, Need]:
    """The need of each text that was read, by its place, in the names of the shop.

    Raises: ModelFailed if no head was fitted to this encoder.
    """
    readings, places = read_texts(model, outcomes)
    return needs_in(model, [str(texts[place]) for place in places], readings, places, shop)


def needs_in(
    model: Any, texts: Sequence[str], readings: Readings, places: Sequence[int], shop: Knowledge
) -> dict[int, Need]:
    """The need of each of these texts, of which `readings` holds a row, by its place."""
    head = intents.SHIPPED.head_for(model)
    said = shop.digest()
    keys = [(said, key) for key in head.keys(texts, readings.stored)]
    found = {key: need for key in set(keys) if (need := _KNOWN.find(key)) is not None}
    missing = {key: row for row, key in enumerate(keys) if key not in found}
    left = list(missing.items())
    for start in range(0, len(left), BLOCK_ROWS):
        block = left[start : start + BLOCK_ROWS]
        rows = [row for _, row in block]
        needs = _find_needs(model, head, [texts[row] for row in rows], readings, rows, shop)
        for (key, _), need in zip(block, needs, strict=True):
            found[key] = need
            _KNOWN.keep(key, need)
    return {place: found[key] for place, key in zip(places, keys, strict=True)}


def _find_needs(
    model: Any,
    head: intents.IntentHead,
    texts: Sequence[str],
    readings: Readings,
    rows: Sequence[int],
    shop: Knowledge,
) -> Iterator[Need]:
    """The need of each of these texts, which stand in these rows of the readings."""
    shares = head.predict_proba(
        texts, readings.vectors_of(rows), readings.probabilities[rows], model.labels
    )
    for text, share, row in zip(texts, shares, rows, strict=True):
        kind = intents.KINDS[int(share.argmax())]
        aspects = [found_aspect(model, one) for one in readings.aspects[row]]
        yield find_need(text, kind, float(share.max()), aspects, shop)


def found_aspect(model: Any, stored: np.void) -> FoundAspect:
    """An aspect as it is stored, as the encoder gave it."""

    def span(start: int, end: int) -> tuple[int, int] | None:
        return None if start == UNSAID else (int(start), int(end))

    return FoundAspect(
        span(stored["aspect_start"], stored["aspect_end"]),
        span(stored["opinion_start"], stored["opinion_end"]),
        POLARITIES[stored["polarity"]],
        float(stored["probability"]),
        float(stored["pair_probability"]),
        model.aspect_categories[stored["category"]],
        float(stored["category_probability"]),
    )


def _words(needs: Any) -> list[str]:
    """What must be read to compare needs by meaning: each phrase and each evidence once."""
    words = {words for need in needs for words in (need.phrase, need.evidence) if words}
    return sorted(words)


def _under_taxonomy(
    model: Any,
    names: Sequence[str],
    found: Mapping[int, Need],
    read: Sequence[Outcome],
    shop: Knowledge,
) -> dict[int, Need]:
    """The needs under the user's own names; blank where none is meant."""
    words = _words(found.values())
    for name, outcome in zip(names, read, strict=False):
        if isinstance(outcome, ShopsheetError):
            message = f"{short(name)} could not be read. {outcome.message}"
            raise error_from_code(outcome.cell_error, message)
    readings, places = read_texts(model, read)
    edge = len(names)
    vector_of = {
        words[place - edge]: vector
        for place, vector in zip(places[edge:], readings.vectors[edge:], strict=True)
    }
    scale = scale_of(model)
    renamed: dict[int, Need] = {}
    for place, need in found.items():
        own = [vector_of[w] for w in (need.phrase, need.evidence) if w in vector_of]
        least = scale.least_need(need.phrase or need.evidence)
        meant = match_taxonomy(names, readings.vectors[:edge], need, own, least, shop)
        renamed[place] = need.renamed(meant)
    return renamed


def _show(need: Need, output: str) -> Any:
    if output == "label":
        return need.phrase
    if output == "kind":
        return need.kind
    return [need.phrase, need.kind, need.actionability, need.evidence]


def _ranked(found: Mapping[int, Need]) -> list[list[Any]]:
    return [
        [
            one.phrase,
            one.kind,
            one.count,
            round(one.share, DECIMALS),
            one.trend,
            ", ".join(str(row + 1) for row in one.rows),
        ]
        for one in rank_needs(list(found.items()))
    ]
