"""Cells of a workbook: addresses, areas and how a value is written in sheet XML."""

from __future__ import annotations

import datetime
import math
import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from udfs.errors import CellError
from udfs.kinds import number_text

Value: TypeAlias = bool | float | str | CellError | None

MAX_ROW: Final = 1_048_576
MAX_COL: Final = 16_384
_COL_BITS = 15

_ADDRESS = re.compile(r"\$?([A-Za-z]{1,3})\$?([0-9]{1,7})")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_NEEDS_ESCAPE = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")


def key_of(row: int, col: int) -> int:
    """One number for a cell, ordered by row, then column."""
    return row << _COL_BITS | col


def cell_of(key: int) -> tuple[int, int]:
    """Row and column that `key_of` packed."""
    return key >> _COL_BITS, key & ((1 << _COL_BITS) - 1)


def col_number(letters: str) -> int:
    """1 for A, 27 for AA."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


def col_letters(number: int) -> str:
    """A for 1, AA for 27."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def address(row: int, col: int) -> str:
    """The cell as people write it: B2."""
    return f"{col_letters(col)}{row}"


@dataclass(frozen=True, order=True, slots=True)
class Area:
    """A rectangle of cells of one sheet, all ends included."""

    row: int
    col: int
    last_row: int
    last_col: int

    @classmethod
    def parse(cls, text: str) -> Area:
        """The area that "B2" or "B2:C9" names.

        Raises: ValueError if it names none.
        """
        ends = []
        for part in text.split(":"):
            match = _ADDRESS.fullmatch(part.strip())
            if match is None:
                raise ValueError(f"{text!r} is no cell area")
            ends.append((int(match[2]), col_number(match[1])))
        if not 1 <= len(ends) <= 2:
            raise ValueError(f"{text!r} is no cell area")
        (row, col), (last_row, last_col) = ends[0], ends[-1]
        return cls(min(row, last_row), min(col, last_col), max(row, last_row), max(col, last_col))

    @classmethod
    def sized(cls, row: int, col: int, rows: int, cols: int) -> Area:
        """The area of so many rows and columns whose first cell is given."""
        return cls(row, col, row + rows - 1, col + cols - 1)

    def __str__(self) -> str:
        first = address(self.row, self.col)
        return first if self.one_cell else f"{first}:{address(self.last_row, self.last_col)}"

    @property
    def rows(self) -> int:
        return self.last_row - self.row + 1

    @property
    def cols(self) -> int:
        return self.last_col - self.col + 1

    @property
    def one_cell(self) -> bool:
        return self.rows == 1 and self.cols == 1

    @property
    def on_sheet(self) -> bool:
        """Whether all of it lies on a sheet."""
        fits = self.last_row <= MAX_ROW and self.last_col <= MAX_COL
        return min(self.row, self.col) >= 1 and fits

    def holds(self, row: int, col: int) -> bool:
        """Whether the cell lies in the area."""
        return self.row <= row <= self.last_row and self.col <= col <= self.last_col

    def meets(self, other: Area) -> bool:
        """Whether both areas share a cell."""
        return (
            self.row <= other.last_row
            and other.row <= self.last_row
            and self.col <= other.last_col
            and other.col <= self.last_col
        )

    def clipped(self, used: Area) -> Area:
        """The area, cut to what is used where it ends with the sheet (A:A, A2:A1048576)."""
        last_row, last_col = self.last_row, self.last_col
        if last_row == MAX_ROW:
            last_row = max(self.row, min(last_row, used.last_row))
        if last_col == MAX_COL:
            last_col = max(self.col, min(last_col, used.last_col))
        return Area(self.row, self.col, last_row, last_col)

    def cell_keys(self) -> list[int]:
        """All its cells, row by row."""
        return [
            key_of(row, col)
            for row in range(self.row, self.last_row + 1)
            for col in range(self.col, self.last_col + 1)
        ]


def read_text(raw: str) -> str:
    """A text as the user sees it: _x000D_ and its like decoded (ST_Xstring)."""
    if "_x" not in raw:
        return raw
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), raw)


def write_text(text: str) -> str:
    """`text` for an XML element: markup and what XML or ST_Xstring cannot hold escaped."""
    text = _NEEDS_ESCAPE.sub(lambda match: f"_x{ord(match[0]):04X}_", text)
    if not text.isascii() and _HALF_CHARACTER.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def read_value(kind: str, raw: str) -> Value:
    """The value of `<v>` text in a cell of type `kind` (all types but s and inlineStr)."""
    if kind == "str":
        return read_text(raw)
    if kind == "b":
        return raw.strip() in ("1", "true")
    if kind == "e":
        return CellError(raw.strip())
    if not raw.strip():
        return None
    if kind == "d":
        return _serial_date(raw.strip())
    try:
        return float(raw)
    except ValueError:
        return raw


def write_value(value: Value) -> tuple[str | None, str]:
    """Cell type (None: number) and `<v>` content for a value; None is the empty text."""
    if value is None:
        return "str", ""
    if isinstance(value, bool):
        return "b", "1" if value else "0"
    if isinstance(value, CellError):
        # A file has no plain spelling for the errors that came with dynamic arrays: Excel itself
        # stores #VALUE! for them (and the true kind in a part that we do not touch).
        return "e", value.code if value.code in _PLAIN_ERRORS else "#VALUE!"
    if isinstance(value, str):
        return "str", write_text(value)
    if not math.isfinite(value):
        return "e", "#NUM!"
    return None, number_text(float(value) + 0.0)


_PLAIN_ERRORS = frozenset(
    ("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#GETTING_DATA")
)


def same(old: Value, new: Value, tolerance: float = 0.0) -> bool:
    """Whether two values are the same in a file: type and content.

    Numbers may differ by `tolerance` relative to their size.
    """
    if isinstance(old, CellError) and isinstance(new, CellError):
        return write_value(old) == write_value(new)
    if type(old) is not type(new):
        return False
    if isinstance(old, float) and isinstance(new, float) and tolerance:
        return math.isclose(old, new, rel_tol=tolerance, abs_tol=tolerance * 1e-3)
    return old == new


def _serial_date(text: str) -> Value:
    """Day number of an ISO 8601 date, as t="d" cells hold it (1900 date system)."""
    try:
        moment = datetime.datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return text
    return (moment - datetime.datetime(1899, 12, 30)) / datetime.timedelta(days=1)
