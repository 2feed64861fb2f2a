"""Writes tables to csv, tsv, xlsx and parquet files: the whole file or nothing."""

from __future__ import annotations

import csv
import math
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import date, datetime, time
from itertools import chain
from pathlib import Path
from typing import Any

from server.tables import (
    BATCH_ROWS,
    WRITTEN,
    DelimitedTable,
    ParquetTable,
    Row,
    Table,
    file_format,
    plain_value,
)
from udfs.errors import BadInput, CellError

XLSX_ROWS = 1_048_576  # limits of a worksheet
XLSX_COLUMNS = 16_384
XLSX_CHARS = 32_767


def write_table(
    path: Path,
    table: Table,
    added: Sequence[str],
    answers: Callable[[], Iterator[Row]],
    keep_formulas: bool = False,
) -> list[str]:
    """Notes for the user, after `path` holds all columns of `table` and the `added` ones.

    `answers()` gives the cells of the added columns, row by row, each time anew. The file appears
    whole or not at all. In csv and tsv a text that a spreadsheet would run as a formula gets an
    apostrophe before it, unless `keep_formulas`; in xlsx it is a text in any case.
    Raises: BadInput if the file cannot be written.
    """
    columns = [*table.columns, *added]

    def rows() -> Iterator[Row]:
        for cells, more in zip(table.rows(), answers(), strict=True):
            yield [*cells, *more]

    kind = file_format(path)
    with _whole_file(path) as temporary:
        if kind == "xlsx":
            kinds = _column_kinds(rows(), len(columns), isinstance(table, DelimitedTable))
            return _write_xlsx(temporary, columns, rows(), kinds, len(added))
        if kind == "parquet" and isinstance(table, ParquetTable):
            kinds = _column_kinds(answers(), len(added), False)
            return _extend_parquet(temporary, table, added, answers(), kinds)
        if kind == "parquet":
            kinds = _column_kinds(rows(), len(columns), isinstance(table, DelimitedTable))
            return _write_parquet(temporary, columns, rows(), kinds)
        delimiter = "\t" if kind == "tsv" else getattr(table, "delimiter", ",")
        return _write_delimited(
            temporary,
            columns,
            rows(),
            "," if delimiter == "\t" and kind == "csv" else delimiter,
            keep_formulas,
        )


def check_writable(path: Path, rows: int | None, columns: int) -> None:
    """Nothing, if a table of that size can be written to `path`.

    Raises: BadInput, before hours of work and not after them.
    """
    if path.suffix.lower() not in WRITTEN:
        raise BadInput(f"{path.name} ends in {path.suffix!r}; expected {', '.join(WRITTEN)}.")
    if not path.parent.is_dir():
        raise BadInput(f"There is no folder {path.parent}.")
    if path.is_dir():
        raise BadInput(f"{path} is a folder; expected the name of a file.")
    if path.suffix.lower() == ".xlsx" and rows is not None and rows >= XLSX_ROWS:
        raise BadInput(
            f"The table has {rows:,} rows and a worksheet holds {XLSX_ROWS - 1:,} below its "
            "header. Write .csv or .parquet."
        )
    if path.suffix.lower() == ".xlsx" and columns > XLSX_COLUMNS:
        raise BadInput(
            f"The table would have {columns:,} columns and a worksheet holds {XLSX_COLUMNS:,}. "
            "Write .csv or .parquet."
        )
    probe = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise BadInput(f"{path.parent} cannot be written: {error.strerror or error}.") from error


@contextmanager
def _whole_file(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes the place of `path` when all went well."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except PermissionError as error:
        raise BadInput(
            f"{path.name} cannot be replaced: another program has it open. Close it there and run "
            "the same command again; nothing is computed twice."
        ) from error
    except OSError as error:
        raise BadInput(
            f"{path.name} cannot be written: {error.strerror or error}. When that is mended, run "
            "the same command again; nothing is computed twice."
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _write_delimited(
    path: Path, columns: Sequence[str], rows: Iterable[Row], delimiter: str, keep_formulas: bool
) -> list[str]:
    defused = 0
    # The mark at the start tells Excel that this is UTF-8.
    with path.open("w", encoding="utf-8-sig", newline="", errors="replace") as stream:
        writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
        for row in chain([list(columns)], rows):
            cells = [_csv_text(cell) for cell in row]
            if not keep_formulas:
                for i, cell in enumerate(cells):
                    if is_risky(cell):
                        cells[i] = f"'{cell}"
                        defused += 1
            writer.writerow(cells)
    if not defused:
        return []
    return [
        f"{defused:,} cells begin like a formula (=, +, -, @); they got an apostrophe so that a "
        "spreadsheet shows them and does not run them."
    ]


_RISKY_STARTS = "=+-@\t\r＝＋－＠"  # East Asian versions of Excel take the wide ones as well
_NUMBER = re.compile(r"[+-][\d.,\s'()]+([eE][+-]?\d+)?%?")


def is_risky(text: str) -> bool:
    """Whether a spreadsheet that opens a text file would take `text` for a formula.

    A signed number is harmless. Source: OWASP, "CSV Injection".
    """
    if not text or text[0] not in _RISKY_STARTS:
        return False
    return not _NUMBER.fullmatch(text)


def _csv_text(cell: Any) -> str:
    if cell is None or isinstance(cell, CellError):
        return ""  # an error must not look like data; its text stands in the error column
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, datetime) and cell.time() == time.min and cell.tzinfo is None:
        return cell.date().isoformat()
    return str(plain_value(cell))


_XLSX_STYLE = {"font_name": "Calibri", "font_size": 11}


def _write_xlsx(
    path: Path, columns: Sequence[str], rows: Iterable[Row], kinds: Sequence[str], added: int
) -> list[str]:
    from xlsxwriter import Workbook

    notes: list[str] = []
    cut = 0
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "nan_inf_to_errors": True,
    }
    with Workbook(str(path), options) as book:
        ws = book.add_worksheet("Scored")
        header = {**_XLSX_STYLE, "bold": True, "font_color": "white", "valign": "vcenter"}
        theirs = book.add_format({**header, "bg_color": "#44546A"})
        ours = book.add_format({**header, "bg_color": "#1F7A5C"})
        day = book.add_format({**_XLSX_STYLE, "num_format": "yyyy-mm-dd"})
        moment = book.add_format({**_XLSX_STYLE, "num_format": "yyyy-mm-dd hh:mm"})
        quoted = book.add_format({**_XLSX_STYLE, "quote_prefix": True})
        ws.freeze_panes(1, 0)
        for i, name in enumerate(columns):
            ws.write_string(0, i, name[:XLSX_CHARS], ours if i >= len(columns) - added else theirs)
            ws.set_column(i, i, max(12, min(60, len(name) + 4)))
        last = 0
        for r, row in enumerate(rows, start=1):
            last = r
            if r >= XLSX_ROWS:
                raise BadInput(
                    f"The table has more rows than the {XLSX_ROWS - 1:,} that a worksheet holds. "
                    "Write .csv or .parquet."
                )
            for c, raw in enumerate(row):
                cell = _typed(raw, kinds[c])
                if cell is None:
                    continue
                if isinstance(cell, bool):
                    ws.write_boolean(r, c, cell)
                elif isinstance(cell, CellError):
                    ws.write_formula(r, c, f"={cell.code}", None, cell.code)
                elif isinstance(cell, int | float):
                    if isinstance(cell, int) and abs(cell) >= 10**15:
                        ws.write_string(r, c, str(cell))  # a sheet keeps 15 digits
                    else:
                        ws.write_number(r, c, cell)
                elif isinstance(cell, date) and _fits_a_sheet(cell):
                    clock = isinstance(cell, datetime) and cell.time() != time.min
                    ws.write_datetime(r, c, cell, moment if clock else day)
                else:
                    text = str(cell)
                    if len(text) > XLSX_CHARS:
                        text, cut = text[: XLSX_CHARS - 1] + "…", cut + 1
                    # Quoted, a text stays a text when somebody edits the cell.
                    ws.write_string(r, c, text, quoted if is_risky(text) else None)
        if columns:
            ws.autofilter(0, 0, last, len(columns) - 1)
    if cut:
        notes.append(f"{cut:,} texts are longer than a worksheet cell can hold and were cut.")
    return notes


def _fits_a_sheet(day: date) -> bool:
    if isinstance(day, datetime) and day.tzinfo is not None:
        return False
    return day.year >= 1901


def _extend_parquet(
    path: Path,
    table: ParquetTable,
    added: Sequence[str],
    answers: Iterator[Row],
    kinds: Sequence[str],
) -> list[str]:
    """As `write_table` where both files are parquet: the given columns stay exactly as they are."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [pa.field(name, _arrow_type(k)) for name, k in zip(added, kinds, strict=True)]
    schema = pa.schema([*table.schema, *fields], metadata=table.schema.metadata)
    with pq.ParquetWriter(path, schema) as writer, closing(table.batches()) as batches:
        for batch in batches:
            rows = [next(answers) for _ in range(batch.num_rows)]
            arrays = [
                pa.array([_arrow_value(row[i], k) for row in rows], type=_arrow_type(k))
                for i, k in enumerate(kinds)
            ]
            writer.write_batch(pa.record_batch([*batch.columns, *arrays], schema=schema))
    return []


def _write_parquet(
    path: Path, columns: Sequence[str], rows: Iterable[Row], kinds: Sequence[str]
) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = _unique([name or f"column {i + 1}" for i, name in enumerate(columns)])
    schema = pa.schema([pa.field(n, _arrow_type(k)) for n, k in zip(names, kinds, strict=True)])
    with pq.ParquetWriter(path, schema) as writer:
        for block in _blocks(rows, 16 * BATCH_ROWS):
            arrays = [
                pa.array([_arrow_value(row[i], k) for row in block], type=_arrow_type(k))
                for i, k in enumerate(kinds)
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
    return []


def _blocks(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    block: list[Row] = []
    for row in rows:
        block.append(row)
        if len(block) == size:
            yield block
            block = []
    if block:
        yield block


def _arrow_type(kind: str) -> Any:
    import pyarrow as pa

    return {
        "bool": pa.bool_(),
        "int": pa.int64(),
        "float": pa.float64(),
        "date": pa.date32(),
        "datetime": pa.timestamp("us"),
    }.get(kind, pa.string())


def _arrow_value(raw: Any, kind: str) -> Any:
    cell = _typed(raw, kind)
    if cell is None or isinstance(cell, CellError):
        return None
    if kind == "float":
        return float(cell)
    if kind == "date":
        return cell.date() if isinstance(cell, datetime) else cell
    if kind in ("bool", "int", "datetime"):
        return cell
    return _csv_text(cell)


# What a column holds


_WHOLE = re.compile(r"-?(0|[1-9]\d{0,14})")
_DECIMAL = re.compile(r"-?(0|[1-9]\d*)\.\d+")
_DAY = re.compile(r"(19|20|21)\d\d-\d\d-\d\d")
_MOMENT = re.compile(r"(19|20|21)\d\d-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?")


def _column_kinds(rows: Iterable[Row], width: int, texts: bool) -> list[str]:
    """bool, int, float, date, datetime or text: what all cells of each column have in common.

    texts: the cells came from a text file, so a text that spells a number or a day counts as one.
    One that would not come back as it was (a leading zero, 16 digits) does not.
    """
    seen: list[set[str]] = [set() for _ in range(width)]
    for row in rows:
        for kinds, cell in zip(seen, row, strict=True):
            if cell is None or "text" in kinds or isinstance(cell, CellError):
                continue
            kinds.add(_kind_of(cell, texts))
    return [_common(kinds) for kinds in seen]


def _kind_of(cell: Any, texts: bool) -> str:
    if isinstance(cell, bool):
        return "bool"
    if isinstance(cell, int):
        return "int" if abs(cell) < 2**63 else "text"
    if isinstance(cell, float):
        return "float"
    if isinstance(cell, datetime):
        return "text" if cell.tzinfo else "date" if cell.time() == time.min else "datetime"
    if isinstance(cell, date):
        return "date"
    if texts and isinstance(cell, str):
        if _WHOLE.fullmatch(cell):
            return "int"
        if _DECIMAL.fullmatch(cell) and sum(char.isdigit() for char in cell) <= 15:
            return "float"
        if _DAY.fullmatch(cell) and _parses(cell):
            return "date"
        if _MOMENT.fullmatch(cell) and _parses(cell):
            return "datetime"
    return "text"


def _common(kinds: set[str]) -> str:
    if len(kinds) == 1:
        return next(iter(kinds))
    if kinds == {"int", "float"}:
        return "float"
    if kinds == {"date", "datetime"}:
        return "datetime"
    return "text" if "text" in kinds else "mixed" if kinds else "text"


def _parses(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _typed(cell: Any, kind: str) -> Any:
    """`cell` as a value of its column's kind; a text of a text column stays as it is."""
    cell = plain_value(cell)
    if isinstance(cell, float) and math.isnan(cell):
        return None
    if not isinstance(cell, str):
        return cell
    if kind == "int":
        return int(cell)
    if kind == "float":
        return float(cell)
    if kind in ("date", "datetime"):
        return datetime.fromisoformat(cell)
    return cell


# Names


def free_names(wanted: Sequence[str], taken: Sequence[str]) -> list[str]:
    """`wanted`, with a number behind those that `taken` has already."""
    return _unique([*taken, *wanted])[len(taken) :] if wanted else []


def _unique(names: Sequence[str]) -> list[str]:
    used: set[str] = set()
    result = []
    for name in names:
        candidate, number = name, 2
        while candidate.casefold() in used:
            candidate, number = f"{name} {number}", number + 1
        used.add(candidate.casefold())
        result.append(candidate)
    return result
