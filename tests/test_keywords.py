"""KEYWORDS through the engine, the client, a refreshed workbook and the scoring of a file."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter

from server.engine import Engine
from server.scoring import result_columns
from tests.conftest import TOKEN, LiveServer
from udfs import catalogue
from udfs.catalogue import KEYWORDS
from udfs.client import Client
from udfs.errors import BadInput, CellError, OutOfRange
from udfs.function import ANY, Function, Numbered, Spill
from udfs.function_check import check
from udfs.refresh import refresh

HEADER = ["phrase", "score", "documents", "share", "example row"]
TEXTS = [
    "The battery life is short",
    "Battery life could be better, but the screen is sharp",
    None,
    "物流速度很快，包装完好",
    CellError("#REF!"),
    "包装破损",
    "😀",
    42,
]


def column(cells: list[Any]) -> list[list[Any]]:
    return [[cell] for cell in cells]


def test_the_reference_shows_what_the_function_answers(engine: Engine) -> None:
    assert engine.call("KEYWORDS", *KEYWORDS.example.args) == KEYWORDS.example.answer


def test_each_text_spills_into_as_many_columns_as_asked(engine: Engine) -> None:
    rows = engine.call("KEYWORDS", column(TEXTS), 3)
    assert [len(row) for row in rows] == [3] * len(TEXTS)
    assert rows[0] == ["battery life", "short", ""]
    assert rows[1][:2] == ["battery life", "screen"]
    assert rows[2] == ["", "", ""]
    assert set(rows[3]) == {"物流速度", "包装", "完好"}
    assert rows[4] == [CellError("#REF!")] * 3
    assert rows[6] == rows[7] == ["", "", ""]
    assert [len(row) for row in engine.call("KEYWORDS", column(TEXTS))] == [5] * len(TEXTS)
    assert engine.call("KEYWORDS", "battery life", 1) == [["battery life"]]


def test_a_range_gives_a_table(engine: Engine) -> None:
    header, *rows = engine.call("KEYWORDS", column(TEXTS), 20, "range")
    assert header == HEADER
    by_phrase = {row[0]: row for row in rows}
    # Of eight cells one is empty and one an error.
    assert by_phrase["battery life"][2:] == [2, pytest.approx(2 / 6, abs=1e-4), 2]
    assert by_phrase["包装"][2:] == [2, pytest.approx(2 / 6, abs=1e-4), 4]
    scores = [row[1] for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) > 0
    assert engine.call("KEYWORDS", column(TEXTS), 1, "range") == [HEADER, rows[0]]


def test_rows_are_counted_in_a_range_of_several_columns(engine: Engine) -> None:
    grid = [["nothing", None], [None, "the strap broke"]]
    (strap,) = [r for r in engine.call("KEYWORDS", grid, 5, "range") if r[0] == "strap"]
    assert strap[2:] == [1, 0.5, 2]


def test_a_range_without_phrases_is_a_header(engine: Engine) -> None:
    assert engine.call("KEYWORDS", column([None, "😀", CellError("#N/A")]), 5, "range") == [HEADER]


@pytest.mark.parametrize(
    "stops", ["battery;包装", [["Battery"], ["包装"]], [["batteries", "包装"]]]
)
def test_stop_words_come_as_a_list_or_a_range(engine: Engine, stops: Any) -> None:
    rows = engine.call("KEYWORDS", column(TEXTS), 20, "range", stops)
    phrases = [row[0] for row in rows[1:]]
    assert "包装" not in phrases
    assert not any("battery" in phrase for phrase in phrases)
    assert "screen" in phrases


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        (("a", 0), OutOfRange, "top_n is 0"),
        (("a", 2.5), BadInput, "top_n is 2.5"),
        (("a", 5, "sheet"), BadInput, '"cell" or "range"'),
        (([["a", "b"]],), BadInput, 'text is 2 columns wide; with scope="cell"'),
        (("a", 5, "cell", CellError("#REF!")), BadInput, "stop_words is the error #REF!"),
    ],
)
def test_arguments_that_do_not_fit_say_why(
    engine: Engine, args: tuple[Any, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        engine.call("KEYWORDS", *args)


def test_the_shape_of_the_answer_follows_the_arguments() -> None:
    assert KEYWORDS.answer_shape([column(["a", "b"]), 3]) == (2, 3)
    assert KEYWORDS.answer_shape(["a"]) == (1, 5)
    assert KEYWORDS.answer_shape([column(["a", "b"]), 3, "range"]) == (ANY, 5)


def test_every_scope_and_stop_word_is_served_by_one_run(engine: Engine) -> None:
    engine.wait_ready(20)
    first = engine.call("KEYWORDS", column(TEXTS))
    before = engine.workers["text"].stats().items
    assert engine.call("KEYWORDS", column(TEXTS)) == first
    engine.call("KEYWORDS", column(TEXTS), 9, "range", "screen")
    assert engine.workers["text"].stats().items == before


def test_thousands_of_reviews_take_seconds(engine: Engine) -> None:
    draw = random.Random(5)
    things = ["battery life", "screen", "side seam", "strap", "物流速度", "包装", "客服态度"]
    texts = [
        f"I bought number {n}. The {draw.choice(things)} was fine, "
        f"yet the {draw.choice(things)} broke after {draw.randrange(9)} weeks of daily use."
        for n in range(5000)
    ]
    engine.call("KEYWORDS", "warm")
    started = time.monotonic()
    table = engine.call("KEYWORDS", column(texts), 9, "range")
    assert time.monotonic() - started < 10
    assert {row[0] for row in table[1:]} >= {"battery life", "side seam", "物流速度"}


# The hosts


def test_columns_and_tables_travel_over_http(live_server: LiveServer) -> None:
    with Client(live_server.url, TOKEN) as client:
        cells = [client.submit("KEYWORDS", text, 2) for text in ("battery life", "the side seam")]
        tables = [client.submit("KEYWORDS", text, 2, "range") for text in ("a strap", "a zip")]
        assert [cell.result(60) for cell in cells] == [[["battery life", ""]], [["side seam", ""]]]
        assert [table.result(60)[1][0] for table in tables] == ["strap", "zip"]


def test_a_refreshed_workbook_shows_both(live_server: LiveServer, tmp_path: Path) -> None:
    path = tmp_path / "reviews.xlsx"
    texts = ["The battery life is short", "battery life and screen", "", "物流速度很快"]
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("Reviews")
    sheet.write_column(0, 0, texts)
    sheet.write_dynamic_array_formula("C1", "=SHOP.KEYWORDS(A1:A4,2)", None, "")
    sheet.write_dynamic_array_formula(
        "F1", '=SHOP.KEYWORDS(A1:A4,5,"range","screen;short")', None, ""
    )
    book.close()
    with Client(live_server.url, TOKEN) as client:
        assert not refresh(path, client).errors
    shown = openpyxl.load_workbook(path, data_only=True)["Reviews"]
    cells = [[cell.value or "" for cell in row] for row in shown["C1:D4"]]
    assert cells == [
        ["battery life", "short"],
        ["battery life", "screen"],
        ["", ""],
        ["物流速度", ""],
    ]
    assert [cell.value for cell in shown["F1:J1"][0]] == HEADER
    assert [(row[0].value, row[2].value) for row in shown["F2:J3"]] == [
        ("battery life", 2),
        ("物流速度", 1),
    ]
    assert shown["F4"].value is None


def test_a_scored_file_gets_a_column_per_phrase() -> None:
    assert result_columns(KEYWORDS, {"top_n": 2}) == [
        "keywords_phrase_1",
        "keywords_phrase_2",
        "keywords_error",
    ]
    with pytest.raises(BadInput, match="reads whole columns"):
        result_columns(KEYWORDS, {"scope": "range"})


# What a declaration may say


def test_columns_are_counted_by_a_whole_number_and_tables_by_a_choice() -> None:
    def changed(spills: Spill) -> Function:
        return replace(KEYWORDS, spills=spills)

    check([KEYWORDS])
    for count in ("scope", "missing"):
        with pytest.raises(ValueError, match="no whole number from 1"):
            check([changed(Spill(columns={"": Numbered("phrase", count)}))])
    with pytest.raises(ValueError, match="cannot be chosen"):
        check([changed(replace(KEYWORDS.spills, table=("sheet",)))])


def test_the_catalogue_and_the_reference_name_both_answers() -> None:
    shown = KEYWORDS.to_json()
    assert shown["table"] == ("range",)
    assert shown["columns"] == {"cell": {"name": "phrase", "count": "top_n"}, "range": HEADER}
    reference = (Path(catalogue.__file__).parent / "REFERENCE.md").read_text(encoding="utf-8")
    section = reference.split("## SHOP.KEYWORDS")[1].split("\n## ")[0]
    assert 'With `scope` = "cell" each row grows into as many columns as `top_n` says' in section
    assert '**Table.** With `scope` = "range" the columns are phrase, score' in section
