"""What a worksheet function is: its arguments, how they are checked, how its answer grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from udfs.errors import BadInput
from udfs.kinds import Kind, is_range, number_text

NAMESPACE: Final = "SHOP"  # saved workbooks contain it: it never changes
ANY: Final = -1  # a number of rows that only the answer tells


class _Required:
    """Type of the default that marks an argument as required."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required()


@dataclass(frozen=True)
class Arg:
    """One argument of a function; without a default it must be given.

    `default_with` is (another argument, the default where that one is given).
    """

    name: str
    kind: Kind
    help: str
    default: Any = REQUIRED
    default_with: tuple[str, Any] | None = None

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


@dataclass(frozen=True)
class Example:
    """A call that shows the function at work: its arguments and the answer."""

    args: tuple[Any, ...]
    answer: Any


@dataclass(frozen=True)
class Numbered:
    """As many columns as the argument `count` says: phrase_1, phrase_2, ...

    Fewer than `least` are none: there is one value per input cell.
    """

    name: str
    count: str
    least: int = 1


@dataclass(frozen=True)
class Listed:
    """A column for each item of the list argument `of`, named like it."""

    of: str


@dataclass(frozen=True)
class Spill:
    """How the answer grows: like the data argument, or into named columns if an option asks.

    `columns` holds, per value of the argument `option`, the columns that each row spills into.
    A value that is not in `columns` gives one value per input cell. A `table` has those columns,
    their names in its first row, and as many rows as the data make; where only some values of the
    option give one, `table` names them. Without the argument `given` there is no table: the whole
    range gives one cell. Where the list argument `single` holds one item only, there is no table
    either, but one value per input cell. `without` is an argument and the columns of the table
    where that one is left out. `first` is (an argument, the column that comes before the others
    where it is given). Rows that are read `together` have no answer of their own: a column must
    not be cut or joined with others.
    """

    option: str | None = None
    columns: Mapping[str, tuple[str, ...] | Numbered | Listed] = field(default_factory=dict)
    table: bool | tuple[str, ...] = False
    given: str | None = None
    single: str | None = None
    without: tuple[str, tuple[str, ...]] | None = None
    first: tuple[str, str] | None = None
    together: bool = False

    @property
    def reads_columns(self) -> bool:
        """Whether no arguments make it answer row by row."""
        return self.together or self.always_table

    @property
    def always_table(self) -> bool:
        """Whether no arguments make it give one value per input cell."""
        return self.table is True and self.single is None


PER_CELL = Spill()


@dataclass(frozen=True)
class Function:
    """One worksheet function.

    Its first argument is the data that the answer follows in shape; it may be left out only where
    the answer is always a table.
    """

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
        return f"={self.dotted}({','.join(literal(value) for value in self.example.args)})"

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
        left_out: list[Arg] = []
        for position, arg in enumerate(self.args):
            if position >= len(raw_args) and arg.required:
                raise BadInput(f"{arg.name} is missing. Write {self.signature()}.")
            raw = raw_args[position] if position < len(raw_args) else None
            if not arg.required and arg.kind.is_left_out(raw):
                values[arg.name] = arg.default
                left_out.append(arg)
            else:
                values[arg.name] = arg.kind.parse(raw, arg.name)
        for arg in left_out:
            if arg.default_with and values[arg.default_with[0]]:
                values[arg.name] = arg.default_with[1]
        self._check_width(values)
        return values

    def columns(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of the columns that each row spills into; empty: one value per input cell."""
        option = self.spills.option
        if self.is_whole(values) or self._is_single(values):
            return ()
        if self.spills.without and values[self.spills.without[0]] is None:
            return self.spills.without[1]
        columns = self.spills.columns.get("" if option is None else values[option], ())
        if isinstance(columns, Numbered):
            count = values[columns.count]
            numbers = range(1, count + 1) if count >= columns.least else ()
            return tuple(f"{columns.name}_{n}" for n in numbers)
        if isinstance(columns, Listed):
            return tuple(values[columns.of] or ())
        first = self.spills.first
        if first and columns and values.get(first[0]) is not None:
            return (first[1], *columns)
        return columns

    def is_table(self, values: Mapping[str, Any]) -> bool:
        """Whether the answer to these bound arguments is a table, as long as it turns out to be."""
        tables = self.spills.table
        if self.is_whole(values) or self._is_single(values):
            return False
        if isinstance(tables, bool):
            return tables
        return values[str(self.spills.option)] in tables

    def is_whole(self, values: Mapping[str, Any]) -> bool:
        """Whether all the data give one cell, by these bound arguments."""
        return self.spills.given is not None and values[self.spills.given] is None

    def answer_shape(self, raw_args: Sequence[object]) -> tuple[int, int] | None:
        """Rows and columns of the answer to these arguments; None where it is a single value.

        The rows of a table are not known before it is made: their number is given as ANY.
        Raises: BadInput or OutOfRange as `bind`.
        """
        values = self.bind(raw_args)
        grid = values[self.args[0].name]
        columns = self.columns(values)
        if self.is_table(values):
            return ANY, len(columns)
        if self.gives_cell(raw_args, values):
            return None
        return len(grid), len(columns) or len(grid[0])

    def gives_cell(self, raw_args: Sequence[object], values: Mapping[str, Any]) -> bool:
        """Whether the answer is a single value; `values` are the arguments as bound."""
        if self.is_whole(values):
            return True
        return not (self.is_table(values) or is_range(raw_args[0]) or self.columns(values))

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
            "first_column": self.spills.first
            and dict(zip(("given", "name"), self.spills.first, strict=True)),
            "columns": {
                value: _columns_json(columns) for value, columns in self.spills.columns.items()
            },
            **self._columns_without(),
            "example": {
                "formula": self.example_formula(),
                "args": list(self.example.args),
                "answer": self.example.answer,
            },
        }

    def _columns_without(self) -> dict[str, Any]:
        without = self.spills.without
        return {"columns_without": {without[0]: list(without[1])}} if without else {}

    def _is_single(self, values: Mapping[str, Any]) -> bool:
        """Whether one item stands where a list would make a table."""
        return self.spills.single is not None and len(values[self.spills.single] or ()) == 1

    def _check_width(self, values: Mapping[str, Any]) -> None:
        columns = () if self.is_table(values) else self.columns(values)
        data = self.args[0].name
        width = len(values[data][0]) if columns else 1
        if width != 1:
            option = self.spills.option
            where = f'with {option}="{values[option]}" ' if option else ""
            raise BadInput(
                f"{data} is {width} columns wide; {where}each row spills into {len(columns)} "
                f"columns ({', '.join(columns)}), so give one column."
            )


def _columns_json(columns: tuple[str, ...] | Numbered | Listed) -> Any:
    if isinstance(columns, Numbered):
        return {"name": columns.name, "count": columns.count}
    return {"of": columns.of} if isinstance(columns, Listed) else list(columns)


def literal(value: object) -> str:
    """`value` as a formula spells it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    if isinstance(value, (list, tuple)):
        return "{" + ";".join(",".join(literal(cell) for cell in row) for row in value) + "}"
    return number_text(value) if isinstance(value, (int, float)) else str(value)
