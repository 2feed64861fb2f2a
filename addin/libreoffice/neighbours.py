"""The calls that Calc will make next: single-cell formulas of ours in the same document.

Calc asks for one cell after the other and waits for each. Who fills a column asks for thousands;
known in advance they travel in one request. What is found here is only a guess: it decides what is
asked early, never what a cell shows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    Call = tuple[str, list[Any]]

FORMULA = 16  # com.sun.star.sheet.CellFlags.FORMULA
MAX_FORMULAS = 50_000

# SHOP.NAME(A2) or SHOP.NAME($A2;"score";0.8), as Calc's API spells it in any language.
_CALL = re.compile(
    r'SHOP\.([A-Z][A-Z0-9_]*)\(\$?([A-Z]{1,3})\$?([1-9][0-9]*)((?:;(?:"[^"]*"|[0-9.]*))*)\)'
)
_OPTION = re.compile(r';("[^"]*"|[0-9.]*)')


def calls_of(document: Any) -> Iterator[Call]:
    """The calls on one cell of text with literal options, sheet by sheet, down each column.

    Reads formulas and constants alone, for reading a result would have Calc compute it now.
    """
    sheets = document.getSheets()
    for number in range(sheets.getCount()):
        yield from _calls_on(sheets.getByIndex(number))


def parse_calls(formula: str) -> list[tuple[str, str, int, list[Any]]]:
    """Function, column, row and options of each call on one cell in a formula."""
    return [
        (name, column, int(row), [_literal(option) for option in _OPTION.findall(options)])
        for name, column, row, options in _CALL.findall(formula)
    ]


def _calls_on(sheet: Any) -> Iterator[Call]:
    found: list[tuple[str, str, int, list[Any]]] = []
    left = MAX_FORMULAS
    for area in sheet.queryContentCells(FORMULA).getRangeAddresses():
        last_row = min(area.EndRow, area.StartRow + left // (area.EndColumn - area.StartColumn + 1))
        cells = sheet.getCellRangeByPosition(
            area.StartColumn, area.StartRow, area.EndColumn, last_row
        )
        for formulas in zip(*cells.getFormulaArray()):  # noqa: B905 - rows are equally long
            left -= len(formulas)
            for formula in formulas:
                found += parse_calls(formula)
        if left <= 0:
            break
    rows: dict[str, list[int]] = {}
    for _, column, row, _ in found:
        rows.setdefault(column, []).append(row)
    texts: dict[str, tuple[int, Any]] = {}
    for column, used in rows.items():
        cells = sheet.getCellRangeByName(f"{column}{min(used)}:{column}{max(used)}")
        texts[column] = min(used), cells.getFormulaArray()
    for name, column, row, options in found:
        first, lines = texts[column]
        text = lines[row - first][0]
        if text and text[0] not in "='{":
            yield name, [text, *options]


def _literal(option: str) -> Any:
    if option.startswith('"'):
        return option[1:-1]
    try:
        return float(option) if option else None
    except ValueError:
        return None
