"""Writes udfs/REFERENCE.md, the users' reference of every function, from the catalogue."""

from __future__ import annotations

from pathlib import Path

from udfs.catalogue import FUNCTIONS
from udfs.function import NAMESPACE, Arg, Function, Listed, Numbered, literal

PATH = Path("udfs/REFERENCE.md")

_INTRO = f"""\
# Function reference

<!-- Written by `python -m addin.build` from udfs/catalogue.py. Change it there. -->

Every function stands in the namespace `{NAMESPACE}`: type `={NAMESPACE}.` into a cell and Excel or
LibreOffice offers the list. Text in brackets may be left out. A range is sent to the server as one
request, an empty cell gives an empty answer, and a bad cell spoils only itself (in LibreOffice Calc
use one formula per cell where a range holds errors: see
[what differs there](../addin/libreoffice/README.md)).

| you see | it means |
|---|---|
| `#VALUE!` | an argument cannot be used; Excel shows why when you point at the cell |
| `#N/A` | there is honestly no answer (for instance below `min_confidence`), or the server is not \
reachable or busy |
| `#NUM!` | a number lies outside what can be used |

Where you have a [knowledge file](../README.md#knowledge-of-your-shop), ASPECTS, CLEAN (its words),
KEYWORDS, TOPICS, CLASSIFY, SIMILAR, NEEDS and PROFILE use the names in it. SENTIMENT reads what the
file gives as slang, SUMMARIZE quotes texts as they were written.
"""


def generated_files() -> dict[Path, str | bytes]:
    """The reference, by its path from the repository root."""
    return {PATH: "\n".join([_INTRO, _contents(), *map(_section, FUNCTIONS.values())])}


def _contents() -> str:
    rows = [f"| [{f.dotted}](#{_anchor(f)}) | {_cell(f.summary)} |" for f in FUNCTIONS.values()]
    return "\n".join(["| function | what it tells |", "|---|---|", *rows, ""])


def _section(function: Function) -> str:
    rows = [
        f"| `{arg.name}` | {_cell(_expects(arg))} | {_cell(arg.help)} |" for arg in function.args
    ]
    return "\n".join(
        [
            f"## {function.dotted}",
            "",
            f"`={function.signature()}`",
            "",
            function.summary,
            "",
            "| argument | takes | what it is |",
            "|---|---|---|",
            *rows,
            "",
            f"**Answer.** {function.returns}",
            "",
            *_spills(function),
            "**Example.**",
            "",
            "```",
            function.example_formula(),
            f"→ {_answer(function.example.answer)}",
            "```",
            "",
            "**Spelling.** "
            f"Excel add-in and LibreOffice `{function.dotted}`; "
            f"Excel with xlwings `{function.underscored}`; "
            f"in a file that Excel saved `{function.saved}`; "
            f"command line `shopsheet call {function.name}`.",
            "",
        ]
    )


def _expects(arg: Arg) -> str:
    expects = arg.kind.describe()
    if arg.required:
        return expects
    if arg.default is None:
        return f"{expects}; may be left out"
    if isinstance(arg.default, tuple):
        return f'{expects}; "{";".join(arg.default)}" if left out'
    return f"{expects}; {literal(arg.default)} if left out"


def _spills(function: Function) -> list[str]:
    shown = [_spill(function, value) for value in function.spills.columns]
    if function.spills.without:
        arg, columns = function.spills.without
        shown.append(f"Without `{arg}` the columns are {', '.join(columns)}.\n")
    return shown


def _spill(function: Function, value: str) -> str:
    option, tables = function.spills.option, function.spills.table
    columns = function.spills.columns[value]
    if isinstance(columns, Numbered):
        start = f'With `{option}` = "{value}" each' if option else "Each"
        least = f", if that is {columns.least} or more" if columns.least > 1 else ""
        return (
            f"**Spills.** {start} row grows into as many columns as `{columns.count}` says"
            f"{least}.\n"
        )
    if isinstance(columns, Listed) and tables is True:
        return (
            f"**Table.** The columns are those of `{columns.of}`; their names are the first row.\n"
        )
    if isinstance(columns, Listed):
        return (
            f'**Spills.** With `{option}` = "{value}" each row grows into a column for each of '
            f"`{columns.of}`.\n"
        )
    names = ", ".join(columns)
    if tables is True or (tables and value in tables):
        start = f'With `{option}` = "{value}" the' if option else "The"
        start = f"With `{function.spills.given}` the" if function.spills.given else start
        first = function.spills.first
        more = f" With `{first[0]}` the column {first[1]} comes before them." if first else ""
        return f"**Table.** {start} columns are {names}; their names are the first row.{more}\n"
    start = f'With `{option}` = "{value}" each' if option else "Each"
    return f"**Spills.** {start} row grows into {len(columns)} columns: {names}.\n"


def _answer(answer: object) -> str:
    if isinstance(answer, (list, tuple)):
        return "; ".join(", ".join(map(str, row)) for row in answer)
    return str(answer)


def _anchor(function: Function) -> str:
    """The heading's anchor as GitHub makes it: lower case, dots dropped."""
    return function.dotted.lower().replace(".", "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
