"""LIFT: a series and the start of a campaign in, its effect in one row out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from server.capabilities.base import Outcome
from server.capabilities.series_rows import (
    SeriesCapability,
    columns_of,
    item_of,
    matrix_of,
    numbers,
    read_outcome,
)
from udfs.catalogue_series import LIFT
from udfs.errors import BadInput


class Lift(SeriesCapability):
    """The whole call is one item."""

    name = "lift"
    stored_as = "lift"

    def prepare(self, args: Mapping[str, Any]) -> list[str | None]:
        columns = columns_of(args, ("values", "timeline"))
        rows = len(columns["values"])
        controls = args["controls"]
        start, finish = args["start"], args["finish"]
        if start is None:
            raise BadInput("start is blank; expected the first day of the campaign.")
        if finish is not None and finish < start:
            raise BadInput(
                f"finish ({finish:g}) lies before start ({start:g}); check the two dates."
            )
        content = {
            "times": numbers(columns["timeline"]),
            "values": numbers(columns["values"]),
            "controls": controls and matrix_of(controls, rows, "controls"),
            "start": float(start),
            "finish": None if finish is None else float(finish),
            "level": args["level"],
        }
        return [item_of(content)]

    def answer(
        self, model: Any, args: Mapping[str, Any], outcomes: Sequence[Outcome]
    ) -> list[list[Any]]:
        return [list(LIFT.columns(args)), *read_outcome(outcomes[0])]
