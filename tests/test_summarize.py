"""SUMMARIZE through the engine, the client and a refreshed workbook."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter

from server import cli
from server.engine import Engine
from server.semantics.sentences import word_count
from tests.conftest import TOKEN, LiveServer
from udfs.client import Client
from udfs.errors import BadInput, CellError, OutOfRange
from udfs.kinds import MAX_TEXT_CHARS
from udfs.refresh import refresh

REVIEWS = [
    "Great phone, love the battery. It is the best.",
    "The delivery was slow and the box was broken.",
    None,
    "Love the battery! Perfect price and quality.",
    "It was a bad day. Great phone, love the battery.",
    CellError("#REF!", ""),
    "Excellent shoes, but the delivery was late and awful",
    "手机很好，很喜欢。但是物流很慢，包装太差。",
    2024,
    "😀😀",
]
GROUPS = ["b", "a", "a", "b", "a", "b", None, 7, 7, "a"]


HEADER = ["group", "reviews", "summary"]


def column(cells: list[Any]) -> list[list[Any]]:
    return [[cell] for cell in cells]


def quotations(summary: str) -> list[tuple[str, list[int]]]:
    """Each sentence with the rows that it cites."""
    found = re.findall(r"(.+?) \[([\d, +]+)\](?:; |；|$)", summary)
    assert found or not summary
    return [
        (text, [int(row) for row in rows.split(", ") if not row.startswith("+")])
        for text, rows in found
    ]


def test_every_sentence_stands_in_the_row_that_it_cites_first(engine: Engine) -> None:
    found = quotations(engine.call("SUMMARIZE", column(REVIEWS)))
    assert found
    for text, rows in found:
        assert text in str(REVIEWS[rows[0] - 1])
    assert sum(word_count(text) for text, _ in found) <= 60


def test_praise_and_complaint_are_both_heard(engine: Engine) -> None:
    summary = engine.call("SUMMARIZE", column(REVIEWS), None, 20)
    assert re.search("Great|Love|Perfect|best|好", summary)
    assert re.search("slow|broken|late|bad|慢", summary)


def test_who_says_the_same_is_cited_behind(engine: Engine) -> None:
    texts = ["Great phone, love the battery", "Slow delivery", "great phone, love the battery!"]
    summary = engine.call("SUMMARIZE", column(texts))
    assert dict(quotations(summary))["Great phone, love the battery"] == [1, 3]


def test_ten_rows_that_say_the_same_are_counted(engine: Engine) -> None:
    summary = engine.call("SUMMARIZE", column(["I love this phone."] * 10))
    assert summary == "I love this phone [1, 2, 3, 4, +6]"


def test_a_group_gets_a_row_in_the_order_of_its_first(engine: Engine) -> None:
    table = engine.call("SUMMARIZE", column(REVIEWS), column(GROUPS))
    assert table[0] == HEADER
    assert [row[:2] for row in table[1:]] == [["b", 2], ["a", 3], [7, 2]]
    for group, _, summary in table[1:]:
        for text, rows in quotations(summary):
            assert text in str(REVIEWS[rows[0] - 1])
            assert all(GROUPS[row - 1] == group for row in rows)
    for row in table[1:]:
        alone = [text if group == row[0] else None for text, group in
                 zip(REVIEWS, GROUPS, strict=True)]  # fmt: skip
        assert engine.call("SUMMARIZE", column(alone)) == row[2]


def test_chinese_summaries_have_chinese_stops(engine: Engine) -> None:
    texts = [
        "手机很好，很喜欢这个手机。物流太慢，等了一个星期！",
        "质量不错，包装很差。",
        "鞋很好 物流很快",
    ]
    summary = engine.call("SUMMARIZE", column(texts))
    assert "；" in summary
    found = quotations(summary)
    assert len(found) > 1
    for text, rows in found:
        assert text in texts[rows[0] - 1]


@pytest.mark.parametrize(
    "cells", [[None], [None, "  "], ["😀", "!!!"], [CellError("#N/A", "")] * 2]
)
def test_where_nobody_says_anything_the_answer_is_empty(engine: Engine, cells: list[Any]) -> None:
    assert engine.call("SUMMARIZE", column(cells)) == ""


def test_groups_without_texts_make_no_row(engine: Engine) -> None:
    assert engine.call("SUMMARIZE", column([None, None]), column(["a", "b"])) == [HEADER]
    table = engine.call("SUMMARIZE", column(["😀", "good phone"]), column(["a", "b"]))
    assert table == [HEADER, ["a", 1, ""], ["b", 1, "good phone [2]"]]


def test_one_cell_is_a_text_too(engine: Engine) -> None:
    assert engine.call("SUMMARIZE", "Great phone!") == "Great phone! [1]"
    assert engine.call("SUMMARIZE", [["Great phone!", "Great phone!"]]) == "Great phone! [1, 2]"


def test_the_longest_cell_and_one_that_is_too_long(engine: Engine) -> None:
    longest = ("the battery is good and the delivery was slow. " * 700)[:MAX_TEXT_CHARS]
    too_long = longest + "x"
    summary = engine.call("SUMMARIZE", column([longest, too_long, "love it, it is great"]))
    assert {row for _, rows in quotations(summary) for row in rows} <= {1, 3}


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ((column(["a", "b"]), column(["x"])), BadInput, "group_by has 1 cells and texts 2"),
        (([["a", "b"], ["c", "d"]],), BadInput, "texts is a range of 2 by 2 cells"),
        ((column(["a"]), [["x", "y"], ["z", "w"]]), BadInput, "group_by is a range of 2 by 2"),
        ((column(["a"]), None, 2), OutOfRange, "max_words is 2"),
        ((column(["a"]), None, "long"), BadInput, "max_words is 'long'"),
    ],
)
def test_what_does_not_fit_together_says_so(
    engine: Engine, args: tuple[Any, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        engine.call("SUMMARIZE", *args)


def test_the_same_texts_give_the_same_summary_from_the_store(engine: Engine) -> None:
    first = engine.call("SUMMARIZE", column(REVIEWS))
    before = engine.workers["encoder"].stats().items
    assert engine.call("SUMMARIZE", column(REVIEWS)) == first
    assert engine.workers["encoder"].stats().items == before
    assert engine.calls([("SUMMARIZE", [column(REVIEWS)])], use_store=False)[0].value == first


def test_summaries_travel_over_http(live_server: LiveServer) -> None:
    with Client(live_server.url, TOKEN) as client:
        assert client.call("SUMMARIZE", "Great phone!") == "Great phone! [1]"
        # Not joined into one column: each is a summary of its own.
        futures = [client.submit("SUMMARIZE", text) for text in ("Great phone!", "Bad shoes")]
        assert [future.result(30) for future in futures] == ["Great phone! [1]", "Bad shoes [1]"]
        table = client.call("SUMMARIZE", column(["good phone"]), column(["a"]))
        assert table[1:] == [["a", 1, "good phone [1]"]]


def test_of_a_very_long_column_the_first_sentences_of_each_row_are_read(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = column(["Good battery here. Slow delivery here. Great price here."] * 20)
    assert "delivery" in engine.call("SUMMARIZE", texts)
    monkeypatch.setattr("server.semantics.sentences.MOST_SENTENCES", 30)
    assert engine.call("SUMMARIZE", texts) == "Good battery here [1, 2, 3, 4, +16]"


def test_a_workbook_is_refreshed(live_server: LiveServer, tmp_path: Path) -> None:
    path = tmp_path / "summary.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("Reviews")
    texts = ["Love the battery.", "The delivery was slow.", "Great phone"]
    sheet.write_column("A1", texts)
    sheet.write_column("B1", ["x", "y", "x"])
    sheet.write_formula("D1", "=SHOP.SUMMARIZE(A1:A3)")
    sheet.write_dynamic_array_formula("F1", "=SHOP.SUMMARIZE(A1:A3,B1:B3)", None, "")
    book.close()
    with Client(live_server.url, TOKEN) as client:
        assert not refresh(path, client).errors
        expected = client.call("SUMMARIZE", column(texts), column(["x", "y", "x"]))
        whole = client.call("SUMMARIZE", column(texts))
    sheet = openpyxl.load_workbook(path, data_only=True)["Reviews"]
    assert sheet["D1"].value == whole
    assert [[cell.value for cell in row] for row in sheet["F1:H3"]] == expected


def test_score_sends_a_summary_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "reviews.csv"
    source.write_text("review\ngood\n", encoding="utf-8")
    arguments = ["score", str(source), "-f", "SUMMARIZE", "-c", "review"]
    assert cli.main([*arguments, "-o", str(tmp_path / "o.csv")]) != 0
    assert "SUMMARIZE reads whole columns" in capsys.readouterr().err
