"""What the functions of series have in common: columns of one length, split into groups."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from server.capabilities.base import Capability, Outcome, column_of
from udfs.errors import BadInput, CellError, ShopsheetError
from udfs.kinds_series import WrittenTime

ONE = ""  # the name of the only group where there are none


class SeriesCapability(Capability):
    """A capability whose items are whole series, one per group, and whose answers are JSON."""

    model = "series"

    def run(self, model: Any, items: Sequence[str]) -> list[bytes | ShopsheetError]:
        answers = model.run(self.name, [json.loads(item) for item in items])
        return [
            answer
            if isinstance(answer, ShopsheetError)
            else json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
            for answer in answers
        ]

    def is_intact(self, model: Any, stored: bytes) -> bool:
        return stored.startswith(b"[") and stored.endswith(b"]")


def item_of(content: Mapping[str, Any]) -> str:
    """The item as the worker gets it."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def read_outcome(outcome: Outcome) -> list[Any]:
    """What the worker found. Raises: its error."""
    if isinstance(outcome, ShopsheetError):
        raise outcome
    assert outcome is not None
    found: list[Any] = json.loads(outcome)
    return found


def columns_of(args: Mapping[str, Any], names: Sequence[str]) -> dict[str, list[Any]]:
    """The cells of these arguments that were given, all of one length.

    Raises: BadInput if their lengths differ.
    """
    columns = {name: column_of(args[name], name) for name in names if args[name] is not None}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} has {count:,} cells" for name, count in lengths.items())
        raise BadInput(f"{found}; expected as many of each. Select the same rows in all of them.")
    return columns


def groups_of(columns: Mapping[str, Sequence[Any]]) -> dict[str, list[int]]:
    """The rows of each group, in order of first appearance; a row without a group is in none."""
    if "group" not in columns:
        return {ONE: list(range(len(columns["values"])))}
    groups: dict[str, list[int]] = {}
    for row, name in enumerate(columns["group"]):
        if isinstance(name, str):
            groups.setdefault(name.strip(), []).append(row)
    if not groups:
        raise BadInput(
            f"group is blank in all {len(columns['group']):,} rows; expected the series that each "
            "row belongs to, or leave the argument out."
        )
    return groups


def numbers(cells: Sequence[Any]) -> list[float | None]:
    """The cells that are numbers, None for the others."""
    return [float(cell) if isinstance(cell, float) else None for cell in cells]


def written(cells: Sequence[Any]) -> bool:
    """Whether the times stood in the sheet as text, so that those of the answer shall too."""
    return any(isinstance(cell, WrittenTime) for cell in cells)


def matrix_of(grid: Sequence[Sequence[Any]], rows: int, name: str) -> list[list[Any]]:
    """The rows of a range that lies beside the data, one column or several.

    Raises: BadInput if it has another number of rows.
    """
    if len(grid) != rows and len(grid) == 1 and len(grid[0]) == rows:
        grid = [[cell] for cell in grid[0]]
    if len(grid) != rows:
        raise BadInput(
            f"{name} has {len(grid):,} rows and values has {rows:,}; expected as many. Select the "
            "same rows."
        )
    return [[None if isinstance(cell, CellError) else cell for cell in row] for row in grid]
