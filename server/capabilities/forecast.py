"""FORECAST: rows of values and times in, a table with a row per step ahead out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from server.capabilities.base import Outcome
from server.capabilities.series_rows import (
    SeriesCapability,
    columns_of,
    groups_of,
    item_of,
    matrix_of,
    numbers,
    read_outcome,
    written,
)
from udfs.catalogue_series import FORECAST
from udfs.errors import BadInput, CellError, ShopsheetError


class Forecast(SeriesCapability):
    """Each group is an item of its own, so that a changed one alone is computed anew."""

    name = "forecast"
    stored_as = "forecast"

    def prepare(self, args: Mapping[str, Any]) -> list[str | None]:
        columns = columns_of(args, ("values", "timeline", "group"))
        drivers, country = _drivers(args, len(columns["values"]))
        future = args["future_drivers"]
        if future is not None and drivers is None:
            raise BadInput(
                "future_drivers is given without drivers; give the same columns for the past as "
                "drivers, as long as values."
            )
        common = {
            "horizon": args["horizon"],
            "level": args["level"],
            "output": args["output"],
            "country": country,
            "written": written(columns["timeline"]),
            "future": _future(future, drivers),
        }
        values, times = numbers(columns["values"]), numbers(columns["timeline"])
        # A cell that is blank at the end is a step to come; one that is broken is a missing value.
        blank = [cell is None for cell in columns["values"]]
        return [
            item_of(
                {
                    **common,
                    "times": [times[row] for row in rows],
                    "values": [values[row] for row in rows],
                    "blank": [row for row, at in enumerate(rows) if blank[at]],
                    "drivers": drivers and [drivers[row] for row in rows],
                }
            )
            for rows in groups_of(columns).values()
        ]

    def answer(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> list[list[Any]]:
        header = list(FORECAST.columns(args))
        if args["group"] is None:
            return [header, *read_outcome(outcomes[0])]
        table: list[list[Any]] = [header]
        names = groups_of(columns_of(args, ("values", "timeline", "group")))
        for name, outcome in zip(names, outcomes, strict=True):
            if isinstance(outcome, ShopsheetError):
                failed = CellError(outcome.cell_error, f"{name}: {outcome.message}")
                table.append([name, *[failed] * (len(header) - 1)])
            else:
                table += [[name, *row] for row in read_outcome(outcome)]
        return table


def _drivers(args: Mapping[str, Any], rows: int) -> tuple[list[list[Any]] | None, str | None]:
    """The driver cells of each row, or the country whose holidays are meant."""
    grid = args["drivers"]
    if grid is None:
        return None, None
    if len(grid) == 1 and len(grid[0]) == 1 and rows > 1:
        cell = grid[0][0]
        if isinstance(cell, str):
            return None, cell.strip().upper()
        raise BadInput(
            f"drivers is one cell and values has {rows:,} rows; expected as many rows, or a "
            'country such as "US" for its holidays.'
        )
    return matrix_of(grid, rows, "drivers"), None


def _future(grid: Any, drivers: list[list[Any]] | None) -> list[list[Any]] | None:
    if grid is None or drivers is None:
        return None
    width = len(drivers[0])
    if width == 1 and len(grid) == 1 and len(grid[0]) > 1:
        grid = [[cell] for cell in grid[0]]
    if len(grid[0]) != width:
        raise BadInput(
            f"future_drivers has {len(grid[0])} columns and drivers has {width}; expected the same "
            "columns in the same order."
        )
    return [[None if isinstance(cell, CellError) else cell for cell in row] for row in grid]
