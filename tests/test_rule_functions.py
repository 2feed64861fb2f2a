"""CLEAN and SEGMENT through the engine, the client, a refreshed workbook and Calc."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from openpyxl.worksheet.formula import ArrayFormula

from server import cli
from server.engine import Engine
from tests.conftest import TOKEN, LiveServer
from tests.test_addin_libreoffice import Calc, installed_office
from udfs.catalogue import CLEAN, SEGMENT
from udfs.client import Client
from udfs.errors import BadInput, CellError, OutOfRange
from udfs.function import Function
from udfs.refresh import refresh

__all__ = ["installed_office"]  # a fixture

IDS = ["Ann", "Ann", "Bo", "Cy", None, "Bo"]
DATES = [45443, "2024-06-10", 45292.5, "2023年12月31日", 45443, "no date"]
AMOUNTS = [40.0, 25.0, "10", 5.0, 99.0, 1.0]


def column(cells: list[Any]) -> list[list[Any]]:
    return [[cell] for cell in cells]


ORDERS = column(IDS), column(DATES), column(AMOUNTS)


def orders(customers: int, seed: int = 1) -> tuple[list[Any], list[Any], list[Any]]:
    draw = random.Random(seed)
    rows = [
        (f"c{number}", 45000 + draw.randrange(400), round(draw.expovariate(1 / 40), 2) + 1)
        for number in range(customers)
        for _ in range(draw.choice([1, 1, 1, 2, 3, 6]))
    ]
    return tuple(column(list(part)) for part in zip(*rows, strict=True))  # type: ignore[return-value]


@pytest.mark.parametrize("function", [CLEAN, SEGMENT], ids=lambda function: function.name)
def test_the_reference_shows_what_the_function_answers(function: Function, engine: Engine) -> None:
    assert engine.call(function.name, *function.example.args) == function.example.answer


# CLEAN


def test_a_column_is_cleaned_cell_by_cell(engine: Engine) -> None:
    cells = ["<b>好评</b>&amp;推荐", None, CellError("#REF!", ""), 5, "  "]
    cleaned = engine.call("CLEAN", column(cells))
    assert cleaned == [["好评&推荐"], [""], [CellError("#REF!", "")], ["5"], [""]]
    words = engine.call("CLEAN", "The delivery was NOT fast, and the box was broken", "words")
    assert words.split()[:1] == ["delivery"]
    assert "not" in words.split()
    assert "the" not in words.split()
    assert "不" in engine.call("CLEAN", "物流不快，但是质量很好", "words")


def test_both_outputs_come_from_one_run(engine: Engine) -> None:
    worker = engine.workers["text"]
    engine.wait_ready(20)
    engine.call("CLEAN", column(["one text", "another text"]))
    before = worker.stats().items
    engine.call("CLEAN", column(["one text", "another text"]), "words")
    assert worker.stats().items == before


# SEGMENT


def test_a_customer_is_a_row_and_an_unusable_line_is_left_out(engine: Engine) -> None:
    header, *rows = engine.call("SEGMENT", *ORDERS)
    assert header == list(SEGMENT.spills.columns["RFM"])
    by_id = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    assert list(by_id) == ["Ann", "Bo", "Cy"]
    assert (by_id["Ann"]["purchases"], by_id["Ann"]["total"]) == (2, 65.0)
    assert by_id["Ann"]["days since last"] == 0
    assert (by_id["Bo"]["purchases"], by_id["Bo"]["total"]) == (1, 10.0)
    assert by_id["Cy"]["days since last"] == 162
    assert by_id["Ann"]["R"] > by_id["Cy"]["R"]


def test_recency_counts_from_the_day_that_is_asked_for(engine: Engine) -> None:
    header, *rows = engine.call("SEGMENT", *ORDERS, "RFM", 3, "2024-06-20")
    since = {row[0]: row[header.index("days since last")] for row in rows}
    assert since == {"Ann": 10, "Bo": 171, "Cy": 172}
    assert max(row[header.index("M")] for row in rows) == 3


def test_expected_value_needs_customers_who_came_back(engine: Engine) -> None:
    with pytest.raises(OutOfRange, match=r"repeat|again|more"):
        engine.call("SEGMENT", *ORDERS, "CLV")
    header, *rows = engine.call("SEGMENT", *orders(300), "CLV")
    assert header == list(SEGMENT.spills.columns["CLV"])
    chances = [row[header.index("probability active")] for row in rows]
    assert all(0 <= chance <= 1 for chance in chances)
    expected = [row[header.index("expected orders")] for row in rows]
    assert sum(expected) > 0
    assert min(expected) >= 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((column(["a", "b"]), column([45000]), column([1.0, 2.0])), "dates has 1 cells"),
        (([["a", "b"], ["c", "d"]], column([45000]), column([1])), "ids is a range of 2 by 2"),
        ((column([None]), column([45000]), column([1])), "None of the 1 order lines"),
        ((column(["a"]), column([45000]), column([-1])), "no purchase"),
        ((column(["a"]), column([45000]), column([1]), "RFM", 1), "bins is 1"),
        ((column(["a"]), column([45000]), column([1]), "ABC"), '"RFM" or "CLV"'),
        ((column(["a"]), column([45000]), column([1]), "RFM", 5, "soon"), "as_of holds 'soon'"),
    ],
)
def test_orders_that_cannot_be_used_say_why(
    engine: Engine, args: tuple[Any, ...], message: str
) -> None:
    with pytest.raises((BadInput, OutOfRange), match=message):
        engine.call("SEGMENT", *args)


def test_a_table_is_kept_and_shared(engine: Engine) -> None:
    worker = engine.workers["customers"]
    engine.wait_ready(20)
    first = engine.call("SEGMENT", *ORDERS)
    before = worker.stats().items
    assert engine.call("SEGMENT", *ORDERS) == first
    assert worker.stats().items == before


def test_a_hundred_thousand_lines_take_seconds(engine: Engine) -> None:
    lines = orders(45_000)
    assert len(lines[0]) > 100_000
    started = time.monotonic()
    table = engine.call("SEGMENT", *lines)
    assert time.monotonic() - started < 20
    assert len(table) == 45_001


# The hosts


def test_a_table_travels_over_http(live_server: LiveServer) -> None:
    with Client(live_server.url, TOKEN) as client:
        table = client.call("SEGMENT", *ORDERS)
        assert table[0] == list(SEGMENT.spills.columns["RFM"])
        assert [row[0] for row in table[1:]] == ["Ann", "Bo", "Cy"]
        with pytest.raises(BadInput, match="dates has 1 cells"):
            client.call("SEGMENT", column(["a", "b"]), 45000, column([1.0, 2.0]))
        assert client.call("CLEAN", "<p>good</p>") == "good"


def test_a_refreshed_table_grows_and_shrinks(live_server: LiveServer, tmp_path: Path) -> None:
    path = tmp_path / "orders.xlsx"

    def write(lines: int) -> None:
        book = xlsxwriter.Workbook(path)
        sheet = book.add_worksheet("Orders")
        for row in range(lines):
            sheet.write_row(row, 0, [IDS[row] or "", 45000 + row, 10.0 * (row + 1)])
        sheet.write_dynamic_array_formula("F1", "=SHOP.SEGMENT(A1:A9,B1:B9,C1:C9)", None, "")
        book.close()

    with Client(live_server.url, TOKEN) as client:
        write(4)
        assert not refresh(path, client).errors
        sheet = openpyxl.load_workbook(path, data_only=True)["Orders"]
        expected = client.call(
            "SEGMENT", column(IDS[:4]), column([45000 + n for n in range(4)]),
            column([10.0, 20.0, 30.0, 40.0]),
        )  # fmt: skip
    found = [[cell.value for cell in row] for row in sheet["F1:N4"]]
    assert found == expected
    assert sheet["F5"].value is None


def test_score_sends_a_table_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "orders.csv"
    source.write_text("id\na\n", encoding="utf-8")
    arguments = ["score", str(source), "-f", "SEGMENT", "-c", "id", "-o", str(tmp_path / "o.csv")]
    assert cli.main(arguments) != 0
    assert "SEGMENT reads whole columns" in capsys.readouterr().err


def test_calc_shows_tables_and_clean_text(
    installed_office: Any, live_server: LiveServer, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row, line in enumerate(zip(IDS, DATES, AMOUNTS, strict=True), start=1):
        for col, cell in enumerate(line, start=1):
            sheet.cell(row, col, cell)
    sheet["E1"] = ArrayFormula("E1:M4", "=SHOP.SEGMENT(A1:A6,B1:B6,C1:C6)")
    sheet["O1"] = '=SHOP.CLEAN("<p>good</p>")'
    book.save(path)
    with Client(live_server.url, TOKEN) as client:
        table = client.call("SEGMENT", *ORDERS)
    addresses = [cell.coordinate for row in sheet["E1:M4"] for cell in row]
    calc = Calc(installed_office, tmp_path)
    found = calc.run(["open", str(path)], ["recalculate"], ["read", [*addresses, "O1"]])[1]
    expected = [
        ["text", cell] if isinstance(cell, str) else ["number", pytest.approx(cell)]
        for row in table
        for cell in row
    ]
    assert found == [*expected, ["text", "good"]]
