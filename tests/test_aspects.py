"""ASPECTS through the engine, the client and a refreshed workbook, on a tiny encoder."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import openpyxl
import pytest
import xlsxwriter

from server.capabilities.aspects import characters
from server.capabilities.reading import ASPECT, Readings
from server.engine import Engine
from server.models import intents
from server.models.aspect_categories import SHOP_CATEGORIES
from server.models.encoder import Encoder
from server.semantics.matching import AspectMatcher
from server.settings import Settings
from tests.conftest import TOKEN, LiveServer
from tests.tiny_aspects import build_tiny_aspect_encoder
from tests.tiny_intents import build_tiny_head
from udfs.catalogue import ASPECTS
from udfs.client import Client
from udfs.errors import BadInput, CellError, ModelFailed
from udfs.refresh import refresh

BOTH = "the battery is great but the delivery is slow"
HEADER = list(ASPECTS.spills.columns["long"])  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_aspect_encoder(tmp_path_factory.mktemp("models") / "aspects")


@pytest.fixture
def settings(settings: Settings, folder: Path) -> Settings:
    return dataclasses.replace(settings, encoder_folder=folder)


@pytest.fixture
def encoder(folder: Path) -> Iterator[Encoder]:
    encoder = Encoder.load(folder)
    yield encoder
    encoder.close()


def column(cells: list[object]) -> list[list[object]]:
    return [[cell] for cell in cells]


def test_a_text_that_asks_or_plans_judges_nothing(
    engine: Engine, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = column(["the battery is bad", "i want to buy two phones, the battery is ok"])
    with_both = engine.call("ASPECTS", texts)
    assert {row[0] for row in with_both[1:]} == {1, 2}
    monkeypatch.setattr(intents, "SHIPPED", build_tiny_head(tmp_path / "needs", folder))
    assert {row[0] for row in engine.call("ASPECTS", texts)[1:]} == {1}
    assert engine.call("ASPECTS", texts, "battery") == [["negative"], [""]]


def test_each_aspect_found_is_a_row_that_mid_finds_in_the_cell(engine: Engine) -> None:
    cell = f"  😀 {BOTH}"
    header, *rows = engine.call("ASPECTS", column(["i ordered it on the day", cell]))
    assert header == HEADER
    rows = [row for row in rows if row[1] != "😀"]  # the tiny model's own opinion of it
    assert [row[:5] for row in rows] == [
        [2, "battery", "battery & power", "great", "positive"],
        [2, "delivery", "delivery", "slow", "negative"],
    ]
    units = cell.encode("utf-16-le")
    for row in rows:
        start, length = row[6] - 1, row[7]  # as =MID(cell, start, length)
        assert units[2 * start : 2 * (start + length)].decode("utf-16-le") == row[1]
        assert 0 <= row[5] <= 1


def test_a_named_aspect_is_a_column_and_blank_where_not_mentioned(engine: Engine) -> None:
    texts = [BOTH, "the battery is bad but the battery is great", None, "物流慢", CellError("#N/A")]
    assert engine.call("ASPECTS", column(texts), "battery;delivery;物流") == [
        ["positive", "negative", "negative"],
        ["mixed", "", ""],
        ["", "", ""],
        ["", "negative", "negative"],
        [CellError("#N/A")] * 3,
    ]
    one = engine.call("ASPECTS", BOTH, "battery")
    assert one == [["positive"]]


def test_named_aspects_in_a_long_table_are_only_those(engine: Engine) -> None:
    _, *rows = engine.call("ASPECTS", column([BOTH]), "delivery", "long")
    assert [row[1] for row in rows] == ["delivery"]


def test_the_words_are_read_once_whatever_is_asked(engine: Engine) -> None:
    engine.call("ASPECTS", column([BOTH]))
    items = engine.workers["encoder"].stats().items
    engine.call("SENTIMENT", column([BOTH]))
    engine.call("ASPECTS", column([BOTH]), None, "long")
    assert engine.workers["encoder"].stats().items == items


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((column([BOTH]), None, "wide"), "aspects is empty"),
        (([["a", "b"], ["c", "d"]],), "text is a range of 2 by 2"),
        ((column([BOTH]), "price", "tall"), '"long" or "wide"'),
        (([["a", "b"]], "price"), "give one column"),
    ],
)
def test_what_cannot_be_asked_says_why(
    engine: Engine, args: tuple[object, ...], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        engine.call("ASPECTS", *args)


def test_odd_cells_have_no_aspects_and_break_nothing(engine: Engine) -> None:
    odd = ["", 5, "😀😀😀", "x" * 32_767, "\ud83d", "battery " * 4000, True]
    header, *rows = engine.call("ASPECTS", column([*odd, BOTH]))
    assert header == HEADER
    assert [row[1] for row in rows if row[0] == 8] == ["battery", "delivery"]


def test_an_encoder_that_reads_no_aspects_says_so(
    settings: Settings, tiny_encoder_folder: Path
) -> None:
    plain = dataclasses.replace(settings, encoder_folder=tiny_encoder_folder)
    with Engine(plain) as engine:
        engine.wait_ready(60)
        with pytest.raises(ModelFailed, match="reads no aspects"):
            engine.call("ASPECTS", column([BOTH]))
        assert engine.call("SENTIMENT", "great") == "positive"


def test_a_refreshed_book_holds_what_a_call_answers(
    live_server: LiveServer, tmp_path: Path
) -> None:
    path = tmp_path / "book.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("Reviews")
    sheet.write_column("A1", [BOTH, "物流慢，包装好"])
    sheet.write_row("C1", ["battery", "delivery"])
    sheet.write_dynamic_array_formula("C2", "=SHOP.ASPECTS(A1:A2,C1:D1)", None, "")
    sheet.write_dynamic_array_formula("F1", "=SHOP.ASPECTS(A1:A2)", None, "")
    book.close()
    with Client(live_server.url, TOKEN) as client:
        assert not refresh(path, client).errors
        table = client.call("ASPECTS", column([BOTH, "物流慢，包装好"]))
    read = openpyxl.load_workbook(path, data_only=True)["Reviews"]
    wide = [[cell.value or "" for cell in row] for row in read["C2:D3"]]
    assert wide == [["positive", "negative"], ["", "negative"]]
    found = [[cell.value for cell in row] for row in read[f"F1:M{len(table)}"]]
    assert found == table


def test_a_reading_is_kept_as_it_was_read(engine: Engine, encoder: Encoder) -> None:
    from server.capabilities import CAPABILITIES

    texts = [BOTH, "i ordered it on the day", "物流慢"]
    stored = CAPABILITIES["aspects"].run(encoder, texts)
    assert all(isinstance(one, bytes) for one in stored)
    readings = Readings(encoder, stored)  # type: ignore[arg-type]
    reading = encoder.read(texts)
    np.testing.assert_array_equal(readings.probabilities, reading.probabilities)
    assert (readings.vectors * reading.vectors).sum(axis=1).min() > 0.9998
    assert [len(one) for one in readings.aspects] == [len(one) for one in reading.aspects]
    first = readings.aspects[0][0]
    assert (first["aspect_start"], first["aspect_end"]) == reading.aspects[0][0].aspect
    assert CAPABILITIES["aspects"].is_intact(encoder, stored[0])  # type: ignore[arg-type]
    assert not CAPABILITIES["aspects"].is_intact(encoder, stored[0][:-1])  # type: ignore[index]
    assert ASPECT.itemsize == 16


def test_aspects_are_the_same_in_any_batch(encoder: Encoder) -> None:
    texts = [BOTH, "物流慢", "the price is bad", "i ordered it", "the shoes is good"] * 9
    together = encoder.read(texts).aspects
    assert together == [encoder.read([text]).aspects[0] for text in texts]
    assert together[::-1] == encoder.read(texts[::-1]).aspects


def test_the_fast_runtime_reads_the_aspects_that_torch_reads(
    encoder: Encoder, folder: Path
) -> None:
    reference = Encoder.load(folder, backend="torch")
    texts = [BOTH, "物流慢，包装好", "the price is bad"]
    fast, slow = encoder.read(texts), reference.read(texts)
    assert (fast.vectors * slow.vectors).sum(axis=1).min() > 0.999
    spans = [[(a.aspect, a.opinion, a.polarity, a.category) for a in one] for one in fast.aspects]
    assert spans == [
        [(a.aspect, a.opinion, a.polarity, a.category) for a in one] for one in slow.aspects
    ]


def test_a_name_is_matched_by_its_words_its_meaning_and_its_category() -> None:
    eye = np.eye(len(SHOP_CATEGORIES) + 1, dtype=np.float32)
    names = ("battery", "carry case")
    matcher = AspectMatcher(names, eye[-1:].repeat(2, 0), eye[:-1])
    far, near = eye[0], eye[-1]
    half = ((eye[0] + eye[-1]) / np.sqrt(2)).astype(np.float32)
    assert matcher.match("battery life", far, "overall").tolist() == [True, False]
    assert matcher.match("case", far, "other").tolist() == [False, True]
    assert matcher.match("endurance", near, "other").tolist() == [True, True]
    assert matcher.match("endurance", half, "battery & power").tolist()[0] is True
    assert matcher.match("endurance", far, "battery & power").tolist()[0] is False
    assert matcher.match(None, None, "battery & power").tolist() == [True, False]
    assert matcher.match("batteryless", far, "other").tolist() == [False, False]


def test_an_emoji_counts_as_two_as_in_the_sheet() -> None:
    assert characters("a😀中") == 4
