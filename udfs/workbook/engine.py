"""The formula engine (formualizer, MIT): evaluates one expression at a time over known values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import formualizer

from udfs.errors import CellError
from udfs.workbook.book import Book
from udfs.workbook.cells import MAX_COL, MAX_ROW, Value, cell_of, col_letters
from udfs.workbook.translate import (
    CALL_FUNCTION,
    FIRST_FUNCTION,
    KEEP_FUNCTION,
    LIFT_FUNCTION,
    OMITTED,
    NotComputable,
    elementwise_places,
)

Result: TypeAlias = Value | list[list[Value]]


class Pending:
    """Stands for an answer of our functions that is not there yet."""


PENDING: Final = Pending()
OnCall: TypeAlias = Callable[[int, str, list[Result]], Result | Pending]

_CODES = {
    "Null": "#NULL!", "Ref": "#REF!", "Name": "#NAME?", "Value": "#VALUE!", "Div": "#DIV/0!",
    "Na": "#N/A", "Num": "#NUM!", "Spill": "#SPILL!", "Calc": "#CALC!",
}  # fmt: skip
_KINDS = {code: kind for kind, code in _CODES.items()}
# Errors that no sheet knows: the engine says that it cannot, not that the formula is wrong.
_ENGINE_ONLY = {
    "NImpl": "the engine does not know a function in it",
    "Circ": "it refers to itself",
    "Error": "the engine cannot read it",
    "Cancelled": "its evaluation did not end",
}
_PENDING = "Cancelled"  # an answer that is not there yet
_SCRATCH = "shopsheet scratch"


@dataclass(frozen=True)
class Job:
    """An expression to evaluate, for the formula number `cell_id`. `sheet`: where it stands, if
    that matters to it."""

    cell_id: int
    text: str
    sheet: str | None = None


class Engine:
    """Evaluates expressions over the values of a book; spills and order are the caller's work."""

    def __init__(self, book: Book, on_call: OnCall) -> None:
        """`on_call(cell id, function, args)` answers our functions; PENDING if it cannot yet."""
        self._book = book
        self._on_call = on_call
        self._results: dict[int, Result] = {}
        self._pending: set[int] = set()
        self._waiting: dict[str, dict[int, Value]] = {}  # changes of loaded sheets, not yet told
        self._loaded: set[str] = set()
        config = formualizer.EvaluationConfig()
        config.date_system = "1904" if book.date1904 else "1900"
        self._engine = _new_engine(config)
        self._engine.register_function(CALL_FUNCTION, self._call, min_args=2)
        self._engine.register_function(KEEP_FUNCTION, self._keep, min_args=2, max_args=2)
        self._engine.register_function(LIFT_FUNCTION, _lift, min_args=2)
        self._engine.register_function(FIRST_FUNCTION, _first, min_args=1, max_args=1)
        for sheet in book.sheets.values():
            self._engine.add_sheet(sheet.name)
        self._engine.add_sheet(_SCRATCH)

    def load(self, sheet: str) -> None:
        """Nothing; the engine knows the values of the sheet (by key) and is told of changes."""
        if sheet not in self._loaded:
            self._loaded.add(sheet)
            self._tell(sheet, self._book.sheets[sheet].cells.values)

    def change(self, sheet: str, values: Iterable[tuple[int, Value]]) -> None:
        """Nothing; before the next evaluation the engine hears of these values."""
        if sheet in self._loaded:
            self._waiting.setdefault(sheet, {}).update(values)

    def evaluate(self, jobs: Sequence[Job]) -> dict[int, Result | NotComputable | Pending]:
        """What each expression gives, by cell id; PENDING where an answer of ours is missing."""
        for sheet, changes in self._waiting.items():
            self._tell(sheet, changes)
        self._waiting = {}
        self._results, self._pending = {}, set()
        places = self._place(jobs)
        try:
            self._engine.evaluate_all()
        except formualizer.ExcelEvaluationError as error:
            if len(jobs) == 1:
                self._clear(places)
                return {jobs[0].cell_id: NotComputable(f"the engine gave up ({error})")}
            self._clear(places)
            found: dict[int, Result | NotComputable | Pending] = {}
            for job in jobs:
                found |= self.evaluate([job])
            return found
        answers = {
            job.cell_id: self._answer(job, place) for job, place in zip(jobs, places, strict=True)
        }
        self._clear(places)
        return answers

    def _place(self, jobs: Sequence[Job]) -> list[tuple[str, int, int]]:
        """Where each expression now stands in the engine."""
        wrapped = [f"={KEEP_FUNCTION}({job.cell_id},{job.text})" for job in jobs]
        places: list[tuple[str, int, int]] = []
        for number, job in enumerate(jobs):
            if job.sheet is None:
                places.append((_SCRATCH, number % MAX_ROW + 1, number // MAX_ROW + 1))
            else:  # as far from the user's cells as a sheet goes
                places.append((self._book.sheets[job.sheet].name, MAX_ROW - number, MAX_COL))
        plain = [number for number, job in enumerate(jobs) if job.sheet is None]
        if plain and plain == list(range(len(jobs))) and len(jobs) <= MAX_ROW:
            try:
                self._engine.set_formulas_batch(_SCRATCH, 1, 1, [[text] for text in wrapped])
                return places
            except Exception:  # one of them cannot be parsed: find out which, below
                self._clear(places)
        for (sheet, row, col), text in zip(places, wrapped, strict=True):
            try:
                self._engine.set_formula(sheet, row, col, text)
            except Exception:  # any way of saying "cannot parse"
                self._engine.set_value(sheet, row, col, formualizer.LiteralValue.error("Error", ""))
        return places

    def _clear(self, places: Sequence[tuple[str, int, int]]) -> None:
        scratch = [place for place in places if place[0] == _SCRATCH]
        if scratch and len(scratch) == len(places) and scratch[-1][2] == 1:
            self._engine.set_values_batch(_SCRATCH, 1, 1, [[None]] * len(scratch))
            return
        for sheet, row, col in places:
            self._engine.set_value(sheet, row, col, None)

    def _answer(self, job: Job, place: tuple[str, int, int]) -> Result | NotComputable | Pending:
        if job.cell_id in self._pending:
            return PENDING
        if job.cell_id not in self._results:  # it failed before or around KEEP
            value = self._engine.get_value(*place)
            kind = value.get("kind") if isinstance(value, dict) else None
            if kind == "Name":
                return NotComputable("the engine does not know a function or name in it")
            return NotComputable(_ENGINE_ONLY.get(str(kind), "the engine cannot evaluate it"))
        return self._results[job.cell_id]

    def _tell(self, sheet: str, values: dict[int, Value]) -> None:
        """Nothing; the engine holds these values, told in runs of one column."""
        name = self._book.sheets[sheet].name
        by_col: dict[int, list[tuple[int, Value]]] = {}
        for key, value in values.items():
            row, col = cell_of(key)
            by_col.setdefault(col, []).append((row, value))
        for col, cells in by_col.items():
            cells.sort(key=lambda cell: cell[0])
            start = 0
            for at in range(1, len(cells) + 1):
                if at == len(cells) or cells[at][0] != cells[at - 1][0] + 1:
                    run = [[_to_engine(value)] for _, value in cells[start:at]]
                    self._engine.set_values_batch(name, cells[start][0], col, run)
                    start = at

    # What the engine calls

    def _keep(self, cell_id: float, value: Any) -> float:
        if _has_pending(value):
            self._pending.add(int(cell_id))
        else:
            try:
                self._results[int(cell_id)] = _from_engine(value)
            except NotComputable:
                self._results.pop(int(cell_id), None)
        return 0.0

    def _call(self, cell_id: float, name: str, *args: Any) -> Any:
        if any(_has_pending(arg) for arg in args):
            return formualizer.LiteralValue.error(_PENDING, "")
        found = [None if arg == OMITTED else _from_engine(arg) for arg in args]
        answer = self._on_call(int(cell_id), name, found)
        if isinstance(answer, Pending):
            self._pending.add(int(cell_id))
            return formualizer.LiteralValue.error(_PENDING, "")
        if isinstance(answer, list):
            return [[_to_engine(cell) for cell in row] for row in answer]
        return _to_engine(answer)


def _new_engine(config: Any = None) -> Any:
    workbook = formualizer.Workbook(
        mode=formualizer.WorkbookMode.Ephemeral,
        config=formualizer.WorkbookConfig(
            mode=formualizer.WorkbookMode.Ephemeral, eval_config=config, enable_changelog=False
        )
        if config is not None
        else None,
    )
    workbook.set_changelog_enabled(False)
    workbook.set_temporal_egress("serial")  # dates stay numbers, as in cells
    return workbook


def _to_engine(value: Value) -> Any:
    if isinstance(value, CellError):
        return formualizer.LiteralValue.error(_KINDS.get(value.code, "Value"), value.message)
    return value


def _from_engine(value: Any) -> Result:
    """The value as a cell or grid of ours.

    Raises: NotComputable if the engine says that it cannot.
    """
    if isinstance(value, list):
        return [[_cell(cell) for cell in row] for row in value]
    return _cell(value)


def _cell(value: Any) -> Value:
    if isinstance(value, dict):
        kind = str(value.get("kind"))
        if kind not in _CODES:
            raise NotComputable(_ENGINE_ONLY.get(kind, "the engine cannot evaluate it"))
        return CellError(_CODES[kind], str(value.get("message") or ""))
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)):
        return float(value)
    raise NotComputable(f"it gives a {type(value).__name__}, which no cell can hold")


def _has_pending(value: Any) -> bool:
    if isinstance(value, dict):
        return value.get("kind") == _PENDING
    if isinstance(value, list):
        return any(_has_pending(cell) for row in value for cell in row)
    return False


def _first(value: Any) -> Any:
    """The first cell of an array, for the @ operator."""
    return value[0][0] if isinstance(value, list) else value


def _lift(name: str, *args: Any) -> Any:
    """`name` put through arrays cell by cell, as a spreadsheet does with functions of one value.

    A second engine evaluates one formula per cell: the first is busy calling us.
    """
    places = elementwise_places(name, len(args))
    grids = {at: args[at] if isinstance(args[at], list) else [[args[at]]] for at in places}
    rows = max(len(grid) for grid in grids.values())
    cols = max(len(grid[0]) for grid in grids.values())
    if any(_has_pending(arg) if isinstance(arg, (list, dict)) else False for arg in args):
        return formualizer.LiteralValue.error(_PENDING, "")
    engine = _new_engine()
    engine.add_sheet("work")
    texts: list[str] = []
    for at, arg in enumerate(args):
        if at in grids or not isinstance(arg, list):
            continue
        engine.add_sheet(f"arg{at}")
        engine.set_values_batch(f"arg{at}", 1, 1, [[_as_input(cell) for cell in r] for r in arg])
    columns: list[list[Any]] = []
    for row in range(rows):
        for col in range(cols):
            columns.append([_as_input(_broadcast(grid, row, col)) for grid in grids.values()])
    engine.set_values_batch("work", 1, 1, columns)
    letters = {at: chr(65 + number) for number, at in enumerate(grids)}
    for line in range(1, rows * cols + 1):
        spelled = []
        for at, arg in enumerate(args):
            if at in letters:
                spelled.append("" if arg == OMITTED else f"{letters[at]}{line}")
            elif isinstance(arg, list):
                last = f"{col_letters(len(arg[0]))}{len(arg)}"
                spelled.append(f"arg{at}!A1:{last}")
            else:
                spelled.append("" if arg == OMITTED else _literal(arg))
        texts.append(f"={name}({','.join(spelled)})")
    result_col = len(grids) + 1
    engine.set_formulas_batch("work", 1, result_col, [[text] for text in texts])
    engine.evaluate_all()
    area = formualizer.RangeAddress("work", 1, result_col, rows * cols, result_col)
    flat = [row[0] for row in engine.sheet("work").get_values(area)]
    return [[_as_input(flat[row * cols + col]) for col in range(cols)] for row in range(rows)]


def _broadcast(grid: list[list[Any]], row: int, col: int) -> Any:
    """The cell of a grid that one row or column wide repeats; beyond its end #N/A."""
    r = 0 if len(grid) == 1 else row
    c = 0 if len(grid[0]) == 1 else col
    if r < len(grid) and c < len(grid[0]):
        return grid[r][c]
    return {"type": "Error", "kind": "Na"}


def _as_input(value: Any) -> Any:
    if isinstance(value, dict):
        return formualizer.LiteralValue.error(str(value.get("kind")), str(value.get("message", "")))
    return value


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, dict):
        return _CODES.get(str(value.get("kind")), "#VALUE!")
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    return "" if value is None else repr(value)
