"""ANOMALY: rows of values and times in; flag, expected, lo and hi of each row out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from server.capabilities.base import Outcome
from server.capabilities.series_rows import (
    SeriesCapability,
    columns_of,
    groups_of,
    item_of,
    numbers,
    read_outcome,
)
from udfs.catalogue_series import ANOMALY
from udfs.errors import CellError, ShopsheetError

_NAMES = ("values", "timeline", "group")


class Anomaly(SeriesCapability):
    """Each group is an item of its own."""

    name = "anomaly"
    stored_as = "anomaly"

    def prepare(self, args: Mapping[str, Any]) -> list[str | None]:
        columns = columns_of(args, _NAMES)
        values, times = numbers(columns["values"]), numbers(columns["timeline"])
        return [
            item_of(
                {
                    "times": [times[row] for row in rows],
                    "values": [values[row] for row in rows],
                    "level": args["level"],
                }
            )
            for rows in groups_of(columns).values()
        ]

    def answer(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> list[list[Any]]:
        columns = columns_of(args, _NAMES)
        width = len(ANOMALY.columns(args))
        if args["group"] is None and isinstance(outcomes[0], ShopsheetError):
            raise outcomes[0]
        grid: list[list[Any]] = [[""] * width for _ in columns["values"]]
        groups = groups_of(columns)
        for (name, rows), outcome in zip(groups.items(), outcomes, strict=True):
            if isinstance(outcome, ShopsheetError):
                failed = CellError(outcome.cell_error, f"{name}: {outcome.message}")
                found: list[Any] = [[failed] * width for _ in rows]
            else:
                found = read_outcome(outcome)
            for row, line in zip(rows, found, strict=True):
                grid[row] = line
        for row, cells in enumerate(zip(*columns.values(), strict=True)):
            broken = next((cell for cell in cells if isinstance(cell, CellError)), None)
            if broken is not None:  # a bad cell shows in its own row
                grid[row] = [broken] * width
        return grid
