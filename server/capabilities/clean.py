"""CLEAN: texts without what scraping and platforms left in them, or their words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from server.capabilities.base import Capability, Operation, Outcome, grid_like
from server.capabilities.naming import NAMING, options_of_names, with_names
from server.text.names import NO_NAMES, Names
from udfs.errors import ShopsheetError

_BETWEEN = "\0"  # cleaned text holds no control characters


class Clean(Capability):
    """The cleaned text and its words; both are stored, so each output is served by one run."""

    name = "clean"
    stored_as = "clean"
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
        return [
            _BETWEEN.join((model.clean(text), " ".join(model.words(text, names)))).encode("utf-8")
            for text in items
        ]

    def is_intact(self, model: Any, stored: bytes) -> bool:
        return stored.count(_BETWEEN.encode()) == 1

    def answer(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> list[list[Any]]:
        part = ("text", "words").index(args["output"])

        def show(stored: bytes) -> str:
            return stored.decode("utf-8").split(_BETWEEN)[part]

        return grid_like(args["text"], outcomes, show)
