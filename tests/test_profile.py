"""PROFILE through the engine, the client and a refreshed workbook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter

from server.engine import Engine
from server.models import intents
from tests.conftest import TOKEN, LiveServer
from tests.tiny_intents import build_tiny_head
from udfs.catalogue import PROFILE, PROFILE_FIELDS
from udfs.client import Client
from udfs.errors import BadInput, CellError, ModelFailed
from udfs.kinds import MAX_TEXT_CHARS
from udfs.refresh import refresh

IDS = ["Ann", "Ann", "Ann", "Bo", None, 7, "Bo ", "Cy"]
TEXTS = [
    "love the battery, great price",
    "great battery",
    "slow delivery",
    "物流太慢",
    "awful",
    "Does the phone fit?",
    CellError("#N/A", ""),
    "😀",
]
DATES = ["2024-05-01", 45430, "2024-05-20", "2024-05-21", 45443, None, "soon", None]
CHANNELS = ["shop", "shop", "social", "service", "shop", None, "shop", 1]
ORDERS = [
    ["id", "date", "amount"],
    ["Ann", "2024-04-01", 40.0],
    ["Ann", "2024-04-11", 25.0],
    ["Ann", "2024-04-21", 25],
    ["Ann", "2024-05-02", "10"],
    ["Ann", "2024-05-03", -10],
    ["Di", "2024-05-10", 5],
    [7, "2024-05-11", 8],
    ["Ann", None, 99],
]


def column(cells: list[Any]) -> list[list[Any]]:
    return [[cell] for cell in cells]


DATA = column(IDS), column(TEXTS), column(DATES), ORDERS, column(CHANNELS)


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, tiny_encoder_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = build_tiny_head(tmp_path / "needs", tiny_encoder_folder)
    monkeypatch.setattr(intents, "SHIPPED", shelf)


def by_id(table: list[list[Any]]) -> dict[str, dict[str, Any]]:
    header, *rows = table
    return {row[0]: dict(zip(header, row, strict=True)) for row in rows}


def test_the_reference_shows_what_the_function_answers(engine: Engine) -> None:
    assert engine.call("PROFILE", *PROFILE.example.args) == PROFILE.example.answer


def test_a_customer_is_a_row_with_what_texts_and_orders_tell(engine: Engine) -> None:
    table = engine.call("PROFILE", *DATA)
    assert table[0] == list(PROFILE_FIELDS)
    found = by_id(table)
    assert list(found) == ["Ann", "Bo", "7", "Cy", "Di"]
    ann = found["Ann"]
    assert ann["interests"].split("; ")[0] == "battery"
    assert ann["needs"] == "faster delivery"
    assert ann["sentiment"] > 0
    assert (ann["purchases"], ann["total"], ann["days since last"]) == (4, 90.0, 19)
    assert (ann["next order"], ann["last seen"]) == ("2024-05-12", "2024-05-20")
    assert (ann["channel"], ann["texts"]) == ("shop", 3)
    assert (ann["sentiment trend"], ann["price sensitivity"]) == ("", "")
    assert found["Bo"]["needs"] == "物流更快"
    assert found["Bo"]["texts"] == 1
    assert found["7"]["total"] == 8.0
    assert found["Di"]["sentiment"] == ""
    assert found["Di"]["last seen"] == "2024-05-10"


def test_where_nothing_is_known_the_cell_is_blank(engine: Engine) -> None:
    table = engine.call("PROFILE", column(["Ann"]), column([None]))
    assert table[1] == ["Ann", *[""] * (len(PROFILE_FIELDS) - 2), 0]
    assert engine.call("PROFILE", column([None]), column(["slow"])) == [list(PROFILE_FIELDS)]


def test_fields_come_in_the_order_that_is_asked_for(engine: Engine) -> None:
    fields = "texts;ID;last seen"
    table = engine.call("PROFILE", *DATA, fields)
    assert table[:2] == [["texts", "ID", "last seen"], [3, "Ann", "2024-05-20"]]
    as_range = engine.call("PROFILE", *DATA, [["texts"], ["id"], ["last seen"]])
    assert as_range[1:] == table[1:]


def test_what_comes_after_as_of_is_not_looked_at(engine: Engine) -> None:
    ann = by_id(engine.call("PROFILE", *DATA, None, "2024-05-01"))["Ann"]
    assert (ann["texts"], ann["purchases"], ann["days since last"]) == (1, 3, 10)
    assert ann["last seen"] == "2024-05-01"


def test_a_trend_needs_dated_texts(engine: Engine) -> None:
    texts = ["bad slow awful"] * 4 + ["great love perfect"] * 4
    days = [45400 + 5 * n for n in range(8)]
    args = column(["a"] * 8), column(texts), column(days), None, None, "sentiment trend"
    assert engine.call("PROFILE", *args) == [["sentiment trend"], ["rising"]]
    falling = column(["a"] * 8), column(texts[::-1]), column(days), None, None, "sentiment trend"
    assert engine.call("PROFILE", *falling)[1] == ["falling"]
    undated = column(["a"] * 8), column(texts), None, None, None, "sentiment trend"
    assert engine.call("PROFILE", *undated)[1] == [""]


def test_price_counts_once_enough_is_said(engine: Engine) -> None:
    texts = ["great price", "good", "good phone", "too expensive", "ok"]
    args = column(["a"] * 5), column(texts), None, None, None, "price sensitivity"
    assert engine.call("PROFILE", *args)[1] == [0.4]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((column(["a", "b"]), column(["x"])), "ids has 2 cells, texts has 1 cells"),
        ((column(["a"]), column(["x"]), column([1, 2])), "dates has 2 cells"),
        (([["a", "b"], ["c", "d"]], column(["x"])), "ids is a range of 2 by 2"),
        ((column(["a"]), column(["x"]), None, [["a", 1]]), "orders is a range of 1 by 2"),
        ((column(["a"]), column(["x"]), None, None, None, "mood"), "fields holds 'mood'"),
        ((column(["a"]), column(["x"]), None, None, None, "id;ID"), "twice"),
        ((column(["a"]), column(["x"]), None, None, None, None, "soon"), "as_of holds 'soon'"),
    ],
)
def test_what_does_not_fit_together_says_so(
    engine: Engine, args: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        engine.call("PROFILE", *args)


def test_the_longest_cell_and_one_that_is_too_long(engine: Engine) -> None:
    longest = ("the battery is good and the delivery was slow. " * 700)[:MAX_TEXT_CHARS]
    texts = column([longest, longest + "x"])
    table = engine.call("PROFILE", column(["a", "a"]), texts, None, None, None, "id;texts")
    assert table[1] == ["a", 1]


def test_without_a_head_the_fields_that_need_none_are_told(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intents, "SHIPPED", intents.HeadShelf(tmp_path / "nowhere"))
    with pytest.raises(ModelFailed, match="holds no head for needs"):
        engine.call("PROFILE", *DATA)
    assert engine.call("PROFILE", *DATA, "id;interests;sentiment")[1][0] == "Ann"


def test_a_text_that_was_read_is_not_read_again(engine: Engine) -> None:
    engine.call("PROFILE", *DATA)
    before = engine.workers["encoder"].stats().items
    engine.call("PROFILE", *DATA, "id;needs")
    assert engine.workers["encoder"].stats().items == before


def test_profiles_travel_over_http(live_server: LiveServer) -> None:
    with Client(live_server.url, TOKEN) as client:
        assert client.call("PROFILE", *DATA)[0] == list(PROFILE_FIELDS)
        with pytest.raises(BadInput, match="ids has 2 cells"):
            client.call("PROFILE", column(["a", "b"]), column(["x"]))


def test_a_workbook_is_refreshed(live_server: LiveServer, tmp_path: Path) -> None:
    path = tmp_path / "profiles.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("Customers")
    sheet.write_column("A1", ["Ann", "Bo"])
    sheet.write_column("B1", ["great battery", "slow delivery"])
    for row, order in enumerate(ORDERS[1:4]):
        sheet.write_row(row, 2, order)
    fields = "id;interests;needs;purchases;texts"
    formula = f'=SHOP.PROFILE(A1:A2,B1:B2,,C1:E3,,"{fields}")'
    sheet.write_dynamic_array_formula("G1", formula, None, "")
    book.close()
    with Client(live_server.url, TOKEN) as client:
        assert not refresh(path, client).errors
    found = openpyxl.load_workbook(path, data_only=True)["Customers"]
    rows = [[cell.value for cell in row] for row in found["G1:K3"]]
    assert rows[0] == fields.split(";")
    assert rows[1][0] == "Ann"
    assert rows[1][3:] == [3, 1]
    assert [rows[2][0], rows[2][2], rows[2][4]] == ["Bo", "faster delivery", 1]
