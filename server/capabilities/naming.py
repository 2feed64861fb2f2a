"""Cutting of texts that keeps the names of the user's shop whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from server.capabilities.base import knowledge_in
from server.text.names import Names
from udfs.errors import ShopsheetError

NAMING = ("brands", "products", "synonyms")  # the sheets that hold names

Cutting: TypeAlias = Callable[[Any, Sequence[str], Names], list[bytes | ShopsheetError]]


@dataclass(frozen=True)
class RunWithNames:
    """What a worker runs; those of one version of the names share a batch, others never do."""

    cutting: Cutting
    version: str
    names: Names = field(compare=False)

    def __call__(self, model: Any, items: Sequence[str]) -> list[bytes | ShopsheetError]:
        return self.cutting(model, items, self.names)


def with_names(cutting: Cutting, args: Mapping[str, Any]) -> RunWithNames:
    """The cutting, with the names that are known for these arguments."""
    names = knowledge_in(args).names
    return RunWithNames(cutting, names.version, names)


def options_of_names(args: Mapping[str, Any]) -> tuple[str, ...]:
    """What the pieces of a text depend on besides it: the names, where there are any."""
    version = knowledge_in(args).names.version
    return (version,) if version else ()
