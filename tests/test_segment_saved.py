"""SEGMENT with saved cut-points: later customers are judged as those of that time were."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter

from server import cli
from server.engine import Engine
from server.segment_models import load_segments, path_of
from server.settings import Settings
from tests.conftest import TOKEN, LiveServer
from udfs.client import Client
from udfs.errors import BadInput, ModelFailed, OutOfRange
from udfs.refresh import refresh

Line = tuple[str, str, float]

# Ten customers of the third quarter: customer n bought n times, the last time 10 n days ago.
DAY = datetime.date(2024, 9, 30)
Q3: list[Line] = [
    (f"c{n}", str(DAY - datetime.timedelta(days=10 * n + times)), 10.0 * n)
    for n in range(1, 11)
    for times in range(n)
] + [("c0", str(DAY), 5.0)]
# One customer of the next quarter, who alone would be the best and the worst of all.
Q4: list[Line] = [("new", "2024-12-01", 30.0), ("new", "2024-12-11", 30.0), ("x", "2024-12-31", 1)]


def columns(lines: list[Line]) -> list[list[list[Any]]]:
    return [[[cell] for cell in column] for column in zip(*lines, strict=True)]


def write_csv(path: Path, lines: list[Line]) -> Path:
    text = "customer,day,amount\n" + "".join(f"{a},{b},{c}\n" for a, b, c in lines)
    path.write_text(text, encoding="utf-8")
    return path


NAMED = ["--id", "customer", "--date", "day", "--amount", "amount"]


@pytest.fixture
def q3(tmp_path: Path) -> Path:
    path = write_csv(tmp_path / "q3.csv", Q3)
    assert cli.main(["train", "segment", str(path), *NAMED, "--name", "q3"]) == 0
    return path


def by_id(table: list[list[Any]]) -> dict[str, dict[str, Any]]:
    header, *rows = table
    return {row[0]: dict(zip(header, row, strict=True)) for row in rows}


def test_the_same_customers_get_the_same_answer(engine: Engine, q3: Path) -> None:
    assert engine.call("SEGMENT", *columns(Q3), "RFM", "q3") == engine.call("SEGMENT", *columns(Q3))


def test_later_customers_are_judged_by_the_cut_points_of_then(engine: Engine, q3: Path) -> None:
    then = by_id(engine.call("SEGMENT", *columns(Q3)))
    now = by_id(engine.call("SEGMENT", *columns(Q4), "RFM", "q3"))
    # "new" was last seen 20 days ago and bought twice for 60 in all, as c2 did for 40.
    assert now["new"]["days since last"] == then["c2"]["days since last"] == 20
    for measure in ("R", "F", "segment"):
        assert now["new"][measure] == then["c2"][measure]
    assert now["new"]["rule"].split(", ")[:2] == then["c2"]["rule"].split(", ")[:2]
    alone = by_id(engine.call("SEGMENT", *columns(Q4)))
    assert alone["new"]["F"] == 5 != now["new"]["F"]


def test_cut_points_come_from_workbooks_with_their_own_day(
    engine: Engine, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "orders.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("Orders")
    sheet.write_row(0, 0, ["day", "customer", "note", "amount"])
    dated = book.add_format({"num_format": "yyyy-mm-dd"})
    for row, (customer, day, amount) in enumerate(Q3, start=1):
        sheet.write_datetime(row, 0, datetime.datetime.fromisoformat(day), dated)
        sheet.write_row(row, 1, [customer, "", amount])
    sheet.write_row(len(Q3) + 1, 1, ["nobody", "", "free"])
    book.close()
    more = ["--bins", "3", "--as-of", "2024-10-10", "--sheet", "Orders"]
    assert cli.main(["train", "segment", str(path), *NAMED, "--name", "autumn 24", *more]) == 0
    printed = capsys.readouterr().out
    assert "1 lines without id, date or amount are left out" in printed
    assert "Champions: bought in the last" in printed
    saved = load_segments(path_of(settings.home, "autumn 24"))
    assert (saved.as_of, saved.total, saved.scheme.bins) == ("2024-10-10", 11, 3)
    table = engine.call("SEGMENT", *columns(Q3), "RFM", "autumn 24", "2024-10-10")
    assert table == engine.call("SEGMENT", *columns(Q3), "RFM", 3, "2024-10-10")


def test_saving_anew_changes_the_answer(engine: Engine, q3: Path, tmp_path: Path) -> None:
    before = engine.call("SEGMENT", *columns(Q4), "RFM", "q3")
    other = write_csv(tmp_path / "other.csv", Q4)
    assert cli.main(["train", "segment", str(other), *NAMED, "--name", "q3"]) == 0
    assert engine.call("SEGMENT", *columns(Q4), "RFM", "q3") != before


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        (("RFM", "q9"), BadInput, "no saved cut-points 'q9'; saved: q3. Save some with: shopsheet"),
        (("RFM", "../q3"), BadInput, "cannot name saved cut-points"),
        (("CLV", "q3"), BadInput, "bins names the cut-points 'q3', and method \"CLV\" has none"),
        (
            ("RFM", 1),
            OutOfRange,
            "bins is 1; expected a whole number from 2 to 10, or a saved name",
        ),
        (("RFM", "11"), OutOfRange, "bins is 11"),
        (("RFM", 2.5), BadInput, "bins is 2.5"),
        (("RFM", True), BadInput, "bins is True"),
    ],
)
def test_what_cannot_be_used_says_so(
    engine: Engine, q3: Path, args: tuple[Any, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        engine.call("SEGMENT", *columns(Q4), *args)


def test_a_damaged_file_is_told(engine: Engine, settings: Settings, q3: Path) -> None:
    path = path_of(settings.home, "q3")
    whole = path.read_text(encoding="utf-8")
    for text in ("{", "[]", whole.replace('"scores"', '"points"')):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ModelFailed, match=r"cut-points in .*q3\.json cannot be used"):
            engine.call("SEGMENT", *columns(Q4), "RFM", "q3")
    path.write_text(whole.replace('"format_version": 1', '"format_version": 9', 1), "utf-8")
    with pytest.raises(ModelFailed, match="have format 9"):
        engine.call("SEGMENT", *columns(Q4), "RFM", "q3")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("customer,day,amount\n", "holds no row below its headings"),
        ("customer,day,amount\na,31/12/2024,5\n", "1 a date.*'a', '31/12/2024', '5'. Dates are"),
        ("customer,when,amount\na,2024-01-01,5\n", "has no column 'day'"),
        ("customer,day,amount\na,2024-01-01,-5\n", "no purchase|none of them|No customer|bought"),
    ],
)
def test_files_that_cannot_be_used_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: str, message: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(lines, encoding="utf-8")
    assert cli.main(["train", "segment", str(path), *NAMED, "--name", "x"]) == 1
    error = capsys.readouterr().err
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(error)


def test_evaluate_tells_how_later_customers_fall(
    q3: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many = [(f"n{n}", "2024-12-31", 1.0) for n in range(300)]
    later = write_csv(tmp_path / "later.csv", many)
    capsys.readouterr()
    assert cli.main(["evaluate", "segment", str(later), *NAMED, "--name", "q3"]) == 0
    shown = capsys.readouterr().out
    assert "11 customers as of 2024-09-30, 300 as of 2024-12-31" in shown
    assert "| New | 27.3%" in shown  # c0, c1 and c2
    assert "100.0%" in shown
    args = ["evaluate", "segment", str(later), *NAMED, "--name", "q3", "--json"]
    assert cli.main(args) == 0
    rows = {row["segment"]: row for row in json.loads(capsys.readouterr().out)["segments"]}
    assert rows["New"]["verdict"] == "more"
    assert rows["New"]["now"]["share"] == 1
    assert rows["Champions"]["verdict"] == ""


def test_saved_names_travel_over_http_and_through_a_workbook(
    live_server: LiveServer, q3: Path, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("S")
    for row, line in enumerate(Q4):
        sheet.write_row(row, 0, line)
    sheet.write(0, 5, "q3")
    formula = '=SHOP.SEGMENT(A1:A3,B1:B3,C1:C3,"RFM",F1)'
    sheet.write_dynamic_array_formula("H1", formula, None, "")
    book.close()
    with Client(live_server.url, TOKEN) as client:
        table = client.call("SEGMENT", *columns(Q4), "RFM", "q3")
        assert not refresh(path, client).errors
    found = openpyxl.load_workbook(path, data_only=True)["S"]
    assert [[cell.value for cell in row] for row in found["H1:P3"]] == table
