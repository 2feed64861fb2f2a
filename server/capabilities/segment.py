"""SEGMENT: order lines in, a table with a row per customer out."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from server.capabilities.base import column_of
from server.capabilities.one_table import TableCapability
from udfs.errors import BadInput
from udfs.kinds import DAY_ZERO


class Segment(TableCapability):
    """Scores or expected value per customer. The whole call is one item, and stored as one."""

    name = "segment"
    stored_as = "segment"
    model = "customers"

    def item(self, args: Mapping[str, Any]) -> dict[str, Any]:
        columns = {name: column_of(args[name], name) for name in ("ids", "dates", "amounts")}
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            found = ", ".join(f"{name} has {count:,} cells" for name, count in lengths.items())
            raise BadInput(f"{found}; expected as many of each. Select the same rows in all three.")
        as_of = args["as_of"]
        return {
            "ids": [cell if isinstance(cell, str) else None for cell in columns["ids"]],
            "days": [_day_number(cell) for cell in columns["dates"]],
            "amounts": [c if isinstance(c, float) else None for c in columns["amounts"]],
            "method": args["method"],
            "bins": args["bins"],
            "as_of": as_of and _day_number(as_of),
        }


def _day_number(cell: object) -> int | None:
    return (cell - DAY_ZERO).days if isinstance(cell, datetime.date) else None
