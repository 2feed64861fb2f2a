"""Refreshes a workbook without Excel: computes our formulas and writes only values."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from udfs.client import Answer
from udfs.errors import BadInput, CellError, NotReady
from udfs.kinds import to_wire
from udfs.refresh_record import RefreshRecord, Remembered
from udfs.workbook.book import Book, read_book
from udfs.workbook.cells import Area, Value, address, cell_of, key_of
from udfs.workbook.evaluate import Formula, Outcome, changed_values, evaluate
from udfs.workbook.package import Package
from udfs.workbook.sheet import Patch, patch_cells

MAX_CELLS_PER_REQUEST = 10_000  # a pass with more is cut, so that progress shows and none times out
MAX_BUSY_WAIT_S = 60.0  # so long we ask a busy server again

FIRST_COMPUTATION = "first computation"
INPUT_CHANGED = "input changed"
OPTION_CHANGED = "option changed"
MODEL_CHANGED = "model version changed"
KNOWLEDGE_CHANGED = "knowledge file changed"
KNOWLEDGE_MARK = "+knowledge-"  # what follows it in a model's name is the file's version
FORMULA_CHANGED = "formula changed"
FILE_CHANGED = "the file held another value than the last refresh wrote"


class Calls(Protocol):
    """What a refresh needs of `udfs.client.Client`."""

    def answers(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Answer]: ...


@dataclass(frozen=True)
class Progress:
    """How far a refresh is: formulas done and known so far, cells sent to the server."""

    formulas_done: int
    formulas_total: int
    cells_asked: int
    cells_answered: int


@dataclass(frozen=True, slots=True)
class Change:
    """A cell whose value is not what the file held. Values as JSON has them, errors as "#N/A"."""

    sheet: str
    cell: str
    old: Any
    new: Any
    cause: str


@dataclass(frozen=True)
class Note:
    """Something to say about one cell."""

    sheet: str
    cell: str
    text: str


@dataclass
class Report:
    """What a refresh did.

    `formulas`: cells with one of our functions. `dependents`: ordinary formulas recomputed.
    `errors`: our cells that show an error, and why. `not_recomputed`: formulas that depend on
    ours, could not be evaluated and keep the value they had. `written`: None if nothing was.
    """

    workbook: Path
    written: Path | None = None
    backup: Path | None = None
    formulas: int = 0
    dependents: int = 0
    changes: list[Change] = field(default_factory=list)
    errors: list[Note] = field(default_factory=list)
    not_recomputed: list[Note] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    cells_asked: int = 0
    requests: int = 0
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The report as plain data; paths as texts."""
        data = asdict(self)
        for name in ("workbook", "written", "backup"):
            data[name] = None if data[name] is None else str(data[name])
        return data


def refresh(
    workbook: Path,
    client: Calls,
    *,
    output: Path | None = None,
    dry_run: bool = False,
    backup: bool = False,
    record: RefreshRecord | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Report:
    """What was done. The workbook (or `output`) then holds the values of our formulas.

    Only values change: every other part of the file keeps its bytes. With `dry_run` nothing is
    written. `record` remembers across runs why values change; by default in `shopsheet_home()`.
    Raises: BadInput if the file cannot be refreshed, NotReady if the server cannot be used; the
    file is then as it was.
    """
    started = time.monotonic()
    record = record or RefreshRecord()
    source = workbook.resolve()
    target = output.resolve() if output is not None else source
    report = Report(workbook)
    if not dry_run:
        _check_target(target)
    if target != source and _lock_file(source) is not None:
        report.warnings.append(
            f"{workbook.name} is open in another program; its last saved state was read."
        )
    with Package(source) as package:
        state = _state(source)
        book = read_book(package)
        asking = _Asking(client, progress)
        outcome = evaluate(book, asking.ask, asking.formulas)
        patches = _patches(book, outcome)
        remembered = _remembered(record, source, report)
        _fill_report(report, book, outcome, remembered)
        report.requests = asking.requests
        if book.signed and patches:
            report.warnings.append(
                "The workbook is digitally signed. New values make the signature invalid: "
                "sign it again."
            )
        if book.all_provisional and report.formulas:
            report.warnings.append(
                "The workbook asks every program to recalculate it when it is opened "
                "(fullCalcOnLoad): where the add-in is missing, our cells then show #NAME?. "
                "Saving it once in Excel ends that."
            )
        if not dry_run:
            parts = {
                sheet: patch_cells(package.read(sheet), sheet, cells)
                for sheet, cells in patches.items()
            }
            temporary = _write(package, parts, target) if parts or target != source else None
    if not dry_run:
        if temporary is not None:
            _put_in_place(temporary, source, target, state, backup, report)
        _remember(record, target, book, outcome, report)
    report.seconds = time.monotonic() - started
    return report


class _Asking:
    """Sends the calls of a pass, cut into requests, and tells how far they are."""

    def __init__(self, client: Calls, progress: Callable[[Progress], None] | None) -> None:
        self._client = client
        self._progress = progress
        self._done = self._total = 0
        self._asked = self._answered = 0
        self.requests = 0

    def formulas(self, done: int, total: int) -> None:
        """Nothing; progress shows so many formulas done."""
        self._done, self._total = done, total
        self._tell()

    def ask(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Answer]:
        """The answer to each call.

        Raises: NotReady if the server cannot be used, now or for a single call.
        """
        sizes = [_cells_in(args) for _, args in calls]
        self._asked += sum(sizes)
        self._tell()
        answers: list[Answer] = []
        start = 0
        while start < len(calls):
            end, cells = start, 0
            while end < len(calls) and (
                end == start or cells + sizes[end] <= MAX_CELLS_PER_REQUEST
            ):
                cells += sizes[end]
                end += 1
            answers += self._request(calls[start:end])
            self._answered += cells
            start = end
            self._tell()
        return answers

    def _request(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Answer]:
        deadline = time.monotonic() + MAX_BUSY_WAIT_S
        while True:
            self.requests += 1
            try:
                answers = self._client.answers(calls)
                for answer in answers:
                    if isinstance(answer.error, NotReady):
                        raise answer.error
                return answers
            except NotReady as error:
                wait_s = error.retry_after_s
                if wait_s is None or time.monotonic() + wait_s > deadline:
                    raise
                time.sleep(wait_s)

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(Progress(self._done, self._total, self._asked, self._answered))


def _cells_in(args: Sequence[object]) -> int:
    grid = args[0] if args else None
    return len(grid) * len(grid[0]) if isinstance(grid, list) and grid else 1


# What goes into the file


def _patches(book: Book, outcome: Outcome) -> dict[str, dict[int, Patch]]:
    """Per sheet part, what each cell becomes; nothing for cells that stay as they are."""
    patches: dict[str, dict[int, Patch]] = {}
    for sheet, key, _, new in changed_values(book, outcome):
        clear = new is None
        patches.setdefault(sheet, {})[key] = Patch(value=new, clear=clear)
    for formula in outcome.formulas:
        cells = patches.setdefault(formula.sheet, {})
        if formula.computed:
            stored = formula.stored
            value = book.sheets[formula.sheet].cells.values.get(formula.key)
            if stored.kind == "dynamic" and formula.area != stored.area:
                cells[formula.key] = Patch(value=value, area=formula.area)
            elif not stored.has_value and formula.key not in cells:
                cells[formula.key] = Patch(value=value)
        elif not formula.is_ours and not formula.stored.recalculates:
            # Excel and LibreOffice compute a formula marked so when they open the file.
            cells[formula.key] = Patch(recalculate=True)
    return {book.sheets[sheet].part: cells for sheet, cells in patches.items() if cells}


def _check_target(target: Path) -> None:
    if not target.parent.is_dir():
        raise BadInput(f"There is no folder {target.parent} to write into.")
    lock = _lock_file(target)
    if lock is not None:
        raise BadInput(
            f"{target.name} is open in another program ({lock.name} exists). Close it there and "
            "refresh again, or write elsewhere with -o. If nobody has it open, delete that file."
        )
    if target.exists():
        try:
            with target.open("r+b"):
                pass
        except OSError as error:
            raise BadInput(
                f"{target} cannot be written ({error.strerror}). If it is open in Excel, close it "
                "there; else check its permissions, or write elsewhere with -o."
            ) from error


def _lock_file(path: Path) -> Path | None:
    """The file by which Excel or LibreOffice says that it has `path` open."""
    # Excel leaves out the first letters of longer names on some systems.
    names = {f"~${path.name}", f"~${path.name[2:]}", f".~lock.{path.name}#"}
    return next((path.with_name(n) for n in sorted(names) if path.with_name(n).exists()), None)


def _state(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size


def _write(package: Package, parts: dict[str, bytes], target: Path) -> Path:
    """A checked temporary file beside `target` that holds the refreshed workbook."""
    handle, name = tempfile.mkstemp(prefix=".shopsheet-", suffix=".tmp", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            package.write_copy(file, parts)
            file.flush()
            os.fsync(file.fileno())
        with Package(temporary) as written:
            read_book(written)
            if written.names != package.names:
                raise RuntimeError("the written workbook has other parts than the one read")
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _put_in_place(
    temporary: Path, source: Path, target: Path, state: tuple[int, int], backup: bool,
    report: Report,
) -> None:  # fmt: skip
    """Nothing; `target` is the new workbook, or the temporary file is gone and an error raised."""
    try:
        if _state(source) != state:
            raise BadInput(
                f"{source.name} was changed by another program meanwhile. Nothing was written; "
                "refresh it again."
            )
        shutil.copymode(target if target.exists() else source, temporary)
        if backup and target.exists():
            report.backup = _free_backup(target)
            shutil.copy2(target, report.backup)
        try:
            temporary.replace(target)
        except PermissionError as error:
            raise BadInput(
                f"{target} cannot be replaced ({error.strerror}). If it is open in Excel, close "
                "it there and refresh again, or write elsewhere with -o."
            ) from error
    finally:
        temporary.unlink(missing_ok=True)
    report.written = target


def _free_backup(target: Path) -> Path:
    """A name beside the workbook that no file has: book.backup.xlsx, book.backup-2.xlsx ..."""
    for number in range(1, 10_000):
        mark = ".backup" if number == 1 else f".backup-{number}"
        path = target.with_name(f"{target.stem}{mark}{target.suffix}")
        if not path.exists():
            return path
    raise BadInput(f"There are too many backups of {target.name}; delete some.")


# What is told about it


def _fill_report(
    report: Report, book: Book, outcome: Outcome, remembered: dict[tuple[str, str], Remembered]
) -> None:
    ours = [formula for formula in outcome.formulas if formula.is_ours]
    report.formulas = sum(formula.computed for formula in ours)
    report.dependents = sum(f.computed and not f.is_ours for f in outcome.formulas)
    report.cells_asked = outcome.cells_asked
    report.models = sorted({m for f in ours for _, _, _, m in f.used if m})
    for formula in outcome.formulas:
        sheet, cell = _place(book, formula)
        if formula.problem:
            report.not_recomputed.append(Note(sheet, cell, formula.problem))
        elif formula.is_ours:
            report.errors += _errors(book, formula)
    changes = list(changed_values(book, outcome))
    changed = {(sheet, key) for sheet, key, _, _ in changes}
    for sheet, key, old, new in changes:
        if (old or "") == (new or "") == "":
            continue  # nothing and an empty text look the same
        formula = outcome.owner[(sheet, key)]
        cause = (
            _cause(book, formula, remembered)
            if formula.is_ours
            else _inherited_cause(book, formula, changed)
        )
        name = book.sheets[sheet].name
        report.changes.append(Change(name, address(*cell_of(key)), _json(old), _json(new), cause))


def _errors(book: Book, formula: Formula) -> Iterator[Note]:
    """One note for each cell of the formula that shows an error and is not given one."""
    values = book.sheets[formula.sheet].cells.values
    for key in formula.area.cell_keys():
        value = values.get(key)
        if isinstance(value, CellError):
            known = (e.message for e in formula.errors if e.code == value.code and e.message)
            text = value.message or next(known, "")
            yield Note(
                book.sheets[formula.sheet].name, address(*cell_of(key)),
                f"{value.code} {text}".rstrip(),
            )  # fmt: skip


def _cause(book: Book, formula: Formula, known: dict[tuple[str, str], Remembered]) -> str:
    before = known.get(_place(book, formula))
    if before is None:
        return FIRST_COMPUTATION
    now = formula.fingerprint
    causes: list[str] = []
    if before.inputs != now.inputs:
        causes.append(INPUT_CHANGED)
    if before.options != now.options:
        causes.append(OPTION_CHANGED)
    if before.model and now.model:
        models, files = zip(
            *(one.model.partition(KNOWLEDGE_MARK)[::2] for one in (before, now)), strict=True
        )
        if models[0] != models[1]:
            causes.append(f"{MODEL_CHANGED} ({models[0]} -> {models[1]})")
        if files[0] != files[1]:
            causes.append(f"{KNOWLEDGE_CHANGED} ({files[0] or 'none'} -> {files[1] or 'none'})")
    if not causes and before.formula != _hash(formula.stored.text):
        causes.append(FORMULA_CHANGED)
    if formula.blocked is not None:
        causes.append(f"it cannot spill into {formula.blocked}")
    return ", ".join(causes) or FILE_CHANGED


def _inherited_cause(book: Book, formula: Formula, changed: set[tuple[str, int]]) -> str:
    """Which changed cells an ordinary formula reads, the first three by name."""
    named: list[str] = []
    count = 0
    for sheet, area in formula.reads.areas:
        cells = (
            [(sheet, key_of(area.row, area.col))]
            if area.one_cell
            else sorted(at for at in changed if at[0] == sheet and area.holds(*cell_of(at[1])))
        )
        for at in cells:
            if at in changed:
                count += 1
                if len(named) < 3:
                    named.append(f"{book.sheets[sheet].name}!{address(*cell_of(at[1]))}")
    if not named:
        fresh = book.all_provisional or not formula.stored.has_value
        return FIRST_COMPUTATION if fresh else "recomputed"
    more = f" and {count - len(named):,} more" if count > len(named) else ""
    return f"depends on changed cells: {', '.join(named)}{more}"


def _place(book: Book, formula: Formula) -> tuple[str, str]:
    return book.sheets[formula.sheet].name, address(formula.stored.row, formula.stored.col)


def _json(value: Value) -> Any:
    return value.code if isinstance(value, CellError) else value


# What is remembered


def _remembered(
    record: RefreshRecord, source: Path, report: Report
) -> dict[tuple[str, str], Remembered]:
    try:
        return record.read(source)
    except (sqlite3.Error, OSError) as error:
        report.warnings.append(
            f"The record of earlier refreshes, {record.path}, cannot be read ({error}): causes "
            "are unknown. Delete it to start a new one."
        )
        return {}


def _remember(
    record: RefreshRecord, target: Path, book: Book, outcome: Outcome, report: Report
) -> None:
    items: list[Remembered] = []
    for formula in outcome.formulas:
        if formula.is_ours and formula.computed:
            sheet, cell = _place(book, formula)
            print_ = formula.fingerprint
            value = _hash(to_wire(_values_in(book, formula.sheet, formula.area)))
            items.append(
                Remembered(
                    sheet, cell, _hash(formula.stored.text), print_.inputs, print_.options,
                    print_.model, value,
                )
            )  # fmt: skip
    if not items:
        return
    try:
        record.write(target, items)
    except (sqlite3.Error, OSError) as error:
        report.warnings.append(
            f"The record of refreshes, {record.path}, cannot be written ({error}): the next "
            "--diff will not know the causes of changes."
        )


def _values_in(book: Book, sheet: str, area: Area) -> list[Value]:
    values = book.sheets[sheet].cells.values
    return [values.get(key) for key in area.cell_keys()]


def _hash(value: object) -> str:
    data = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(data.encode("ascii")).hexdigest()[:32]
