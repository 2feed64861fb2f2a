"""A capability whose whole call is one item, and whose answer is a table that is stored as one."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from server.capabilities.base import Capability, Outcome
from udfs.errors import ShopsheetError


class TableCapability(Capability):
    """A table, headings first, that the model's method of the capability's name makes."""

    @abstractmethod
    def item(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of the model's method, as JSON can hold them."""

    def prepare(self, args: Mapping[str, Any]) -> list[str | None]:
        return [_dumps(self.item(args))]

    def run(self, model: Any, items: Sequence[str]) -> list[bytes | ShopsheetError]:
        return [self._table(model, item) for item in items]

    def is_intact(self, model: Any, stored: bytes) -> bool:
        return stored.startswith(b"[[") and stored.endswith(b"]]")

    def answer(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> list[list[Any]]:
        (outcome,) = outcomes
        if isinstance(outcome, ShopsheetError):
            raise outcome
        assert outcome is not None
        table: list[list[Any]] = json.loads(outcome)
        return table

    def _table(self, model: Any, item: str) -> bytes | ShopsheetError:
        try:
            table = getattr(model, self.name)(**json.loads(item))
        except ShopsheetError as error:
            return error
        return _dumps(table).encode("utf-8")


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
