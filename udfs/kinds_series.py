"""Kinds of argument that series need: times with a time of day, and levels of intervals."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Any

from udfs.errors import CellError, short
from udfs.kinds import (
    DAY_ZERO,
    LAST_SERIAL,
    Cell,
    Kind,
    Number,
    Option,
    Texts,
    is_blank,
    number_text,
    read_grid,
    to_float,
)


class WrittenTime(float):
    """A time that stood in the sheet as text; its value is the sheet's day number."""


_WRITTEN_TIME = re.compile(
    r"(\d{4})(?:-|/|\.|年)(\d{1,2})(?:(?:-|/|\.|月)(\d{1,2})日?)?月?"
    r"(?:[T ]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?"
)


@dataclass(frozen=True)
class Times(Kind):
    """One cell or a range of dates with or without a time of day; parses to the sheet's day
    numbers: rows of float (WrittenTime where a text was), None (blank), CellError."""

    takes_range = True

    def parse(self, raw: object, arg_name: str) -> list[list[Any]]:
        """Rows of day numbers. A text begins with the year; 2024-05 is the first of the month.

        What is no time becomes a CellError.
        Raises: BadInput if `raw` is no range of cells.
        """
        return [[_time_cell(cell, arg_name) for cell in row] for row in read_grid(raw, arg_name)]

    def json_schema(self) -> dict[str, Any]:
        return Texts().json_schema()

    def describe(self) -> str:
        return "one cell or a range of dates or times"


def _time_cell(cell: Cell, arg_name: str) -> float | CellError | None:
    if is_blank(cell) or isinstance(cell, CellError):
        return cell if isinstance(cell, CellError) else None
    if isinstance(cell, str) and (written := _WRITTEN_TIME.fullmatch(cell.strip())):
        year, month, day, hour, minute, second = (int(part or 0) for part in written.groups())
        try:
            moment = datetime.datetime(year, month, day or 1, hour, minute, second)
        except ValueError:
            pass
        else:
            apart = moment - datetime.datetime.combine(DAY_ZERO, datetime.time())
            return WrittenTime(apart / datetime.timedelta(days=1))
    elif (serial := to_float(cell)) is not None and 0 <= serial < LAST_SERIAL + 1:
        return serial
    return CellError(
        "#VALUE!",
        f"{arg_name} holds {short(cell)}; expected a date or time, or a text such as 2024-05-31 "
        "or 2024-05-31 14:00.",
    )


class Moment(Option):
    """One date, with or without a time of day; parses to the sheet's day number."""

    def parse(self, raw: object, arg_name: str) -> float | None:
        """The day number of a date cell or of text with the year first; None if blank.

        Raises: BadInput if it is no date.
        """
        found = _time_cell(self.one_cell(raw, arg_name), arg_name)
        if isinstance(found, CellError):
            raise found.to_exception()
        return found

    def json_schema(self) -> dict[str, Any]:
        return {"type": ["string", "number", "null"]}

    def describe(self) -> str:
        return "a date or time"


@dataclass(frozen=True)
class Level(Number):
    """The level of an interval, in per cent; 95% in a sheet is 0.95, and means 95."""

    def parse(self, raw: object, arg_name: str) -> float:
        """The level from `lo` to `hi`; up to 1 it is a share.

        Raises: BadInput if it is no number, OutOfRange if it is outside lo to hi.
        """
        number = to_float(self.one_cell(raw, arg_name))
        if number is not None and 0 < number <= 1:
            raw = round(number * 100, 9)
        return float(super().parse(raw, arg_name))

    def json_schema(self) -> dict[str, Any]:
        return {**super().json_schema(), "minimum": 0}

    def describe(self) -> str:
        return f"a level from {number_text(self.lo)} to {number_text(self.hi)}"
