"""SIMILAR through the engine, the client and a refreshed workbook."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter

from server import cli
from server.capabilities import CAPABILITIES
from server.capabilities.similar import Similar
from server.engine import Engine
from tests.conftest import TOKEN, LiveServer
from udfs.client import Client
from udfs.errors import BadInput, CellError, OutOfRange
from udfs.kinds import MAX_TEXT_CHARS
from udfs.refresh import refresh


def column(cells: list[Any]) -> list[list[Any]]:
    return [[cell] for cell in cells]


TEXTS = column(["phone battery", "slow delivery", None, "great shoes", "Great shoes", 2024])
VALUES = column([1.5, "late", "blank", True, None, CellError("#DIV/0!", "")])


def test_the_very_text_is_found_with_what_stands_beside_it(engine: Engine) -> None:
    for text, value in (("phone battery", 1.5), ("slow delivery", "late"), ("great shoes", True)):
        assert engine.call("SIMILAR", text, TEXTS, VALUES, None, None, 1) is value or value == 1.5
    assert engine.call("SIMILAR", "phone battery", TEXTS, VALUES) == 1.5
    assert engine.call("SIMILAR", "Great shoes", TEXTS) == "Great shoes"
    assert engine.call("SIMILAR", "Great shoes", TEXTS, VALUES) == ""
    assert engine.call("SIMILAR", 2024, TEXTS, VALUES) == CellError("#DIV/0!", "")


def test_case_matters_only_where_there_is_a_choice(engine: Engine) -> None:
    assert engine.call("SIMILAR", "PHONE BATTERY", TEXTS) == "phone battery"
    assert engine.call("SIMILAR", "GREAT SHOES", TEXTS) == "great shoes"


def test_another_text_finds_the_nearest(engine: Engine) -> None:
    found = engine.call("SIMILAR", "the phone battery is", TEXTS, None, None, None, 0)
    assert found == "phone battery"


def test_where_nothing_is_near_it_says_what_is_nearest(engine: Engine) -> None:
    (row,) = engine.call("SIMILAR", [["bad colour"]], TEXTS, None, None, None, 1)
    assert row[0].code == "#N/A"
    assert "below min_score 1" in row[0].message
    assert "the nearest is '" in row[0].message
    for instead in ("none", 0.0, False, ""):
        found = engine.call("SIMILAR", "bad colour", TEXTS, None, instead, None, 1)
        assert (found, type(found)) == (instead, type(instead))
    (row,) = engine.call("SIMILAR", [["x"]], column([None, CellError("#N/A", "")]))
    assert row == [CellError("#N/A", "lookup_array holds no text")]


def test_several_spill_into_columns_the_nearest_first(engine: Engine) -> None:
    found = engine.call("SIMILAR", "great shoes", TEXTS, None, "none", 3, 0)
    assert found[0][:2] == ["great shoes", "Great shoes"]
    assert len(found[0]) == 3
    strict = engine.call("SIMILAR", "great shoes", TEXTS, None, "none", 3, 1)
    assert strict == [["great shoes", "Great shoes", ""]]
    nothing = engine.call("SIMILAR", column(["bad colour", None]), TEXTS, None, "none", 3, 1)
    assert nothing == [["none", "", ""], ["", "", ""]]
    few = engine.call("SIMILAR", "x", column(["a", "b"]), None, None, 4, 0)
    assert [len(row) for row in few] == [4]
    assert sorted(few[0]) == ["", "", "a", "b"]


def test_only_the_bad_cell_errs_and_a_grid_keeps_its_shape(engine: Engine) -> None:
    grid = [["phone battery", None], [CellError("#REF!", ""), "slow delivery"]]
    found = engine.call("SIMILAR", grid, TEXTS)
    assert found == [["phone battery", ""], [CellError("#REF!", ""), "slow delivery"]]
    odd = ["😀", "b" * MAX_TEXT_CHARS, "b" * (MAX_TEXT_CHARS + 1), "phone battery"]
    found = [row[0] for row in engine.call("SIMILAR", column(odd), column(odd), None, "none")]
    assert found[:2] == odd[:2]
    assert found[2].code == "#VALUE!"
    assert found[3] == "phone battery"


def test_a_row_can_be_looked_in_as_well(engine: Engine) -> None:
    names, values = [["phone", "shoes"]], [[1, 2]]
    assert engine.call("SIMILAR", "shoes", names, values) == 2
    assert engine.call("SIMILAR", "shoes", names, column([1, 2])) == 2
    assert engine.call("SIMILAR", "shoes", "shoes", 7) == 7


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        (("x", TEXTS, column([1, 2])), BadInput, "return_array has 2 cells and lookup_array 6"),
        (("x", [["a", "b"], ["c", "d"]]), BadInput, "lookup_array is a range of 2 by 2 cells"),
        (("x", TEXTS, [[1, 2]] * 6), BadInput, "return_array is a range of 6 by 2 cells"),
        (("x", TEXTS, None, None, 0), OutOfRange, "top_n is 0"),
        (("x", TEXTS, None, None, 1.5), BadInput, "top_n is 1.5"),
        (("x", TEXTS, None, None, 1, 2), OutOfRange, "min_score is 2"),
        (("x", TEXTS, None, [["a"], ["b"]]), BadInput, "if_not_found is a range of 2 by 1"),
        (([["a", "b"]], TEXTS, None, None, 2), BadInput, "lookup_text is 2 columns wide"),
        (("x",), BadInput, "lookup_array is missing"),
    ],
)
def test_what_does_not_fit_together_says_so(
    engine: Engine, args: tuple[Any, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        engine.call("SIMILAR", *args)


def test_a_text_finds_the_same_in_any_company(engine: Engine) -> None:
    texts = [f"{word} {n}" for n in range(20) for word in ("slow", "great", "phone", "鞋")]
    look_in = column([f"{n} {word} value" for n in range(50) for word in ("day", "bad", "box")])
    together = engine.call("SIMILAR", column(texts), look_in, None, None, 3, 0)
    alone = [engine.call("SIMILAR", text, look_in, None, None, 3, 0)[0] for text in texts]
    assert alone == together


def test_forgetting_a_column_changes_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = ("SIMILAR", column(["great", "slow phone"]), TEXTS, None, None, 2, 0)
    first = engine.call(*args)
    with monkeypatch.context() as patch:
        patch.setattr("server.capabilities.similar.Lookup", None)  # is not made again
        assert engine.call(*args) == first
    monkeypatch.setitem(CAPABILITIES, "similar", Similar())
    assert engine.call(*args) == first


def test_fifty_thousand_rows_take_less_than_a_second_the_second_time(
    live_server: LiveServer,
) -> None:
    """Client and server together, in seconds of processor: other programs may be busy."""
    look_in = column([f"箱子 box {n}，颜色很好看" for n in range(50_000)])
    with Client(live_server.url, TOKEN, timeout_s=600) as client:
        client.call("SIMILAR", "great phone", look_in, None, None, None, 0)
        started = time.process_time()
        wanted = look_in[49_999][0]
        assert client.call("SIMILAR", wanted, look_in) == wanted
        assert time.process_time() - started < 1.0


def test_lookups_travel_over_http(live_server: LiveServer) -> None:
    with Client(live_server.url, TOKEN) as client:
        assert client.call("SIMILAR", "slow delivery", TEXTS, VALUES) == "late"
        assert client.call("SIMILAR", "bad colour", TEXTS, None, "", 1, 1) == ""
        found = client.call("SIMILAR", "great shoes", TEXTS, None, None, 2, 1)
        assert found == [["great shoes", "Great shoes"]]
        futures = [client.submit("SIMILAR", text, "shoes") for text in ("shoes", "Shoes")]
        assert [future.result(30) for future in futures] == ["shoes", "shoes"]
        spilled = [client.submit("SIMILAR", text, "shoes", None, "", 2) for text in ("shoes", "")]
        assert [future.result(30) for future in spilled] == [[["shoes", ""]], [["", ""]]]


def test_a_workbook_is_refreshed(live_server: LiveServer, tmp_path: Path) -> None:
    path = tmp_path / "lookup.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("Lookup")
    sheet.write_column("A1", ["phone battery", "slow delivery", "great shoes"])
    sheet.write_column("B1", [10, 20, 30])
    sheet.write_column("D1", ["slow delivery", "", "great shoes"])
    sheet.write_dynamic_array_formula("E1", "=SHOP.SIMILAR(D1:D3,A1:A3,B1:B3)", None, "")
    sheet.write_dynamic_array_formula("G1", '=SHOP.SIMILAR(D1:D3,A1:A3,,"none",2,1)', None, "")
    sheet.write_formula("J1", "=SHOP.SIMILAR(D1,A1:A3,B1:B3)*2")
    book.close()
    with Client(live_server.url, TOKEN) as client:
        assert not refresh(path, client).errors
    sheet = openpyxl.load_workbook(path, data_only=True)["Lookup"]
    found = [[cell.value or "" for cell in row] for row in sheet["E1:H3"]]
    assert [row[0] for row in found] == [20, "", 30]
    assert [row[2:] for row in found] == [["slow delivery", ""], ["", ""], ["great shoes", ""]]
    assert sheet["J1"].value == 40


def test_a_file_is_scored_against_a_list(
    live_server: LiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "queries.csv", tmp_path / "found.csv"
    source.write_text("query\nshoes\n", encoding="utf-8")
    arguments = ["score", str(source), "-f", "SIMILAR", "-c", "query", "-o", str(target)]
    assert cli.main([*arguments, "--option", "lookup_array=shoes", "--option", "top_n=2"]) == 0
    lines = target.read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "query,similar_match_1,similar_match_2,similar_error"
    assert lines[1].startswith("shoes,shoes,,")
