"""Runs xlwings' own Windows code on any system: COM is a stand-in, xlwings and we are real.

Run in a process of its own (it fills sys.modules): `python excel_on_linux.py vba FILE` writes the
VBA module that ends up in the workbook; `... call` reads calls as JSON from standard input and
writes what Excel would be given.
"""

from __future__ import annotations

import asyncio
import decimal
import json
import sys
import types
from pathlib import Path
from typing import Any

ENGINE = types.SimpleNamespace(name="excel", type="desktop")
MISSING = -2147352572  # what COM passes for an argument that was left out


class ComError(Exception):
    """pywintypes.com_error."""


class ExcelRange:
    """What a UDF gets for a reference: an object with a Value."""

    def __init__(self, value: Any) -> None:
        self.Value = value


class WrappedRange:
    """xlwings._xlwindows.Range, as far as a UDF with `raw` arguments uses it."""

    max_cells_per_read = None

    def __init__(self, xl: Any) -> None:
        self.xl = xl
        app = types.SimpleNamespace(engine=ENGINE, pid=1)
        self.sheet = types.SimpleNamespace(book=types.SimpleNamespace(app=app))

    @property
    def raw_value(self) -> Any:
        return self.xl.Value


def install_stand_ins() -> None:
    """Nothing; afterwards xlwings.udfs and xlwings.com_server can be imported."""

    def module(name: str, **members: Any) -> types.ModuleType:
        made = types.ModuleType(name)
        made.__dict__.update(members)
        sys.modules[name] = made
        return made

    module("pythoncom", CoInitialize=lambda: None, IID_IDispatch=None)
    module("pywintypes", com_error=ComError, IID=str)
    client = module("win32com.client", Dispatch=lambda com: com)
    module("win32com", client=client)

    import xlwings

    windows = module(
        "xlwings._xlwindows",
        Range=WrappedRange,
        is_range_instance=lambda value: isinstance(value, ExcelRange),
        BOOK_CALLER=None,
    )
    xlwings._xlwindows = windows  # type: ignore[attr-defined]
    xlwings.engines.add(xlwings.Engine(ENGINE))
    # The Windows branch of xlwings/__init__.py
    from xlwings import udfs

    xlwings.func, xlwings.arg, xlwings.ret = udfs.xlfunc, udfs.xlarg, udfs.xlret
    module("xlwings.com_server", loop=asyncio.new_event_loop())


# The VBA module


class CodeModule:
    """The code of one VBA component: 1-based lines without the Attribute header."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    @property
    def CountOfLines(self) -> int:
        return len(self.lines)

    def Lines(self, first: int, count: int) -> str:
        return "\r\n".join(self.lines[first - 1 : first - 1 + count])

    def ReplaceLine(self, number: int, text: str) -> None:
        assert "\n" not in text
        self.lines[number - 1] = text

    def InsertLines(self, number: int, text: str) -> None:
        self.lines[number - 1 : number - 1] = text.split("\r\n")


class Components:
    def __init__(self) -> None:
        self.modules: dict[str, CodeModule] = {}

    def __call__(self, name: str) -> Any:
        if name not in self.modules:
            raise ComError(name)
        return types.SimpleNamespace(CodeModule=self.modules[name])

    def Remove(self, component: Any) -> None:
        raise ComError("nothing to remove")

    def Import(self, path: str) -> None:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        assert lines[0] == 'Attribute VB_Name = "xlwings_udfs"'
        self.modules["xlwings_udfs"] = CodeModule(lines[1:])


class Application:
    Version = "16.0"

    def __init__(self) -> None:
        self.options: list[dict[str, Any]] = []

    def MacroOptions(self, macro: str, **options: Any) -> None:
        self.options.append({"macro": macro, **options})


class Workbook:
    Name = "Reviews.xlsm"
    sheets: tuple[()] = ()

    def __init__(self) -> None:
        components = Components()
        self.VBProject = types.SimpleNamespace(VBComponents=components)
        self.Application = Application()


def write_vba(path: Path) -> None:
    import xlwings.udfs

    from udfs import excel

    xlwings.udfs.Book = lambda impl: types.SimpleNamespace(sheets=())
    sys.modules["xlwings._xlwindows"].Book = lambda xl: xl  # type: ignore[attr-defined]
    api = Workbook()
    names = excel.install(types.SimpleNamespace(api=api, name=api.Name))
    code = api.VBProject.VBComponents.modules["xlwings_udfs"]
    path.write_text("\n".join(code.lines) + "\n", encoding="utf-8")
    print(json.dumps({"names": names, "options": api.Application.options}))


# Calls


def from_json(value: Any) -> Any:
    """An argument as COM passes it: {"range": ...} is a reference, {"money": "1.5"} a currency."""
    if isinstance(value, dict) and "range" in value:
        return ExcelRange(from_json(value["range"]))
    if isinstance(value, dict) and "money" in value:
        return decimal.Decimal(value["money"])
    if value == "missing":
        return MISSING
    return tuple(from_json(item) for item in value) if isinstance(value, list) else value


def run_calls() -> None:
    from xlwings.udfs import call_udf

    caller = ExcelRange(None)
    results = []
    for name, args in json.load(sys.stdin):
        com_args = tuple(from_json(arg) for arg in args)
        results.append(call_udf("udfs.excel", name, com_args, None, caller))
    print(json.dumps(results))


if __name__ == "__main__":
    install_stand_ins()
    if sys.argv[1] == "vba":
        write_vba(Path(sys.argv[2]))
    else:
        run_calls()
