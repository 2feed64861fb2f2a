"""What a worksheet function is: its arguments, how they are checked, how its answer grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from udfs.errors import BadInput
from udfs.kinds import Kind, is_blank, is_range

NAMESPACE: Final = "SHOP"  # saved workbooks contain it: it never changes
ANY: Final = -1  # a number of rows that only the answer tells


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
