"""Recalculates workbooks in a LibreOffice without windows: `PYTHON_WITH_UNO this_file`.

Reads {"soffice", "profile", "environment", "steps"} as JSON from standard input. A step is
["open", PATH], ["recalculate"], ["read", [CELL, ...]], ["write", CELL, TEXT], ["save", PATH,
FILTER] or ["close"]. Prints what each "read" and "recalculate" gave as one JSON list: cells as
["text", "..."], ["number", 1.5], ["error", "#N/A"] or ["empty"], a recalculation as its seconds.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import uno  # makes the modules below importable
from com.sun.star.beans import PropertyValue
from com.sun.star.table.CellContentType import EMPTY

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from addin.libreoffice.headless import running_office

TEXT = uno.getConstantByName("com.sun.star.sheet.FormulaResult.STRING")


def prop(name: str, value: Any) -> Any:
    return PropertyValue(Name=name, Value=value)


def cell_of(document: Any, address: str) -> Any:
    sheet, _, cell = address.rpartition("!")
    sheets = document.Sheets
    return (sheets.getByName(sheet) if sheet else sheets.getByIndex(0)).getCellRangeByName(cell)


def content(cell: Any) -> list[Any]:
    if cell.getError():
        return ["error", cell.getString()]
    if cell.getType() == EMPTY:
        return ["empty"]
    if cell.FormulaResultType2 == TEXT or not (cell.getFormula() or "").startswith(("=", "{")):
        is_number = cell.getType().value == "VALUE"
        return ["number", cell.getValue()] if is_number else ["text", cell.getString()]
    return ["number", cell.getValue()]


def run(context: Any, steps: list[list[Any]]) -> list[Any]:
    desktop = context.ServiceManager.createInstanceWithContext(
        "com.sun.star.frame.Desktop", context
    )
    document: Any = None
    results: list[Any] = []
    for action, *arguments in steps:
        if action == "open":
            url = Path(arguments[0]).as_uri()
            document = desktop.loadComponentFromURL(url, "_blank", 0, (prop("Hidden", True),))
        elif action == "recalculate":
            started = time.monotonic()
            document.calculateAll()
            results.append(time.monotonic() - started)
        elif action == "read":
            results.append([content(cell_of(document, address)) for address in arguments[0]])
        elif action == "write":
            cell_of(document, arguments[0]).setString(arguments[1])
        elif action == "save":
            url = Path(arguments[0]).as_uri()
            document.storeToURL(url, (prop("FilterName", arguments[1]),))
        elif action == "close":
            document.close(True)
        else:
            raise ValueError(action)
    return results


def main() -> None:
    task = json.load(sys.stdin)
    with running_office(task["soffice"], task["profile"], task["environment"]) as context:
        print(json.dumps(run(context, task["steps"])))


if __name__ == "__main__":
    main()
