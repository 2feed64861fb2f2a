"""What a capability is: cells to model input, model output to cells."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from udfs.errors import ShopsheetError

# What came back for one cell: the stored form of the model's output, an error, or None where
# nothing was asked.
Outcome: TypeAlias = bytes | ShopsheetError | None


class Capability(ABC):
    """One thing that a model can do, for one worksheet function or several.

    A capability keeps no state: `run` is called in the worker's thread, the rest in the threads of
    the requests.
    """

    name: str  # as the catalogue says it; part of the store key
    model: str  # name of the worker that owns the model

    @abstractmethod
    def prepare(self, args: Mapping[str, Any]) -> list[str | None]:
        """Per cell, row by row, what the model must read; None where it need not be asked."""

    def options(self, args: Mapping[str, Any]) -> tuple[str, ...]:
        """What else the model's output depends on; part of the store key."""
        return ()

    def cost(self, item: str) -> float:
        """Expected work of an item, in a unit of its own."""
        return len(item) + 16.0

    @abstractmethod
    def run(self, model: Any, items: Sequence[str]) -> list[bytes | ShopsheetError]:
        """Per item the model's output as it is stored, or the error of that item alone."""

    @abstractmethod
    def is_intact(self, model: Any, stored: bytes) -> bool:
        """Whether a stored output can be one of this model."""

    @abstractmethod
    def answer(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> list[list[Any]]:
        """The grid of the answer; `outcomes` stand in the order of `prepare`."""
