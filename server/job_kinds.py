"""The jobs that can be asked for over HTTP: fitting models to the user's rows, scoring a file.

A further kind is one more entry of JOB_KINDS; the contract and the checks of its fields follow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from server.engine import Engine
from server.jobs import JobKind, Work
from server.local import Caller, engine_caller
from server.own.heads import ASPECTS, CLASSIFY, SENTIMENT
from server.own.reader import Progress, Reader
from server.own.rows import Labelled, without_rare
from server.own.source import Columns, SheetTable, rows_in
from server.own.training import rows_kept, train
from server.own.versions import NAMELESS, Versions
from server.scoring import Task, read_options, score
from server.settings import Settings
from server.tables import open_table
from udfs import catalogue
from udfs.errors import BadInput, short

Fields = Mapping[str, Mapping[str, Any]]


def text_field(about: str) -> dict[str, Any]:
    """JSON schema of a field that holds a text."""
    return {"type": "string", "description": about}


def flag_field(about: str) -> dict[str, Any]:
    """JSON schema of a field that holds true or false."""
    return {"type": "boolean", "description": about}


SOURCE: Final[Fields] = {
    "file": text_field(
        "Full path of a .csv, .tsv, .xlsx or .parquet file on the server's machine."
    ),
    "sheet": text_field("Worksheet of the file; the first if left out."),
    "range": text_field("Cells of the file, such as Sheet1!A1:B500."),
    "encoding": text_field("Of a csv or tsv file; found out if left out."),
    "rows": {
        "type": "array",
        "items": {"type": "array"},
        "description": "The rows themselves instead of a file, the header first.",
    },
}
_TRAINING: Final[Fields] = {
    **SOURCE,
    "text": text_field("The column that holds the texts."),
    "skip_rare": flag_field("Leave out labels that too few rows have."),
    "again": flag_field("Fit the rows that were kept anew, instead of rows given here."),
    "force": flag_field("Use the new version even if it is worse on the held-out rows."),
}
_LABEL: Final[Fields] = {"label": text_field("The column that holds the labels.")}
_NAME: Final[Fields] = {"name": text_field("Name of the saved labels.")}
_ASPECTS: Final[Fields] = {
    "aspects": text_field('Columns, one per aspect: "price;delivery". Or else aspect:'),
    "aspect": text_field("The column that holds one aspect per row."),
    "polarity": text_field("The column that holds the polarity of that aspect."),
}


@dataclass(frozen=True)
class TrainOwn:
    """Fits one kind of model to rows of the user's own."""

    own_kind: str
    summary: str
    own_fields: Fields
    required: Sequence[str] = ()

    @property
    def name(self) -> str:
        return f"train {self.own_kind}"

    @property
    def fields(self) -> Fields:
        return {**_TRAINING, **self.own_fields}

    def prepare(self, request: Mapping[str, Any], settings: Settings) -> Work:
        versions = Versions(settings.home, self.own_kind, request.get("name") or NAMELESS)
        if request.get("again"):
            data, source = rows_kept(versions)
        else:
            columns = Columns.of(self.own_kind, request)
            data, source = read_source(request, self.own_kind, columns, settings)
        if request.get("skip_rare"):
            data = without_rare(data)

        def work(engine: Engine, progress: Progress) -> dict[str, Any]:
            reader = Reader(engine, progress)
            forced = bool(request.get("force"))
            return train(versions, data, reader, source, forced, progress).to_json()

        return work


def read_source(
    request: Mapping[str, Any], kind: str, columns: Columns, settings: Settings
) -> tuple[Labelled, str]:
    """The labelled rows of a request, and where they come from.

    Raises: BadInput if they cannot be read.
    """
    rows = request.get("rows")
    if bool(rows) == bool(request.get("file")):
        raise BadInput("Give either file or rows: where the labelled rows are.")
    if not rows:
        path = full_path(request["file"], "file")
        table = open_table(
            path, request.get("sheet"), request.get("encoding"), request.get("range")
        )
        return rows_in(table, kind, columns), path.name
    if not all(isinstance(row, list) for row in rows):
        raise BadInput("rows holds something that is no array; expected an array of rows.")
    cells = sum(len(row) for row in rows)
    if cells > settings.max_cells:
        raise BadInput(
            f"rows holds {cells:,} cells; at most {settings.max_cells:,} are taken. Save them as a "
            "file and give its path."
        )
    return rows_in(SheetTable(rows), kind, columns), "rows of a request"


def full_path(text: str, name: str) -> Path:
    """The path. Raises: BadInput if it is not a full one: the server has a folder of its own."""
    path = Path(text).expanduser()
    if not path.is_absolute():
        raise BadInput(f"{name} is {short(text)}; expected a full path, from the root or drive on.")
    return path


@dataclass(frozen=True)
class ScoreFile:
    """Scores a column of a file into a new file, as `shopsheet score` does."""

    name: str = "score"
    summary: str = "Scores a column of a file into a new file."
    required: Sequence[str] = ("file", "function", "column", "output")

    @property
    def fields(self) -> Fields:
        source = {name: field for name, field in SOURCE.items() if name not in ("range", "rows")}
        return {
            **source,
            "function": text_field(f"One of {', '.join(catalogue.FUNCTIONS)}."),
            "column": text_field("The column that holds the texts."),
            "output": text_field("Full path of the new file: .csv, .tsv, .xlsx or .parquet."),
            "options": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "description": "Further arguments of the function, by name.",
            },
            "overwrite": flag_field("Replace the output if it is there already."),
        }

    def prepare(self, request: Mapping[str, Any], settings: Settings) -> Work:
        function = catalogue.get(request["function"])
        given = [f"{name}={value}" for name, value in (request.get("options") or {}).items()]
        target = full_path(request["output"], "output")
        if target.exists() and not request.get("overwrite"):
            raise BadInput(f"{target} is there already. Choose another output, or say overwrite.")
        task = Task(
            source=full_path(request["file"], "file"),
            target=target,
            function=function,
            column=request["column"],
            options=read_options(function, given),
            sheet=request.get("sheet"),
            encoding=request.get("encoding"),
        )

        def work(engine: Engine, progress: Progress) -> dict[str, Any]:
            @contextmanager
            def connect() -> Iterator[Caller]:
                yield engine_caller(engine, "this server")

            done = score(task, connect, _Rows(progress))
            return {
                "output": str(target),
                "rows": done.rows,
                "failed": done.failed,
                "columns": done.columns,
                "model": done.model,
                "notes": done.notes,
            }

        return work


class _Rows:
    """Passes on how many rows are scored, and stops between two chunks of them."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done = self._total = 0

    def start(self, total: int | None, done: int) -> None:
        self._done, self._total = done, total or 0
        self.advance(0)

    def advance(self, rows: int) -> None:
        self._done += rows
        self._progress.step("scoring", self._done, max(self._total, self._done))


JOB_KINDS: Final[tuple[JobKind, ...]] = (
    TrainOwn(SENTIMENT, "Fits SENTIMENT to labelled texts.", _LABEL),
    TrainOwn(CLASSIFY, "Saves labels under a name for CLASSIFY.", {**_LABEL, **_NAME}, ("name",)),
    TrainOwn(ASPECTS, "Teaches ASPECTS what the user calls by a name.", _ASPECTS),
    ScoreFile(),
)
