"""One formula in its cell: which cells it reads, and how it reads in the engine's spelling."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from udfs.workbook.book import Book, Table
from udfs.workbook.cells import MAX_COL, MAX_ROW, Area, address, key_of
from udfs.workbook.formula import (
    Call,
    Expr,
    FormulaSyntaxError,
    Name,
    Node,
    Prefix,
    Ref,
    TableRef,
    Text,
)
from udfs.workbook.formula import parse as parse_formula

# Names under which the engine calls back into Python.
CALL_FUNCTION = "SHOPSHEETCALL"
LIFT_FUNCTION = "SHOPSHEETLIFT"
FIRST_FUNCTION = "SHOPSHEETFIRST"
KEEP_FUNCTION = "SHOPSHEETKEEP"
OMITTED = "\ufdd0omitted"  # stands for an argument that was left out; no text holds U+FDD0

MAX_NAME_DEPTH = 20


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Functions whose cells are only known when they run.
_DYNAMIC = frozenset(("OFFSET", "INDIRECT"))
# Functions that see which rows are hidden, or which cells hold the like of themselves.
_FILTER_AWARE = frozenset(("SUBTOTAL", "AGGREGATE"))
# Functions that answer of the file, the machine or the moment: no two programs agree on them.
_NOT_OURS_TO_KNOW = _words(
    """CELL INFO GETPIVOTDATA CUBEVALUE CUBEMEMBER CUBESET CUBESETCOUNT CUBERANKEDMEMBER
    CUBEMEMBERPROPERTY CUBEKPIMEMBER RTD WEBSERVICE FORMULATEXT ISFORMULA SHEET SHEETS STOCKHISTORY
    IMAGE CALL REGISTER.ID RAND RANDBETWEEN RANDARRAY"""
)
# Functions that give an array to operators inside them even in a normal formula.
_ARRAY_CLASS = _words("SUMPRODUCT MMULT MDETERM MINVERSE TRANSPOSE LOOKUP FREQUENCY")
# Functions of single values. Over an array they give an array; the engine takes its first cell
# only, so arrays are put through them cell by cell.
_ELEMENTWISE = _words(
    """TRIM CLEAN LEN LENB LEFT LEFTB RIGHT RIGHTB MID MIDB UPPER LOWER PROPER SUBSTITUTE REPLACE
    FIND FINDB SEARCH SEARCHB TEXT VALUE NUMBERVALUE CHAR CODE UNICHAR UNICODE REPT EXACT DOLLAR
    FIXED ABS INT ROUND ROUNDUP ROUNDDOWN MOD SIGN SQRT EXP LN LOG LOG10 POWER TRUNC CEILING FLOOR
    CEILING.MATH FLOOR.MATH MROUND EVEN ODD QUOTIENT FACT SIN COS TAN ASIN ACOS ATAN ATAN2 SINH COSH
    TANH DEGREES RADIANS YEAR MONTH DAY HOUR MINUTE SECOND WEEKDAY WEEKNUM ISOWEEKNUM DATE TIME
    DATEVALUE TIMEVALUE EDATE EOMONTH DAYS DATEDIF ISNUMBER ISTEXT ISBLANK ISERROR ISERR ISNA
    ISLOGICAL ISNONTEXT ISEVEN ISODD NOT IFNA ERROR.TYPE TYPE BITAND BITOR BITXOR DEC2BIN DEC2HEX
    HEX2DEC BIN2DEC TEXTBEFORE TEXTAFTER"""
)
# Functions that take single values in some places only.
_ELEMENTWISE_AT: dict[str, Callable[[int], bool]] = {
    "VLOOKUP": lambda at: at == 0,
    "HLOOKUP": lambda at: at == 0,
    "XLOOKUP": lambda at: at == 0,
    "MATCH": lambda at: at == 0,
    "XMATCH": lambda at: at == 0,
    "RANK": lambda at: at == 0,
    "RANK.EQ": lambda at: at == 0,
    "RANK.AVG": lambda at: at == 0,
    "LARGE": lambda at: at == 1,
    "SMALL": lambda at: at == 1,
    "COUNTIF": lambda at: at == 1,
    "SUMIF": lambda at: at == 1,
    "AVERAGEIF": lambda at: at == 1,
    "COUNTIFS": lambda at: at % 2 == 1,
    "SUMIFS": lambda at: at >= 2 and at % 2 == 0,
    "AVERAGEIFS": lambda at: at >= 2 and at % 2 == 0,
    "MAXIFS": lambda at: at >= 2 and at % 2 == 0,
    "MINIFS": lambda at: at >= 2 and at % 2 == 0,
}


def elementwise_places(name: str, count: int) -> list[int]:
    """Which of `count` arguments of a function take single values, so that arrays are lifted."""
    if name in _ELEMENTWISE:
        return list(range(count))
    takes = _ELEMENTWISE_AT.get(name)
    return [at for at in range(count) if takes and takes(at)]


class NotComputable(Exception):
    """The formula is out of our reach; the text says why, for the user."""


@dataclass(slots=True)
class Reads:
    """What a formula depends on.

    `areas`: (sheet key, area). `anchors`: cells whose spilled area it reads (`G28#`). `dynamic`:
    which cells it reads shows only when it runs. `calls`: our functions in it, by catalogue name.
    `filter_aware`: hidden rows change its answer. `problem`: why it cannot be computed.
    """

    areas: list[tuple[str, Area]] = field(default_factory=list)
    anchors: list[tuple[str, int]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    dynamic: bool = False
    filter_aware: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a formula stands. `down` and `right` move its relative references."""

    book: Book
    sheet: str  # case-folded name
    row: int
    col: int
    down: int = 0
    right: int = 0
    depth: int = 0

    def for_name(self) -> Scope:
        """Scope of a defined name's formula, whose relative references start at A1."""
        if self.depth >= MAX_NAME_DEPTH:
            raise NotComputable("a defined name refers to itself")
        return replace(self, down=self.row - 1, right=self.col - 1, depth=self.depth + 1)


def reads_of(expr: Expr, scope: Scope) -> Reads:
    """What the formula depends on; a problem is told in the result, not raised."""
    reads = Reads()
    _collect(expr, scope, reads)
    return reads


def _collect(expr: Expr, scope: Scope, reads: Reads) -> None:
    for node in expr:
        try:
            _collect_node(node, scope, reads)
        except NotComputable as error:
            reads.problem = reads.problem or str(error)
        except FormulaSyntaxError as error:
            reads.problem = reads.problem or f"a formula or name is not understood ({error})"


def _collect_node(node: Node, scope: Scope, reads: Reads) -> None:
    if isinstance(node, Ref):
        reads.areas += _areas(node, scope)
    elif isinstance(node, TableRef):
        found = _table_area(node, scope)
        if found is not None:
            reads.areas.append(found)
    elif isinstance(node, Name):
        if (definition := _definition(node, scope)) is not None:
            _collect(definition, scope.for_name(), reads)
    elif isinstance(node, Call):
        _collect_call(node, scope, reads)
    elif node.raw == ":":  # between anything but two cells: what it spans shows when it runs
        reads.dynamic = True
    elif node.raw in ("[", "]", "#"):
        raise NotComputable("it is written in a form that files do not use")


def _collect_call(call: Call, scope: Scope, reads: Reads) -> None:
    if call.own is not None:
        reads.calls.append(call.own)
    reads.dynamic = reads.dynamic or call.name in _DYNAMIC
    reads.filter_aware = reads.filter_aware or call.name in _FILTER_AWARE
    if call.name == "ANCHORARRAY":
        sheet, cell = _anchor(call, scope)
        reads.anchors.append((sheet, key_of(cell.row, cell.col)))
        reads.areas.append((sheet, cell))
        return
    for arg in call.args:
        _collect(arg, scope, reads)
    if call.external:
        raise NotComputable(f"{call.spelling} is a function of another add-in")
    if call.name in _NOT_OURS_TO_KNOW:
        raise NotComputable(f"{call.name} can only be computed by the spreadsheet program")


def _areas(ref: Ref, scope: Scope) -> list[tuple[str, Area]]:
    """The areas a reference means in this cell, one per sheet; none where it is #REF!."""
    area = _moved(ref, scope)
    return [] if area is None else [(sheet, area) for sheet in _sheets(ref.prefix, scope)]


def _moved(ref: Ref, scope: Scope) -> Area | None:
    """The area after moving its relative parts; None where it leaves the sheet."""
    rows = [
        ref.row + (0 if ref.fixed_row or ref.whole == "cols" else scope.down),
        ref.last_row + (0 if ref.fixed_last_row or ref.whole == "cols" else scope.down),
    ]
    cols = [
        ref.col + (0 if ref.fixed_col or ref.whole == "rows" else scope.right),
        ref.last_col + (0 if ref.fixed_last_col or ref.whole == "rows" else scope.right),
    ]
    if scope.depth:  # a name's relative reference wraps around the sheet
        rows = [(row - 1) % MAX_ROW + 1 for row in rows]
        cols = [(col - 1) % MAX_COL + 1 for col in cols]
    area = Area(min(rows), min(cols), max(rows), max(cols))
    return area if area.on_sheet else None


def _sheets(prefix: Prefix | None, scope: Scope) -> list[str]:
    """Keys of the sheets that a prefix means; none where a sheet is missing."""
    if prefix is None:
        return [scope.sheet]
    if prefix.external:
        raise NotComputable("it refers to another workbook")
    if prefix.sheet == prefix.last_sheet:
        key = prefix.sheet.casefold()
        return [key] if key in scope.book.sheets else []
    tabs = [name.casefold() for name in scope.book.tab_names]
    try:
        first, last = tabs.index(prefix.sheet.casefold()), tabs.index(prefix.last_sheet.casefold())
    except ValueError:
        return []
    return [
        key for key in tabs[min(first, last) : max(first, last) + 1] if key in scope.book.sheets
    ]


def _definition(name: Name, scope: Scope) -> Expr | None:
    """The formula of a defined name; None for TRUE, a LET variable or an unknown name."""
    names = scope.book.names
    key = name.name.casefold()
    if name.prefix is not None and name.prefix.external:
        raise NotComputable("it refers to a name of another workbook")
    sheet = name.prefix.sheet.casefold() if name.prefix is not None else scope.sheet
    text = names.get((sheet, key), names.get((None, key)))
    return parse_formula(text) if text else None


def _anchor(call: Call, scope: Scope) -> tuple[str, Area]:
    nodes = [node for arg in call.args for node in arg]
    if len(nodes) == 1 and isinstance(nodes[0], Name):
        definition = _definition(nodes[0], scope)
        nodes = list(definition or ())
        scope = scope.for_name()
    if len(nodes) == 1 and isinstance(nodes[0], Ref):
        found = _areas(nodes[0], scope)
        if len(found) == 1 and found[0][1].one_cell:
            return found[0]
    raise NotComputable("the cell before # is not a single cell")


def _table_area(ref: TableRef, scope: Scope) -> tuple[str, Area] | None:
    """Sheet key and area of a structured reference; None where it is an error in this cell."""
    table = scope.book.tables.get(ref.table.casefold()) if ref.table else _table_around(scope)
    if table is None:
        raise NotComputable(f"there is no table {ref.table}".rstrip() + " here" * (not ref.table))
    sheet = table.sheet.casefold()
    items, columns = _table_spec(ref.spec)
    cols = _table_columns(table, columns)
    rows = _table_rows(table, items, scope.row)
    if cols is None or rows is None:
        return None
    return sheet, Area(rows[0], cols[0], rows[1], cols[1])


def _table_around(scope: Scope) -> Table | None:
    """The table that the formula itself stands in: [@review] needs no table name there."""
    for table in scope.book.tables.values():
        if table.sheet.casefold() == scope.sheet and table.area.holds(scope.row, scope.col):
            return table
    return None


# One item or column: in brackets, or bare between commas and colons.
_SPEC_PART = re.compile(r"\[((?:[^\[\]']|'.)*)\]|((?:[^\[\]',:\s]|'.)(?:[^\[\]',:]|'.)*)")


def _table_spec(spec: str) -> tuple[list[str], list[str]]:
    """Items (#all, #this row ...) and the one or two end columns of what stands in brackets."""
    spec = spec.strip()
    items: list[str] = []
    if spec.startswith("@"):
        items.append("#this row")
        spec = spec[1:].strip()
    if "[" in re.sub("'.", "", spec):
        parts = [bracketed or bare for bracketed, bare in _SPEC_PART.findall(spec)]
    else:
        parts = [spec] if spec else []
    columns: list[str] = []
    for part in parts:
        if part.strip().startswith("#"):
            items.append(part.strip().lower())
        else:
            columns.append(re.sub(r"'(.)", r"\1", part))
    return items, columns


def _table_columns(table: Table, names: list[str]) -> tuple[int, int] | None:
    if not names:
        return table.area.col, table.area.last_col
    known = {name.casefold(): at for at, name in enumerate(table.columns)}
    found = [known.get(name.casefold(), known.get(name.strip().casefold())) for name in names]
    if None in found:
        missing = names[found.index(None)]
        raise NotComputable(f"table {table.name} has no column {missing}")
    places = [table.area.col + at for at in found if at is not None]
    return min(places), max(places)


def _table_rows(table: Table, items: list[str], row: int) -> tuple[int, int] | None:
    first = table.area.row + table.header_rows
    last = table.area.last_row - table.totals_rows
    spans: list[tuple[int, int]] = []
    for item in items or ["#data"]:
        if item == "#all":
            spans.append((table.area.row, table.area.last_row))
        elif item == "#data":
            spans.append((first, last))
        elif item == "#headers" and table.header_rows:
            spans.append((table.area.row, first - 1))
        elif item == "#totals" and table.totals_rows:
            spans.append((last + 1, table.area.last_row))
        elif item == "#this row" and first <= row <= last:
            spans.append((row, row))
        else:
            return None
    return min(lo for lo, _ in spans), max(hi for _, hi in spans)


@dataclass(frozen=True)
class Rendering:
    """How to render: the cell's number for calls, array or normal formula, sizes of spills.

    `spill_area(sheet key, cell key)` is the current area of a dynamic array, None if it is none.
    `used_rows(sheet key)` clips whole columns that our functions are given.
    """

    cell_id: int
    array: bool
    spill_area: Callable[[str, int], Area | None]
    used_area: Callable[[str], Area]


def render(expr: Expr, scope: Scope, how: Rendering) -> str:
    """The formula (without "=") as the engine is to evaluate it in its cell.

    Names, tables and relative places are resolved; our calls carry the cell's number.
    Raises: NotComputable.
    """
    try:
        return _Renderer(how).expr(expr, scope, in_array=how.array, scalar=True)
    except FormulaSyntaxError as error:
        raise NotComputable(f"a formula or name is not understood ({error})") from error


class _Renderer:
    def __init__(self, how: Rendering) -> None:
        self._how = how

    def expr(self, expr: Expr, scope: Scope, in_array: bool, scalar: bool = False) -> str:
        """`scalar`: the place takes one value, so in a normal formula a range meets its row."""
        nodes = [node for node in expr if not (isinstance(node, Text) and node.raw.isspace())]
        operated = any(isinstance(node, Text) and node.is_operator for node in nodes)
        single = not in_array and (scalar or operated)
        return "".join(self._nodes(nodes, scope, in_array, single))

    def _nodes(
        self, nodes: list[Node], scope: Scope, in_array: bool,
        single: bool,
    ) -> Iterator[str]:  # fmt: skip
        at_sign = False
        for node in nodes:
            if isinstance(node, Text):
                at_sign = node.raw == "@"
                if not at_sign:
                    yield node.raw
                continue
            one = single or at_sign
            at_sign = False
            if isinstance(node, Call):
                text = self._call(node, scope, in_array)
                yield f"{FIRST_FUNCTION}({text})" if one and not single else text
            elif isinstance(node, Ref):
                yield self._ref(node, scope, one)
            elif isinstance(node, TableRef):
                found = _table_area(node, scope)
                yield "#VALUE!" if found is None else self._area(*found, scope, one)
            else:
                yield self._name(node, scope, in_array, one)

    def _name(self, name: Name, scope: Scope, in_array: bool, one: bool) -> str:
        definition = _definition(name, scope)
        if definition is None:
            return name.name
        inner = self.expr(definition, scope.for_name(), in_array, scalar=one)
        return inner if len(definition) == 1 else f"({inner})"

    def _ref(self, ref: Ref, scope: Scope, one: bool) -> str:
        found = _areas(ref, scope)
        if not found:
            return "#REF!"
        if len(found) > 1:
            raise NotComputable("it refers to several sheets at once")
        return self._area(*found[0], scope, one)

    def _area(self, sheet: str, area: Area, scope: Scope, one: bool, clip: bool = False) -> str:
        if one and not area.one_cell:
            met = _met(area, scope)
            if met is None:
                return "#VALUE!"
            area = met
        if clip:
            area = area.clipped(self._how.used_area(sheet))
        return f"{_quoted(scope.book.sheets[sheet].name)}!{_area_text(area)}"

    def _call(self, call: Call, scope: Scope, in_array: bool) -> str:
        if call.own is not None:
            args = [self._own_arg(arg, scope, in_array) for arg in call.args]
            given = ",".join([str(self._how.cell_id), f'"{call.own}"', *args])
            return f"{CALL_FUNCTION}({given})"
        if call.name == "SINGLE":
            return self._single(call, scope, in_array)
        if call.name == "ANCHORARRAY":
            sheet, cell = _anchor(call, scope)
            area = self._how.spill_area(sheet, key_of(cell.row, cell.col))
            return "#REF!" if area is None else self._area(sheet, area, scope, False)
        if call.name in ("ROW", "COLUMN") and not call.args:
            return str(scope.row if call.name == "ROW" else scope.col)
        places = elementwise_places(call.name, len(call.args))
        inner_array = in_array or call.name in _ARRAY_CLASS
        args = [
            self.expr(arg, scope, inner_array, scalar=at in places)
            for at, arg in enumerate(call.args)
        ]
        if inner_array and any(self._may_be_array(call.args[at], scope) for at in places):
            filled = [arg or f'"{OMITTED}"' for arg in args]
            return f"{LIFT_FUNCTION}(" + ",".join([f'"{call.name}"', *filled]) + ")"
        return f"{call.name}({','.join(args)})"

    def _own_arg(self, arg: Expr, scope: Scope, in_array: bool) -> str:
        nodes = [node for node in arg if not (isinstance(node, Text) and node.raw.isspace())]
        if not nodes:
            return f'"{OMITTED}"'
        if len(nodes) == 1 and isinstance(nodes[0], Ref):
            found = _areas(nodes[0], scope)
            if len(found) == 1:
                return self._area(*found[0], scope, False, clip=True)
        return self.expr(arg, scope, in_array)

    def _single(self, call: Call, scope: Scope, in_array: bool) -> str:
        """@ in a file: the cell of a range in this row or column, else the first of an array."""
        arg = call.args[0] if call.args else ()
        if len(arg) == 1 and not isinstance(arg[0], (Call, Text)):
            return "".join(self._nodes([arg[0]], scope, in_array, True))
        return f"{FIRST_FUNCTION}({self.expr(arg, scope, in_array)})"

    def _may_be_array(self, expr: Expr, scope: Scope) -> bool:
        for node in expr:
            if isinstance(node, Text):
                if node.is_array:
                    return True
            elif isinstance(node, Call):
                many = node.name in ("ANCHORARRAY", "SEQUENCE", "TEXTSPLIT", "UNIQUE", "FILTER")
                if many or any(self._may_be_array(arg, scope) for arg in node.args):
                    return True
            elif isinstance(node, Name):
                definition = _definition(node, scope)
                constant = node.name.upper() in ("TRUE", "FALSE")
                if definition is None and not constant:
                    return True  # a variable of LET or LAMBDA
                if definition is not None and self._may_be_array(definition, scope.for_name()):
                    return True
            elif isinstance(node, Ref):
                if any(not area.one_cell for _, area in _areas(node, scope)):
                    return True
            else:
                found = _table_area(node, scope)
                if found is not None and not found[1].one_cell:
                    return True
        return False


def _met(area: Area, scope: Scope) -> Area | None:
    """The one cell of a row or column of cells that stands beside the formula."""
    if area.cols == 1 and area.row <= scope.row <= area.last_row:
        return Area(scope.row, area.col, scope.row, area.col)
    if area.rows == 1 and area.col <= scope.col <= area.last_col:
        return Area(area.row, scope.col, area.row, scope.col)
    return None


def _area_text(area: Area) -> str:
    if area.rows == MAX_ROW:
        letters = [address(1, col)[:-1] for col in (area.col, area.last_col)]
        return f"{letters[0]}:{letters[1]}"
    if area.cols == MAX_COL:
        return f"{area.row}:{area.last_row}"
    return str(area)


def _quoted(sheet: str) -> str:
    return "'" + sheet.replace("'", "''") + "'"


def named_area(node: Ref | Name | TableRef, scope: Scope) -> tuple[str, Area] | None:
    """Sheet key and area of a node that simply names cells; None if it does not.

    Raises: NotComputable if it names cells out of reach.
    """
    if isinstance(node, Ref):
        found = _areas(node, scope)
        return found[0] if len(found) == 1 else None
    if isinstance(node, TableRef):
        return _table_area(node, scope)
    definition = _definition(node, scope)
    if definition is None or len(definition) != 1:
        return None
    inner = definition[0]
    if isinstance(inner, (Ref, Name, TableRef)):
        return named_area(inner, scope.for_name())
    return None
