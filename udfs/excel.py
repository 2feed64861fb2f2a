"""Excel functions over COM (xlwings on Windows), built from the catalogue.

Errors, settled here once. What a COM function may give back was looked up in the sources:

- An exception becomes text: the VBA that xlwings generates writes Err.Description into the cell,
  where it would count as data. So our functions never raise.
- pywin32 cannot send an error value: whatever number VARIANT(VT_ERROR, number) holds,
  PythonOleArgHelper::MakeObjToVariant in its oleargs.cpp sends "parameter not found". A plain
  int arrives as a Long, and the cell shows -2146826246.
- None arrives as Null, and Excel shows #VALUE!.

Therefore `install` (run `python -m udfs.excel` beside the open workbook) lets xlwings generate its
module and then changes two things in it: a Long that comes back is turned into the error value it
numbers (our numbers are always Doubles), cell by cell, and a failure on the way to Python becomes
#N/A. (tests/test_excel.py runs that VBA in LibreOffice Basic's VBA mode.) A workbook whose
functions were imported with xlwings' own button instead gets Null for an error: still an error in
Excel, never text, but always #VALUE! and possibly for the whole array.
The reason of an error cannot travel in a COM cell; it is logged.
"""

from __future__ import annotations

import datetime
import decimal
import inspect
import logging
import re
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import xlwings as xw
from xlwings.conversion import Converter, RawValueAccessor

from udfs.catalogue import FUNCTIONS
from udfs.client import Client
from udfs.errors import CellError, ModelFailed, ShopsheetError
from udfs.function import ANY, REQUIRED, Function
from udfs.kinds import Cell, Grid, is_range

logger = logging.getLogger("shopsheet.excel")

# Numbers of Excel's error values: XlCVError in Excel's object model.
ERROR_NUMBERS = {
    "#NULL!": 2000,
    "#DIV/0!": 2007,
    "#VALUE!": 2015,
    "#REF!": 2023,
    "#NAME?": 2029,
    "#NUM!": 2036,
    "#N/A": 2042,
}
_ERROR_CODES = {number: code for code, number in ERROR_NUMBERS.items()}
_SCODE_BASE = 0x800A0000 - (1 << 32)  # FACILITY_CONTROL with the severity bit, as a signed 32 bit
_DAY_ZERO = datetime.datetime(1899, 12, 30)
_CODES = "_CODES"  # suffix of the functions that the changed VBA calls


# Cells between COM and Python


def read_cells(value: Any) -> Any:
    """One cell or rows of cells of what Excel passed: errors as CellError, dates as numbers."""
    if isinstance(value, (tuple, list)):
        if not value or not isinstance(value[0], (tuple, list)):  # {"a","b"} arrives as one row
            value = [value]
        return [[_read_cell(cell) for cell in row] for row in value]
    return _read_cell(value)


def _read_cell(value: Any) -> Cell:
    if isinstance(value, decimal.Decimal):  # a cell formatted as currency
        return float(value)
    if isinstance(value, datetime.datetime):  # a cell formatted as a date: its number of days
        return (value.replace(tzinfo=None) - _DAY_ZERO) / datetime.timedelta(days=1)
    # Excel's numbers are floats: an int with the base of error numbers is an error value.
    if type(value) is int and 0 <= value - _SCODE_BASE <= 0xFFFF:
        number = value - _SCODE_BASE
        return CellError(_ERROR_CODES.get(number, "#VALUE!"), f"Excel's error {number} in a cell.")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return CellError("#VALUE!", f"A cell holds a {type(value).__name__}, which cannot be read.")


def error_code(error: CellError) -> int:
    """The int that Excel's VBA knows as this error: CVErr's number in the form of a Long."""
    return _SCODE_BASE + ERROR_NUMBERS.get(error.code, ERROR_NUMBERS["#VALUE!"])


def _write_cell(cell: Cell, error_as: Callable[[CellError], int | None]) -> Any:
    if isinstance(cell, CellError):
        return error_as(cell)
    if cell is None:
        return ""  # None would arrive as Null, which Excel shows as #VALUE!
    return float(cell) if type(cell) is int else cell


class CellsIn(Converter):
    """xlwings converter of arguments. Its own would read an error cell as an empty one."""

    base = RawValueAccessor  # type: ignore[assignment]

    @staticmethod
    def read_value(value: Any, options: Any) -> Any:
        return read_cells(value)


class CellsOut(Converter):
    """xlwings converter of answers for the VBA that xlwings generates: an error is Null."""

    base = RawValueAccessor  # type: ignore[assignment]

    @staticmethod
    def write_value(value: Grid, options: Any) -> list[list[Any]]:
        return [[_write_cell(cell, lambda _: None) for cell in row] for row in value]


class CodesOut(Converter):
    """xlwings converter of answers for the VBA that `install` changed: an error is its code."""

    base = RawValueAccessor  # type: ignore[assignment]

    @staticmethod
    def write_value(value: Grid, options: Any) -> list[list[Any]]:
        return [[_write_cell(cell, error_code) for cell in row] for row in value]


# Calls

_client: Client | None = None
_client_lock = threading.Lock()


def _shared_client() -> Client:
    global _client
    with _client_lock:
        if _client is None:
            _client = Client.from_environment()
        return _client


def compute(function: Function, args: Sequence[Any]) -> Grid:
    """The answer as rows of cells; a call that fails is one cell with its error. Never raises."""
    try:
        used, blank_rows = _without_blank_end(args)
        answer = _shared_client().answers([(function.name, used)])[0]
        if answer.error is not None:
            raise answer.error
        grid: Grid = answer.value if is_range(answer.value) else [[answer.value]]
        if blank_rows:
            shape = function.answer_shape(used)
            if shape is None or shape[0] == ANY:  # it does not follow the data row by row
                return grid
        return grid + [[""] * len(grid[0]) for _ in range(blank_rows)]
    except ShopsheetError as error:
        logger.warning("%s: %s %s", function.underscored, error.cell_error, error.message)
        return [[error.to_cell()]]
    except Exception as error:  # would become text in the cell
        logger.exception("%s failed", function.underscored)
        return [[ModelFailed(f"{type(error).__name__}: {error}").to_cell()]]


def _without_blank_end(args: Sequence[Any]) -> tuple[list[Any], int]:
    """The arguments up to the last row that is not empty, and how many were cut of the data.

    A:A has a million rows. Ranges of one height stay so: they may be columns of one table.
    """
    used: dict[int, int] = {}
    for arg in args:
        if is_range(arg):
            filled = len(arg)
            while filled > 1 and all(cell is None for cell in arg[filled - 1]):
                filled -= 1
            used[len(arg)] = max(filled, used.get(len(arg), 1))
    cut = [arg[: used[len(arg)]] if is_range(arg) else arg for arg in args]
    return cut, len(args[0]) - len(cut[0]) if args and is_range(args[0]) else 0


def _build(function: Function, out: type[Converter]) -> Callable[..., Grid]:
    """The Excel function: named, documented and typed as the catalogue says."""
    signature = inspect.Signature(
        [
            inspect.Parameter(
                arg.name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=inspect.Parameter.empty if arg.default is REQUIRED else arg.default,
            )
            for arg in function.args
        ]
    )

    def call(*args: Any, **named: Any) -> Grid:
        bound = signature.bind(*args, **named)
        bound.apply_defaults()
        return compute(function, list(bound.arguments.values()))

    call.__name__ = call.__qualname__ = function.underscored
    call.__doc__ = function.help()
    call.__annotations__ = {}
    call.__signature__ = signature  # type: ignore[attr-defined]
    built = xw.ret(convert=out)(call)
    for arg in function.args:
        built = xw.arg(arg.name, convert=CellsIn, doc=arg.help)(built)
    # call_in_wizard stays on: the VBA for off leaves a cell 0 that recalculates beside a dialog.
    excel_function: Callable[..., Grid] = xw.func(category="Shopsheet")(built)
    return excel_function


globals().update(
    {function.underscored: _build(function, CellsOut) for function in FUNCTIONS.values()}
)
# Reached by __getattr__ only: xlwings would import every function that it sees in the module.
_with_codes = {
    function.underscored + _CODES: _build(function, CodesOut) for function in FUNCTIONS.values()
}


def __getattr__(name: str) -> Any:
    if name in _with_codes:
        return _with_codes[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# The VBA module

VBA_HELPER = """\
Private Function ShopsheetCells(ByVal answer As Variant) As Variant
    'Our numbers are Doubles: a Long is the number of an error value.
    Dim row As Long, column As Long, columns As Long
    If Not IsArray(answer) Then
        If VarType(answer) = vbLong Then answer = CVErr(answer And 65535)
        ShopsheetCells = answer
        Exit Function
    End If
    columns = -1
    On Error Resume Next 'An answer of one row has one dimension
    columns = UBound(answer, 2)
    On Error GoTo 0
    For row = LBound(answer, 1) To UBound(answer, 1)
        If columns < 0 Then
            If VarType(answer(row)) = vbLong Then answer(row) = CVErr(answer(row) And 65535)
        Else
            For column = LBound(answer, 2) To columns
                If VarType(answer(row, column)) = vbLong Then
                    answer(row, column) = CVErr(answer(row, column) And 65535)
                End If
            Next column
        End If
    Next row
    ShopsheetCells = answer
End Function
"""


def with_error_values(vba: str) -> str:
    """The VBA that xlwings generated, changed line by line so that an error stays an error.

    Raises: ModelFailed if the VBA is not as we know it from xlwings 0.37.
    """
    lines = vba.splitlines()
    call = re.compile(r'(\s*)(SHOP_\w+) = XLPy\.CallUDF\("([\w.]+)", "\2", (.*)\)')
    failure = re.compile(r"(\s*)(SHOP_\w+) = Err\.Description")
    counts = [0, 0]
    for number, line in enumerate(lines):
        if match := call.fullmatch(line):
            indent, name, module, rest = match.groups()
            lines[number] = (
                f'{indent}{name} = ShopsheetCells(XLPy.CallUDF("{module}", "{name}{_CODES}", '
                f"{rest}))"
            )
            counts[0] += 1
        elif match := failure.fullmatch(line):
            lines[number] = f"{match[1]}{match[2]} = CVErr({ERROR_NUMBERS['#N/A']})"
            counts[1] += 1
    if counts != [2 * len(FUNCTIONS), len(FUNCTIONS)]:
        raise ModelFailed(
            f"xlwings {xw.__version__} generated VBA of another form than 0.37 does. "
            "Install xlwings 0.37 and try again."
        )
    return "\n".join(lines)


def install(book: Any) -> list[str]:
    """The functions that are now in this open workbook, by name.

    Raises: ModelFailed if xlwings generates VBA that we do not know.
    """
    from xlwings.udfs import import_udfs

    import_udfs(__spec__.name if __spec__ else "udfs.excel", book.api)
    code = book.api.VBProject.VBComponents("xlwings_udfs").CodeModule
    before = code.Lines(1, code.CountOfLines).splitlines()
    after = with_error_values("\n".join(before)).splitlines()
    # Line by line: a procedure that is replaced whole would lose its help text.
    for number, (old, new) in enumerate(zip(before, after, strict=True), start=1):
        if new != old:
            code.ReplaceLine(number, new)
    code.InsertLines(code.CountOfLines + 1, VBA_HELPER.rstrip("\n").replace("\n", "\r\n"))
    return [function.underscored for function in FUNCTIONS.values()]


def main() -> int:
    """Exit status of `python -m udfs.excel`: puts the functions into Excel's active workbook."""
    if sys.platform != "win32":
        print("error: these functions need Excel on Windows. Elsewhere use the Office add-in or")
        print("LibreOffice: shopsheet addin --help")
        return 1
    try:
        book = xw.books.active
        names = install(book)
    except ShopsheetError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return 1
    except Exception as error:
        print(
            f"error: {error}\nOpen the workbook in Excel; install the xlwings add-in (xlwings "
            "addin install) and set a reference to it in the VBA editor; allow 'Trust access to "
            "the VBA project object model' in Excel's Trust Center.",
            file=sys.stderr,
        )
        return 1
    print(f"{book.name} now has {', '.join(names)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
