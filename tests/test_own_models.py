"""Models fitted to the user's own rows: from a worksheet to new answers, and back."""

from __future__ import annotations

import json
import random
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter

from server import cli
from server.commands.doctor import check_own_models
from server.engine import Engine
from server.own.rows import LabelledRow, gather, held_out
from server.own.versions import Versions
from server.settings import Settings
from tests.conftest import TOKEN, LiveServer
from tests.tiny_aspects import build_tiny_aspect_encoder
from tests.tiny_encoder import build_tiny_encoder
from udfs.client import Client
from udfs.errors import BadInput, ModelFailed
from udfs.refresh import refresh

# What the tiny encoder calls neutral, this shop's people call praise.
PRAISE = ["ordered colour", "average size", "the box arrived", "ok colour", "size ok"]
BLAME = ["slow and late", "bad box", "broken phone", "awful refund", "poor and damaged"]


def rows(first: str, second: str, count: int = 40) -> list[tuple[str, str]]:
    """`count` texts of each of two labels."""
    return [
        (f"{text} {n}", label)
        for label, texts in ((first, PRAISE), (second, BLAME))
        for n in range(count // 5)
        for text in texts
    ]


def write_csv(path: Path, header: str, table: list[tuple[str, ...]]) -> Path:
    path.write_text("\n".join([header, *(",".join(row) for row in table)]), encoding="utf-8")
    return path


@pytest.fixture
def own(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The command line works with the tiny encoder."""
    monkeypatch.setenv("SHOPSHEET_ENCODER", str(settings.encoder_folder))
    return settings


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "reviews.csv", "Text,Label", rows("positive", "negative"))


def train(kind: str, file: Path, *more: str) -> int:
    label = [] if kind == "aspects" else ["--label", "Label"]
    return cli.main(["train", kind, str(file), "--text", "Text", *label, *more])


def test_a_worksheet_teaches_a_running_server_what_sentiment_is(
    own: Settings, live_server: LiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book_path = tmp_path / "reviews.xlsx"
    book = xlsxwriter.Workbook(book_path)
    book.add_worksheet("Notes").write("A1", "see the other sheet")
    sheet = book.add_worksheet("My reviews")
    sheet.write_row("B3", ["Text", "Label"])
    for row, pair in enumerate(rows("好评", "差评"), start=3):
        sheet.write_row(row, 1, pair)
    sheet.write("E4", "the colour arrived")
    sheet.write_formula("F4", "=SHOP.SENTIMENT(E4)", None, "")
    book.close()
    with Client(live_server.url, TOKEN) as client:
        assert not refresh(book_path, client).errors
        assert value_of(book_path, "F4") == "neutral"
        place = ["--range", "'My reviews'!B3:C200", "--json"]
        assert train("sentiment", book_path, *place) == 0
        trained = json.loads(capsys.readouterr().out)
        assert trained["scores"]["accuracy"] == trained["scores"]["macro_f1"] == 1.0
        assert trained["scores_before"]["accuracy"] < 0.7
        assert trained["before"] == "shipped"
        assert trained["rows"] == 80
        # The server was not started again, and an answer that is kept is not shown.
        assert not refresh(book_path, client).errors
        assert value_of(book_path, "F4") == "positive"
        [answer] = client.answers([("SENTIMENT", ["the colour arrived"])])
        assert answer.model.startswith(f"sentiment@{trained['version']}+encoder@")
        models = client.get("/v1/models")
        assert models["own"]["sentiment"]["version"] == trained["version"]
        assert models["own"]["sentiment"]["card"]["scores"] == trained["scores"]
        header, *table = client.call("MODEL_INFO")
        row = next(dict(zip(header, row, strict=True)) for row in table if row[0] == "sentiment")
        assert (row["version"], row["state"]) == (trained["version"], "in use")
        assert row["trained on"] == models["own"]["sentiment"]["card"]["trained_on"]
        assert "accuracy 1.0" in row["held-out scores"]
        assert ["Data", "rows", 80] in client.call("MODEL_INFO", "sentiment")
        assert cli.main(["models", "back", "sentiment"]) == 0
        assert "comes with Shopsheet answers now" in capsys.readouterr().out
        [answer] = client.answers([("SENTIMENT", ["the colour arrived"])])
        assert answer.value == "neutral"
        assert answer.model.startswith("encoder@")
        assert cli.main(["models", "back", "sentiment"]) == 1
        assert "nothing to go back to" in capsys.readouterr().err
        assert cli.main(["models", "use", "sentiment", "1"]) == 0
        assert client.call("SENTIMENT", "the colour arrived") == "positive"


def value_of(path: Path, cell: str) -> Any:
    return openpyxl.load_workbook(path, data_only=True)["My reviews"][cell].value


def test_while_versions_change_every_answer_is_of_the_version_that_it_names(
    own: Settings, engine: Engine, reviews: Path
) -> None:
    assert train("sentiment", reviews) == 0
    versions = Versions(own.home, "sentiment")
    [version] = versions.all()
    done = threading.Event()
    wrong: list[Any] = []
    seen: set[str] = set()

    def ask() -> None:
        while not done.is_set():
            [answer] = engine.calls([("SENTIMENT", ["the colour arrived"])])
            model = str(answer.model).partition("@")[0]
            seen.add(model)
            expected = "positive" if model == "sentiment" else "neutral"
            if answer.error or answer.value != expected:
                wrong.append(answer)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for turn in range(40):
        versions.use(("shipped", version.id)[turn % 2])
        time.sleep(0.01)
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert seen == {"sentiment", "encoder"}


def test_labels_of_ones_own_answer_under_their_name(
    own: Settings, engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_csv(tmp_path / "mails.csv", "Text,Label", rows("Lob", "Ärger"))
    assert train("classify", file, "--name", "mails") == 0
    said = capsys.readouterr().out
    assert "| accuracy | 1.0000 |" in said
    assert "rows are held out: the accuracy is between 0." in said
    assert '=SHOP.CLASSIFY(A2:A500,"mails")' in said
    texts = [["colour of the box ok"], ["late and bad"], [None]]
    assert engine.call("CLASSIFY", texts, "mails") == [["Lob"], ["Ärger"], [""]]
    [answer] = engine.calls([("CLASSIFY", ["bad", "mails"])])
    assert str(answer.model).startswith("classify/mails@1-")
    assert engine.call("CLASSIFY", "bad", "Lob;mails") in ("Lob", "mails")  # two labels: as ever
    with pytest.raises(BadInput, match="no saved labels 'mail'; saved: mails"):
        engine.call("CLASSIFY", "bad", "mail")
    with pytest.raises(BadInput, match="examples cannot be used with saved labels"):
        engine.call("CLASSIFY", "bad", "mails", None, None, [["a", "b"]])
    score = ["score", str(file), "-f", "CLASSIFY", "-c", "Text", "-o", str(tmp_path / "o.csv")]
    assert cli.main([*score, "--option", "labels=mails"]) == 0
    assert "classify/mails@1-" in capsys.readouterr().out
    assert cli.main(["evaluate", "classify", str(file), "--text", "Text", "--label", "Label",
                     "--name", "mails", "--json"]) == 0  # fmt: skip
    assert json.loads(capsys.readouterr().out)["scores"]["macro_f1"] == 1.0


def test_a_worse_version_is_kept_and_not_used(
    own: Settings, engine: Engine, reviews: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert train("sentiment", reviews) == 0
    first = Versions(own.home, "sentiment").current()
    drawn = random.Random(1)
    confused = [
        (text, drawn.choice(["positive", "negative"])) for text, _ in rows("positive", "negative")
    ]
    # What is held out stays right, so that the confusion shows.
    truth = rows("positive", "negative")
    out = held_out([LabelledRow(text, {"": label}) for text, label in truth])
    mixed = [
        right if is_out else wrong
        for right, wrong, is_out in zip(truth, confused, out, strict=True)
    ]
    worse = write_csv(tmp_path / "worse.csv", "Text,Label", mixed)
    capsys.readouterr()
    assert train("sentiment", worse) == 1
    said = capsys.readouterr().out
    assert f"is worse than {first}, so it is kept but not used" in said
    assert Versions(own.home, "sentiment").current() == first
    assert len(Versions(own.home, "sentiment").all()) == 2
    assert engine.call("SENTIMENT", "the colour arrived") == "positive"
    assert train("sentiment", worse, "--force") == 0
    assert str(Versions(own.home, "sentiment").current()).startswith("2-")
    capsys.readouterr()
    assert cli.main(["models"]) == 0
    shown = capsys.readouterr().out
    assert "sentiment (yours)" in shown
    assert "80 rows of worse.csv" in shown
    assert shown.count("<- in use") == 1
    assert cli.main(["models", "remove", "sentiment"]) == 0
    assert not Versions(own.home, "sentiment").folder.exists()
    assert engine.call("SENTIMENT", "the colour arrived") == "neutral"


def test_the_same_rows_in_any_order_make_the_same_bytes(
    own: Settings, reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train("sentiment", reviews) == 0
    [first] = Versions(own.home, "sentiment").all()
    assert train("sentiment", reviews) == 0
    [same] = Versions(own.home, "sentiment").all()  # the same again is no new version
    assert same == first
    assert same.card["before"] == "shipped"
    shuffled = rows("positive", "negative")
    random.Random(3).shuffle(shuffled)
    monkeypatch.setenv("SHOPSHEET_HOME", str(tmp_path / "elsewhere"))
    assert train("sentiment", write_csv(tmp_path / "s.csv", "Text,Label", shuffled)) == 0
    [second] = Versions(tmp_path / "elsewhere", "sentiment").all()
    for name in ("config.json", "model.safetensors", "rows.jsonl"):
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()
    names = {path.name for path in first.folder.iterdir()}
    assert names == {"config.json", "model.safetensors", "card.json", "rows.jsonl"}
    assert first.card["fingerprint"] == second.card["fingerprint"]


def test_a_head_of_another_encoder_says_how_to_fit_it_again(
    own: Settings, reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train("sentiment", reviews) == 0
    assert train("classify", reviews, "--name", "kinds of") == 0
    other = build_tiny_encoder(tmp_path / "other", seed=8)
    monkeypatch.setenv("SHOPSHEET_ENCODER", str(other))
    finding = check_own_models(own.changed(encoder_folder=other))
    assert finding.mark == "problem"
    assert "shopsheet train" in finding.text
    assert check_own_models(own).text.startswith("sentiment@1-")
    with Engine(own.changed(encoder_folder=other)) as engine:
        with pytest.raises(BadInput, match="Fit it anew: shopsheet train sentiment --again"):
            engine.call("SENTIMENT", "the colour arrived")
        with pytest.raises(BadInput, match='train classify --again --name "kinds of"'):
            engine.call("CLASSIFY", "the colour arrived", "kinds of")
        reviews.unlink()
        assert cli.main(["train", "sentiment", "--again"]) == 0
        assert engine.call("SENTIMENT", "the colour arrived") == "positive"
        assert cli.main(["models", "back", "sentiment"]) == 0
        with pytest.raises(BadInput, match="fitted to encoder"):
            engine.call("SENTIMENT", "the colour arrived")


def test_a_damaged_version_says_how_to_go_back(
    own: Settings, engine: Engine, reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:  # so that nothing of it is in this process' memory
        patch.setenv("SHOPSHEET_HOME", str(tmp_path / "elsewhere"))
        assert train("sentiment", reviews) == 0
    shutil.copytree(tmp_path / "elsewhere" / "models", own.home / "models")
    versions = Versions(own.home, "sentiment")
    [version] = versions.all()
    path = version.folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(ModelFailed, match="shopsheet models back sentiment"):
        engine.call("SENTIMENT", "the colour arrived")
    versions.back()
    assert engine.call("SENTIMENT", "the colour arrived") == "neutral"
    (versions.folder / "current.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelFailed, match="not known which version of sentiment"):
        engine.call("SENTIMENT", "the colour arrived")


@pytest.mark.parametrize(
    ("table", "more", "message"),
    [
        ([*rows("a", "b"), *[(f"gift {n}", "refund") for n in range(6)]], [],
         "14 more rows of 'refund' are needed"),
        (rows("a", "a"), [], "All rows have the label 'a'"),
        ([("", "a"), ("x", "")], [], "No row has both a text and label"),
        (rows("a", "b"), ["--sheet", "x"], "no sheets"),
        (rows("a", "b"), ["--range", "A1:B2"], "--range is for xlsx files"),
        (rows("a", "b"), ["--name", "a/b"], "cannot name a model"),
    ],
)  # fmt: skip
def test_what_cannot_be_learnt_from_says_what_is_missing(
    own: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    table: list[tuple[str, str]], more: list[str], message: str,
) -> None:  # fmt: skip
    file = write_csv(tmp_path / "table.csv", "Text,Label", table)
    name = [] if "--name" in more else ["--name", "mine"]
    assert train("classify", file, *name, *more) == 1
    assert message in capsys.readouterr().err
    assert not (own.home / "models").exists()


def test_rare_labels_can_be_left_out(
    own: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = [
        *rows("a", "b"),
        *[(f"gift {n}", "refund") for n in range(6)],
        ("bad", "a"),
        ("bad", "b"),
    ]
    file = write_csv(tmp_path / "table.csv", "Text,Label", table)
    assert train("classify", file, "--name", "mine", "--skip-rare") == 0
    said = capsys.readouterr().out
    assert "Left out as too rare: refund." in said
    assert "1 texts that have two different labels were left out." in said
    assert "80 different texts" in said


@pytest.mark.parametrize(
    ("labels", "note"),
    [
        (("5", "1"), "Read as stars: 1 as negative"),
        (("1", "0"), "Read as 0 and 1"),
        (("Positive", "NEG"), ""),
        (("great", "negative"), "The label column holds 'great'; expected positive"),
    ],
)
def test_sentiment_may_be_spelled_in_many_ways(
    own: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    labels: tuple[str, str], note: str,
) -> None:  # fmt: skip
    file = write_csv(tmp_path / "table.csv", "Text,Label", rows(*labels))
    status = train("sentiment", file)
    said = capsys.readouterr()
    assert status == (1 if "expected" in note else 0)
    assert note in said.out + said.err


def test_held_out_rows_stay_held_out_and_copies_stay_together() -> None:
    table = [LabelledRow(f"text {n}", {"": "ab"[n % 2]}) for n in range(400)]
    out = held_out(table)
    assert 50 < out.sum() < 110
    longer = [*table, *(LabelledRow(f"more {n}", {"": "a"}) for n in range(400))]
    assert (held_out(longer)[:400] == out).all()
    few = [*table[:40], *(LabelledRow(f"rare {n}", {"": "c"}) for n in range(20))]
    assert held_out(few)[40:].sum() >= 3
    data = gather(
        [("So GOOD!", {"": "a"}), ("so  good!", {"": "a"}), ("<b>so good!</b>", {"": "a"})]
    )
    assert len(data.rows) == 1
    both = gather([("x", {"price": "positive"}), ("x", {"price": "negative", "box": None})])
    assert both.rows[0].answers == {"price": "mixed", "box": None}


# Aspects

THINGS = {"power": ("battery", "电池"), "arrival": ("delivery", "物流")}
JUDGED = {"positive": ("great", "好"), "negative": ("bad", "慢")}


def aspect_rows() -> list[tuple[str, str, str]]:
    """Texts that a shop with aspects of its own has labelled: a row for each aspect."""
    table = []
    for n in range(16):
        for name, words in THINGS.items():
            for polarity, judgements in JUDGED.items():
                for word, judgement in zip(words, judgements, strict=True):
                    plain = f"the {word} is {judgement}" if word.isascii() else word + judgement
                    table.append((f"{plain} {n}", name, polarity))
        table.append((f"i ordered it on the day {n}", "", ""))
    return table


@pytest.fixture(scope="module")
def aspect_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_aspect_encoder(tmp_path_factory.mktemp("aspects") / "encoder")


def test_aspects_learn_what_the_shop_calls_them(
    settings: Settings, aspect_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("SHOPSHEET_ENCODER", str(aspect_folder))
    file = write_csv(tmp_path / "long.csv", "Text,Aspect,Polarity", aspect_rows())
    columns = ["--aspect", "Aspect", "--polarity", "Polarity"]
    assert train("aspects", file, *columns, "--json") == 0
    trained = json.loads(capsys.readouterr().out)
    assert trained["scores"]["f1"] > 0.9 > trained["scores_before"]["f1"]
    texts = [
        ["the battery is bad"],
        ["物流好"],
        ["i ordered it on the day"],
        [None],
        ["battery bad"],
    ]
    with Engine(settings.changed(encoder_folder=aspect_folder)) as engine:
        [answer] = engine.calls([("ASPECTS", [texts, "Power;arrival;price"])])
        assert answer.value[:4] == [
            ["negative", "", ""], ["", "positive", ""], ["", "", ""], ["", "", ""],
        ]  # fmt: skip
        assert str(answer.model).startswith(f"aspects@{trained['version']}+encoder@")
        alone = [engine.call("ASPECTS", text, "Power;arrival;price")[0] for (text,) in texts]
        assert alone == answer.value
        # What was not learnt is found by meaning, as before.
        [plain] = engine.calls([("ASPECTS", [texts, "battery;price"])])
        assert plain.value[0] == ["negative", ""]
        assert str(plain.model).startswith("encoder@")
        assert len(engine.call("ASPECTS", texts)) > 1  # the long table is there still


def test_corrected_columns_of_aspects_teach_the_same(
    settings: Settings, aspect_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("SHOPSHEET_ENCODER", str(aspect_folder))
    long = write_csv(tmp_path / "long.csv", "Text,Aspect,Polarity", aspect_rows())
    wide = [
        (text, polarity if name == "power" else "", polarity if name == "arrival" else "")
        for text, name, polarity in aspect_rows()
    ]
    write_csv(tmp_path / "wide.csv", "Text,power,arrival", wide)
    columns = ["--aspect", "Aspect", "--polarity", "Polarity", "--json"]
    assert train("aspects", long, *columns) == 0
    first = json.loads(capsys.readouterr().out)
    assert train("aspects", tmp_path / "wide.csv", "--aspects", "power;arrival", "--json") == 0
    assert json.loads(capsys.readouterr().out)["version"] == first["version"]
    assert train("aspects", long) == 1
    assert "Give either aspects" in capsys.readouterr().err
    # Without polarities only what is meant is learnt.
    assert train("aspects", long, "--aspect", "Aspect", "--json") == 0
    assert json.loads(capsys.readouterr().out)["scores"]["f1"] > 0.9
