"""SEGMENT: order lines in, a table with a row per customer out."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from server.capabilities.base import column_of
from server.capabilities.one_table import TableCapability
from server.segment_models import load_segments, path_of
from server.settings import Settings
from udfs.errors import BadInput, short
from udfs.kinds import DAY_ZERO

SAVED = "saved cut-points"  # what `resolve` adds to the arguments


class Segment(TableCapability):
    """Scores or expected value per customer. The whole call is one item, and stored as one."""

    name = "segment"
    stored_as = "segment"
    model = "customers"

    def resolve(self, args: Mapping[str, Any], settings: Settings) -> Mapping[str, Any]:
        """The arguments, with the saved cut-points that they name."""
        if not isinstance(args["bins"], str):
            return args
        if args["method"] != "RFM":
            raise BadInput(
                f"bins names the cut-points {short(args['bins'])}, and method "
                f'"{args["method"]}" has none. Leave bins out, or use method "RFM".'
            )
        return {**args, SAVED: load_segments(path_of(settings.home, args["bins"]))}

    def item(self, args: Mapping[str, Any]) -> dict[str, Any]:
        columns = {name: column_of(args[name], name) for name in ("ids", "dates", "amounts")}
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            found = ", ".join(f"{name} has {count:,} cells" for name, count in lengths.items())
            raise BadInput(f"{found}; expected as many of each. Select the same rows in all three.")
        as_of, saved = args["as_of"], args.get(SAVED)
        return {
            "ids": [cell if isinstance(cell, str) else None for cell in columns["ids"]],
            "days": [_day_number(cell) for cell in columns["dates"]],
            "amounts": [c if isinstance(c, float) else None for c in columns["amounts"]],
            "method": args["method"],
            "bins": saved.scheme.bins if saved else args["bins"],
            "as_of": as_of and _day_number(as_of),
            **({"cuts": saved.scheme.to_json()} if saved else {}),
        }


def _day_number(cell: object) -> int | None:
    return (cell - DAY_ZERO).days if isinstance(cell, datetime.date) else None
