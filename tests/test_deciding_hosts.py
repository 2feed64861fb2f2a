"""EVAL, MODEL_INFO, LIFT_TEST and DRIVERS in a refreshed workbook, Calc and the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from openpyxl.worksheet.formula import ArrayFormula

from server import cli
from tests.conftest import TOKEN, LiveServer
from tests.test_addin_libreoffice import Calc, installed_office
from udfs.client import Client
from udfs.refresh import refresh

__all__ = ["installed_office"]  # a fixture

HEADINGS = ["bought", "arm", "country", "predicted"]
ROWS = [
    [int(n % 3 == 0 or (n % 2 == 0 and n < 60)), "new" if n % 2 == 0 else "control",
     "de" if n < 60 else "fr", round((n * 37 % 100) / 100, 2)]
    for n in range(120)
]  # fmt: skip
FORMULAS = {
    "F1": "=SHOP.EVAL(D1:D130,A1:A130)",
    "P1": "=SHOP.LIFT_TEST(A1:A130,B1:B130,C1:C130)",
    "AE1": "=SHOP.DRIVERS(A1:A130,B1:C130,5)",
    "AR1": "=SHOP.MODEL_INFO()",
    "BB1": '=SHOP.MODEL_INFO("customers")',
}


def expected(client: Client) -> dict[str, list[list[Any]]]:
    grid: list[list[Any]] = [HEADINGS, *ROWS, *[[None] * 4] * 9]

    def columns(*numbers: int) -> list[list[Any]]:
        return [[row[number] for number in numbers] for row in grid]

    return {
        "F1": client.call("EVAL", columns(3), columns(0)),
        "P1": client.call("LIFT_TEST", columns(0), columns(1), columns(2)),
        "AE1": client.call("DRIVERS", columns(0), columns(1, 2), 5),
        "AR1": client.call("MODEL_INFO"),
        "BB1": client.call("MODEL_INFO", "customers"),
    }


def area(sheet: Any, corner: str, table: list[list[Any]]) -> Any:
    first = sheet[corner]
    return sheet.iter_rows(
        first.row, first.row + len(table) - 1, first.column, first.column + len(table[0]) - 1
    )


def test_a_refreshed_workbook_holds_the_tables(live_server: LiveServer, tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("Data")
    for number, row in enumerate([HEADINGS, *ROWS]):
        sheet.write_row(number, 0, row)
    for corner, formula in FORMULAS.items():
        sheet.write_dynamic_array_formula(corner, formula, None, "")
    book.close()
    with Client(live_server.url, TOKEN) as client:
        assert not refresh(path, client).errors
        wanted = expected(client)
    shown = openpyxl.load_workbook(path, data_only=True)["Data"]
    for corner, table in wanted.items():
        found = [[cell.value for cell in row] for row in area(shown, corner, table)]
        assert found == [[None if cell == "" else cell for cell in row] for row in table], corner
    assert wanted["F1"][1][3] == 120  # the blank rows below the data are no rows
    assert "fits a planned 50 : 50" in str(wanted["P1"])


def test_calc_shows_the_tables(
    installed_office: Any, live_server: LiveServer, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    with Client(live_server.url, TOKEN) as client:
        wanted = expected(client)
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in [HEADINGS, *ROWS]:
        sheet.append(row)
    cells = {corner: list(area(sheet, corner, table)) for corner, table in wanted.items()}
    for corner, formula in FORMULAS.items():
        end = cells[corner][-1][-1].coordinate
        sheet[corner] = ArrayFormula(f"{corner}:{end}", formula)
    book.save(path)
    calc = Calc(installed_office, tmp_path)
    addresses = [cell.coordinate for rows in cells.values() for row in rows for cell in row]
    found = calc.run(["open", str(path)], ["recalculate"], ["read", addresses])[1]
    flat = [cell for table in wanted.values() for row in table for cell in row]
    assert found == [
        ["text", cell] if isinstance(cell, str) else ["number", pytest.approx(cell)]
        for cell in flat
    ]


def test_the_command_line_prints_a_table(
    live_server: LiveServer, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = json.dumps([["good"], ["bad"]]), json.dumps([["good"], ["good"]])
    assert cli.main(["call", "EVAL", *labels, "--json"]) == 0
    table = json.loads(capsys.readouterr().out)["value"]
    assert table[3][:4] == ["accuracy", "", "", 0.5]
    assert cli.main(["call", "MODEL_INFO"]) == 0
    assert "customers" in capsys.readouterr().out
