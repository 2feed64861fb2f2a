"""Reads tables from csv, tsv, xlsx and parquet files, row by row."""

from __future__ import annotations

import codecs
import csv
import re
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from udfs.errors import CELL_ERRORS, BadInput, CellError

Row = list[Any]  # None, bool, int, float, str, date, datetime, CellError or what parquet holds

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "tsv",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".parquet": "parquet",
}
WRITTEN = (".csv", ".tsv", ".xlsx", ".parquet")
XLSX_ROWS = 1_048_576  # limits of a worksheet
XLSX_COLUMNS = 16_384
XLSX_CHARS = 32_767
MAX_FIELD_CHARS = 1_000_000  # a longer csv field is a quote that nobody closed
MAX_RECORD_LINES = 5_000
BATCH_ROWS = 1_024


def file_format(path: Path) -> str:
    """csv, tsv, xlsx or parquet. Raises: BadInput for any other ending."""
    if path.suffix.lower() in FORMATS:
        return FORMATS[path.suffix.lower()]
    hint = " Open it in Excel and save it as .xlsx." if path.suffix.lower() == ".xls" else ""
    raise BadInput(f"{path.name} ends in {path.suffix!r}; expected {', '.join(WRITTEN)}.{hint}")


class Table(ABC):
    """A table in a file: one header row, then rows. Reading it twice gives the same rows."""

    path: Path
    columns: list[str]
    total: int | None = None  # rows, where the file says so
    notes: list[str]  # what the user should know about how it was read

    @abstractmethod
    def rows(self) -> Generator[Row, None, None]:
        """The rows below the header, each as wide as `columns`."""

    def index_of(self, column: str) -> int:
        """Position of a column. Case and spaces around the name matter only if they must.

        Raises: BadInput listing the columns.
        """
        exact = [i for i, name in enumerate(self.columns) if name == column]
        loose = [
            i for i, name in enumerate(self.columns) if _plain_name(name) == _plain_name(column)
        ]
        found = exact or loose
        if len(found) == 1:
            return found[0]
        if found:
            places = ", ".join(str(i + 1) for i in found)
            raise BadInput(
                f"{self.path.name} has {len(found)} columns named {column!r} (columns {places}). "
                "Give each its own name."
            )
        shown = ", ".join(repr(_cut(name, 40)) for name in self.columns[:50])
        more = f" and {len(self.columns) - 50} more" if len(self.columns) > 50 else ""
        raise BadInput(
            f"{self.path.name} has no column {column!r}. Its columns are: {shown}{more}."
        )


def open_table(
    path: Path, sheet: str | None = None, encoding: str | None = None, area: str | None = None
) -> Table:
    """The table in a file.

    sheet: name of a worksheet, the first by default. area: a range of it such as "A1:B500" or
    "Sheet1!A:B", whose first row that holds something is the header. encoding: of a csv or
    tsv file; by default UTF-8, UTF-16 with a mark, or GB18030 where the file shows that it is.
    Raises: BadInput saying what is wrong with the file.
    """
    kind = file_format(path)
    if not path.is_file():
        raise BadInput(f"There is no file {path}.")
    if sheet is not None and kind != "xlsx":
        raise BadInput(f"{path.name} has no sheets; --sheet is for xlsx files.")
    if area is not None and kind != "xlsx":
        raise BadInput(f"{path.name} has no cells with addresses; --range is for xlsx files.")
    if encoding is not None and kind not in ("csv", "tsv"):
        raise BadInput(f"{path.name} says itself how it is encoded; --encoding is for csv files.")
    try:
        if kind == "xlsx":
            return XlsxTable(path, *read_area(area, sheet))
        if kind == "parquet":
            return ParquetTable(path)
        return DelimitedTable(path, encoding)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}.") from error


# Text files


class DelimitedTable(Table):
    """A csv or tsv file. Every cell is a text; an empty one is None."""

    def __init__(self, path: Path, encoding: str | None = None) -> None:
        self.path = path
        self.notes = []
        self.encoding = self._encoding(encoding)
        self.delimiter = self._delimiter()
        self.strict = True
        try:
            self._look_through()
        except _Sloppy:
            self.strict = False
            self._look_through()

    def rows(self) -> Generator[Row, None, None]:
        width = len(self.columns)
        with closing(self._records()) as records:
            next(records)
            for record in records:
                cells: Row = [cell or None for cell in record]
                yield cells + [None] * (width - len(cells))

    def _look_through(self) -> None:
        """Header and number of rows, once over the whole file: what is wrong shows now."""
        with closing(self._records()) as records:
            header = next(records, None)
            if header is None:
                raise BadInput(f"{self.path.name} is empty; expected a header row and rows.")
            self.columns = header
            self.total, widest, longer = 0, len(header), 0
            for record in records:
                self.total += 1
                if len(record) > len(header):
                    longer += 1
                    widest = max(widest, len(record))
        if longer:
            extra = [f"column {i + 1}" for i in range(len(header), widest)]
            self.columns = header + extra
            self.notes.append(
                f"{longer:,} rows have more cells than the header has names; they are kept "
                f"in {', '.join(extra[:3])}{' ...' if len(extra) > 3 else ''}."
            )

    def _records(self) -> Generator[list[str], None, None]:
        """The records that are not blank, the header first."""
        csv.field_size_limit(MAX_FIELD_CHARS)
        with self.path.open(encoding=self.encoding, newline="") as lines:
            reader = csv.reader(lines, delimiter=self.delimiter, strict=self.strict)
            while True:
                start = reader.line_num + 1
                try:
                    record = next(reader, None)
                except csv.Error as error:
                    raise self._problem(error, start) from error
                except UnicodeDecodeError as error:
                    raise BadInput(self._undecodable(error)) from error
                if record is None:
                    return
                if reader.line_num - start > MAX_RECORD_LINES:
                    raise BadInput(self._open_quote(start))
                if record:
                    yield record

    def _problem(self, error: csv.Error, line: int) -> Exception:
        if "field larger" in str(error) or "end of data" in str(error):
            return BadInput(self._open_quote(line))
        if self.strict:
            return _Sloppy()
        return BadInput(f"{self.path.name} cannot be read as csv at line {line}: {error}.")

    def _open_quote(self, line: int) -> str:
        return (
            f'{self.path.name} has a quote (") in line {line:,} that is never closed, so that all '
            'that follows would be one cell. Close it, or write "" for a quote within a cell.'
        )

    def _encoding(self, asked: str | None) -> str:
        if asked is not None:
            try:
                name = codecs.lookup(asked).name
            except LookupError as error:
                raise BadInput(
                    f"There is no encoding {asked!r}. Common ones: utf-8, gb18030, big5, cp1252."
                ) from error
            return "utf-8-sig" if name == "utf-8" else name
        with self.path.open("rb") as stream:
            head = stream.read(4)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if self._decodes("utf-8-sig"):
            return "utf-8-sig"
        if self._decodes("gb18030") and self._looks_chinese():
            self.notes.append(
                f"{self.path.name} is not UTF-8; read as GB18030 (Chinese Windows). "
                "If the texts look wrong, say --encoding."
            )
            return "gb18030"
        raise BadInput(
            f"{self.path.name} is neither UTF-8 nor Chinese GB18030 text. Say which encoding it "
            "has, for example --encoding cp1252 (Western Windows) or --encoding big5, or save it "
            'in Excel as "CSV UTF-8".'
        )

    def _decodes(self, encoding: str) -> bool:
        try:
            with self.path.open(encoding=encoding, newline="") as stream:
                while stream.read(1 << 20):
                    pass
        except UnicodeDecodeError:
            return False
        return True

    def _looks_chinese(self) -> bool:
        """Whether the foreign characters are mostly everyday Chinese ones.

        Any bytes may happen to be GB18030; only Chinese text gives the 3,755 characters of the
        first level of GB 2312, which its first bytes B0 to D7 mark.
        """
        with self.path.open(encoding="gb18030", newline="") as stream:
            foreign = [char for char in stream.read(200_000) if char > "\x7f"]
        hanzi = [char for char in foreign if "\u3400" <= char <= "\u9fff"]
        everyday = 0
        for char in hanzi:
            with suppress(UnicodeEncodeError):
                everyday += 0xB0 <= char.encode("gb2312")[0] <= 0xD7
        return everyday >= 0.8 * len(hanzi) and len(hanzi) >= 0.5 * len(foreign)

    def _undecodable(self, error: UnicodeDecodeError) -> str:
        return (
            f"{self.path.name} is not {self.encoding} text: byte 0x{error.object[error.start]:02X} "
            f"cannot be read. Say the right one with --encoding."
        )

    def _delimiter(self) -> str:
        """The one of tab, comma, semicolon and bar that stands most often in the header."""
        if self.path.suffix.lower() == ".tsv":
            return "\t"
        try:
            with self.path.open(encoding=self.encoding, newline="") as lines:
                header = ""
                while not header.strip() and (line := lines.readline(1 << 20)):
                    header = line
        except UnicodeDecodeError as error:
            raise BadInput(self._undecodable(error)) from error
        bare = re.sub(r'"[^"]*"', "", header)
        counts = {delimiter: bare.count(delimiter) for delimiter in "\t,;|"}
        best = max(counts, key=lambda delimiter: counts[delimiter])
        return best if counts[best] else ","


class _Sloppy(Exception):
    """The file does not keep to the rules of quoting; it must be read leniently."""


# Workbooks


Bounds = tuple[int | None, int | None, int | None, int | None]  # first and last column and row


def read_area(area: str | None, sheet: str | None = None) -> tuple[str | None, Bounds | None]:
    """Sheet and bounds of a range such as "A1:B500", "Sheet1!A:B" or "'My sheet'!$A$1:$B$9".

    Raises: BadInput if it is no range, or of another sheet than `sheet`.
    """
    from openpyxl.utils.cell import range_boundaries

    if area is None:
        return sheet, None
    name, _, cells = area.rpartition("!")
    name = name.strip().removeprefix("'").removesuffix("'").replace("''", "'")
    if sheet and name and sheet != name:
        raise BadInput(f"--range is on sheet {name!r} and --sheet is {sheet!r}; give one of them.")
    try:
        left, top, right, bottom = range_boundaries(cells.strip().upper())
    except (ValueError, TypeError) as error:
        raise BadInput(
            f"--range is {area!r}; expected a range such as A1:B500, Sheet1!A1:B500 or A:B."
        ) from error
    return name or sheet, (left, right, top, bottom)


class XlsxTable(Table):
    """A worksheet: its first row that holds something is the header. Formulas give their values."""

    def __init__(self, path: Path, sheet: str | None = None, bounds: Bounds | None = None) -> None:
        self.path = path
        self.bounds: Bounds = bounds or (None, None, None, None)
        self.notes = []
        with _workbook(self.path) as book:
            names = [ws.title for ws in book.worksheets]
            if sheet is not None and sheet not in names:
                raise BadInput(
                    f"{path.name} has no sheet {sheet!r}. Its sheets are: {', '.join(names)}."
                )
            if not names:
                raise BadInput(f"{path.name} has no worksheet.")
            self.sheet = sheet or names[0]
            if sheet is None and len(names) > 1:
                self.notes.append(
                    f"Read sheet {self.sheet!r} of {path.name}; --sheet chooses another of "
                    f"{', '.join(names[:20])}."
                )
            declared = book[self.sheet].max_row
        with closing(self._cells()) as rows:
            header = next(rows, None)
            if header is None:
                raise BadInput(
                    f"Sheet {self.sheet!r} of {path.name} is empty; expected a header row and rows."
                )
        self.columns = ["" if cell is None else str(plain_value(cell)) for cell in header]
        # Some programs write a wrong size; a size of one row says nothing.
        self.total = declared - 1 if declared and declared > 1 else None

    def rows(self) -> Generator[Row, None, None]:
        width = len(self.columns)
        waiting = 0  # blank rows are kept between others, not after the last one
        with closing(self._cells()) as rows:
            next(rows)
            for cells in rows:
                if not cells:
                    waiting += 1
                    continue
                yield from ([None] * width for _ in range(waiting))
                waiting = 0
                yield (cells + [None] * width)[:width]

    def _cells(self) -> Generator[Row, None, None]:
        """Rows without their empty right ends; what stands above the header is left out."""
        with _workbook(self.path) as book:
            ws = book[self.sheet]
            ws.reset_dimensions()
            started = False
            left, right, top, bottom = self.bounds
            for cells in ws.iter_rows(min_col=left, max_col=right, min_row=top, max_row=bottom):
                row: Row = [_cell_value(cell) for cell in cells]
                while row and row[-1] is None:
                    row.pop()
                started = started or bool(row)
                if started:
                    yield row


def sheet_names(path: Path) -> list[str]:
    """The names of a workbook's sheets. Raises: BadInput if it cannot be read; OSError."""
    with _workbook(path) as book:
        return [sheet.title for sheet in book.worksheets]


@contextmanager
def _workbook(path: Path) -> Generator[Any, None, None]:
    import warnings
    import zipfile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    # What openpyxl cannot keep, we do not need; it speaks of it while rows are read, too.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"openpyxl\.")
    stream = path.open("rb")
    with closing(stream):
        try:
            book = load_workbook(stream, read_only=True, data_only=True)
        except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError) as error:
            raise BadInput(
                f"{path.name} is not a workbook that can be read ({error}). If it has a "
                "password, save a copy without one."
            ) from error
        with closing(book):
            yield book


def _cell_value(cell: Any) -> Any:
    value = cell.value
    if isinstance(value, str):
        if not value:
            return None
        if cell.data_type == "e" and value in CELL_ERRORS:
            return CellError(value, f"The cell itself is {value}.")
    return value


# Parquet


class ParquetTable(Table):
    """A parquet file. Values come as Python objects."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path = path
        self.notes = []
        try:
            with pq.ParquetFile(path) as file:
                self.schema = file.schema_arrow
                self.total = file.metadata.num_rows
        except pa.ArrowInvalid as error:
            raise BadInput(
                f"{path.name} is not a parquet file that can be read: {error}"
            ) from error
        self.columns = list(self.schema.names)

    def batches(self) -> Generator[Any, None, None]:
        """Arrow record batches with all columns."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path) as file:
            yield from file.iter_batches(batch_size=BATCH_ROWS)

    def rows(self) -> Generator[Row, None, None]:
        with closing(self.batches()) as batches:
            for batch in batches:
                lists = [_to_python(column) for column in batch.columns]
                yield from ([*cells] for cells in zip(*lists, strict=True))


def _to_python(array: Any) -> list[Any]:
    """Python objects of an arrow array; nanoseconds, which Python lacks, are cut."""
    import pyarrow as pa

    if pa.types.is_timestamp(array.type) and array.type.unit == "ns":
        array = array.cast(pa.timestamp("us", array.type.tz), safe=False)
    elif pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return list(array.to_pylist())


def plain_value(cell: Any) -> Any:
    """`cell` as bool, int, float, str, date or datetime."""
    if cell is None or isinstance(cell, bool | int | float | str | date | datetime | CellError):
        return cell
    if isinstance(cell, time):
        return cell.isoformat()
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    return str(cell)


# Names


def _plain_name(name: str) -> str:
    return name.strip().strip("\ufeff").casefold()


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
