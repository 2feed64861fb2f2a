"""KEYWORDS: the phrases of each text, or those of a range of texts as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from server.capabilities.base import Capability, Operation, Outcome, grid_like
from server.capabilities.naming import NAMING, options_of_names, with_names
from server.text.names import NO_NAMES, Names
from udfs.errors import ShopsheetError


class Keywords(Capability):
    """What may be a keyword is stored per text; choosing among it takes no model."""

    name = "keywords"
    stored_as = "phrases"
    model = "text"
    knows = NAMING

    def prepare(self, args: Mapping[str, Any]) -> list[str | None]:
        cells = chain.from_iterable(args["text"])
        return [cell if isinstance(cell, str) else None for cell in cells]

    def options(self, args: Mapping[str, Any]) -> tuple[str, ...]:
        return options_of_names(args)

    def operation(self, args: Mapping[str, Any]) -> Operation:
        return with_names(self._read, args)

    def run(self, model: Any, items: Sequence[str]) -> list[bytes | ShopsheetError]:
        return self._read(model, items, NO_NAMES)

    def _read(self, model: Any, items: Sequence[str], names: Names) -> list[bytes | ShopsheetError]:
        return [_stored(model.phrases(text, names)) for text in items]

    def is_intact(self, model: Any, stored: bytes) -> bool:
        return stored.startswith(b"[") and stored.endswith(b"]")

    def answer(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> list[list[Any]]:
        stops = args["stop_words"] or ()
        if args["scope"] == "range":
            return _table(model, args, outcomes, stops)
        top_n = args["top_n"]

        def show(stored: bytes) -> list[str]:
            phrases = model.keywords(json.loads(stored), top_n, stops)
            return [*phrases, *[""] * (top_n - len(phrases))]

        column = grid_like(args["text"], outcomes, show)
        return [cell if isinstance(cell, list) else [cell] * top_n for (cell,) in column]


def _stored(phrases: Sequence[Any]) -> bytes:
    return json.dumps(phrases, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _table(
    model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome], stops: tuple[str, ...]
) -> list[list[Any]]:
    """The table of a range; rows are counted within it, a cell with an error is left out."""
    width = len(args["text"][0])
    read = [
        (place // width + 1, json.loads(outcome))
        for place, outcome in enumerate(outcomes)
        if isinstance(outcome, bytes)
    ]
    entries = model.keywords_of_range([phrases for _, phrases in read], args["top_n"], stops)
    return [
        ["phrase", "score", "documents", "share", "example row"],
        *(
            [phrase, score, documents, round(documents / len(read), 4), read[place][0]]
            for phrase, score, documents, place in entries
        ),
    ]
