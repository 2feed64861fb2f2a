"""NEEDS through the engine, the client and a refreshed workbook; its head, saved and fitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
import xlsxwriter

from server.engine import Engine
from server.models import intents
from server.models.intents import HeadShelf, load_head
from tests.conftest import TOKEN, LiveServer
from tests.tiny_intents import build_tiny_head
from udfs.catalogue import NEEDS
from udfs.client import Client
from udfs.errors import BadInput, CellError, ModelFailed
from udfs.kinds import MAX_TEXT_CHARS
from udfs.refresh import refresh

TEXTS = [
    "The delivery was slow and late.",
    "Does it fit the phone?",
    "希望电池更好",
    "I want to buy two phones",
    None,
    CellError("#REF!", ""),
    "great phone, love it",
    "物流太慢，太差了",
    12,
    "😀😀",
]
KINDS = [
    "complaint",
    "question",
    "suggestion",
    "purchase intent",
    "",
    CellError("#REF!", ""),
    "praise",
    "complaint",
]


def column(cells: list[Any]) -> list[list[Any]]:
    return [[cell] for cell in cells]


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, tiny_encoder_folder: Path, monkeypatch: pytest.MonkeyPatch) -> HeadShelf:
    """A head fitted to the tiny encoder."""
    shelf = build_tiny_head(tmp_path / "needs", tiny_encoder_folder)
    monkeypatch.setattr(intents, "SHIPPED", shelf)
    return shelf


def test_the_reference_shows_what_the_function_answers(engine: Engine) -> None:
    assert engine.call("NEEDS", *NEEDS.example.args) == NEEDS.example.answer


def test_each_text_has_its_kind_and_a_bad_cell_spoils_itself_alone(engine: Engine) -> None:
    kinds = engine.call("NEEDS", column(TEXTS), None, "kind")
    assert kinds[:8] == column(KINDS)
    assert all(kind in intents.KINDS for (kind,) in kinds[8:])


def test_all_gives_need_kind_actionability_and_the_words_that_show_it(engine: Engine) -> None:
    rows = engine.call("NEEDS", column(TEXTS), None, "all")
    assert rows[0] == [
        "faster delivery",
        "complaint",
        "high",
        "The delivery was slow and late",
    ]
    assert rows[1] == ["compatibility", "question", "high", "Does it fit the phone?"]
    assert rows[2] == ["电池更好", "suggestion", "high", "希望电池更好"]
    assert rows[4] == [""] * 4
    assert rows[5] == [CellError("#REF!", "")] * 4
    assert rows[6][1:3] == ["praise", "low"]
    assert rows[7][0] == "物流更快"
    for text, row in zip(TEXTS, rows, strict=True):
        if isinstance(text, str):
            assert row[3] in text


def test_the_label_is_the_need_and_a_grid_keeps_its_shape(engine: Engine) -> None:
    labels = engine.call("NEEDS", [TEXTS[:2], TEXTS[2:4]])
    assert labels == [["faster delivery", "compatibility"], ["电池更好", "phones"]]
    assert engine.call("NEEDS", TEXTS[0]) == "faster delivery"


def test_a_taxonomy_of_ones_own_names_the_need(engine: Engine) -> None:
    named = engine.call("NEEDS", column([TEXTS[0], None]), "delivery;battery")
    assert named == [["delivery"], [""]]
    as_range = engine.call("NEEDS", TEXTS[0], [["delivery"], ["battery"]])
    assert as_range == "delivery"
    all_columns = engine.call("NEEDS", TEXTS[0], "delivery;battery", "all")
    assert all_columns == [["delivery", "complaint", "high", "The delivery was slow and late"]]


def test_the_ranked_table_counts_one_need_in_other_words_once(engine: Engine) -> None:
    texts = ["slow delivery", "The shipping is slow", "物流很慢", "great phone", None]
    texts.append("slow delivery")
    table = engine.call("NEEDS", column(texts), None, "ranked")
    assert table[0] == list(NEEDS.spills.columns["ranked"])
    assert table[1] == ["faster delivery", "complaint", 4, 0.8, "", "1, 2, 3"]
    assert [row[1] for row in table[2:]] == ["praise"]


def test_a_trend_is_told_where_the_rows_show_one(engine: Engine) -> None:
    texts = ["great phone"] * 60 + ["slow delivery"] * 40 + ["great phone"] * 20
    rows = engine.call("NEEDS", column(texts), None, "ranked")[1:]
    assert {row[0]: row[4] for row in rows} == {"faster delivery": "rising", "phone": "falling"}


@pytest.mark.parametrize("cells", [[None], [CellError("#N/A", "")], ["  "]])
def test_nothing_gives_nothing(engine: Engine, cells: list[Any]) -> None:
    header = list(NEEDS.spills.columns["ranked"])
    assert engine.call("NEEDS", column(cells), None, "ranked") == [header]
    assert engine.call("NEEDS", column(cells))[0][0] in ("", CellError("#N/A", ""))


def test_the_longest_cell_and_one_that_is_too_long(engine: Engine) -> None:
    longest = ("the battery is good and the delivery was slow. " * 700)[:MAX_TEXT_CHARS]
    first, second = engine.call("NEEDS", column([longest, longest + "x"]), None, "all")
    assert first[1] in intents.KINDS
    assert {cell.code for cell in second} == {"#VALUE!"}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((column(["a"]), None, "some"), '"label", "kind", "all" or "ranked"'),
        (([["a", "b"]], None, "all"), "give one column"),
        (([["a", "b"], ["c", "d"]], None, "ranked"), "text is a range of 2 by 2"),
    ],
)
def test_what_cannot_be_used_says_so(engine: Engine, args: tuple[Any, ...], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        engine.call("NEEDS", *args)


def test_a_text_is_read_once_for_all_outputs(engine: Engine) -> None:
    engine.call("SENTIMENT", column(TEXTS))
    before = engine.workers["encoder"].stats().items
    for output in ("label", "kind", "all", "ranked"):
        engine.call("NEEDS", column(TEXTS), None, output)
    assert engine.workers["encoder"].stats().items == before


def test_a_row_does_not_depend_on_the_others(engine: Engine) -> None:
    texts = [text for text in TEXTS if isinstance(text, str)]
    together = engine.call("NEEDS", column(texts), None, "all")
    assert [engine.call("NEEDS", text, None, "all")[0] for text in texts] == together


def test_a_head_of_another_encoder_is_refused(shelf: HeadShelf, engine: Engine) -> None:
    path = shelf.folder / intents.CONFIG_FILE
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"encoder": "', '"encoder": "other-'), encoding="utf-8")
    with pytest.raises(ModelFailed, match=r"belongs to encoder other-.*train_needs"):
        engine.call("NEEDS", "slow")
    assert engine.call("SENTIMENT", "slow") == "negative"
    path.write_text(text, encoding="utf-8")  # fitted anew: no restart needed
    assert engine.call("NEEDS", "slow delivery") == "faster delivery"
    path.write_text(text.replace("praise", "applause"), encoding="utf-8")
    with pytest.raises(ModelFailed, match="another version of Shopsheet"):
        load_head(shelf.folder)
    path.unlink()
    with pytest.raises(ModelFailed, match="holds no head"):
        load_head(shelf.folder)


def test_saved_equals_loaded(shelf: HeadShelf) -> None:
    head = load_head(shelf.folder)
    again = load_head(intents.save_head(shelf.folder / "copy", head, {}, "# Card\n"))
    assert again.encoder == head.encoder
    assert np.array_equal(again.weights, head.weights)


def test_needs_travel_over_http(live_server: LiveServer) -> None:
    with Client(live_server.url, TOKEN) as client:
        assert client.call("NEEDS", "slow delivery") == "faster delivery"
        table = client.call("NEEDS", column(["slow delivery"]), None, "ranked")
        assert table[1][:3] == ["faster delivery", "complaint", 1]


def test_a_workbook_is_refreshed(live_server: LiveServer, tmp_path: Path) -> None:
    path = tmp_path / "needs.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("Reviews")
    texts = ["slow delivery", "great phone", "slow delivery again"]
    sheet.write_column("A1", texts)
    sheet.write_formula("C1", "=SHOP.NEEDS(A1)")
    sheet.write_dynamic_array_formula("E1", '=SHOP.NEEDS(A1:A3,,"all")', None, "")
    sheet.write_dynamic_array_formula("J1", '=SHOP.NEEDS(A1:A3,,"ranked")', None, "")
    book.close()
    with Client(live_server.url, TOKEN) as client:
        assert not refresh(path, client).errors
        each = client.call("NEEDS", column(texts), None, "all")
        ranked = client.call("NEEDS", column(texts), None, "ranked")
    found = openpyxl.load_workbook(path, data_only=True)["Reviews"]

    def values(area: str) -> list[list[Any]]:
        return [["" if cell.value is None else cell.value for cell in row] for row in found[area]]

    assert found["C1"].value == "faster delivery"
    assert values("E1:H3") == each
    assert values(f"J1:O{len(ranked)}") == ranked
