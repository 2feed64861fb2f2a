"""Formulas as text: finds calls and references, in every spelling that a file may hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from udfs.function import NAMESPACE
from udfs.workbook.cells import MAX_COL, MAX_ROW, col_number

_WORD = r"[^\W\d][\w.?]*|[\\_][\w.?\\]*"
_CELL = r"\$?[A-Za-z]{1,3}\$?[0-9]{1,7}"
# Sheets whose name looks like a cell are quoted: A1:Last!B2 is a range from A1.
_SHEET = rf"(?:\[[^\[\]]+\])?(?:(?!{_CELL}:)(?:{_WORD}|\d[\w.]*)(?::(?:{_WORD}))?)?"
_END = r"(?![\w.(!\[])"
_BRACKETS = r"\[(?:[^\[\]']|'.|\[(?:[^\[\]']|'.)*\])*\]"

_TOKEN = re.compile(
    rf"""
    (?P<string> "(?:[^"]|"")*" )
  | (?P<array> \{{ (?: "(?:[^"]|"")*" | [^{{}}"] )* \}} )
  | (?P<prefix> (?: '(?:[^']|'')+' | {_SHEET} ) ! )
  | (?P<area> {_CELL} (?: : {_CELL} )? {_END} )
  | (?P<cols> \$?[A-Za-z]{{1,3}} : \$?[A-Za-z]{{1,3}} {_END} )
  | (?P<rows> \$?[0-9]{{1,7}} : \$?[0-9]{{1,7}} {_END} )
  | (?P<error> \#(?: NULL! | DIV/0! | VALUE! | REF! | NAME\? | NUM! | N/A | SPILL! | CALC! ) )
  | (?P<number> (?: [0-9]+\.?[0-9]* | \.[0-9]+ ) (?: [eE][+-]?[0-9]+ )? )
  | (?P<call> (?: {_WORD} ) (?=\() )
  | (?P<table> (?: {_WORD} )? {_BRACKETS} )
  | (?P<name> {_WORD} )
  | (?P<open> \( ) | (?P<close> \) ) | (?P<comma> , )
  | (?P<space> \s+ )
  | (?P<op> <> | <= | >= | [-+*/^&=<>%:@\#;\[\]] )
    """,
    re.VERBOSE,
)

# What Excel and others put before a function's name in a file.
_FUNCTION_PREFIX = re.compile(r"^(?:_xlfn\.|_xlws\.|_xll\.|_xludf\.|_xldudf_)+", re.IGNORECASE)
_OWN = re.compile(
    rf"^(?P<marks>(?:_xlfn\.|_xll\.|_xludf\.|_xldudf_)*){NAMESPACE}(?P<joint>[._])(?P<name>\w+)$",
    re.IGNORECASE,
)
_VARIABLE = re.compile(r"^_xlpm\.", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Prefix:
    """What stands before "!": `sheet` to `last_sheet`; `external`: a sheet of another workbook."""

    sheet: str
    last_sheet: str
    external: bool


@dataclass(frozen=True, slots=True)
class Text:
    """An operator, literal or anything else that means the same in every cell."""

    raw: str
    is_array: bool = False
    is_operator: bool = False


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference as written; `fixed_…` where a "$" stands. Whole columns span all rows."""

    prefix: Prefix | None
    row: int
    col: int
    last_row: int
    last_col: int
    fixed_row: bool
    fixed_col: bool
    fixed_last_row: bool
    fixed_last_col: bool
    whole: str = ""  # "cols" for A:B, "rows" for 1:2


@dataclass(frozen=True, slots=True)
class Name:
    """A defined name, a LET variable, TRUE or FALSE."""

    prefix: Prefix | None
    name: str


@dataclass(frozen=True, slots=True)
class TableRef:
    """A structured reference: Table1[review]."""

    table: str
    spec: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function call; `own` is the catalogue name if it is one of ours."""

    name: str
    args: tuple[Expr, ...]
    own: str | None
    spelling: str
    external: bool = False


Node: TypeAlias = Text | Ref | Name | TableRef | Call
Expr: TypeAlias = tuple[Node, ...]


class FormulaSyntaxError(ValueError):
    """The formula is not of a form that we can read."""


def own_name(spelling: str) -> str | None:
    """Catalogue name of our function in any file spelling, else None.

    SHOP.X, SHOP_X, _xldudf_SHOP_X, _xll.SHOP_X, _xludf.SHOP.X, in any case.
    """
    match = _OWN.match(spelling)
    return match["name"].upper() if match else None


def may_call_us(text: str) -> bool:
    """Whether the formula may contain one of our functions; quick, and never wrong by "no"."""
    lower = text.lower()
    return f"{NAMESPACE.lower()}." in lower or f"{NAMESPACE.lower()}_" in lower


@lru_cache(maxsize=50_000)
def parse(text: str) -> Expr:
    """The formula (without "=") as a tree.

    Raises: FormulaSyntaxError.
    """
    tokens = _tokens(text)
    expr, closed_by = _sequence(tokens)
    if closed_by != "":
        raise FormulaSyntaxError(f"unexpected {closed_by!r} in {text!r}")
    return expr


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise FormulaSyntaxError(f"cannot read {text[at : at + 20]!r}")
        yield match.lastgroup, match[0]
        at = match.end()


def _sequence(tokens: Iterator[tuple[str, str]], in_call: bool = False) -> tuple[Expr, str]:
    """Nodes up to a closing parenthesis (or, in a call, a comma), and what ended them."""
    nodes: list[Node] = []
    prefix: Prefix | None = None
    depth = 0
    for kind, raw in tokens:
        if kind == "prefix":
            prefix = _prefix(raw)
            continue
        if kind == "close" and depth == 0:
            return tuple(nodes), ")"
        if kind == "comma" and depth == 0 and in_call:
            return tuple(nodes), ","
        if kind == "call":
            nodes.append(_call(tokens, raw, prefix))
        elif kind == "area":
            nodes.append(_area(raw, prefix))
        elif kind in ("cols", "rows"):
            nodes.append(_whole(raw, kind, prefix))
        elif kind == "name":
            if _VARIABLE.match(raw):
                raw = _VARIABLE.sub("_xlpm_", raw)
            nodes.append(Name(prefix, raw))
        elif kind == "table":
            table, _, spec = raw.partition("[")
            nodes.append(TableRef(table, spec[:-1]))
        elif raw == "#" and nodes and isinstance(nodes[-1], (Ref, Name)):
            # G28#, as people type it; Excel itself saves ANCHORARRAY.
            nodes[-1] = Call("ANCHORARRAY", ((nodes[-1],),), None, "#")
        else:
            depth += (kind == "open") - (kind == "close")
            nodes.append(Text(raw, kind == "array", kind == "op"))
        prefix = None
    if depth or in_call:
        raise FormulaSyntaxError("a parenthesis is not closed")
    return tuple(nodes), ""


def _call(tokens: Iterator[tuple[str, str]], spelling: str, prefix: Prefix | None) -> Call:
    next(tokens)  # the opening parenthesis, which the token looked ahead to
    args: list[Expr] = []
    ended_by = ","
    while ended_by == ",":
        arg, ended_by = _sequence(tokens, in_call=True)
        args.append(arg)
    if len(args) == 1 and all(isinstance(node, Text) and node.raw.isspace() for node in args[0]):
        args = []
    own = own_name(spelling)
    # _xll.NAME and Book.xlam!NAME are functions of an add-in: none that we can compute.
    foreign = prefix is not None or spelling.lower().startswith(("_xll.", "_xldudf_", "_xludf."))
    name = _FUNCTION_PREFIX.sub("", spelling).upper()
    return Call(name, tuple(args), own, spelling, foreign and own is None)


def _prefix(raw: str) -> Prefix:
    name = raw[:-1]
    if name.startswith("'"):
        name = name[1:-1].replace("''", "'")
    external = "[" in name
    if external:
        name = name.rpartition("]")[2]
    first, _, last = name.partition(":")
    return Prefix(first, last or first, external)


def _corner(text: str) -> tuple[int, int, bool, bool]:
    """Row, column, whether each is fixed."""
    match = re.fullmatch(r"(\$?)([A-Za-z]+)(\$?)([0-9]+)", text)
    assert match is not None
    return int(match[4]), col_number(match[2]), bool(match[3]), bool(match[1])


def _area(raw: str, prefix: Prefix | None) -> Node:
    first, _, last = raw.partition(":")
    row, col, fixed_row, fixed_col = _corner(first)
    last_row, last_col, fixed_last_row, fixed_last_col = _corner(last or first)
    if max(row, last_row) > MAX_ROW or max(col, last_col) > MAX_COL or min(row, last_row) < 1:
        return Name(prefix, raw)  # XFE1 and the like are names, not cells
    return Ref(
        prefix, row, col, last_row, last_col, fixed_row, fixed_col, fixed_last_row, fixed_last_col
    )


def _whole(raw: str, kind: str, prefix: Prefix | None) -> Node:
    first, last = raw.split(":")
    fixed, fixed_last = first.startswith("$"), last.startswith("$")
    first, last = first.lstrip("$"), last.lstrip("$")
    if kind == "cols":
        lo, hi = col_number(first), col_number(last)
        if max(lo, hi) > MAX_COL:
            raise FormulaSyntaxError(f"there are no columns {raw}")
        return Ref(prefix, 1, lo, MAX_ROW, hi, True, fixed, True, fixed_last, "cols")
    low, high = int(first), int(last)
    if max(low, high) > MAX_ROW or min(low, high) < 1:
        raise FormulaSyntaxError(f"there are no rows {raw}")
    return Ref(prefix, low, 1, high, MAX_COL, fixed, True, fixed_last, True, "rows")
