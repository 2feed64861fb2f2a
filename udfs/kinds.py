"""Kinds of argument: each turns what a host passed into a Python value or says what is wrong."""

from __future__ import annotations

import datetime
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from udfs.errors import BadInput, CellError, OutOfRange, error_from_code, short

Cell: TypeAlias = bool | int | float | str | CellError | None
Grid: TypeAlias = list[list[Cell]]

MAX_TEXT_CHARS = 32_767  # what one Excel cell can hold

# One cell on the wire. Kinds refer to it, so it is written once.
CELL_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": ["string", "number", "boolean", "null"]},
        {
            "type": "object",
            "required": ["error"],
            "properties": {
                "error": {
                    "type": "object",
                    "required": ["code"],
                    "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
                }
            },
        },
    ]
}


def is_range(raw: object) -> bool:
    """Whether a host passed a range (rows of cells) rather than one cell."""
    return isinstance(raw, (list, tuple))


def read_grid(raw: object, arg_name: str) -> Grid:
    """Rows of cells, all of one width: a scalar becomes one row of one cell.

    Raises: BadInput if the rows differ in width, there is no cell, or something is not a cell.
    """
    if not is_range(raw):
        return [[read_cell(raw)]]
    assert isinstance(raw, (list, tuple))
    rows: Grid = []
    for row in raw:
        if not isinstance(row, (list, tuple)):
            raise BadInput(
                f"{arg_name} is a flat list; a range is a list of rows. "
                'Write a column as [["a"],["b"]] and a row as [["a","b"]].'
            )
        # A column of 100,000 texts passes here: what needs no look gets no call.
        rows.append([cell if type(cell) is str else read_cell(cell) for cell in row])
    if not rows or not rows[0]:
        raise BadInput(f"{arg_name} is an empty range; give it at least one cell.")
    width = len(rows[0])
    for number, cells in enumerate(rows, start=1) if len(set(map(len, rows))) > 1 else ():
        if len(cells) != width:
            raise BadInput(
                f"{arg_name} has {len(cells)} cells in row {number} and {width} in row 1; "
                "all rows of a range must be equally wide."
            )
    return rows


def read_cell(raw: object) -> Cell:
    """One cell as we hold it: an error that came as JSON becomes a CellError.

    Raises: BadInput if `raw` is nothing that a cell can hold.
    """
    if raw is None or isinstance(raw, (bool, int, float, str, CellError)):
        return raw
    return CellError.from_json(raw)


def is_blank(raw: object) -> bool:
    """Whether a host passed nothing: a missing argument, an empty cell or a blank text."""
    if isinstance(raw, (list, tuple)):
        return len(raw) == 1 and is_range(raw[0]) and len(raw[0]) == 1 and is_blank(raw[0][0])
    return raw is None or (isinstance(raw, str) and not raw.strip())


def number_text(value: float) -> str:
    """The shortest text that reads back as `value`; whole numbers lose their ".0"."""
    if isinstance(value, int):
        return str(value)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


class Kind(ABC):
    """What an argument may be. The attributes are what the hosts' metadata is built from."""

    takes_range: bool = False  # the host passes rows of cells
    office_type: str = "any"  # Office.js parameter type: any, string, number or boolean
    choices: tuple[str, ...] = ()  # a host that can shows them as a drop-down

    @property
    def dimensionality(self) -> str:
        """Office.js: "matrix" where a range is taken, else "scalar"."""
        return "matrix" if self.takes_range else "scalar"

    def is_left_out(self, raw: object) -> bool:
        """Whether what a host passed stands for an argument that was not given."""
        return is_blank(raw)

    @abstractmethod
    def parse(self, raw: object, arg_name: str) -> Any:
        """The Python value of what a host passed.

        Raises: BadInput or OutOfRange, naming `arg_name`.
        """

    @abstractmethod
    def json_schema(self) -> dict[str, Any]:
        """JSON schema of the argument on the wire."""

    @abstractmethod
    def describe(self) -> str:
        """What is expected, in a few words, for help texts and messages."""


@dataclass(frozen=True)
class Texts(Kind):
    """One cell or a range of texts; parses to a Grid of str, None (blank) and CellError."""

    takes_range = True
    # Any: a range may mix texts with numbers, blanks and errors; "string" would refuse it whole.
    office_type = "any"

    def parse(self, raw: object, arg_name: str) -> Grid:
        """Rows of texts: numbers as their shortest text, blank cells None, errors kept.

        A text that is too long becomes a CellError: it spoils its own cell only.
        Raises: BadInput if `raw` is no range of cells.
        """
        return [[_text_cell(cell, arg_name) for cell in row] for row in read_grid(raw, arg_name)]

    def json_schema(self) -> dict[str, Any]:
        rows = {"type": "array", "items": CELL_SCHEMA, "minItems": 1}
        return {"anyOf": [*CELL_SCHEMA["anyOf"], {"type": "array", "items": rows, "minItems": 1}]}

    def describe(self) -> str:
        return "one cell or a range of texts"


def _text_cell(cell: Cell, arg_name: str) -> Cell:
    if not isinstance(cell, str):
        if isinstance(cell, bool):
            return "TRUE" if cell else "FALSE"
        if isinstance(cell, (int, float)):
            if not math.isfinite(cell):
                return CellError("#NUM!", f"{arg_name} holds {cell}, which is not a number.")
            return number_text(cell)
        return cell
    if not cell or cell.isspace():
        return None
    if len(cell) > MAX_TEXT_CHARS:
        return CellError(
            "#VALUE!",
            f"{arg_name} has {len(cell):,} characters in one cell; "
            f"at most {MAX_TEXT_CHARS:,} are read. Split the text.",
        )
    return _whole_characters(cell)


def _whole_characters(text: str) -> str:
    """`text` with half characters replaced: LEFT() cuts an emoji in two, JSON carries the half."""
    try:
        text.encode("utf-8")  # the quickest way to find out
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


@dataclass(frozen=True)
class Cells(Kind):
    """One cell or a range of anything; parses to a Grid, each value as the sheet holds it."""

    takes_range = True

    def parse(self, raw: object, arg_name: str) -> Grid:
        """Rows of cells; blank ones None, errors kept.

        Raises: BadInput if `raw` is no range of cells.
        """
        return [[_any_cell(cell, arg_name) for cell in row] for row in read_grid(raw, arg_name)]

    def json_schema(self) -> dict[str, Any]:
        return Texts().json_schema()

    def describe(self) -> str:
        return "one cell or a range"


def _any_cell(cell: Cell, arg_name: str) -> Cell:
    if isinstance(cell, (bool, int)) or (isinstance(cell, float) and math.isfinite(cell)):
        return cell
    return _text_cell(cell, arg_name)


@dataclass(frozen=True)
class WordList(Kind):
    """Words or phrases, as "a;b;c" in one cell or a range with one in each; parses to a tuple.

    at_least: how many there must be. `distinct` refuses one that is there twice, in any case;
    else the second is left out. `keep_blanks` holds the place of a blank cell with an empty text,
    so that two lists can be paired.
    """

    at_least: int = 0
    distinct: bool = False
    keep_blanks: bool = False

    takes_range = True

    def parse(self, raw: object, arg_name: str) -> tuple[str, ...]:
        """The words without spaces around them, in order; () of a blank cell.

        A flat list is read as a column, so what was parsed can be parsed again.
        Raises: BadInput or the error of a cell that holds one, naming the place.
        """
        words = tuple(_words(raw, arg_name))
        given = [word for word in words if word]
        if len(given) < self.at_least:
            raise BadInput(
                f"{arg_name} holds {len(given)}; expected {self.describe()} with at least "
                f"{self.at_least}."
            )
        seen: dict[str, str] = {}
        for word in given:
            first = seen.setdefault(word.casefold(), word)
            if first is not word and self.distinct:
                raise BadInput(f"{arg_name} holds {short(word)} twice; give each one once.")
        if self.keep_blanks:
            return words if given else ()
        return tuple(seen.values())

    def json_schema(self) -> dict[str, Any]:
        flat = {"type": "array", "items": CELL_SCHEMA}
        return {"anyOf": [*Texts().json_schema()["anyOf"], flat]}

    def describe(self) -> str:
        return 'a range or a list such as "a;b;c"'


def _words(raw: object, arg_name: str) -> list[str]:
    if is_range(raw):
        assert isinstance(raw, (list, tuple))
        flat = all(not is_range(item) for item in raw)
        cells = [read_cell(item) for item in raw] if flat else _flat(read_grid(raw, arg_name))
        split = len(cells) == 1 and not flat
    else:
        cells, split = [read_cell(raw)], True
    words: list[str] = []
    for place, cell in enumerate(cells, start=1):
        text = _text_cell(cell, arg_name)
        if isinstance(text, CellError):
            where = f"cell {place} of {arg_name}" if len(cells) > 1 else arg_name
            message = f"{where} is the error {text.code}. {text.message}".rstrip()
            raise error_from_code(text.code, message)
        assert text is None or isinstance(text, str)
        parts = re.split("[;；]", text or "") if split else [text or ""]
        words += [part.strip() for part in parts]
    return words


def _flat(grid: Grid) -> list[Cell]:
    return [cell for row in grid for cell in row]


@dataclass(frozen=True)
class Numbers(Kind):
    """One cell or a range of numbers; parses to a Grid of float, None (blank) and CellError."""

    takes_range = True

    def parse(self, raw: object, arg_name: str) -> Grid:
        """Rows of numbers; a text that spells one counts. What is none becomes a CellError.

        Raises: BadInput if `raw` is no range of cells.
        """
        return [[_number_cell(cell, arg_name) for cell in row] for row in read_grid(raw, arg_name)]

    def json_schema(self) -> dict[str, Any]:
        return Texts().json_schema()

    def describe(self) -> str:
        return "one cell or a range of numbers"


def _number_cell(cell: Cell, arg_name: str) -> Cell:
    if is_blank(cell) or isinstance(cell, CellError):
        return cell if isinstance(cell, CellError) else None
    number = to_float(cell)
    if number is None:
        return CellError("#VALUE!", f"{arg_name} holds {short(cell)}; expected a number.")
    return number


# Day 0 of the sheet's calendar; right from 1 March 1900, before which Excel counts a day too many.
DAY_ZERO = datetime.date(1899, 12, 30)
LAST_SERIAL = (datetime.date.max - DAY_ZERO).days
_WRITTEN_DATE = re.compile(r"(\d{4})(?:-|/|\.|年)(\d{1,2})(?:-|/|\.|月)(\d{1,2})日?(?:[T ].*)?")


@dataclass(frozen=True)
class Dates(Kind):
    """One cell or a range of dates; parses to rows of datetime.date, None (blank), CellError."""

    takes_range = True

    def parse(self, raw: object, arg_name: str) -> list[list[Any]]:
        """Rows of dates, from a sheet's day numbers or from text with the year first.

        Times of day are cut off. What is no date becomes a CellError, and so does 03/04/2024, which
        is two days in two countries.
        Raises: BadInput if `raw` is no range of cells.
        """
        return [[_date_cell(cell, arg_name) for cell in row] for row in read_grid(raw, arg_name)]

    def json_schema(self) -> dict[str, Any]:
        return Texts().json_schema()

    def describe(self) -> str:
        return "one cell or a range of dates"


def _date_cell(cell: Cell, arg_name: str) -> datetime.date | CellError | None:
    if is_blank(cell) or isinstance(cell, CellError):
        return cell if isinstance(cell, CellError) else None
    if isinstance(cell, str) and (written := _WRITTEN_DATE.fullmatch(cell.strip())):
        try:
            return datetime.date(*map(int, written.groups()))
        except ValueError:
            pass
    elif (serial := to_float(cell)) is not None and 1 <= serial < LAST_SERIAL + 1:
        return DAY_ZERO + datetime.timedelta(days=math.floor(serial))
    return CellError(
        "#VALUE!",
        f"{arg_name} holds {short(cell)}; expected a date cell, or a text such as 2024-05-31.",
    )


class Option(Kind):
    """A kind of exactly one cell; a range of one cell is read as that cell."""

    def one_cell(self, raw: object, arg_name: str) -> Cell:
        grid = read_grid(raw, arg_name)
        if len(grid) != 1 or len(grid[0]) != 1:
            raise BadInput(
                f"{arg_name} is a range of {len(grid)} by {len(grid[0])} cells; "
                f"expected one cell: {self.describe()}."
            )
        cell = grid[0][0]
        if isinstance(cell, CellError):
            error = cell.to_exception()
            error.message = f"{arg_name} is the error {cell.code}. {cell.message}".rstrip()
            raise error
        return cell


class Day(Option):
    """One date; parses to datetime.date."""

    def parse(self, raw: object, arg_name: str) -> datetime.date | None:
        """The date, from a sheet's day number or from text with the year first; None if blank.

        Raises: BadInput if it is no date.
        """
        found = _date_cell(self.one_cell(raw, arg_name), arg_name)
        if isinstance(found, CellError):
            raise found.to_exception()
        return found

    def json_schema(self) -> dict[str, Any]:
        return {"type": ["string", "number", "null"]}

    def describe(self) -> str:
        return "a date"


class Name(Option):
    """One name; parses to its text without spaces around it."""

    def parse(self, raw: object, arg_name: str) -> str | None:
        """The text; None of a blank cell.

        Raises: BadInput if it is a range of several cells, the cell's error if it holds one.
        """
        text = _text_cell(self.one_cell(raw, arg_name), arg_name)
        if isinstance(text, CellError):
            raise text.to_exception()
        return text.strip() if isinstance(text, str) else None

    def json_schema(self) -> dict[str, Any]:
        return {"type": ["string", "number", "null"]}

    def describe(self) -> str:
        return "a name"


class Flag(Option):
    """TRUE or FALSE; parses to bool."""

    office_type = "boolean"

    def parse(self, raw: object, arg_name: str) -> bool:
        """The truth value. 1 and 0 count, for a host may pass them, and so do the words.

        Raises: BadInput if it is neither.
        """
        cell = self.one_cell(raw, arg_name)
        word = cell.strip().upper() if isinstance(cell, str) else cell
        if word in (True, "TRUE", False, "FALSE"):
            return word in (True, "TRUE")
        raise BadInput(f"{arg_name} is {short(cell)}; expected {self.describe()}.")

    def json_schema(self) -> dict[str, Any]:
        return {"enum": [True, False, None, 1, 0, "TRUE", "FALSE", "true", "false"]}

    def describe(self) -> str:
        return "TRUE or FALSE"


class AnyCell(Option):
    """One cell of anything; parses to its value. An empty text is a value: it shows nothing."""

    def is_left_out(self, raw: object) -> bool:
        return raw is None

    def parse(self, raw: object, arg_name: str) -> Cell:
        """The value of the cell; "" of a cell that is empty, None where none was given.

        Raises: BadInput if it is a range of several cells, the cell's error if it holds one.
        """
        if raw is None:
            return None
        cell = _any_cell(self.one_cell(raw, arg_name), arg_name)
        return "" if cell is None else cell

    def json_schema(self) -> dict[str, Any]:
        return {"type": ["string", "number", "boolean", "null"]}

    def describe(self) -> str:
        return "a value"


class Choice(Option):
    """One of a few words, in any case; parses to the word as declared."""

    office_type = "string"

    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def __repr__(self) -> str:
        return f"Choice{self.choices!r}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Choice) and other.choices == self.choices

    def __hash__(self) -> int:
        return hash(self.choices)

    def parse(self, raw: object, arg_name: str) -> str:
        """The choice that was meant; case and spaces around it do not matter."""
        cell = self.one_cell(raw, arg_name)
        if isinstance(cell, str):
            for choice in self.choices:
                if cell.strip().casefold() == choice.casefold():
                    return choice
        raise BadInput(f"{arg_name} is {short(cell)}; expected {self.describe()}.")

    def json_schema(self) -> dict[str, Any]:
        return {"type": ["string", "null"], "enum": [*self.choices, None]}

    def describe(self) -> str:
        words = [f'"{choice}"' for choice in self.choices]
        return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


@dataclass(frozen=True)
class Number(Option):
    """One number from `lo` to `hi`, ends included; parses to float, or int where `integer`."""

    lo: float = -math.inf
    hi: float = math.inf
    integer: bool = False

    office_type = "number"

    def parse(self, raw: object, arg_name: str) -> float | int:
        """The number; a text that spells one counts, TRUE and FALSE do not.

        Raises: BadInput if it is no number, OutOfRange if it is outside lo to hi.
        """
        cell = self.one_cell(raw, arg_name)
        number = to_float(cell)
        if number is None or (self.integer and not number.is_integer()):
            raise BadInput(f"{arg_name} is {short(cell)}; expected {self.describe()}.")
        if not self.lo <= number <= self.hi:
            hint = (
                f" Write {number_text(number)}% or {number / 100:g}."
                if self._percent(number)
                else ""
            )
            raise OutOfRange(
                f"{arg_name} is {number_text(number)}; expected {self.describe()}.{hint}"
            )
        return int(number) if self.integer else number

    def _percent(self, number: float) -> bool:
        return (self.lo, self.hi) == (0, 1) and 1 < number <= 100

    def json_schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": ["integer" if self.integer else "number", "null"]}
        if self.lo > -math.inf:
            schema["minimum"] = self.lo
        if self.hi < math.inf:
            schema["maximum"] = self.hi
        return schema

    def describe(self) -> str:
        noun = "a whole number" if self.integer else "a number"
        if self.lo > -math.inf and self.hi < math.inf:
            return f"{noun} from {number_text(self.lo)} to {number_text(self.hi)}"
        if self.lo > -math.inf:
            return f"{noun} of at least {number_text(self.lo)}"
        if self.hi < math.inf:
            return f"{noun} of at most {number_text(self.hi)}"
        return noun


@dataclass(frozen=True)
class NumberOrName(Number):
    """One number from `lo` to `hi`, or the name of something saved; parses to a number or str."""

    office_type = "any"

    def parse(self, raw: object, arg_name: str) -> Any:
        """The number, or the name without the spaces around it.

        Raises: BadInput if it is neither, OutOfRange if it is a number outside lo to hi.
        """
        cell = self.one_cell(raw, arg_name)
        if isinstance(cell, str) and cell.strip() and to_float(cell) is None:
            return cell.strip()
        return super().parse(cell, arg_name)

    def json_schema(self) -> dict[str, Any]:
        return {"anyOf": [super().json_schema(), {"type": "string"}]}

    def describe(self) -> str:
        return f"{super().describe()}, or a saved name"


def to_float(cell: Cell) -> float | None:
    if isinstance(cell, bool) or not isinstance(cell, (int, float, str)):
        return None
    try:
        number = float(cell)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


_ON_THE_WIRE_AS_IT_IS = frozenset({str, int, bool, type(None)})


def to_wire(value: object) -> Any:
    """What the wire carries for a cell or a grid: each CellError as JSON.

    A number that JSON cannot hold (not finite) becomes #NUM!.
    """
    if isinstance(value, (list, tuple)):
        return [item if type(item) in _ON_THE_WIRE_AS_IT_IS else to_wire(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return CellError("#NUM!", f"{value} is not a number.").to_json()
    return value.to_json() if isinstance(value, CellError) else value


def from_wire(value: object) -> Any:
    """The cell or grid that `to_wire` wrote.

    Raises: BadInput if an object on the wire is no cell error.
    """
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [item if type(item) in _ON_THE_WIRE_AS_IT_IS else from_wire(item) for item in value]
    return CellError.from_json(value) if isinstance(value, Mapping) else value
