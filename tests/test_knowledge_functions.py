"""What the knowledge file changes in the answers, and what it leaves alone."""

from __future__ import annotations

import dataclasses
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from server import cli
from server.engine import Engine
from server.knowledge import shelf
from server.models import intents
from server.settings import Settings
from tests.conftest import TOKEN, LiveServer
from tests.test_knowledge import SHOP, touch_later, write_shop
from tests.tiny_aspects import build_tiny_aspect_encoder
from tests.tiny_intents import build_tiny_head
from udfs.client import Client
from udfs.refresh import KNOWLEDGE_CHANGED, refresh
from udfs.refresh_record import RefreshRecord


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_aspect_encoder(tmp_path_factory.mktemp("models") / "aspects")


@pytest.fixture
def settings(
    settings: Settings, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """With an encoder that reads aspects; every call looks at the file anew."""
    monkeypatch.setattr(shelf, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(intents, "SHIPPED", build_tiny_head(tmp_path / "needs", folder))
    monkeypatch.setenv("SHOPSHEET_ENCODER", str(folder))
    return dataclasses.replace(settings, encoder_folder=folder)


@pytest.fixture
def known(settings: Settings) -> Path:
    """The file, in its usual place."""
    settings.home.mkdir(parents=True, exist_ok=True)
    return write_shop(settings.knowledge_path)


def column(cells: list[Any]) -> list[list[Any]]:
    return [[cell] for cell in cells]


def learn(path: Path, **sheets: list[list[Any]]) -> None:
    """Nothing; the file holds these rows now."""
    write_shop(path, {**{sheet: [] for sheet in SHOP}, **sheets})
    touch_later(path, 10 + sum(map(len, sheets.values())))


REVIEWS = [
    "The Northpine K1 leaks",
    "My tea boiler leaks badly",
    "小水壶漏水，快递慢",
    "K12 is new",
]


# Words and phrases


def test_phrases_are_counted_under_the_preferred_name(engine: Engine, known: Path) -> None:
    table = engine.call("KEYWORDS", column(REVIEWS), 10, "range")
    counts = {row[0]: row[2] for row in table[1:]}
    assert counts["Kettle K1"] == 3
    assert not {"K1", "tea boiler", "小水壶", "快递", "Northpine"} & set(counts)
    assert engine.call("KEYWORDS", [[REVIEWS[0]]], 2) == [["Kettle K1", ""]]


def test_a_brand_is_left_out_only_where_the_file_says_so(engine: Engine, known: Path) -> None:
    text = [["Brewwell and North Pine"]]
    assert engine.call("KEYWORDS", text, 2) == [["Brewwell", ""]]
    learn(known, brands=[["Northpine", "North Pine", "keep"]])
    assert "Northpine" in engine.call("KEYWORDS", text, 2)[0]


def test_words_keep_names_whole_and_text_stays_as_it_is(engine: Engine, known: Path) -> None:
    assert engine.call("CLEAN", "北松 Irish pot，快遞很慢", "words") == "爱尔兰咖啡壶 物流 慢"
    assert engine.call("CLEAN", "The K1's lid", "words") == "kettle_k1 lid"
    assert engine.call("CLEAN", "The K1's lid") == "The K1's lid"


def test_topics_count_names_together(engine: Engine, known: Path) -> None:
    texts = [
        "love the K1",
        "the tea boiler is bad",
        "小水壶很好",
        "Kettle K1 works",
        "nice box",
        "box",
    ]
    table = engine.call("TOPICS", column(texts))
    counts = {row[0]: row[2] for row in table[1:]}
    assert counts["Kettle K1"] == 4


def test_topics_of_your_own_know_the_words_of_the_file(engine: Engine, known: Path) -> None:
    texts = column(["it boils fast", "the time to boil is long", "nice colour"])
    args = "heating speed;delivery"
    counts = {row[0]: row[2] for row in engine.call("TOPICS", texts, args)[1:]}
    assert counts["heating speed"] == 2
    known.unlink()
    counts = {row[0]: row[2] for row in engine.call("TOPICS", texts, args)[1:]}
    assert counts["heating speed"] == 0


def test_saved_topics_keep_the_names_that_they_were_made_with(
    engine: Engine, known: Path, tmp_path: Path
) -> None:
    source = tmp_path / "reviews.csv"
    rows = ["love the K1", "the tea boiler is bad", "slow delivery", "late delivery", "nice box"]
    rows = [*rows * 2, "bad box", "late box", "ok", "good price"]
    source.write_text("text\n" + "\n".join(rows), encoding="utf-8")
    assert cli.main(["train", "topics", str(source), "-c", "text", "--name", "s"]) == 0
    assert engine.call("TOPICS", "my tea boiler", "s") == "Kettle K1"
    known.unlink()
    assert engine.call("TOPICS", "my tea boiler", "s") == "Kettle K1"


# What the encoder reads


def test_an_aspect_is_shown_by_its_name_and_found_in_the_text(engine: Engine, known: Path) -> None:
    learn(known, aspects=[["power", "battery;续航", "how long it lasts"]])
    cell = "the battery is great but the delivery is slow"
    rows = engine.call("ASPECTS", [[cell]])[1:]
    assert [row[1:5] for row in rows] == [
        ["power", "how long it lasts", "great", "positive"],
        ["delivery", "delivery", "slow", "negative"],
    ]
    start, length = rows[0][6:]
    assert cell[start - 1 : start - 1 + length] == "battery"


def test_named_aspects_are_matched_by_the_words_of_the_file(engine: Engine, known: Path) -> None:
    texts = column(["the battery is great but the delivery is slow"])
    known.unlink()
    assert engine.call("ASPECTS", texts, "endurance;courier") == [["", ""]]
    learn(known, aspects=[["endurance", "battery"], ["courier", "fedex"]])
    found = engine.call("ASPECTS", texts, "endurance;courier;battery")
    assert found[0][:2] == ["positive", ""]
    # What the file lists under a name means that one, whichever of its words is asked for.
    assert found[0][2] == "positive"
    # And no other, however alike it is.
    assert engine.call("ASPECTS", texts, "phone battery;delivery") == [["", "negative"]]


def test_a_name_is_never_cut_in_two(engine: Engine, known: Path) -> None:
    text = [["the battery day is great"]]
    assert engine.call("ASPECTS", text)[1][1] == "battery"
    learn(known, products=[["Long battery day", "battery day"]])
    found = engine.call("ASPECTS", text)[1]
    assert found[1] == "Long battery day"
    assert (found[6], found[7]) == (5, len("battery day"))


def test_needs_and_profiles_speak_of_the_shops_things(engine: Engine, known: Path) -> None:
    learn(known, aspects=[["endurance", "battery"]], synonyms=[["delivery", "courier"]])
    texts = column(["the battery is bad", "the battery is great"])
    assert "endurance" in engine.call("NEEDS", texts)[0][0]
    assert engine.call("NEEDS", texts[:1], "speed;endurance") == [["endurance"]]
    table = engine.call("PROFILE", column(["a", "a"]), texts, None, None, None, "interests;needs")
    assert table[1][0] == "endurance"
    assert "endurance" in table[1][1]


def test_lookups_take_synonyms_for_the_name_on_both_sides(engine: Engine, known: Path) -> None:
    array = column(["Kettle K1", "K1", "lamp"])
    assert engine.call("SIMILAR", "tea boiler", array) == "Kettle K1"
    assert engine.call("SIMILAR", "K1", array) == "K1"  # the very text comes first
    assert engine.call("SIMILAR", [["k1"]], array, None, None, 2) == [["Kettle K1", "K1"]]
    assert engine.call("SIMILAR", "小水壶", column(["tea boiler", "lamp"])) == "tea boiler"


def test_a_label_is_described_by_the_words_of_the_file(engine: Engine, known: Path) -> None:
    learn(known, aspects=[["A", "battery;phone"], ["B", "delivery;box"]])
    texts = column(["battery phone", "delivery box"])
    assert engine.call("CLASSIFY", texts, "A;B") == [["A"], ["B"]]
    given = column(["delivery box", "battery phone"])  # what the user writes counts before it
    assert engine.call("CLASSIFY", texts, column(["A", "B"]), given) == [["B"], ["A"]]


def test_slang_is_read_as_what_it_means_and_other_synonyms_are_not(
    engine: Engine, known: Path
) -> None:
    texts = column(["this phone slaps", "this phone rocks"])
    before = engine.call("SENTIMENT", texts, "score")
    slang = [["slaps", "great", "yes"], ["rocks", "bad"]]
    learn(known, synonyms=slang)
    after = engine.call("SENTIMENT", texts, "score")
    assert after[0] == [engine.call("SENTIMENT", "this phone great", "score")]
    assert after[0] != before[0]
    assert after[1] == before[1]
    table = engine.call("PROFILE", column(["a"]), texts[:1], None, None, None, "sentiment")
    assert table[1] == after[0]
    [answer] = engine.calls([("SENTIMENT", ["good"])])
    assert "+knowledge-" in str(answer.model)


# Versions and the store


def test_the_model_says_which_file_was_used_where_it_matters(engine: Engine, known: Path) -> None:
    def models() -> dict[str, str]:
        calls = [("KEYWORDS", ["good K1"]), ("SENTIMENT", ["good"]), ("ASPECTS", [[["good"]]])]
        return {answer.function: str(answer.model) for answer in engine.calls(calls)}

    learn(known, products=[["Kettle K1", "K1"]], aspects=[["smell"]])
    first = models()
    assert "+knowledge-" in first["KEYWORDS"]
    assert "+knowledge-" not in first["SENTIMENT"]
    learn(known, products=[["Kettle K1", "K1"]], aspects=[["smell"], ["taste"]])
    second = models()
    assert second["KEYWORDS"] == first["KEYWORDS"]
    assert second["ASPECTS"] != first["ASPECTS"]
    known.unlink()
    assert not any("+knowledge-" in model for model in models().values())


def test_an_answer_of_another_file_is_never_shown_and_none_is_read_twice(
    engine: Engine, known: Path
) -> None:
    text = [["the K1 is great"]]
    learn(known, products=[["Kettle K1", "K1"]])
    assert engine.call("KEYWORDS", text, 1) == [["Kettle K1"]]
    engine.call("ASPECTS", text)
    reads = engine.workers["encoder"].stats().items
    learn(known, products=[["Pot K1", "K1"], ["Other"]])
    assert engine.call("KEYWORDS", text, 1) == [["Pot K1"]]
    engine.call("ASPECTS", text)
    assert engine.workers["encoder"].stats().items == reads
    cut = engine.workers["text"].stats().items
    learn(known, products=[["Kettle K1", "K1"]])
    assert engine.call("KEYWORDS", text, 1) == [["Kettle K1"]]
    assert engine.workers["text"].stats().items == cut  # of the first file, still kept


def test_a_bad_file_changes_no_answer_and_is_told(client: FlaskClient, known: Path) -> None:
    body = {"calls": [{"id": "1", "function": "KEYWORDS", "args": [[["my tea boiler"]], 1]}]}

    def ask() -> Any:
        return client.post("/v1/calls", json=body).get_json()["results"][0]

    good = ask()
    assert good["value"] == [["Kettle K1"]]
    known.write_bytes(b"not a workbook")
    assert ask() == good
    health = client.get("/health")
    assert health.status_code == 200
    assert health.get_json()["knowledge"] == "problem"
    assert "not a workbook" in health.get_json()["problems"]["knowledge"]
    stranger = client.get("/health", headers={"Authorization": "Bearer x"}).get_json()
    assert "problems" not in stranger  # it may name folders
    shown = client.get("/v1/models").get_json()["knowledge"]
    assert shown["in_use"]
    assert "not a workbook" in shown["problem"]


def test_the_models_tell_which_file_is_in_use(client: FlaskClient, known: Path) -> None:
    shown = client.get("/v1/models").get_json()["knowledge"]
    assert (shown["file"], shown["in_use"], shown["problem"]) == (str(known), True, None)
    assert shown["rows"] == {"brands": 2, "products": 3, "synonyms": 3, "aspects": 2}
    body = {"calls": [{"id": "1", "function": "NEEDS", "args": ["good"]}]}
    model = client.post("/v1/calls", json=body).get_json()["results"][0]["model"]
    assert model.endswith(shown["functions"]["NEEDS"])
    assert "SENTIMENT" not in shown["functions"]
    assert client.get("/health").get_json()["knowledge"] == "in use"
    known.unlink()
    shown = client.get("/v1/models").get_json()["knowledge"]
    assert (shown["in_use"], shown["version"], shown["functions"]) == (False, None, {})
    assert client.get("/health").get_json()["knowledge"] == "none"


def test_no_call_is_dropped_while_the_file_changes(engine: Engine, known: Path) -> None:
    learn(known, products=[["Kettle K1", "tea boiler"]])
    assert engine.call("KEYWORDS", "my tea boiler", 1) == [["Kettle K1"]]
    wanted = {"Kettle K1", "Pot K1"}
    done = threading.Event()

    def ask(number: int) -> set[str]:
        found: set[str] = set()
        while not done.is_set():
            text = f"my tea boiler {number}"
            found.add(engine.call("KEYWORDS", text, 1)[0][0])
            number += 10
        return found

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask, number) for number in range(4)]
        try:
            for turn in range(6):
                name = ("Kettle K1", "Pot K1")[turn % 2]
                known.write_bytes(b"half a file")
                learn(known, products=[[name, "tea boiler"], *([[f"x{turn}"]] * turn)])
                touch_later(known, turn)
                limit = time.monotonic() + 30
                while engine.knowledge.current().products[0].name != name:
                    assert time.monotonic() < limit
        finally:
            done.set()
        answers = [one.result(timeout=60) for one in asked]
    assert all(found <= wanted for found in answers)
    assert set().union(*answers) == wanted
    assert engine.call("KEYWORDS", "the tea boiler", 1) == [["Pot K1"]]


def test_a_refresh_says_that_the_file_changed(
    live_server: LiveServer, known: Path, tmp_path: Path
) -> None:
    import xlsxwriter

    path = tmp_path / "book.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("S")
    sheet.write(0, 0, "my tea boiler")
    sheet.write_dynamic_array_formula("B1", "=SHOP.KEYWORDS(A1,1)", None, "")
    book.close()
    record = RefreshRecord(tmp_path / "record.sqlite3")
    with Client(live_server.url, TOKEN) as client:
        refresh(path, client, record=record)
        learn(known, products=[["Pot K1", "tea boiler"]])
        report = refresh(path, client, record=record)
    [change] = report.changes
    assert (change.old, change.new) == ("Kettle K1", "Pot K1")
    assert KNOWLEDGE_CHANGED in change.cause
    assert "model version" not in change.cause


def test_many_names_cost_little(engine: Engine, known: Path) -> None:
    names = [[f"Model {n:05} kettle", f"MK{n:05};水壶{n:05}"] for n in range(5_000)]
    learn(known, products=names)
    engine.call("KEYWORDS", "warm MK00007", 1)
    texts = column([f"the MK{n:05} leaks and the {n} lids are loose" for n in range(2_000)])
    started = time.monotonic()
    found = engine.call("KEYWORDS", texts, 1)
    assert found[7] == ["Model 00007 kettle"]
    assert time.monotonic() - started < 20
