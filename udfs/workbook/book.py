"""A workbook as the evaluator sees it: sheets with their cells, defined names, tables."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from urllib.parse import unquote

from udfs.errors import BadInput
from udfs.workbook.cells import Area, read_text
from udfs.workbook.package import Package
from udfs.workbook.sheet import SheetCells, parse_part, read_cells

_OFFICE_DOCUMENT = "/officeDocument"
_ROOT_RELS = "_rels/.rels"


@dataclass
class Sheet:
    """One worksheet: its name, its part in the package and its cells."""

    name: str
    part: str
    cells: SheetCells


@dataclass(frozen=True)
class Table:
    """A table: where it lies, header and totals rows included, and its column names."""

    name: str
    sheet: str
    area: Area
    columns: tuple[str, ...]
    header_rows: int
    totals_rows: int


@dataclass
class Book:
    """All worksheets in tab order.

    `names` holds defined names by lower-case name: (sheet or None for the whole book, formula).
    `tables` is keyed by lower-case name. `all_provisional`: the file asks to be recalculated
    wholly when opened, so none of its cached values counts.
    """

    sheets: dict[str, Sheet] = field(default_factory=dict)
    tab_names: list[str] = field(default_factory=list)
    names: dict[tuple[str | None, str], str] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    all_provisional: bool = False
    date1904: bool = False
    signed: bool = False

    def find_sheet(self, name: str) -> Sheet | None:
        """The sheet of that name, in any case."""
        return self.sheets.get(name.casefold())


@dataclass
class _Element:
    name: str
    attributes: dict[str, str]
    path: tuple[str, ...]
    text: str = ""


def read_book(package: Package) -> Book:
    """The workbook in `package`.

    Raises: BadInput if a part is missing or broken.
    """
    book = Book(signed=any(name.startswith("_xmlsignatures/") for name in package.names))
    workbook_part = _workbook_part(package)
    rels = _relations(package, workbook_part)
    elements = _elements(package, workbook_part)
    strings = _shared_strings(package, rels)
    dynamic = _dynamic_metadata(package, rels)
    tabs: list[str] = []
    for element in elements:
        attributes = element.attributes
        if element.name == "sheet" and element.path[-1:] == ("sheets",):
            name, relation = attributes.get("name", ""), attributes.get("id", "")
            tabs.append(name)
            kind, part = rels.get(relation, ("", ""))
            if kind == "worksheet":
                cells = read_cells(package.read(part), part, strings, dynamic)
                book.sheets[name.casefold()] = Sheet(name, part, cells)
                _add_tables(package, book, name, part)
        elif element.name == "definedName":
            local = attributes.get("localSheetId", "")
            scope = tabs[int(local)] if local.isdigit() and int(local) < len(tabs) else None
            key = (scope.casefold() if scope is not None else None, attributes["name"].casefold())
            book.names[key] = read_text(element.text).lstrip("=")
        elif element.name == "workbookPr":
            book.date1904 = attributes.get("date1904") in ("1", "true")
        elif element.name == "calcPr":
            book.all_provisional = attributes.get("fullCalcOnLoad") in ("1", "true")
    book.tab_names = tabs
    if not book.sheets:
        raise BadInput(f"{package.path.name} has no worksheet.")
    return book


def _elements(package: Package, part: str) -> list[_Element]:
    """All elements of a part, in document order, with the text directly inside."""
    found: list[_Element] = []
    stack: list[_Element] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        plain = {name.rpartition(" ")[2]: value for name, value in attributes.items()}
        path = (*stack[-1].path, stack[-1].name) if stack else ()
        element = _Element(tag.rpartition(" ")[2], plain, path)
        found.append(element)
        stack.append(element)

    def end(_: str) -> None:
        stack.pop()

    def text(data: str) -> None:
        if stack:
            stack[-1].text += data

    parse_part(package.read(part), part, start, end, text)
    return found


def _relations(package: Package, part: str) -> dict[str, tuple[str, str]]:
    """Relation id -> (last word of the type, part name) of what a part refers to."""
    folder, file = posixpath.split(part)
    rels_part = posixpath.join(folder, "_rels", f"{file}.rels") if part else _ROOT_RELS
    if not package.has(rels_part):
        return {}
    relations: dict[str, tuple[str, str]] = {}
    for element in _elements(package, rels_part):
        attributes = element.attributes
        if element.name != "Relationship" or attributes.get("TargetMode") == "External":
            continue
        target = unquote(attributes.get("Target", ""))
        full = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
        kind = attributes.get("Type", "").rpartition("/")[2]
        relations[attributes.get("Id", "")] = (kind, _stored_name(package, full))
    return relations


def _stored_name(package: Package, name: str) -> str:
    """The member that a relation means; part names do not distinguish case."""
    if package.has(name):
        return name
    return next((stored for stored in package.names if stored.lower() == name.lower()), name)


def _workbook_part(package: Package) -> str:
    for kind, part in _relations(package, "").values():
        if kind == _OFFICE_DOCUMENT.strip("/"):
            if not part.startswith("xl/"):
                raise BadInput(
                    f"{package.path.name} is an Office file, but no workbook ({part}). "
                    "Give an .xlsx or .xlsm file."
                )
            return part
    raise BadInput(f"{package.path.name} does not say where its workbook is: the file is damaged.")


def _shared_strings(package: Package, rels: dict[str, tuple[str, str]]) -> list[str]:
    part = next((part for kind, part in rels.values() if kind == "sharedStrings"), None)
    strings: list[str] = []
    if part is None or not package.has(part):
        return strings
    pieces: list[str] = []
    state = {"text": False, "phonetic": False}

    def start(tag: str, _: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        if name == "si":
            pieces.clear()
        elif name == "rPh":
            state["phonetic"] = True
        elif name == "t":
            state["text"] = not state["phonetic"]

    def end(tag: str) -> None:
        name = tag.rpartition(" ")[2]
        if name == "si":
            strings.append(read_text("".join(pieces)))
        elif name == "rPh":
            state["phonetic"] = False
        elif name == "t":
            state["text"] = False

    def text(data: str) -> None:
        if state["text"]:
            pieces.append(data)

    parse_part(package.read(part), part, start, end, text)
    return strings


def _dynamic_metadata(package: Package, rels: dict[str, tuple[str, str]]) -> frozenset[int]:
    """Values of a cell's cm attribute (from 1) that mark a dynamic array formula."""
    part = next((part for kind, part in rels.values() if kind == "sheetMetadata"), None)
    if part is None or not package.has(part):
        return frozenset()
    types: list[str] = []
    dynamic: set[int] = set()
    blocks = 0
    for element in _elements(package, part):
        if element.name == "metadataType":
            types.append(element.attributes.get("name", ""))
        elif element.name == "bk" and element.path[-1:] == ("cellMetadata",):
            blocks += 1
        elif element.name == "rc" and "cellMetadata" in element.path:
            index = element.attributes.get("t", "")
            known = index.isdigit() and 1 <= int(index) <= len(types)
            if known and types[int(index) - 1] == "XLDAPR":
                dynamic.add(blocks)
    return frozenset(dynamic)


def _add_tables(package: Package, book: Book, sheet: str, part: str) -> None:
    for kind, table_part in _relations(package, part).values():
        if kind != "table" or not package.has(table_part):
            continue
        columns: list[str] = []
        root: dict[str, str] = {}
        for element in _elements(package, table_part):
            if element.name == "table" and not element.path:
                root = element.attributes
            elif element.name == "tableColumn":
                columns.append(read_text(element.attributes.get("name", "")))
        try:
            area = Area.parse(root.get("ref", ""))
        except ValueError:
            continue
        name = root.get("displayName") or root.get("name", "")
        book.tables[name.casefold()] = Table(
            name,
            sheet,
            area,
            tuple(columns),
            int(root.get("headerRowCount", "1")),
            int(root.get("totalsRowCount", "0")),
        )
