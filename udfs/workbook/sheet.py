"""One worksheet's XML: reads its cells in one pass, and patches values while keeping every byte."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from udfs.errors import BadInput
from udfs.workbook.cells import (
    Area,
    Value,
    address,
    cell_of,
    col_number,
    key_of,
    read_text,
    read_value,
    write_value,
)

_TAG = re.compile(rb"""<[^<>"']*(?:(?:"[^"]*"|'[^']*')[^<>"']*)*>""")
_CELL_REF = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7})")
_DECLARED = re.compile(rb"""^<\?xml[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_BOMS = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


@dataclass(slots=True)
class StoredFormula:
    """A formula as the file holds it.

    `kind` is "normal", "array" (fixed area, Ctrl+Shift+Enter), "dynamic" (spills) or "dataTable".
    `text` is without "=". A follower of a shared formula has its master's key in `shared_from`
    and the master's text. `has_value`: the file holds a computed value.
    """

    row: int
    col: int
    text: str
    kind: str
    area: Area | None
    shared_from: int | None = None
    has_value: bool = False
    recalculates: bool = False  # it is computed anew whenever the file is opened


@dataclass
class SheetCells:
    """All cells of a sheet: values and formulas by `key_of(row, col)`."""

    values: dict[int, Value] = field(default_factory=dict)
    formulas: dict[int, StoredFormula] = field(default_factory=dict)
    hidden_rows: set[int] = field(default_factory=set)
    merged: list[Area] = field(default_factory=list)
    last_row: int = 0
    last_col: int = 0

    def grow(self, row: int, col: int) -> None:
        """Nothing; the used range holds the cell."""
        self.last_row = max(self.last_row, row)
        self.last_col = max(self.last_col, col)


@dataclass(frozen=True, slots=True)
class Patch:
    """What a cell becomes: its value, or nothing (`clear`), or only marked for recalculation.

    `area` is the new area of an array formula. With `recalculate` the program that opens the file
    next computes this formula anew.
    """

    value: Value = None
    clear: bool = False
    area: Area | None = None
    recalculate: bool = False


def read_cells(
    xml: bytes, part: str, strings: Sequence[str], dynamic_metadata: frozenset[int] = frozenset()
) -> SheetCells:
    """The cells of a sheet. `dynamic_metadata`: values of cm that mark a formula as spilling.

    Raises: BadInput if the XML is broken or defines entities.
    """
    reader = _Reader(part, strings, dynamic_metadata)
    _parse(_as_utf8(xml, part)[0], part, reader.start, reader.end, reader.text)
    return reader.finish()


def patch_cells(xml: bytes, part: str, patches: Mapping[int, Patch]) -> bytes:
    """The sheet with the patched cells; everything else byte for byte.

    Raises: BadInput as `read_cells`.
    """
    source, encoding = _as_utf8(xml, part)
    patcher = _Patcher(source, patches)
    _parse(source, part, patcher.start, patcher.end, None, patcher)
    patched = patcher.finish()
    return patched if encoding is None else patched.decode("utf-8").encode(encoding)


def parse_part(xml: bytes, part: str, start: Any, end: Any, text: Any) -> None:
    """Nothing; the handlers got the elements of `xml` by their names without namespace.

    Raises: BadInput if the XML is broken or defines entities.
    """
    _parse(_as_utf8(xml, part)[0], part, start, end, text)


def _as_utf8(xml: bytes, part: str) -> tuple[bytes, str | None]:
    """The document in UTF-8, and its encoding where that is another."""
    encoding = next((name for bom, name in _BOMS if xml.startswith(bom)), None)
    if encoding is None:
        declared = _DECLARED.match(xml.removeprefix(b"\xef\xbb\xbf"))
        name = declared[1].decode("ascii").lower() if declared else "utf-8"
        if name in ("utf-8", "utf8", "us-ascii", "ascii"):
            return xml, None
        encoding = name
    try:
        return xml.decode(encoding).encode("utf-8"), encoding
    except (LookupError, UnicodeError) as error:
        raise BadInput(f"{part} is not in the encoding it declares ({error}).") from error


def _parse(
    xml: bytes, part: str, start: Any, end: Any, text: Any, patcher: _Patcher | None = None
) -> None:
    parser = expat.ParserCreate("UTF-8", namespace_separator=" ")
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise BadInput(
            f"{part} declares a document type, which no workbook needs and which can be used to "
            "exhaust memory. The file is not read."
        )

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    if text is not None:
        parser.CharacterDataHandler = text
    if patcher is not None:
        patcher.parser = parser
    try:
        parser.Parse(xml, True)
    except expat.ExpatError as error:
        raise BadInput(
            f"{part} is not well-formed XML ({error}): the workbook is damaged. "
            "Open it in Excel or LibreOffice, let it repair the file, save it and try again."
        ) from error


class _Place:
    """Counts rows and cells, whose addresses a file may leave out."""

    def __init__(self) -> None:
        self.row = 0
        self.col = 0

    def next_row(self, attributes: Mapping[str, str]) -> int:
        given = attributes.get("r", "")
        self.row = int(given) if given.isdigit() else self.row + 1
        self.col = 0
        return self.row

    def next_cell(self, attributes: Mapping[str, str]) -> int:
        match = _CELL_REF.fullmatch(attributes.get("r", ""))
        self.col = col_number(match[1]) if match else self.col + 1
        return key_of(int(match[2]) if match else self.row, self.col)


class _Reader:
    """Expat handlers that collect the cells."""

    def __init__(self, part: str, strings: Sequence[str], dynamic_metadata: frozenset[int]) -> None:
        self._part = part
        self._strings = strings
        self._dynamic = dynamic_metadata
        self._place = _Place()
        self._cells = SheetCells()
        self._shared: dict[str, int] = {}
        self._in_data = False
        self._key = 0  # of the cell we are in
        self._type = "n"
        self._cm = 0
        self._formula: dict[str, str] | None = None
        self._formula_text = ""
        self._value: str | None = None
        self._buffer: list[str] | None = None
        self._phonetic = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        if not self._in_data:
            if name == "sheetData":
                self._in_data = True
            elif name == "mergeCell":
                try:
                    self._cells.merged.append(Area.parse(attributes.get("ref", "")))
                except ValueError:
                    pass
        elif name == "c":
            self._key = self._place.next_cell(attributes)
            self._type = attributes.get("t", "n")
            cm = attributes.get("cm", "0")
            self._cm = int(cm) if cm.isdigit() else 0
            self._formula, self._value, self._formula_text = None, None, ""
        elif name == "row":
            row = self._place.next_row(attributes)
            if attributes.get("hidden") in ("1", "true"):
                self._cells.hidden_rows.add(row)
        elif name == "f":
            self._formula = attributes
            self._buffer = []
        elif name == "v" or (name == "t" and self._type == "inlineStr" and not self._phonetic):
            self._buffer = []
        elif name == "rPh":
            self._phonetic = True

    def text(self, data: str) -> None:
        if self._buffer is not None:
            self._buffer.append(data)

    def end(self, tag: str) -> None:
        name = tag.rpartition(" ")[2]
        if name == "sheetData":
            self._in_data = False
        if not self._in_data:
            return
        if name == "c":
            self._add_cell()
        elif name == "rPh":
            self._phonetic = False
        elif self._buffer is not None and name in ("f", "v", "t"):
            content = "".join(self._buffer)
            self._buffer = None
            if name == "f":
                self._formula_text = content
            else:
                self._value = (self._value or "") + content

    def _add_cell(self) -> None:
        row, col = cell_of(self._key)
        value: Value = None
        if self._value is not None:
            if self._type == "s":
                value = self._string(self._value)
            elif self._type == "inlineStr":
                value = read_text(self._value)
            else:
                value = read_value(self._type, self._value)
        if self._formula is not None:
            self._add_formula(row, col, self._formula)
        if value is not None:
            self._cells.values[self._key] = value
        if value is not None or self._formula is not None:
            self._cells.grow(row, col)

    def _string(self, index: str) -> str:
        try:
            return self._strings[int(index)]
        except (ValueError, IndexError):
            raise BadInput(
                f"{self._part} uses the shared string {index!r}, which the workbook does not have: "
                "the file is damaged. Let Excel or LibreOffice repair it."
            ) from None

    def _add_formula(self, row: int, col: int, attributes: dict[str, str]) -> None:
        kind = attributes.get("t", "normal")
        text = read_text(self._formula_text)
        area = None
        if "ref" in attributes and kind in ("array", "dataTable"):
            try:
                area = Area.parse(attributes["ref"])
            except ValueError:
                area = None
        if kind == "array":
            area = area or Area(row, col, row, col)
            kind = "dynamic" if self._cm in self._dynamic else "array"
        shared_from = None
        if kind == "shared":
            kind = "normal"
            index = attributes.get("si", "")
            if text:
                self._shared[index] = self._key
            elif index in self._shared:
                shared_from = self._shared[index]
                text = self._cells.formulas[shared_from].text
        self._cells.formulas[self._key] = StoredFormula(
            row,
            col,
            text,
            kind,
            area,
            shared_from,
            self._value is not None,
            attributes.get("ca") in ("1", "true"),
        )

    def finish(self) -> SheetCells:
        return self._cells


class _Patcher:
    """Expat handlers that copy the source and put patched cells in their places."""

    parser: Any  # set by _parse; tells the byte where an element starts

    def __init__(self, source: bytes, patches: Mapping[int, Patch]) -> None:
        self._source = source
        self._patches = patches
        self._place = _Place()
        self._out: list[bytes] = []
        self._copied = 0
        by_row: dict[int, list[int]] = {}
        for key in sorted(patches):
            row, col = cell_of(key)
            by_row.setdefault(row, []).append(col)
        self._rows = by_row
        self._rows_left = sorted(by_row, reverse=True)
        self._cols_left: list[int] = []  # of the row we are in, last first
        self._col_styles: list[tuple[int, int, str]] = []
        self._row_style: str | None = None
        self._in_data = False
        self._prefix = b""
        self._cell_start = 0
        self._parts: dict[str, tuple[int, int]] = {}
        self._starts: dict[str, int] = {}

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        at = self.parser.CurrentByteIndex
        if self._in_data:
            if name == "c":
                key = self._place.next_cell(attributes)
                self._insert_before(cell_of(key)[1], at)
                self._key = key
                self._cell_start = at
                self._parts = {}
            elif name == "row":
                row = self._place.next_row(attributes)
                self._insert_rows_before(row, at)
                if self._rows_left and self._rows_left[-1] == row:
                    self._rows_left.pop()
                    self._cols_left = self._rows[row][::-1]
                    custom = attributes.get("customFormat") in ("1", "true")
                    self._row_style = attributes.get("s") if custom else None
                    self._row_start = at
                    self._widen_spans(at, attributes.get("spans"), row)
            else:
                self._starts[name] = at
        elif name == "sheetData":
            self._in_data = True
            self._data_start = at
            self._prefix = self._name_at(at)[: -len(b"sheetData")]
        elif name == "col":
            self._col_styles.append(
                (int(attributes["min"]), int(attributes["max"]), attributes.get("style", "0"))
            )
        elif name == "dimension":
            self._widen_dimension(at, attributes.get("ref", ""))

    def end(self, tag: str) -> None:
        name = tag.rpartition(" ")[2]
        at = self.parser.CurrentByteIndex
        if name == "sheetData" and self._in_data:
            self._in_data = False
            self._insert_rows_before(2**31, at, opened_by=self._data_start, name=b"sheetData")
        elif not self._in_data:
            return
        elif name == "row":
            if self._cols_left:
                self._insert_before(2**31, at, opened_by=self._row_start, name=b"row")
        elif name == "c":
            patch = self._patches.get(self._key)
            if patch is not None:
                self._replace_cell(self._end_of_element(self._cell_start, at), patch)
        elif name in self._starts:
            start = self._starts.pop(name)
            self._parts[name] = (start, self._end_of_element(start, at))

    def finish(self) -> bytes:
        self._copy_to(len(self._source))
        return b"".join(self._out)

    # Copying

    def _copy_to(self, at: int) -> None:
        if at > self._copied:
            self._out.append(self._source[self._copied : at])
            self._copied = at

    def _end_of(self, at: int) -> int:
        """The byte after the tag that starts at `at`."""
        match = _TAG.match(self._source, at)
        assert match is not None  # expat has read this tag
        return match.end()

    def _is_empty(self, start: int) -> bool:
        """Whether the tag at `start` is of the form <row/>."""
        return self._source[start : self._end_of(start)].endswith(b"/>")

    def _end_of_element(self, start: int, at: int) -> int:
        """The byte after an element that expat says ends at `at`, which for <row/> is after it."""
        return self._end_of(start) if self._is_empty(start) else self._end_of(at)

    def _name_at(self, at: int) -> bytes:
        return re.split(rb"[\s/>]", self._source[at + 1 : self._end_of(at)], maxsplit=1)[0]

    # Rows and cells that the file does not have yet

    def _insert_before(
        self, col: int, at: int, opened_by: int | None = None, name: bytes = b""
    ) -> None:
        """Nothing; new cells left of `col` stand before byte `at`."""
        new: list[bytes] = []
        while self._cols_left and self._cols_left[-1] < col:
            new_col = self._cols_left.pop()
            new.append(self._new_cell(self._place.row, new_col))
        if self._cols_left and self._cols_left[-1] == col:
            self._cols_left.pop()
        self._insert(b"".join(new), at, opened_by, name)

    def _insert_rows_before(
        self, row: int, at: int, opened_by: int | None = None, name: bytes = b""
    ) -> None:
        new: list[bytes] = []
        while self._rows_left and self._rows_left[-1] < row:
            new_row = self._rows_left.pop()
            self._row_style = None
            cells = b"".join(self._new_cell(new_row, col) for col in self._rows[new_row])
            if cells:
                tag = self._prefix + b"row"
                new.append(b'<%s r="%d">%s</%s>' % (tag, new_row, cells, tag))
        self._insert(b"".join(new), at, opened_by, name)

    def _insert(self, new: bytes, at: int, opened_by: int | None, name: bytes) -> None:
        if not new:
            return
        if opened_by is not None and self._is_empty(opened_by):
            end = self._end_of(opened_by)
            self._copy_to(opened_by)
            written = self._copied > opened_by  # up to its closing "/>"
            tag = b"" if written else self._source[opened_by : end - 2].rstrip()
            self._out.append(tag + b">" + new + b"</%s%s>" % (self._prefix, name))
            self._copied = end
        else:
            self._copy_to(at)
            self._out.append(new)

    def _new_cell(self, row: int, col: int) -> bytes:
        patch = self._patches[key_of(row, col)]
        if patch.clear:
            return b""
        style = self._row_style
        if style is None:
            style = next((s for lo, hi, s in self._col_styles if lo <= col <= hi), "0")
        kind, content = write_value(patch.value)
        tag = self._prefix + b"c"
        attributes = f' r="{address(row, col)}"'
        attributes += f' s="{style}"' if style != "0" else ""
        attributes += f' t="{kind}"' if kind else ""
        return b"<%s%s>%s</%s>" % (tag, attributes.encode(), self._v(content), tag)

    def _v(self, content: str) -> bytes:
        return b"<%sv>%s</%sv>" % (self._prefix, content.encode("utf-8"), self._prefix)

    # Cells that it has

    def _replace_cell(self, end: int, patch: Patch) -> None:
        start = self._cell_start
        tag_end = self._end_of(start)
        tag = self._source[start:tag_end]
        self._copy_to(start)
        self._copied = end
        formula = self._raw("f")
        if patch.recalculate:
            at, after = self._parts["f"]
            marked = _set_attribute_of_first_tag(formula, b"ca", b"1")
            self._out.append(self._source[start:at] + marked + self._source[after:end])
            return
        tag = _set_attribute(_set_attribute(tag, b"t", None), b"vm", None)
        if patch.clear:
            tag = _set_attribute(tag, b"cm", None)
            if b" s=" not in tag and not self._raw("extLst"):
                return
            closed = tag[:-1].rstrip(b"/ ") + (b"/>" if not self._raw("extLst") else b">")
            self._out.append(closed)
            if self._raw("extLst"):
                self._out.append(self._raw("extLst") + b"</%sc>" % self._prefix)
            return
        kind, content = write_value(patch.value)
        if kind:
            tag = _set_attribute(tag, b"t", kind.encode())
        if patch.area is not None:
            formula = _set_attribute_of_first_tag(formula, b"ref", str(patch.area).encode())
        opened = tag[:-1].rstrip(b"/ ") + b">"
        self._out.append(
            opened + formula + self._v(content) + self._raw("extLst") + b"</%sc>" % self._prefix
        )

    def _raw(self, name: str) -> bytes:
        start, end = self._parts.get(name, (0, 0))
        return self._source[start:end]

    # What a grown sheet says of itself

    def _widen_spans(self, at: int, spans: str | None, row: int) -> None:
        match = re.fullmatch(r"(\d+):(\d+)", spans or "")
        if match is None:
            return
        cols = [c for c in self._rows[row] if not self._patches[key_of(row, c)].clear]
        first, last = int(match[1]), int(match[2])
        if not cols or (first <= min(cols) and max(cols) <= last):
            return
        wider = f"{min(first, *cols)}:{max(last, *cols)}"
        end = self._end_of(at)
        tag = _set_attribute(self._source[at:end], b"spans", wider.encode())
        self._copy_to(at)
        if tag.endswith(b"/>"):
            self._out.append(tag[:-2].rstrip())
            self._copied = end - 2
        else:
            self._out.append(tag)
            self._copied = end

    def _widen_dimension(self, at: int, ref: str) -> None:
        try:
            area = Area.parse(ref)
        except ValueError:
            return
        cells = [cell_of(key) for key, patch in self._patches.items() if not patch.clear]
        rows, cols = [row for row, _ in cells], [col for _, col in cells]
        if not cells:
            return
        wider = Area(
            min(area.row, *rows), min(area.col, *cols),
            max(area.last_row, *rows), max(area.last_col, *cols),
        )  # fmt: skip
        if wider == area:
            return
        end = self._end_of(at)
        self._copy_to(at)
        self._out.append(_set_attribute(self._source[at:end], b"ref", str(wider).encode()))
        self._copied = end


def _set_attribute(tag: bytes, name: bytes, value: bytes | None) -> bytes:
    """The start tag with the attribute set in its place, added at the end, or removed (None)."""
    pattern = rb"""\s+%s\s*=\s*("[^"]*"|'[^']*')""" % name
    if value is None:
        return re.sub(pattern, b"", tag, count=1)
    new = b' %s="%s"' % (name, value)
    if re.search(pattern, tag):
        return re.sub(pattern, new.replace(b"\\", b"\\\\"), tag, count=1)
    body = (tag[:-2] if tag.endswith(b"/>") else tag[:-1]).rstrip()
    return body + new + (b"/>" if tag.endswith(b"/>") else b">")


def _set_attribute_of_first_tag(element: bytes, name: bytes, value: bytes) -> bytes:
    match = _TAG.match(element)
    if match is None:
        return element
    return _set_attribute(match[0], name, value) + element[match.end() :]
