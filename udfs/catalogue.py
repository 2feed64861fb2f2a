"""Every worksheet function, declared once: name, arguments, checks, help, example."""

from __future__ import annotations

import difflib
import keyword
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from udfs.errors import BadInput, ShopsheetError
from udfs.kinds import Choice, Dates, Day, Kind, Number, Numbers, Texts, is_blank, is_range

NAMESPACE: Final = "SHOP"  # saved workbooks contain it: it never changes
ANY: Final = -1  # a number of rows that only the answer tells
MAX_HELP_CHARS = 255  # xlwings cuts there


class _Required:
    """Type of the default that marks an argument as required."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required()


@dataclass(frozen=True)
class Arg:
    """One argument of a function; without a default it must be given."""

    name: str
    kind: Kind
    help: str
    default: Any = REQUIRED

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


@dataclass(frozen=True)
class Example:
    """A call that shows the function at work: its arguments and the answer."""

    args: tuple[Any, ...]
    answer: Any


@dataclass(frozen=True)
class Spill:
    """How the answer grows: like the data argument, or into named columns if an option asks.

    `columns` holds, per value of the argument `option`, the columns that each row spills into.
    A value that is not in `columns` gives one value per input cell. A `table` has those columns,
    their names in its first row, and as many rows as the data make.
    """

    option: str | None = None
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    table: bool = False


PER_CELL = Spill()


@dataclass(frozen=True)
class Function:
    """One worksheet function. Its first argument is the data that the answer follows in shape."""

    name: str
    capability: str
    summary: str
    args: tuple[Arg, ...]
    returns: str
    example: Example
    spills: Spill = PER_CELL

    @property
    def dotted(self) -> str:
        """Spelling in Office.js and LibreOffice: SHOP.SENTIMENT."""
        return f"{NAMESPACE}.{self.name}"

    @property
    def underscored(self) -> str:
        """Spelling where a name has no dot (xlwings, VBA): SHOP_SENTIMENT."""
        return f"{NAMESPACE}_{self.name}"

    @property
    def saved(self) -> str:
        """Spelling in a file that Excel saved: _xldudf_SHOP_SENTIMENT."""
        return f"_xldudf_{NAMESPACE}_{self.name}"

    def signature(self) -> str:
        """The call with its argument names, optional ones in brackets."""
        names = (arg.name if arg.required else f"[{arg.name}]" for arg in self.args)
        return f"{self.dotted}({', '.join(names)})"

    def help(self) -> str:
        """Summary and answer in at most 255 characters, as function wizards show it."""
        return f"{self.summary} {self.returns}"

    def example_formula(self) -> str:
        """The example as it is typed into a cell."""
        return f"={self.dotted}({','.join(_literal(value) for value in self.example.args)})"

    def bind(self, raw_args: Sequence[object]) -> dict[str, Any]:
        """The checked value of every argument, by name; what was not given has its default.

        Raises: BadInput or OutOfRange, saying what was found, what was expected, what to do.
        """
        if len(raw_args) > len(self.args):
            raise BadInput(
                f"{self.dotted} was given {len(raw_args)} arguments and takes at most "
                f"{len(self.args)}: {self.signature()}."
            )
        values: dict[str, Any] = {}
        for position, arg in enumerate(self.args):
            if position >= len(raw_args) and arg.required:
                raise BadInput(f"{arg.name} is missing. Write {self.signature()}.")
            raw = raw_args[position] if position < len(raw_args) else None
            if not arg.required and is_blank(raw):
                values[arg.name] = arg.default
            else:
                values[arg.name] = arg.kind.parse(raw, arg.name)
        self._check_width(values)
        return values

    def columns(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of the columns that each row spills into; empty: one value per input cell."""
        if self.spills.option is None:
            return self.spills.columns.get("", ())
        return self.spills.columns.get(values[self.spills.option], ())

    def answer_shape(self, raw_args: Sequence[object]) -> tuple[int, int] | None:
        """Rows and columns of the answer to these arguments; None where it is a single value.

        The rows of a table are not known before it is made: their number is given as ANY.
        Raises: BadInput or OutOfRange as `bind`.
        """
        values = self.bind(raw_args)
        grid = values[self.args[0].name]
        columns = self.columns(values)
        if self.spills.table:
            return ANY, len(columns)
        if self.gives_cell(raw_args, values):
            return None
        return len(grid), len(columns) or len(grid[0])

    def gives_cell(self, raw_args: Sequence[object], values: Mapping[str, Any]) -> bool:
        """Whether the answer is a single value; `values` are the arguments as bound."""
        return not (self.spills.table or is_range(raw_args[0]) or self.columns(values))

    def to_json(self) -> dict[str, Any]:
        """The declaration as GET /v1/functions shows it."""
        return {
            "name": self.name,
            "spellings": {
                "office": self.dotted,
                "libreoffice": self.dotted,
                "xlwings": self.underscored,
                "saved": self.saved,
            },
            "capability": self.capability,
            "signature": self.signature(),
            "summary": self.summary,
            "returns": self.returns,
            "args": [
                {
                    "name": arg.name,
                    "help": arg.help,
                    "required": arg.required,
                    **({} if arg.required else {"default": arg.default}),
                    "expects": arg.kind.describe(),
                    "takes_range": arg.kind.takes_range,
                    "choices": list(arg.kind.choices),
                    "schema": arg.kind.json_schema(),
                }
                for arg in self.args
            ],
            "table": self.spills.table,
            "columns": {value: list(names) for value, names in self.spills.columns.items()},
            "example": {
                "formula": self.example_formula(),
                "args": list(self.example.args),
                "answer": self.example.answer,
            },
        }

    def _check_width(self, values: Mapping[str, Any]) -> None:
        columns = () if self.spills.table else self.columns(values)
        data = self.args[0].name
        width = len(values[data][0]) if columns else 1
        if width != 1:
            option = self.spills.option
            raise BadInput(
                f'{data} is {width} columns wide; with {option}="{values[str(option)]}" each row '
                f"spills into {len(columns)} columns ({', '.join(columns)}), so give one column."
            )


def _literal(value: object) -> str:
    """`value` as a formula spells it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    if isinstance(value, (list, tuple)):
        return "{" + ";".join(",".join(_literal(cell) for cell in row) for row in value) + "}"
    return str(value)


SENTIMENT = Function(
    name="SENTIMENT",
    capability="sentiment",
    summary="How each review, question or post feels, in English or Chinese.",
    args=(
        Arg(
            "text",
            Texts(),
            "One cell or a range of texts. An empty cell gives an empty answer.",
        ),
        Arg(
            "output",
            Choice("label", "score", "all"),
            'What to return: "label"; "score" from -1 (negative) to 1 (positive); or "all" for '
            "label, score and confidence in three columns. label if left out.",
            default="label",
        ),
        Arg(
            "min_confidence",
            Number(0, 1),
            "From 0 to 1: where the model is less sure of its label than this, the answer is "
            "#N/A. 0 if left out.",
            default=0.0,
        ),
    ),
    returns="positive, negative, neutral or mixed for each text; or its score; or all three "
    "columns.",
    example=Example(("The fabric is lovely and it arrived a day early.",), "positive"),
    spills=Spill("output", {"all": ("label", "score", "confidence")}),
)


CLEAN = Function(
    name="CLEAN",
    capability="clean",
    summary="Texts without what scraping and platforms left in them, in English or Chinese.",
    args=(
        SENTIMENT.args[0],
        Arg(
            "output",
            Choice("text", "words"),
            'What to return: "text", tidied; or "words", its words with a space between them and '
            "without stop words. text if left out.",
            default="text",
        ),
    ),
    returns="The tidied text, or its words, of each text.",
    example=Example(("<p>Great&nbsp;value!!!!!! 😀</p>",), "Great value! 😀"),
)

SEGMENT = Function(
    name="SEGMENT",
    capability="segment",
    summary="Customers by what they bought: how recently, how often, for how much.",
    args=(
        Arg(
            "ids",
            Texts(),
            "The customer of each order line: a column of ids or names. A line without id, date or "
            "amount is left out.",
        ),
        Arg("dates", Dates(), "The date of each order line: a column as long as ids."),
        Arg(
            "amounts",
            Numbers(),
            "The amount of each order line, refunds below 0: a column as long as ids.",
        ),
        Arg(
            "method",
            Choice("RFM", "CLV"),
            '"RFM" for scores and a named segment; "CLV" for the orders and the value expected '
            "in the next 52 weeks. RFM if left out.",
            default="RFM",
        ),
        Arg(
            "bins",
            Number(2, 10, integer=True),
            "How many steps each RFM score has, from 2 to 10. 5 if left out.",
            default=5,
        ),
        Arg(
            "as_of",
            Day(),
            "The day from which recency counts. The last date of the data if left out.",
            default=None,
        ),
    ),
    returns="A table with a row per customer, its columns named in the first row.",
    example=Example(
        (
            [["Ann"], ["Ann"], ["Bo"]],
            [["2024-05-01"], ["2024-05-20"], ["2024-01-15"]],
            [[40.0], [25.0], [10.0]],
        ),
        [
            ["id", "R", "F", "M", "segment", "rule", "days since last", "purchases", "total"],
            [
                "Ann",
                5,
                5,
                5,
                "Champions",
                "bought on the last day, 2 or more times, more than 10 in all",
                0,
                2,
                65.0,
            ],
            [
                "Bo",
                1,
                1,
                1,
                "Lost",
                "last bought more than 0 days ago, once, up to 10 in all",
                126,
                1,
                10.0,
            ],
        ],
    ),
    spills=Spill(
        "method",
        {
            "RFM": (
                "id",
                "R",
                "F",
                "M",
                "segment",
                "rule",
                "days since last",
                "purchases",
                "total",
            ),
            "CLV": (
                "id",
                "expected orders",
                "expected value",
                "probability active",
                "days since last",
                "purchases",
                "total",
            ),
        },
        table=True,
    ),
)


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
    if not function.args or not function.args[0].required:
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
            if arg.kind.parse(arg.default, arg.name) != arg.default:
                yield f"the default of {arg.name} is not what its kind reads it as"
    option = next((arg for arg in function.args if arg.name == function.spills.option), None)
    unknown = set(function.spills.columns) - set(option.kind.choices if option else ("",))
    if unknown or (function.spills.option and option is None):
        yield f"it spills by {function.spills.option} {sorted(unknown)}, which cannot be chosen"


def get(name: str) -> Function:
    """The function of that name, in any case and in any host's spelling.

    Raises: BadInput naming the closest functions.
    """
    plain = re.sub(rf"^(_XLDUDF_)?{NAMESPACE}[._]", "", name.strip().upper())
    if plain in FUNCTIONS:
        return FUNCTIONS[plain]
    close = difflib.get_close_matches(plain, FUNCTIONS, n=3, cutoff=0.5)
    known = "Did you mean " if close else "There is "
    raise BadInput(
        f"There is no function {name.strip()[:80]!r}. {known}{', '.join(close or FUNCTIONS)}"
        f"{'?' if close else '.'}"
    )


_ALL = (SENTIMENT, CLEAN, SEGMENT)
check(_ALL)
FUNCTIONS: Final[dict[str, Function]] = {function.name: function for function in _ALL}
