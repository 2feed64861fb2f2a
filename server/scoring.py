"""Scores a column of a file: in chunks, each kept on disk, so that a killed run goes on later."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol

from server.local import Caller
from server.tables import MAX_FIELD_CHARS, Row, Table, open_table
from server.tables_out import check_writable, free_names, write_table
from udfs.errors import BadInput, CellError, NotReady, ShopsheetError
from udfs.function import Function
from udfs.kinds import from_wire, to_wire

FORMAT_VERSION = 1
CHUNK_S = 3.0  # a chunk should take about so long: what is lost at most when a run is killed
FIRST_CHUNK_ROWS = 256
MAX_CHUNK_ROWS = 8_192
MAX_CHUNK_CHARS = 4_000_000
PATIENCE_S = 120.0  # how long a busy or restarting server is waited for


@dataclass(frozen=True)
class Task:
    """What to score: a column of a file, with which function and options, into which file."""

    source: Path
    target: Path
    function: Function
    column: str
    options: Mapping[str, Any] = field(default_factory=dict)
    sheet: str | None = None
    encoding: str | None = None
    keep_formulas: bool = False
    restart: bool = False

    def args(self, texts: list[Row]) -> list[Any]:
        """Arguments of one call on these rows of one text."""
        return [texts, *_positional(self.function, self.options)]


@dataclass
class Summary:
    """What a run did, for the person who started it."""

    rows: int
    continued: int  # rows that an earlier run had done
    failed: int
    columns: list[str]
    model: str
    notes: list[str]


class Progress(Protocol):
    """Hears how far the work is."""

    def start(self, total: int | None, done: int) -> None: ...

    def advance(self, rows: int) -> None: ...


class Quiet:
    """Progress that nobody watches."""

    def start(self, total: int | None, done: int) -> None: ...

    def advance(self, rows: int) -> None: ...


def read_options(function: Function, given: Sequence[str]) -> dict[str, Any]:
    """Arguments after the first, by name, from NAME=VALUE texts.

    Raises: BadInput or OutOfRange, naming what the function takes.
    """
    args = {arg.name: arg for arg in function.args[1:]}
    options: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or name not in args:
            takes = ", ".join(f"{arg.name}={arg.kind.describe()}" for arg in args.values())
            raise BadInput(f"--option {text!r} is not one of {function.name}: {takes or 'none'}.")
        if name in options:
            raise BadInput(f"--option {name} is given twice.")
        options[name] = args[name].kind.parse(value, name)
    return options


def result_columns(function: Function, options: Mapping[str, Any]) -> list[str]:
    """Names of the columns that the answers of one row fill; the last holds what went wrong.

    Raises: BadInput for a function that answers with a table.
    """
    base = function.name.lower()
    always = function.spills.reads_columns
    values = {} if always else function.bind([[["x"]], *_positional(function, options)])
    if always or function.is_table(values):
        raise BadInput(
            f"{function.name} reads whole columns and answers with a table, so there is no answer "
            f"per row to add. Write ={function.signature()} into a workbook, and refresh it with: "
            "shopsheet refresh"
        )
    spilled = function.columns(values)
    if spilled:
        return [f"{base}_{name}" for name in spilled] + [f"{base}_error"]
    choice = options.get(function.spills.option) if function.spills.option else None
    default = next((a.default for a in function.args if a.name == function.spills.option), None)
    name = base if choice in (None, default) else f"{base}_{choice}"
    return [name, f"{base}_error"]


def _positional(function: Function, options: Mapping[str, Any]) -> list[Any]:
    return [options.get(arg.name) for arg in function.args[1:]]


def score(
    task: Task,
    connect: Callable[[], AbstractContextManager[Caller]],
    progress: Progress | None = None,
) -> Summary:
    """What was done, after task.target holds the table with its answers.

    `connect` is asked for a caller only if rows are left to score.
    Raises: BadInput for a file, column or option that does not fit, or if the file has changed
    since an earlier run that did not finish; NotReady if nothing answers.
    """
    progress = progress or Quiet()
    _check_target(task)
    table = open_table(task.source, task.sheet, task.encoding)
    index = table.index_of(task.column)
    added = result_columns(task.function, task.options)
    names = free_names(added, table.columns)
    check_writable(task.target, table.total, len(table.columns) + len(names))
    digest = file_digest(task.source)
    with Journal(task.target, _identity(task, table, digest), task.restart) as journal:
        continued = journal.rows
        progress.start(table.total, continued)
        _score_rest(task, table, index, len(added), journal, connect, progress)
        if file_digest(task.source) != digest:
            raise BadInput(
                f"{task.source.name} was changed while it was scored. Nothing was written. "
                "Run the same command with --restart."
            )
        notes = write_table(
            task.target, table, names, journal.answers, keep_formulas=task.keep_formulas
        )
        failed = sum(bool(row[-1]) for row in journal.answers())
        summary = Summary(
            journal.rows, continued, failed, names, journal.model, [*table.notes, *notes]
        )
        journal.finish()
    return summary


def _check_target(task: Task) -> None:
    if task.target.exists() and task.source.exists() and task.target.samefile(task.source):
        raise BadInput(
            f"{task.target.name} is the input itself; choose another name with -o. To compute the "
            "formulas of a workbook in place: shopsheet refresh."
        )


def _score_rest(
    task: Task,
    table: Table,
    index: int,
    width: int,
    journal: Journal,
    connect: Callable[[], AbstractContextManager[Caller]],
    progress: Progress,
) -> None:
    """Nothing, after the journal holds an answer to every row."""
    with closing(_Rows(table.rows(), index, journal.rows)) as rows:
        texts = rows.take(FIRST_CHUNK_ROWS)
        if not texts:
            return
        with connect() as caller:
            size = FIRST_CHUNK_ROWS
            while texts:
                started = time.monotonic()
                values, model = _answers(task, caller, texts, width)
                journal.add(values, model)
                progress.advance(len(texts))
                pace = len(texts) * CHUNK_S / max(time.monotonic() - started, 0.001)
                size = int(min(max(pace, 16), 2 * size, MAX_CHUNK_ROWS))
                texts = rows.take(size)


class _Rows:
    """The texts of a column, in chunks."""

    def __init__(self, rows: Iterator[Row], index: int, skip: int) -> None:
        self._rows = rows
        self._index = index
        for _ in range(skip):
            next(rows, None)

    def take(self, size: int) -> list[Row]:
        """The next cells, each as a row of one; fewer than `size` where the texts are long."""
        texts: list[Row] = []
        chars = 0
        while len(texts) < size and chars < MAX_CHUNK_CHARS:
            row = next(self._rows, None)
            if row is None:
                break
            cell = _as_cell(row[self._index])
            texts.append([cell])
            chars += len(cell) if isinstance(cell, str) else 1
        return texts

    def close(self) -> None:
        close = getattr(self._rows, "close", None)
        if close is not None:
            close()


def _as_cell(value: Any) -> Any:
    """What a cell of a worksheet would hold."""
    if value is None or isinstance(value, bool | int | CellError):
        return value
    if isinstance(value, float):
        return None if value != value else value  # parquet writes a missing text as NaN
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    text = value if isinstance(value, str) else str(value)
    # No cell holds so much; the function says so about a text that is merely too long.
    return text[:MAX_FIELD_CHARS]


def _answers(task: Task, caller: Caller, texts: list[Row], width: int) -> tuple[list[Row], str]:
    """Cells of the added columns for each text, and the model that gave them.

    Raises: ShopsheetError if the call as a whole failed, after waiting for a busy server.
    """
    # Checked here, a text that is too long becomes its error cell and is not sent at all.
    arg = task.function.args[0]
    checked = [[to_wire(cell) for cell in row] for row in arg.kind.parse(texts, arg.name)]
    give_up = time.monotonic() + PATIENCE_S
    while True:
        try:
            answer = caller.answers([(task.function.name, task.args(checked))])[0]
            if answer.error is not None:
                raise answer.error
            break
        except NotReady as error:
            pause = min(max(error.retry_after_s or 1.0, 0.2), 10.0)
            if time.monotonic() + pause > give_up:
                raise NotReady(
                    f"{error.message} The rows done so far are kept: run the same command again "
                    "to go on."
                ) from error
            time.sleep(pause)
    return [_with_reason(row, width - 1) for row in answer.value], answer.model or ""


def _with_reason(cells: Sequence[Any], width: int) -> Row:
    """The cells of one row and, behind them, what went wrong or None."""
    reason = next((c for c in cells if isinstance(c, CellError)), None)
    row: Row = [None if cell == "" else cell for cell in cells]
    row += [row[0] if reason else None] * (width - len(row))
    return [*row, f"{reason.code} {reason.message}".rstrip() if reason else None]


# The journal


def file_digest(path: Path) -> str:
    """SHA-256 of the file's bytes."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}.") from error


def _identity(task: Task, table: Table, digest: str) -> dict[str, Any]:
    """What must be the same for two runs to be parts of one, each under a name for a person."""
    return {
        "file": task.source.name,
        "content": digest,
        "sheet": getattr(table, "sheet", None),
        "encoding": getattr(table, "encoding", None),
        "column": table.columns[table.index_of(task.column)],
        "function": task.function.name,
        "options": dict(sorted(task.options.items())),
        "format": FORMAT_VERSION,
    }


class Journal:
    """Answers so far, in a small database beside the output. It survives a killed process.

    SQLite because it keeps a half-written chunk out, and a second run away, on every system.
    """

    def __init__(self, target: Path, identity: Mapping[str, Any], restart: bool) -> None:
        self.path = target.with_name(f"{target.name}.unfinished")
        self._target = target
        self._source = identity["file"]
        self.rows = 0
        self.model = ""
        if restart:
            self._remove()
        try:
            self._open(identity)
        except sqlite3.OperationalError as error:
            self._close()
            raise BadInput(
                f"Another run is writing {target.name} ({error}). Wait for it or stop it first."
            ) from error
        except sqlite3.DatabaseError as error:
            self._close()
            raise BadInput(
                f"{self.path.name} is not what a run leaves behind ({error}). Move it away, or "
                "say --restart to begin again."
            ) from error
        except ShopsheetError:
            self._close()
            raise

    def add(self, values: list[Row], model: str) -> None:
        """Nothing, once the answers to the next rows are on disk.

        Raises: BadInput if another model gave them than gave those before.
        """
        if self.model and model and model != self.model:
            raise BadInput(
                f"The rows before were scored by {self.model}; the model is now {model}. One "
                "column must not hold the answers of two models: run the same command with "
                "--restart."
            )
        with self._db:
            self._db.execute(
                "INSERT INTO chunks VALUES (?, ?, ?)",
                (self.rows, len(values), json.dumps(to_wire(values), ensure_ascii=False)),
            )
            if model and not self.model:
                self._db.execute("INSERT INTO facts VALUES ('model', ?)", (model,))
                self.model = model
        self.rows += len(values)

    def answers(self) -> Iterator[Row]:
        """The answers of all rows, in order."""
        for (text,) in self._db.execute("SELECT answers FROM chunks ORDER BY first_row"):
            for row in json.loads(text):
                yield from_wire(row)

    def finish(self) -> None:
        """Nothing; the output is there, so the journal goes."""
        self._close()
        self._remove()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exc: object) -> None:
        empty = self.rows == 0 and exc[0] is not None
        self._close()
        if empty:
            self._remove()

    def _open(self, identity: Mapping[str, Any]) -> None:
        self._db = sqlite3.connect(self.path, timeout=1.0)
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        with self._db:
            self._db.execute("BEGIN EXCLUSIVE")  # taken now and held until this run ends
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS chunks "
                "(first_row INTEGER PRIMARY KEY, rows INTEGER NOT NULL, answers TEXT NOT NULL)"
            )
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
            )
            facts = dict(self._db.execute("SELECT name, value FROM facts").fetchall())
            if "identity" not in facts:
                self._db.execute(
                    "INSERT INTO facts VALUES ('identity', ?)",
                    (json.dumps(identity, ensure_ascii=False),),
                )
                return
        self._compare(json.loads(facts["identity"]), identity)
        self.model = facts.get("model", "")
        (self.rows,) = self._db.execute("SELECT coalesce(sum(rows), 0) FROM chunks").fetchone()

    def _compare(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        for name, value in now.items():
            was = before.get(name)
            if was == value:
                continue
            if name == "content":
                what = f"{self._source} has changed since a run into {self._target.name} stopped"
            else:
                what = (
                    f"A run into {self._target.name} stopped before it was done; its {name} was "
                    f"{_shown(was)} and is now {_shown(value)}"
                )
            raise BadInput(
                f"{what}, so the rows it has scored do not fit. Say --restart to begin again, or "
                "choose another name with -o."
            )

    def _close(self) -> None:
        db = getattr(self, "_db", None)
        if db is not None:
            db.close()

    def _remove(self) -> None:
        for path in (self.path, self.path.with_name(f"{self.path.name}-journal")):
            with suppress(FileNotFoundError):
                try:
                    path.unlink()
                except PermissionError as error:
                    raise BadInput(
                        f"{path.name} is in use: another run is writing {self._target.name}. "
                        "Wait for it or stop it first."
                    ) from error


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={item}" for key, item in value.items()) or "none"
    return "none" if value is None else repr(value)
