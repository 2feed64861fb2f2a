"""Columns as a sheet holds them: headings found, numbers, two-valued outcomes, names of values."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from udfs.errors import BadInput, CellError
from udfs.kinds import Cell, Grid, number_text

FEWEST_BELOW_TEXT_HEADINGS = 5  # rows that must stand below headings in columns of texts alone
MOSTLY = 0.9
LARGEST = 1e100  # of a number: the squares of many must not leave what a computer can hold
_YES = {"1", "true", "yes", "y", "t", "是", "有", "对", "真"}
_NO = {"0", "false", "no", "n", "f", "否", "无", "没有", "不是", "假"}
_HAN = re.compile("[\u4e00-\u9fff]")
_WRITTEN_DATE = re.compile(r"\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?(?:[T ].*)?")
T = TypeVar("T")


@dataclass(frozen=True)
class Column:
    """A column without its heading. `name` is the heading, else ""."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Sheet:
    """The columns of several arguments, side by side. first_row: 2 where row 1 holds headings."""

    columns: Mapping[str, tuple[Column, ...]]
    first_row: int

    def one(self, arg_name: str) -> Column:
        """The only column of an argument."""
        return self.columns[arg_name][0]

    @property
    def rows(self) -> int:
        return len(next(iter(self.columns.values()))[0].cells)


def read_sheet(grids: Mapping[str, Grid], one_column: Iterable[str]) -> Sheet:
    """The columns of these ranges; a row of headings is told from data over all of them together.

    Raises: BadInput if they are not equally long, or one of `one_column` is wider.
    """
    upright = {
        name: _upright(grid, name) if name in set(one_column) else grid
        for name, grid in grids.items()
    }
    lengths = {name: len(grid) for name, grid in upright.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} has {count:,} rows" for name, count in lengths.items())
        raise BadInput(f"{found}; expected as many of each. Select the same rows in all of them.")
    every = [column for grid in upright.values() for column in zip(*grid, strict=True)]
    headed = has_headings(every)
    return Sheet(
        {
            name: tuple(_column(cells, headed) for cells in zip(*grid, strict=True))
            for name, grid in upright.items()
        },
        2 if headed else 1,
    )


def has_headings(columns: Sequence[Sequence[Cell]]) -> bool:
    """Whether the first row of these columns names them.

    It does if it holds texts or nothing, and below a text stand numbers or dates; or, in columns of
    texts alone, if it holds texts throughout and none of them comes again where texts do.
    """
    first = [column[0] for column in columns]
    if not all(
        cell is None or (isinstance(cell, str) and number_of(cell) is None) for cell in first
    ):
        return False
    names = ["" if cell is None else str(cell).strip().casefold() for cell in first]
    if len(columns[0]) < 2:
        return False
    below = [[cell for cell in column[1:] if is_filled(cell)] for column in columns]
    if any(name and _unlike_text(cells) for name, cells in zip(names, below, strict=True)):
        return True
    if not all(names) or len(columns[0]) <= FEWEST_BELOW_TEXT_HEADINGS:
        return False
    values = [[key_of(cell) for cell in cells] for cells in below]
    again = {value for column in values for value in column}
    repeats = any(2 * len(set(column)) <= len(column) for column in values if column)
    return repeats and not any(name in again for name in names)


def is_filled(cell: Cell) -> bool:
    """Whether a cell holds a value: not blank, no error."""
    return not (cell is None or isinstance(cell, CellError) or cell == "")


def number_of(cell: Cell) -> float | None:
    """The number of a cell, also of a text that spells one; None of anything else."""
    if isinstance(cell, bool) or cell is None or isinstance(cell, CellError):
        return None
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if abs(number) < LARGEST else None


def value_of(cell: Cell) -> float | None:
    """As `number_of`, and TRUE is 1, FALSE is 0."""
    return float(cell) if isinstance(cell, bool) else number_of(cell)


def name_of(cell: Cell) -> str:
    """A filled cell as its name is shown: Web, 3, TRUE."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, (int, float)):
        return number_text(cell)
    return str(cell).strip()


def key_of(cell: Cell) -> str:
    """What two cells share that a sheet calls equal: case and spaces around do not matter."""
    return name_of(cell).casefold()


def as_date(cell: Cell) -> datetime.date | None:
    """The date that a text spells, its year first; None of anything else."""
    if not isinstance(cell, str) or not _WRITTEN_DATE.fullmatch(cell.strip()):
        return None
    try:
        year, month, day = map(int, re.findall(r"\d+", cell)[:3])
        return datetime.date(year, month, day)
    except ValueError:
        return None


def yes_or_no(cells: Iterable[Cell]) -> dict[str, bool] | None:
    """Per key of these filled cells whether it means yes; None if they are not such a pair.

    1 and 0, TRUE and FALSE, yes and no, 是 and 否 are, and so is "bought" beside "not bought".
    """
    keys = {key_of(cell) for cell in cells}
    if keys <= _YES | _NO:
        return {key: key in _YES for key in keys}
    if len(keys) == 2:
        plain, negated = sorted(keys, key=len)
        if negated in {
            f"{mark}{plain}" for mark in ("not ", "no ", "non-", "not-", "un", "未", "不")
        }:
            return {plain: True, negated: False}
    return None


def is_chinese(words: Iterable[str]) -> bool:
    """Whether most of these names that hold letters hold Chinese ones."""
    lettered = [word for word in words if re.search(r"[^\W\d_]", word)]
    return 2 * sum(bool(_HAN.search(word)) for word in lettered) > len(lettered)


def unique(items: Iterable[T]) -> list[T]:
    """The items, each once, in order of first appearance."""
    return list(dict.fromkeys(items))


def _upright(grid: Grid, arg_name: str) -> Grid:
    if len(grid[0]) == 1:
        return grid
    if len(grid) == 1:
        return [[cell] for cell in grid[0]]
    raise BadInput(
        f"{arg_name} is a range of {len(grid):,} by {len(grid[0]):,} cells; expected one column."
    )


def _column(cells: Sequence[Cell], headed: bool) -> Column:
    name = name_of(cells[0]) if headed and is_filled(cells[0]) else ""
    return Column(name, tuple(cells[1:] if headed else cells))


def _unlike_text(cells: Sequence[Cell]) -> bool:
    """Whether these are numbers, truth values or dates, but for a few."""
    other = sum(value_of(cell) is not None or as_date(cell) is not None for cell in cells)
    return bool(cells) and other >= MOSTLY * len(cells)
