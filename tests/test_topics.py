"""TOPICS through the engine, the client, a refreshed workbook and the command line."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter

from server import cli
from server.engine import Engine
from server.settings import Settings
from server.topic_models import encoder_version, folder_of, load_topic_model
from tests.conftest import TOKEN, LiveServer
from udfs.catalogue import TOPICS
from udfs.client import Client
from udfs.errors import BadInput, CellError, ModelFailed, OutOfRange
from udfs.kinds import MAX_TEXT_CHARS
from udfs.refresh import refresh

HEADER = list(TOPICS.spills.columns[""])  # type: ignore[arg-type]
COUNT, SHARE, SENTIMENT, EFFECT, EXAMPLE, ROW = 2, 3, 4, 5, 8, 9
REVIEWS = [
    "Great phone, love the battery. It is the best.",
    "The delivery was slow and the box was broken.",
    None,
    "Love the battery! Perfect price.",
    "Bad delivery, the box was late and awful",
    CellError("#REF!", ""),
    "Excellent price, good battery and a nice box",
    "手机电池很好，很喜欢。但是物流很慢，包装太差。",
    2024,
    "😀😀",
    "Love it, the best!",
    "物流很快，电池好。",
]


def column(cells: list[Any]) -> list[list[Any]]:
    return [[cell] for cell in cells]


def by_name(table: list[list[Any]]) -> dict[str, list[Any]]:
    assert table[0] == HEADER
    return {row[0]: row for row in table[1:]}


@pytest.fixture
def spring(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of reviews whose topics are saved as "spring"."""
    monkeypatch.setenv("SHOPSHEET_ENCODER", str(settings.encoder_folder))
    source = tmp_path / "reviews.csv"
    rows = [text if isinstance(text, str) else "" for text in REVIEWS] * 3
    source.write_text("text\n" + "\n".join(f'"{row}"' for row in rows), encoding="utf-8")
    assert cli.main(["train", "topics", str(source), "-c", "text", "--name", "spring"]) == 0
    return source


def test_the_reference_shows_what_the_function_answers(engine: Engine) -> None:
    # The sentiment is the shipped encoder's.
    found = engine.call("TOPICS", *TOPICS.example.args)
    shown = TOPICS.example.answer
    assert [row[:4] for row in found] == [row[:4] for row in shown]
    assert [row[EXAMPLE:] for row in found] == [row[EXAMPLE:] for row in shown]


def test_topics_are_named_counted_and_quoted(engine: Engine) -> None:
    rows = by_name(engine.call("TOPICS", column(REVIEWS)))
    assert rows["battery"][COUNT] == 5  # the Chinese ones too
    assert rows["delivery"][COUNT] == 4
    assert rows["price"][COUNT] == 2
    assert "物流" in rows["delivery"][1]
    assert rows["(overall)"][COUNT] == 1
    assert rows["(other)"][COUNT] == 2
    assert rows["battery"][SHARE] == pytest.approx(5 / 10, abs=1e-4)
    assert rows["battery"][SENTIMENT] > 0 > rows["delivery"][SENTIMENT]
    for name, row in rows.items():
        assert row[EXAMPLE] in str(REVIEWS[row[ROW] - 1]) or name == "(other)"
    counts = [row[COUNT] for name, row in rows.items() if not name.startswith("(")]
    assert counts == sorted(counts, reverse=True)


def test_the_effect_is_the_difference_of_the_sentiment_column(engine: Engine) -> None:
    row = by_name(engine.call("TOPICS", column(REVIEWS)))["delivery"]
    scores = [cell for (cell,) in engine.call("SENTIMENT", column(REVIEWS), "score")]
    inside = [scores[place] for place in (1, 4, 7, 11)]
    outside = [scores[place] for place in (0, 3, 6, 8, 9, 10)]
    assert row[EFFECT] == pytest.approx(sum(inside) / 4 - sum(outside) / 6, abs=2e-4)
    assert row[EFFECT + 1] < row[EFFECT] < row[EFFECT + 2]


def test_the_order_of_the_rows_changes_only_where_the_example_stands(engine: Engine) -> None:
    table = engine.call("TOPICS", column(REVIEWS))
    shuffled = REVIEWS * 1
    random.Random(4).shuffle(shuffled)
    other = engine.call("TOPICS", column(shuffled))
    assert [row[:ROW] for row in other] == [row[:ROW] for row in table]
    assert engine.call("TOPICS", [REVIEWS]) == table  # a row of cells is a column too


def test_as_many_topics_as_asked(engine: Engine) -> None:
    rows = by_name(engine.call("TOPICS", column(REVIEWS), None, 2))
    assert len([name for name in rows if not name.startswith("(")]) == 2


def test_names_come_in_the_language_that_is_asked_for(engine: Engine) -> None:
    rows = by_name(engine.call("TOPICS", column(REVIEWS), None, None, "zh"))
    assert rows["物流"][COUNT] == 4
    assert rows["物流"][1] == "物流"
    assert rows["（其他）"][COUNT] == 2
    mostly = [
        "物流很慢",
        "物流太慢",
        "包装很差",
        "包装破了，物流慢",
        "slow delivery",
        "late delivery",
    ]
    assert "物流" in by_name(engine.call("TOPICS", column(mostly)))
    assert "delivery" in by_name(engine.call("TOPICS", column(mostly), None, None, "en"))


@pytest.mark.parametrize(
    "labels", ["shipping;battery life;colour", column(["shipping", "battery life", "colour"])]
)
def test_topics_of_your_own_are_found_by_meaning(engine: Engine, labels: Any) -> None:
    rows = by_name(engine.call("TOPICS", column(REVIEWS), labels))
    assert rows["shipping"][COUNT] == 4  # delivery, 物流
    assert rows["battery life"][COUNT] == 5
    assert rows["colour"][COUNT] == 0
    assert rows["colour"][SENTIMENT:] == [""] * 6
    assert rows["(other)"][COUNT] == 2


@pytest.mark.parametrize(
    "cells", [[None], [None, "  "], [CellError("#N/A", "")] * 2], ids=["empty", "blank", "errors"]
)
def test_without_texts_only_the_header_is_there(engine: Engine, cells: list[Any]) -> None:
    assert engine.call("TOPICS", column(cells)) == [HEADER]


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (["The battery is good"], ["battery"]),
        ("The battery is good", ["battery"]),
        (["love the battery"] * 30, ["battery"]),
        (["😀", "👍👍"], ["(other)"]),
        ([1, 2.5, 2024], ["(other)"]),
        (["good", "great"], ["(overall)"]),
    ],
)
def test_odd_columns_have_a_plain_answer(engine: Engine, cells: Any, names: list[str]) -> None:
    text = column(cells) if isinstance(cells, list) else cells
    table = engine.call("TOPICS", text)
    assert list(by_name(table)) == names
    assert sum(row[COUNT] for row in table[1:]) == (len(cells) if isinstance(cells, list) else 1)


def test_the_longest_cell_and_one_that_is_too_long(engine: Engine) -> None:
    longest = ("the battery is good and the delivery was slow. " * 700)[:MAX_TEXT_CHARS]
    rows = by_name(engine.call("TOPICS", column([longest, longest + "x", "slow delivery"])))
    assert rows["delivery"][COUNT] == 2


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        (([["a", "b"], ["c", "d"]],), BadInput, "text is a range of 2 by 2 cells"),
        ((column(["a"]), None, 0), OutOfRange, "max_topics is 0"),
        ((column(["a"]), None, "many"), BadInput, "max_topics is 'many'"),
        ((column(["a"]), None, None, "fr"), BadInput, "language is 'fr'"),
        ((column(["a"]), "../x"), BadInput, "cannot name saved topics"),
        ((column(["a"]), "winter"), BadInput, "no saved topics 'winter'; saved: none yet"),
        ((column(["a"]), [["a"], [CellError("#N/A", "")]]), Exception, "cell 2 of model_or_labels"),
    ],
)
def test_what_cannot_be_used_says_so(
    engine: Engine, args: tuple[Any, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        engine.call("TOPICS", *args)


def test_the_same_texts_need_no_model_the_second_time(engine: Engine) -> None:
    first = engine.call("TOPICS", column(REVIEWS))
    before = engine.workers["encoder"].stats().items
    assert engine.call("TOPICS", column(REVIEWS)) == first
    assert engine.workers["encoder"].stats().items == before
    assert engine.calls([("TOPICS", [column(REVIEWS)])], use_store=False)[0].value == first


# Saved topics


def test_saved_topics_give_each_row_its_own_whatever_stands_beside_it(
    engine: Engine, spring: Path
) -> None:
    together = engine.call("TOPICS", column(REVIEWS), "spring")
    assert [row for (row,) in together[:3]] == ["battery", "delivery", ""]
    assert together[5] == [CellError("#REF!", "")]
    assert [row for (row,) in together[8:11]] == ["(other)", "(other)", "(overall)"]
    alone = [engine.call("TOPICS", [[cell]], "spring")[0] for cell in REVIEWS]
    assert alone == together
    assert engine.call("TOPICS", "slow shipping", "spring") == "delivery"
    assert engine.call("TOPICS", [REVIEWS], "spring") == [[row for (row,) in together]]
    assert engine.call("TOPICS", "Love it", "spring", None, "zh") == "（总体评价）"


def test_saved_topics_come_back_as_they_were(
    spring: Path, settings: Settings, engine: Engine
) -> None:
    model = load_topic_model(folder_of(settings.home, "spring"))
    encoder = engine.workers["encoder"].wait_ready(10)
    assert model.encoder == encoder_version(encoder)
    assert model.rows == 27  # of the file: numbers and errors were left empty
    assert {topic.name for topic in model.made.topics} >= {"battery", "delivery", "price"}
    files = {path.name for path in folder_of(settings.home, "spring").iterdir()}
    assert files == {"config.json", "vectors.safetensors"}


def test_topics_of_another_encoder_are_refused(
    engine: Engine, spring: Path, settings: Settings
) -> None:
    path = folder_of(settings.home, "spring") / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**config, "encoder": "2020.1-abc"}), encoding="utf-8")
    with pytest.raises(BadInput, match=r"saved with encoder 2020\.1-abc.* shopsheet train topics"):
        engine.call("TOPICS", "late", "spring")
    path.write_text(json.dumps({**config, "format_version": 99}), encoding="utf-8")
    with pytest.raises(ModelFailed, match="format 99"):
        engine.call("TOPICS", "late", "spring")
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ModelFailed, match="cannot be used"):
        engine.call("TOPICS", "late", "spring")


def test_a_later_month_is_compared(
    spring: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later = tmp_path / "later.csv"
    rows = ["the hinge is loud", "a hinge came loose", "slow delivery"] * 10 + ["good price"] * 50
    later.write_text("text\n" + "\n".join(rows), encoding="utf-8")
    command = ["evaluate", "topics", str(later), "-c", "text", "--name", "spring"]
    capsys.readouterr()
    assert cli.main([*command, "--json"]) == 0
    drift = json.loads(capsys.readouterr().out)
    topics = {one["name"]: one for one in drift["topics"]}
    assert topics["battery"]["now"]["value"] == 0
    assert topics["battery"]["verdict"] == "less"
    assert [one["name"] for one in drift["new_topics"]] == ["hinge"]
    assert drift["new_topics"][0]["example"] in rows
    assert cli.main(command) == 0
    shown = capsys.readouterr().out
    assert "27 texts then, 80 now" in shown
    assert "| new |" in shown


def test_training_says_what_it_lacks(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("SHOPSHEET_ENCODER", str(settings.encoder_folder))
    source = tmp_path / "few.csv"
    command = ["train", "topics", str(source), "-c", "text", "--name", "few"]
    source.write_text("text\n\n", encoding="utf-8")
    assert cli.main(command) == 1
    assert "holds no text" in capsys.readouterr().err
    source.write_text("text\ngood\nbad\n", encoding="utf-8")
    assert cli.main(command) == 1
    assert "No topic was found in 2 texts" in capsys.readouterr().err
    assert cli.main([*command, "--labels", "price;delivery"]) == 0
    assert cli.main([*command[:-1], "a/b"]) == 1
    assert "cannot name saved topics" in capsys.readouterr().err


def test_score_adds_the_saved_topic_of_each_row(
    spring: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["score", str(spring), "-f", "TOPICS", "-c", "text", "-o", str(tmp_path / "o.csv")]
    assert cli.main([*command, "--option", "model_or_labels=spring"]) == 0
    lines = (tmp_path / "o.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "text,topics,topics_error"
    assert lines[2].endswith(",delivery,")
    assert cli.main(command) == 1
    assert "answers with a table" in capsys.readouterr().err


# Hosts


def test_topics_travel_over_http(live_server: LiveServer, spring: Path) -> None:
    with Client(live_server.url, TOKEN) as client:
        table = client.call("TOPICS", column(["good battery", "bad battery"]))
        assert by_name(table)["battery"][COUNT] == 2
        futures = [
            client.submit("TOPICS", text, "spring") for text in ("slow delivery", "good battery")
        ]
        assert [future.result(30) for future in futures] == ["delivery", "battery"]
        assert client.call("TOPICS", "good battery", "battery;price")[1][0] == "battery"


def test_a_workbook_is_refreshed(live_server: LiveServer, spring: Path, tmp_path: Path) -> None:
    path = tmp_path / "topics.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("Reviews")
    texts = ["Love the battery.", "The delivery was slow.", "Bad delivery"]
    sheet.write_column("A1", texts)
    sheet.write_dynamic_array_formula("C1", '=SHOP.TOPICS(A1:A3,"spring")', None, "")
    sheet.write_dynamic_array_formula("E1", "=SHOP.TOPICS(A1:A3)", None, "")
    book.close()
    with Client(live_server.url, TOKEN) as client:
        assert not refresh(path, client).errors
        expected = client.call("TOPICS", column(texts))
    sheet = openpyxl.load_workbook(path, data_only=True)["Reviews"]
    assert [sheet[f"C{row}"].value for row in (1, 2, 3)] == ["battery", "delivery", "delivery"]
    shown = [[cell.value or "" for cell in row] for row in sheet[f"E1:N{len(expected)}"]]
    assert shown == expected


@pytest.mark.bench
def test_five_thousand_reviews_take_seconds_once_they_are_read(engine: Engine) -> None:
    draw = random.Random(1)
    parts = [text for text in REVIEWS if isinstance(text, str)]
    texts = column([f"{draw.choice(parts)} {draw.choice(parts)} {n}" for n in range(5000)])
    engine.call("TOPICS", texts)
    started = time.perf_counter()
    engine.call("TOPICS", texts)
    assert time.perf_counter() - started < 8
