"""Runs the VBA of the Excel functions in LibreOffice Basic: `PYTHON_WITH_UNO this_file HELPER`.

HELPER is a file with the VBA; what its ShopsheetCells makes of several answers is printed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uno
from com.sun.star.beans import PropertyValue
from com.sun.star.connection import NoConnectException

REPORT = """
Function Show(cell) As String
    If IsError(cell) Then Show = CStr(cell) Else Show = VarType(cell) & " " & CStr(cell)
End Function

Function Report() As String
    Dim table(0 To 1, 0 To 2) As Variant, line(0 To 1) As Variant, answer As Variant
    Dim text As String, row As Integer, column As Integer
    table(0, 0) = "x"
    table(0, 1) = 0.5
    table(0, 2) = CLng(-2146826246)
    table(1, 0) = CLng(-2146826273)
    table(1, 1) = True
    table(1, 2) = ""
    answer = ShopsheetCells(table)
    For row = 0 To 1
        For column = 0 To 2
            text = text & Show(answer(row, column)) & ";"
        Next column
    Next row
    line(0) = CLng(-2146826252)
    line(1) = "t"
    answer = ShopsheetCells(line)
    text = text & Show(answer(0)) & ";" & Show(answer(1)) & ";"
    Report = text & Show(ShopsheetCells(CLng(-2146826246))) & ";" & Show(ShopsheetCells("one"))
End Function
"""


def run(helper: str, pipe: str) -> str:
    """The report that LibreOffice, listening on `pipe`, computes."""
    local = uno.getComponentContext()
    resolver = local.ServiceManager.createInstanceWithContext(
        "com.sun.star.bridge.UnoUrlResolver", local
    )
    deadline = time.monotonic() + 90
    while True:
        try:
            office = resolver.resolve(f"uno:pipe,name={pipe};urp;StarOffice.ComponentContext")
            break
        except NoConnectException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)
    desktop = office.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", office)
    hidden = PropertyValue(Name="Hidden", Value=True)
    macros = PropertyValue(Name="MacroExecutionMode", Value=4)  # always, without a question
    document = desktop.loadComponentFromURL("private:factory/scalc", "_blank", 0, (hidden, macros))
    libraries = document.BasicLibraries
    libraries.VBACompatibilityMode = True
    if not libraries.hasByName("Standard"):
        libraries.createLibrary("Standard")
    # In Basic a private function cannot be called from another module; here it is one module.
    libraries.getByName("Standard").insertByName(
        "Module1", "Option VBASupport 1\n" + helper + REPORT
    )
    script = document.getScriptProvider().getScript(
        "vnd.sun.star.script:Standard.Module1.Report?language=Basic&location=document"
    )
    report, _, _ = script.invoke((), (), ())
    document.close(True)
    return str(report)


def main() -> None:
    helper = Path(sys.argv[1]).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        pipe = f"shopsheet{os.getpid()}"
        office = subprocess.Popen(
            [
                "soffice",
                f"-env:UserInstallation={Path(home, 'profile').as_uri()}",
                "--headless",
                "--norestore",
                f"--accept=pipe,name={pipe};urp;",
            ],
            env={"PATH": "/usr/bin:/bin", "HOME": home},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            print(run(helper, pipe))
        finally:
            os.killpg(office.pid, signal.SIGKILL)
            office.wait()


if __name__ == "__main__":
    main()
