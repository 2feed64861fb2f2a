"""Saved cut-points of RFM, a small JSON file per name: later customers are judged alike."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from server.customers.orders import CustomerSummary, OrderDays, clean_orders
from server.customers.rfm import RfmScheme, RfmTable
from server.tables import open_table
from udfs.errors import BadInput, ModelFailed, short
from udfs.kinds import DAY_ZERO, Dates, Numbers, Texts

FORMAT_VERSION = 1
_NAME = re.compile(r"\w[\w .-]{0,63}")
_MAKE = "shopsheet train segment FILE --id NAME --date NAME --amount NAME --name"


@dataclass(frozen=True)
class SavedSegments:
    """The cut-points of one time, and how many customers fell into each segment then."""

    name: str
    as_of: str
    scheme: RfmScheme
    customers: Mapping[str, int]  # by segment

    @property
    def total(self) -> int:
        """All customers of that time."""
        return sum(self.customers.values())


def make_saved(
    name: str, summary: CustomerSummary, table: RfmTable, scheme: RfmScheme
) -> SavedSegments:
    """What is to be saved of customers that were scored by a scheme fitted to them."""
    return SavedSegments(name, str(summary.as_of), scheme, Counter(table.segments))


def path_of(home: Path, name: str) -> Path:
    """Where the cut-points of that name lie. Raises: BadInput if it cannot be a name."""
    if not _NAME.fullmatch(name) or name.endswith((" ", ".")):
        raise BadInput(
            f"{short(name)} cannot name saved cut-points: letters, digits, spaces, '-', '_' and "
            "'.' can, up to 64. Or give bins as a whole number from 2 to 10."
        )
    return home / "models" / "segments" / f"{name}.json"


def save_segments(path: Path, saved: SavedSegments) -> None:
    """Nothing; the file is written whole or not at all, and replaces an older one."""
    data = {
        "format_version": FORMAT_VERSION,
        "name": saved.name,
        "as_of": saved.as_of,
        "customers": dict(saved.customers),
        "scheme": saved.scheme.to_json(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def load_segments(path: Path) -> SavedSegments:
    """The cut-points in a file.

    Raises: BadInput if there is none; ModelFailed if it is damaged or of a newer format.
    """
    if not path.is_file():
        names = sorted(one.stem for one in path.parent.glob("[!.]*.json"))
        raise BadInput(
            f"There are no saved cut-points {path.stem!r}; saved: {', '.join(names) or 'none yet'}."
            f" Save some with: {_MAKE} {path.stem}. Or give bins as a whole number from 2 to 10."
        )
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format_version"] != FORMAT_VERSION:
            raise ModelFailed(
                f"The cut-points {path.stem!r} have format {data['format_version']}, and this "
                f"Shopsheet reads format {FORMAT_VERSION}. Upgrade Shopsheet, or make them anew."
            )
        customers = {str(name): int(count) for name, count in data["customers"].items()}
        scheme = RfmScheme.from_json(data["scheme"])
        return SavedSegments(str(data["name"]), str(data["as_of"]), scheme, customers)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, BadInput) as error:
        raise ModelFailed(
            f"The cut-points in {path} cannot be used: {type(error).__name__} {error}. Copy the "
            "file again, or make them anew."
        ) from error


def orders_from_file(
    path: Path,
    columns: Mapping[str, str],
    sheet: str | None = None,
    encoding: str | None = None,
) -> OrderDays:
    """The order lines of a file; `columns` names those of id, date and amount.

    Raises: BadInput if the file or a column is not there, or no line can be used.
    """
    table = open_table(path, sheet, encoding)
    places = [table.index_of(columns[what]) for what in ("id", "date", "amount")]
    rows = [[_cell(row[place]) for place in places] for row in table.rows()]
    if not rows:
        raise BadInput(f"{path.name} holds no row below its headings.")
    ids, days, amounts = (
        [parsed for (parsed,) in kind.parse([[row[number]] for row in rows], columns[what])]
        for number, (what, kind) in enumerate(
            (("id", Texts()), ("date", Dates()), ("amount", Numbers()))
        )
    )
    orders = clean_orders(
        [cell if isinstance(cell, str) else None for cell in ids],
        [cell if isinstance(cell, date) else None for cell in days],
        [cell if isinstance(cell, float) else np.nan for cell in amounts],
    )
    if not len(orders.day):
        raise BadInput(_nothing_usable(path, orders, rows[0]))
    return orders


def _nothing_usable(path: Path, orders: OrderDays, first: Sequence[Any]) -> str:
    left = orders.left_out
    return (
        f"None of the {left.total:,} order lines of {path.name} can be used: {left.missing_id:,} "
        f"lack an id, {left.missing_date:,} a date, {left.missing_amount:,} an amount. The first "
        f"reads {short(first[0])}, {short(first[1])}, {short(first[2])}. Dates are date cells, or "
        "texts with the year first, such as 2024-05-31."
    )


def _cell(value: Any) -> Any:
    """A cell as a sheet would pass it: dates as day numbers."""
    if isinstance(value, datetime):
        value = value.date()
    if isinstance(value, date):
        return (value - DAY_ZERO).days
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
