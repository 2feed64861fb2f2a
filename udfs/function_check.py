"""Checks that every host can carry a function as it is declared."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

from udfs.errors import ShopsheetError
from udfs.function import Function, Listed, Numbered
from udfs.kinds import Kind, Number, WordList

MAX_HELP_CHARS = 255  # xlwings cuts there

# Words that cannot name an argument in VBA (the xlwings module), the add-in's IDL or JavaScript.
# Sources: MS-VBAL 3.3.5.2 "Reserved Identifiers"; UNO developer guide, "UNOIDL"; ECMA-262 12.7.2.
_RESERVED_WORDS = """
    abs addressof and any array as async attribute await base boolean byref byte byval call case
    catch cbool ccur cdate cdbl cdec cdecl cint circle class clng clnglng clngptr close const
    constants csng cstr currency cvar cverr date debug decimal declare default defbool defbyte
    defcur defdate defdbl defdec defint deflng deflnglng deflngptr defobj defsng defstr defvar
    delete dim do doevents double each else elseif empty end endif enum eqv erase event
    exception exit export extends false finally fix float for friend from function get global
    gosub goto hyper if imp implements import in inout input inputb instanceof int integer
    interface is lbound len lenb let lib like lineinput local lock long longlong longptr loop
    lset me mid mod module new next not nothing null object on oneway open option optional or
    out paramarray preserve print private property pset public published put raiseevent raises
    redim rem removable resume return rset scale seek select sequence service set sgn shared
    short single singleton spc static step stop string struct sub super switch tab then this
    throw to true try type typedef typeof ubound union unlock unsigned until var variant void
    wend while with withevents write xor yield
"""
_RESERVED = frozenset(_RESERVED_WORDS.split())


def check(functions: Iterable[Function]) -> None:
    """Nothing, if every host can carry these functions as they are declared.

    Raises: ValueError naming the function and what to change.
    """
    kinds: dict[str, type[Kind]] = {}
    names: set[str] = set()
    for function in functions:
        problems = [*_name_problems(function), *_help_problems(function), *_arg_problems(function)]
        if function.name in names:
            problems.append("it is declared twice")
        names.add(function.name)
        for arg in function.args:
            if kinds.setdefault(arg.name, type(arg.kind)) is not type(arg.kind):
                problems.append(
                    f"argument {arg.name} is a {type(arg.kind).__name__} here and a "
                    f"{kinds[arg.name].__name__} elsewhere; one name means one kind"
                )
        if not problems:
            try:
                function.bind(function.example.args)
            except ShopsheetError as error:
                problems.append(f"its example is refused: {error}")
        if problems:
            raise ValueError(f"{function.dotted} cannot be offered: {'; '.join(problems)}.")


def looks_like_a_cell(name: str) -> bool:
    """Whether a sheet would read `name` as a cell address, in A1 or R1C1 style."""
    a1 = re.fullmatch(r"([A-Z]{1,3})([0-9]{1,7})", name.upper())
    return bool(a1) or bool(re.fullmatch(r"R[0-9]*(C[0-9]*)?|C[0-9]*", name.upper()))


def _name_problems(function: Function) -> Iterable[str]:
    if not re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*", function.name):
        yield "the name must be capitals, digits and single inner underscores, first a capital"
    if not 3 <= len(function.name) <= 128 - len("_xldudf_SHOP_"):
        yield "the name must have 3 to 115 characters"
    if looks_like_a_cell(function.name):
        yield "the name reads like a cell address"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", function.capability):
        yield "the capability must name a Python module"


def _help_problems(function: Function) -> Iterable[str]:
    texts = {"help": function.help(), "signature": function.signature()}
    texts |= {f"help of {arg.name}": arg.help for arg in function.args}
    for what, text in texts.items():
        if len(text) > MAX_HELP_CHARS:
            yield f"its {what} has {len(text)} characters, at most {MAX_HELP_CHARS} are shown"
    for what, text in {"summary": function.summary, "returns": function.returns, **texts}.items():
        if not text.strip() or "\n" in text:
            yield f"its {what} must be one line of text"


def _arg_problems(function: Function) -> Iterable[str]:
    if not function.args or not (function.args[0].required or function.spills.always_table):
        yield "its first argument must be the data and required"
    seen: set[str] = set()
    optional = ""
    for arg in function.args:
        if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", arg.name):
            yield f"argument {arg.name} must be lower case words joined by single underscores"
        if arg.name in _RESERVED or keyword.iskeyword(arg.name):
            yield f"argument {arg.name} is a reserved word in a host; choose another"
        if arg.name in seen:
            yield f"argument {arg.name} appears twice"
        seen.add(arg.name)
        if arg.required and optional:
            yield f"argument {arg.name} is required and stands after {optional}, which is not"
        if not arg.required:
            optional = arg.name
            left_out = arg.default is None  # what no kind has to read
            if not left_out and arg.kind.parse(arg.default, arg.name) != arg.default:
                yield f"the default of {arg.name} is not what its kind reads it as"
    yield from _spill_problems(function)


def _spill_problems(function: Function) -> Iterable[str]:
    spills = function.spills
    args = {arg.name: arg for arg in function.args}
    option = args.get(spills.option or "")
    asked = set(spills.columns) | set(() if isinstance(spills.table, bool) else spills.table)
    unknown = asked - set(option.kind.choices if option else ("",))
    if unknown or (spills.option and option is None):
        yield f"it spills by {spills.option} {sorted(unknown)}, which cannot be chosen"
    given = args.get(spills.given or "")
    if spills.given and (given is None or given.default is not None or spills.table is not True):
        yield f"it is one cell without {spills.given}, which is no argument that defaults to None"
    single = args.get(spills.single or "")
    if spills.single and not (
        single and isinstance(single.kind, WordList) and spills.table is True
    ):
        yield f"it has no table with one {spills.single}, which is no list of words"
    without = args.get(spills.without[0]) if spills.without else None
    if spills.without and (without is None or without.default is not None):
        yield f"its columns differ without {spills.without[0]}, which does not default to None"
    first = args.get(spills.first[0]) if spills.first else None
    if spills.first and (first is None or first.default is not None):
        yield f"a column comes with {spills.first[0]}, which is no argument that defaults to None"
    for columns in spills.columns.values():
        if isinstance(columns, Numbered):
            count = args.get(columns.count)
            kind = count.kind if count else None
            if not (isinstance(kind, Number) and kind.integer and kind.lo >= 1):
                yield f"its columns are counted by {columns.count}, no whole number from 1"
        if isinstance(columns, Listed) and not isinstance(
            args[columns.of].kind if columns.of in args else None, WordList
        ):
            yield f"its columns are named by {columns.of}, which is no list of words"
