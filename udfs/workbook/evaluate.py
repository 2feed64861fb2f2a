"""Recomputes our formulas and all that depends on them, level by level, one request per level."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from udfs.catalogue import FUNCTIONS
from udfs.client import Answer
from udfs.errors import CELL_ERRORS, CellError
from udfs.kinds import to_wire
from udfs.workbook.book import Book
from udfs.workbook.cells import Area, Value, address, cell_of, key_of, same
from udfs.workbook.engine import PENDING, Engine, Job, Pending, Result
from udfs.workbook.formula import Call, Expr, FormulaSyntaxError, Name, Text, parse
from udfs.workbook.sheet import StoredFormula
from udfs.workbook.translate import (
    NotComputable,
    Reads,
    Rendering,
    Scope,
    named_area,
    reads_of,
    render,
)

# Two programs may add up numbers in another order: so much do equal results differ at most.
TOLERANCE = 1e-12
MAX_WAVES = 20  # how often spills may move each other before we call it endless
MAX_ARRAY_CELLS = 4_000_000  # of one array formula; four whole columns
SMALL_AREA = 64  # cells; areas up to this size are looked up cell by cell

Ask = Callable[[Sequence[tuple[str, Sequence[object]]]], list[Answer]]


@dataclass(frozen=True)
class Fingerprint:
    """What a cell's answers were made from: data, options and models, as short hashes or names."""

    inputs: str
    options: str
    model: str


@dataclass(slots=True, eq=False)
class Formula:
    """A formula of the book and what became of it."""

    number: int
    sheet: str  # key
    stored: StoredFormula
    expr: Expr
    scope: Scope
    reads: Reads
    area: Area  # the cells that it fills now
    hopeless: str = ""  # why it can never be computed here
    guessed: bool = False  # in this only because it may read anything (INDIRECT)
    problem: str = ""  # why it keeps its old value
    blocked: Area | None = None  # where it wanted to spill and could not
    computed: bool = False
    done_at: int = -1  # level
    used: list[tuple[str, str, str, str]] = field(default_factory=list)
    errors: list[CellError] = field(default_factory=list)

    @property
    def key(self) -> int:
        return key_of(self.stored.row, self.stored.col)

    @property
    def is_ours(self) -> bool:
        """Whether it calls one of our functions."""
        return bool(self.reads.calls)

    @property
    def fingerprint(self) -> Fingerprint:
        """From all its calls of ours; only after it was computed."""
        models = sorted({model for _, _, _, model in self.used if model})
        return Fingerprint(
            _hash([inputs for _, inputs, _, _ in self.used]),
            _hash([[name, options] for name, _, options, _ in self.used]),
            ", ".join(models),
        )


@dataclass
class Outcome:
    """What an evaluation did. `before`: the file's value of every cell that was written."""

    formulas: list[Formula]
    before: dict[tuple[str, int], Value]
    owner: dict[tuple[str, int], Formula]
    cells_asked: int
    requests: int


def evaluate(book: Book, ask: Ask, progress: Callable[[int, int], None] | None = None) -> Outcome:
    """The formulas that were looked at; `book` holds the new values.

    `ask` sends calls to the server. `progress(done, total)` counts formulas.
    Raises: what `ask` raises; then nothing of the result may be used.
    """
    return _Evaluation(book, ask, progress or (lambda done, total: None)).run()


class _Evaluation:
    def __init__(self, book: Book, ask: Ask, progress: Callable[[int, int], None]) -> None:
        self._book = book
        self._ask = ask
        self._progress = progress
        self._formulas: list[Formula] = []
        self._at: dict[tuple[str, int], Formula] = {}  # by anchor cell
        self._answers: dict[str, Answer] = {}
        self._wanted: dict[str, tuple[str, list[Any]]] = {}
        self._engine = Engine(book, self._on_call)
        self._before: dict[tuple[str, int], Value] = {}
        self._owner: dict[tuple[str, int], Formula] = {}
        self._stale: dict[str, dict[int, Formula]] = {}  # cells that keep an old value
        self._moved: list[tuple[int, str, Area]] = []  # cells that a spill newly took or left
        self._level = 0
        self._done = 0
        self._total = 0
        self._requests = 0
        self._cells_asked = 0

    def run(self) -> Outcome:
        self._read_formulas()
        readers = _Readers(self._formulas)
        wave = self._first_wave(readers)
        for _ in range(MAX_WAVES):
            if not wave:
                break
            self._total += len(wave)
            self._moved = []
            self._run_wave(wave)
            wave = self._next_wave(readers)
        for formula in wave:
            self._give_up(formula, "spilled ranges keep moving each other")
        touched = [f for f in self._formulas if f.computed or f.problem]
        return Outcome(touched, self._before, self._owner, self._cells_asked, self._requests)

    # Which formulas

    def _read_formulas(self) -> None:
        for sheet_key, sheet in self._book.sheets.items():
            for stored in sheet.cells.formulas.values():
                scope = Scope(self._book, sheet_key, stored.row, stored.col)
                if stored.shared_from is not None:
                    row, col = cell_of(stored.shared_from)
                    scope = Scope(
                        self._book, sheet_key, stored.row, stored.col,
                        stored.row - row, stored.col - col,
                    )  # fmt: skip
                problem = ""
                try:
                    expr = parse(stored.text)
                    reads = reads_of(expr, scope)
                except (FormulaSyntaxError, RecursionError) as error:
                    expr, reads = (), Reads(problem=f"the formula is not understood ({error})")
                if stored.kind == "dataTable":
                    problem = "it is a what-if data table"
                unknown = [name for name in reads.calls if name not in FUNCTIONS]
                if unknown:
                    problem = f"this version has no function SHOP.{unknown[0]}"
                area = stored.area or Area(stored.row, stored.col, stored.row, stored.col)
                if area.rows * area.cols > MAX_ARRAY_CELLS:
                    problem = f"it is an array formula of {area.rows * area.cols:,} cells"
                    area = Area(stored.row, stored.col, stored.row, stored.col)
                formula = Formula(
                    len(self._formulas) + 1, sheet_key, stored, expr, scope, reads, area,
                    problem or reads.problem,
                )  # fmt: skip
                self._formulas.append(formula)
                self._at[(sheet_key, formula.key)] = formula

    def _first_wave(self, readers: _Readers) -> list[Formula]:
        """Our formulas, what they need that was never computed, and all that depends on these."""
        ours = [formula for formula in self._formulas if formula.is_ours]
        if not ours:
            return []
        chosen = {formula.number: formula for formula in ours}
        provisional = _Cells(
            formula
            for formula in self._formulas
            if self._book.all_provisional or not formula.stored.has_value
        )
        queue = list(ours)
        while queue:
            for sheet, area in queue.pop().reads.areas:
                for number in list(provisional.inside(sheet, area)):
                    formula = self._formulas[number - 1]
                    provisional.remove(formula)
                    if number not in chosen:
                        chosen[number] = formula
                        queue.append(formula)
        readers.add_downstream(chosen)
        for formula in self._formulas:  # they may read anything
            if formula.reads.dynamic and formula.number not in chosen:
                chosen[formula.number] = formula
                formula.guessed = True
        readers.add_downstream(chosen)
        return list(chosen.values())

    def _next_wave(self, readers: _Readers) -> list[Formula]:
        """Formulas that were done before a spill took or left cells that they read."""
        chosen: dict[int, Formula] = {}
        for level, sheet, area in self._moved:
            for formula in readers.of(sheet, area):
                if formula.done_at <= level:
                    chosen[formula.number] = formula
            for formula in self._formulas:
                if (
                    formula.blocked is not None
                    and formula.sheet == sheet
                    and formula.blocked.meets(area)
                    and not formula.area.meets(area)
                ):
                    chosen[formula.number] = formula
        readers.add_downstream(chosen)
        return list(chosen.values())

    # In which order

    def _run_wave(self, wave: list[Formula]) -> None:
        """Nothing; every formula of the wave is computed or has a problem."""
        pending = _Cells(wave)
        waiting: dict[int, list[Formula]] = {}
        late = [formula for formula in wave if formula.reads.dynamic]
        ready: list[Formula] = []
        own_ready: list[Formula] = []

        def sort_in(formulas: Iterable[Formula]) -> None:
            for formula in formulas:
                blocker = self._blocker(formula, pending)
                if blocker is None:
                    (own_ready if formula.is_ours else ready).append(formula)
                else:
                    waiting.setdefault(blocker, []).append(formula)

        sort_in(formula for formula in wave if not formula.reads.dynamic)
        while True:
            batch, ready = ready, []
            if not batch:
                batch, own_ready = own_ready, []
            if not batch and late:
                held, late = late, []
                sort_in(held)
                continue
            if not batch:
                break
            self._level += 1
            unanswered = self._compute(batch)
            own_ready += unanswered
            left = {formula.number for formula in unanswered}
            done = [formula for formula in batch if formula.number not in left]
            for formula in done:
                formula.done_at = self._level
                pending.remove(formula)
            self._done += len(done)
            self._progress(self._done, self._total)
            sort_in([f for formula in done for f in waiting.pop(formula.number, [])])
        for formulas in waiting.values():
            for formula in formulas:
                self._give_up(formula, "it refers to itself, directly or through other cells")

    def _blocker(self, formula: Formula, pending: _Cells) -> int | None:
        """Number of a formula that must be computed first; None if there is none."""
        for sheet, area in formula.reads.areas:
            for number in pending.inside(sheet, area):
                return number
        return None

    # One level

    def _compute(self, batch: list[Formula]) -> list[Formula]:
        """The formulas that want more answers, after one request; all others are settled."""
        todo: list[Formula] = []
        for formula in batch:
            reason = formula.hopeless or self._stale_input(formula) or self._hidden_rows(formula)
            if reason:
                self._give_up(formula, reason)
            else:
                todo.append(formula)
        todo = self._attempt(todo)
        if todo:
            self._send()
            todo = self._attempt(todo)
        return todo

    def _attempt(self, formulas: list[Formula]) -> list[Formula]:
        """The formulas that still want an answer; all others are settled."""
        results: dict[int, Result | NotComputable | Pending] = {}
        jobs: list[Job] = []
        for formula in formulas:
            formula.used = []
            formula.errors = []
            try:
                call = _only_call(formula.expr)
                args = self._plain_args(call, formula) if call is not None else None
                if call is not None and call.own is not None and args is not None:
                    results[formula.number] = self._on_call(formula.number, call.own, args)
                else:
                    jobs.append(self._job(formula))
            except NotComputable as error:
                results[formula.number] = error
        if jobs:
            results.update(self._engine.evaluate(jobs))
        unanswered: list[Formula] = []
        for formula in formulas:
            result = results[formula.number]
            if isinstance(result, Pending):
                unanswered.append(formula)
            else:
                self._settle(formula, result)
        return unanswered

    def _job(self, formula: Formula) -> Job:
        array = formula.stored.kind in ("array", "dynamic")
        rendering = Rendering(formula.number, array, self._spill_area, self._used_area)
        text = render(formula.expr, formula.scope, rendering)
        for sheet, _ in formula.reads.areas:
            self._engine.load(sheet)
        if formula.reads.dynamic:
            for sheet in self._book.sheets:
                self._engine.load(sheet)
        return Job(formula.number, text, formula.sheet if formula.reads.dynamic else None)

    def _plain_args(self, call: Call, formula: Formula) -> list[Result] | None:
        """Arguments that are cells, ranges or literals; None if one needs the engine."""
        args: list[Result] = []
        for arg in call.args:
            nodes = [node for node in arg if not (isinstance(node, Text) and node.raw.isspace())]
            if not nodes:
                args.append(None)
                continue
            node = nodes[0]
            if len(nodes) != 1 or isinstance(node, Call):
                return None
            if isinstance(node, Text):
                literal = _literal(node.raw)
                if literal is None:
                    return None
                args.append(literal)
            elif isinstance(node, Name) and node.name.upper() in ("TRUE", "FALSE"):
                args.append(node.name.upper() == "TRUE")
            else:
                found = named_area(node, formula.scope)
                if found is None:
                    return None
                args.append(self._cells(*found))
        return args

    def _cells(self, sheet: str, area: Area) -> Result:
        values = self._book.sheets[sheet].cells.values
        if area.one_cell:
            return values.get(key_of(area.row, area.col))
        area = area.clipped(self._used_area(sheet))
        return [
            [values.get(key_of(row, col)) for col in range(area.col, area.last_col + 1)]
            for row in range(area.row, area.last_row + 1)
        ]

    def _spill_area(self, sheet: str, key: int) -> Area | None:
        formula = self._at.get((sheet, key))
        if formula is None or formula.stored.kind != "dynamic" or formula.blocked is not None:
            return None
        return formula.area

    def _used_area(self, sheet: str) -> Area:
        cells = self._book.sheets[sheet].cells
        return Area(1, 1, max(1, cells.last_row), max(1, cells.last_col))

    # Our functions

    def _on_call(self, number: int, name: str, args: list[Result]) -> Result | Pending:
        args = [_as_argument(arg) for arg in args]
        wire = to_wire(args)
        key = _hash([name, wire])
        answer = self._answers.get(key)
        if answer is None:
            self._wanted[key] = (name, args)
            return PENDING
        formula = self._formulas[number - 1]
        function = FUNCTIONS[name]
        data = [
            value for value, arg in zip(wire, function.args, strict=False) if arg.kind.takes_range
        ]
        options = [
            value
            for value, arg in zip(wire, function.args, strict=False)
            if not arg.kind.takes_range
        ]
        formula.used.append((name, _hash(data), _hash(options), answer.model or ""))
        if answer.error is not None:
            error = answer.error.to_cell()
            formula.errors.append(error)
            return error
        formula.errors += [cell for cell in _flat(answer.value) if isinstance(cell, CellError)]
        return _as_result(answer.value)

    def _send(self) -> None:
        """Nothing; all calls that are wanted are answered."""
        keys, calls = list(self._wanted), list(self._wanted.values())
        self._wanted = {}
        if not calls:
            raise RuntimeError("formulas wait for answers that nobody asked for")
        self._requests += 1
        self._cells_asked += sum(
            len(args[0]) * len(args[0][0]) if args and isinstance(args[0], list) else 1
            for _, args in calls
        )
        answers = self._ask(calls)
        self._answers.update(zip(keys, answers, strict=True))

    # Results

    def _settle(self, formula: Formula, result: Result | NotComputable) -> None:
        """Nothing; the book holds what the formula gives, where it gives it."""
        if isinstance(result, NotComputable):
            self._give_up(formula, str(result))
            return
        kind = formula.stored.kind
        if kind == "normal":
            if isinstance(result, list):
                if not formula.is_ours:
                    self._give_up(formula, "it gives several values in a formula of one cell")
                    return
                result = result[0][0]
            grid = [[result]]
        elif kind == "array":
            grid = _fitted(result, formula.area)
        else:
            grid = result if isinstance(result, list) else [[result]]
        # A formula that gives a blank cell shows 0; our functions give an empty text instead.
        grid = [[0.0 if cell is None else cell for cell in row] for row in grid]
        formula.computed, formula.problem, formula.blocked = True, "", None
        area = formula.area
        if kind == "dynamic":
            area = Area.sized(formula.stored.row, formula.stored.col, len(grid), len(grid[0]))
            obstacle = self._obstacle(formula, area)
            if obstacle:
                formula.blocked = area
                formula.errors = [CellError("#SPILL!", obstacle)]
                grid = [[CellError("#SPILL!", obstacle)]]
                area = Area(area.row, area.col, area.row, area.col)
        self._write(formula, area, grid)

    def _write(self, formula: Formula, area: Area, grid: list[list[Value]]) -> None:
        cells = self._book.sheets[formula.sheet].cells
        old_area, formula.area = formula.area, area
        changed: list[tuple[int, Value]] = []
        for row, line in enumerate(grid, area.row):
            for col, value in enumerate(line, area.col):
                changed.append((key_of(row, col), value))
        if old_area != area:
            changed += [
                (key, None) for key in old_area.cell_keys() if not area.holds(*cell_of(key))
            ]
            self._moved.append((self._level, formula.sheet, _hull(old_area, area)))
        for key, value in changed:
            self._before.setdefault((formula.sheet, key), cells.values.get(key))
            self._owner[(formula.sheet, key)] = formula
            if value is None:
                cells.values.pop(key, None)
            else:
                cells.values[key] = value
        cells.grow(area.last_row, area.last_col)
        self._engine.change(formula.sheet, changed)

    def _obstacle(self, formula: Formula, area: Area) -> str:
        """What stands in the way of a spill, for the user; empty if nothing does."""
        if not area.on_sheet:
            return f"the answer needs {area.rows:,} rows and {area.cols} columns, beyond the sheet"
        if area.one_cell:
            return ""
        sheet = self._book.sheets[formula.sheet]
        for merged in sheet.cells.merged:
            if merged.meets(area):
                return f"the cells {merged} are merged"
        for table in self._book.tables.values():
            if table.sheet.casefold() == formula.sheet and table.area.meets(area):
                return f"table {table.name} is in the way"
        for key in area.cell_keys():
            cell = cell_of(key)
            if key == formula.key or (formula.area.holds(*cell)):
                continue
            if sheet.cells.values.get(key) is not None or key in sheet.cells.formulas:
                return f"cell {address(*cell)} is not empty"
        return ""

    def _give_up(self, formula: Formula, reason: str) -> None:
        """Nothing; the formula keeps its old value and all that reads it is marked as well."""
        if formula.guessed:
            return  # most likely it reads nothing that changed
        formula.problem = reason
        formula.computed = False
        stale = self._stale.setdefault(formula.sheet, {})
        stale.update(dict.fromkeys(formula.area.cell_keys(), formula))

    def _stale_input(self, formula: Formula) -> str:
        """Which cell that it reads keeps an old value, for the user; empty if none does."""
        for sheet, area in formula.reads.areas:
            stale = self._stale.get(sheet)
            if not stale:
                continue
            if area.rows * area.cols <= max(SMALL_AREA, len(stale)):
                keys: Iterable[int] = (key for key in area.cell_keys() if key in stale)
            else:
                keys = (key for key in stale if area.holds(*cell_of(key)))
            for key in keys:
                source = stale[key]
                if source is not formula:
                    name = f"{self._book.sheets[sheet].name}!{address(*cell_of(source.key))}"
                    return f"it depends on {name}, which was not recomputed"
        return ""

    def _hidden_rows(self, formula: Formula) -> str:
        """Why a formula that looks at hidden rows cannot be computed here; empty if it can."""
        if not formula.reads.filter_aware:
            return ""
        for sheet, area in formula.reads.areas:
            cells = self._book.sheets[sheet].cells
            if any(area.row <= row <= area.last_row for row in cells.hidden_rows):
                return "it skips hidden rows, which only the spreadsheet program knows for sure"
            for key, other in cells.formulas.items():
                nested = area.holds(*cell_of(key)) and key != formula.key
                if nested and self._at[(sheet, key)].reads.filter_aware:
                    return f"it skips other subtotals ({address(other.row, other.col)})"
        return ""


class _Cells:
    """Which formulas fill which cells, to find one inside an area quickly and to remove it."""

    def __init__(self, formulas: Iterable[Formula]) -> None:
        columns: dict[tuple[str, int], dict[int, int]] = {}  # (sheet, col) -> row -> number
        self._cols: dict[str, list[int]] = {}
        for formula in formulas:
            for key in formula.area.cell_keys():
                row, col = cell_of(key)
                columns.setdefault((formula.sheet, col), {})[row] = formula.number
        self._columns = {at: _Column(rows) for at, rows in columns.items()}
        self._filled: dict[int, list[_Column]] = {}
        for at, rows in columns.items():
            for number in set(rows.values()):
                self._filled.setdefault(number, []).append(self._columns[at])
        for sheet, col in sorted(columns):
            self._cols.setdefault(sheet, []).append(col)

    def inside(self, sheet: str, area: Area) -> Iterator[int]:
        """Numbers of formulas that fill a cell of the area (repeated where they fill several)."""
        cols = self._cols.get(sheet)
        if not cols:
            return
        if area.last_row == area.row and area.last_col == area.col:
            column = self._columns.get((sheet, area.col))
            if column is not None:
                yield from column.between(area.row, area.last_row)
            return
        for at in range(bisect_left(cols, area.col), len(cols)):
            if cols[at] > area.last_col:
                return
            yield from self._columns[(sheet, cols[at])].between(area.row, area.last_row)

    def remove(self, formula: Formula) -> None:
        """Nothing; the formula is found no more."""
        for column in self._filled.pop(formula.number, ()):
            column.remove(formula.number)


class _Column:
    """Rows of one column in order; removed ones are skipped in nearly no time."""

    def __init__(self, rows: dict[int, int]) -> None:
        self._rows = sorted(rows)
        self._numbers = [rows[row] for row in self._rows]
        self._next = list(range(len(self._rows) + 1))  # first place from here that is not removed
        self._places: dict[int, list[int]] = {}
        for place, number in enumerate(self._numbers):
            self._places.setdefault(number, []).append(place)

    def between(self, first: int, last: int) -> Iterator[int]:
        """Numbers at the rows from first to last."""
        place = self._find(bisect_left(self._rows, first))
        while place < len(self._rows) and self._rows[place] <= last:
            yield self._numbers[place]
            place = self._find(place + 1)

    def remove(self, number: int) -> None:
        for place in self._places.pop(number, ()):
            self._next[place] = place + 1

    def _find(self, place: int) -> int:
        root = place
        while self._next[root] != root:
            root = self._next[root]
        while self._next[place] != root and place != root:
            self._next[place], place = root, self._next[place]
        return root


class _Readers:
    """Which formulas read a cell: small areas by cell, large ones by a list."""

    def __init__(self, formulas: list[Formula]) -> None:
        self._by_cell: dict[tuple[str, int], list[Formula]] = {}
        self._large: dict[str, dict[Area, list[Formula]]] = {}
        for formula in formulas:
            for sheet, area in formula.reads.areas:
                if area.rows * area.cols <= SMALL_AREA:
                    for key in area.cell_keys():
                        self._by_cell.setdefault((sheet, key), []).append(formula)
                else:
                    self._large.setdefault(sheet, {}).setdefault(area, []).append(formula)

    def of(self, sheet: str, area: Area) -> list[Formula]:
        """Formulas that read a cell of the area."""
        found: list[Formula] = []
        if self._by_cell:
            for key in area.cell_keys():
                found += self._by_cell.get((sheet, key), ())
        for large, formulas in self._large.get(sheet, {}).items():
            if large.meets(area):
                found += formulas
        return found

    def add_downstream(self, chosen: dict[int, Formula]) -> None:
        """Nothing; `chosen` also holds all formulas that depend on those in it."""
        large = {sheet: dict(areas) for sheet, areas in self._large.items()}
        fresh = list(chosen.values())
        while fresh:
            added: list[Formula] = []
            for formula in fresh:
                for key in formula.area.cell_keys():
                    added += self._by_cell.get((formula.sheet, key), ())
            cells = _Cells(fresh)
            for sheet, areas in large.items():
                hit = [area for area in areas if any(True for _ in cells.inside(sheet, area))]
                for area in hit:
                    added += areas.pop(area)
            fresh = []
            for formula in added:
                if formula.number not in chosen:
                    chosen[formula.number] = formula
                    fresh.append(formula)


def _only_call(expr: Expr) -> Call | None:
    """The call of ours that is the whole formula, if it is one."""
    nodes = [node for node in expr if not (isinstance(node, Text) and node.raw.isspace())]
    if len(nodes) == 1 and isinstance(nodes[0], Call) and nodes[0].own is not None:
        return nodes[0]
    return None


def _literal(raw: str) -> float | str | None:
    if raw.startswith('"'):
        return raw[1:-1].replace('""', '"')
    try:
        return float(raw)
    except ValueError:
        return None


def _fitted(result: Result, area: Area) -> list[list[Value]]:
    """An array formula's fixed area: one row or column repeats, what is missing is #N/A."""
    grid = result if isinstance(result, list) else [[result]]
    missing = CellError("#N/A", "The answer has fewer cells than the array formula.")
    rows: list[list[Value]] = []
    for row in range(area.rows):
        r = 0 if len(grid) == 1 else row
        line: list[Value] = []
        for col in range(area.cols):
            c = 0 if len(grid[0]) == 1 else col
            line.append(grid[r][c] if r < len(grid) and c < len(grid[0]) else missing)
        rows.append(line)
    return rows


def _hull(one: Area, two: Area) -> Area:
    return Area(
        min(one.row, two.row),
        min(one.col, two.col),
        max(one.last_row, two.last_row),
        max(one.last_col, two.last_col),
    )


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for row in value:
            yield from row if isinstance(row, list) else (row,)
    else:
        yield value


def _as_argument(value: Result) -> Result:
    """The argument with only such errors as travel to the server; #SPILL! is #VALUE! there."""
    if isinstance(value, list):
        if not any(isinstance(cell, CellError) for row in value for cell in row):
            return value
        return [[_known_error(cell) for cell in row] for row in value]
    return _known_error(value)


def _known_error(cell: Value) -> Value:
    if isinstance(cell, CellError) and cell.code not in CELL_ERRORS:
        return CellError("#VALUE!", cell.message)
    return cell


def _as_result(value: Any) -> Result:
    """The answer as cells hold it: whole numbers as floats, nothing as an empty text."""
    if isinstance(value, list):
        return [[_as_cell(cell) for cell in row] for row in value]
    return _as_cell(value)


def _as_cell(value: Any) -> Value:
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    assert isinstance(value, (bool, float, str, CellError))
    return value


def _hash(value: object) -> str:
    data = json.dumps(value, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(data.encode("ascii")).hexdigest()[:32]


def changed_values(book: Book, outcome: Outcome) -> Iterator[tuple[str, int, Value, Value]]:
    """(sheet key, cell key, value in the file, new value) of each cell that is not the same."""
    tabs = {sheet: at for at, sheet in enumerate(book.sheets)}
    for (sheet, key), old in sorted(
        outcome.before.items(), key=lambda item: (tabs[item[0][0]], item[0][1])
    ):
        new = book.sheets[sheet].cells.values.get(key)
        exact = outcome.owner[(sheet, key)].is_ours
        if not same(old, new, 0.0 if exact else TOLERANCE):
            yield sheet, key, old, new
