"""The engine on a tiny real encoder: meaning of SENTIMENT, store, sharing, limits, failures."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from server import batching
from server.engine import CallAbandoned, Engine
from server.models.encoder import Encoder, Reading
from server.settings import Settings
from udfs.errors import BadInput, CellError, NotReady, OutOfRange, Undecided

WORDS = ("great", "bad", "ok", "but", "slow", "慢", "好", "the", "price", "phone", "after")


def texts(count: int) -> list[str]:
    """Different texts of different lengths."""
    made = itertools.product(WORDS, repeat=4)
    return [
        " ".join(words[: 1 + number % 4]) + f" {number}"
        for number, words in enumerate(itertools.islice(made, count))
    ]


class Watched:
    """A real encoder that counts what it reads, and can be held up or broken."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.seen: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.break_on: Callable[[str], Any] = lambda text: None
        self.nan_on = ""

    def read(self, asked: Sequence[str]) -> Reading:
        self.gate.wait(20)
        for text in asked:
            self.break_on(text)
        if list(asked) != ["good"]:  # not the health check
            self.seen += asked
        reading = self.encoder.read(asked)
        if self.nan_on:
            reading.probabilities[[self.nan_on in text for text in asked]] = np.nan
        return reading

    @property
    def labels(self) -> tuple[str, ...]:
        return self.encoder.labels

    @property
    def aspect_categories(self) -> tuple[str, ...]:
        return self.encoder.aspect_categories

    @property
    def embedding_size(self) -> int:
        return self.encoder.embedding_size

    @property
    def version(self) -> str:
        return self.encoder.version

    @property
    def card(self) -> dict[str, Any]:
        return self.encoder.card

    @property
    def backend(self) -> str:
        return self.encoder.backend

    @property
    def precision(self) -> str:
        return self.encoder.precision

    def close(self) -> None:
        pass  # the encoder is used again


@pytest.fixture(scope="module")
def encoder(tiny_encoder_folder: Any) -> Iterator[Encoder]:
    encoder = Encoder.load(tiny_encoder_folder)
    yield encoder
    encoder.close()


@pytest.fixture
def watched(encoder: Encoder) -> Watched:
    return Watched(encoder)


MakeEngine = Callable[..., Engine]


@pytest.fixture
def make(settings: Settings, watched: Watched) -> Iterator[MakeEngine]:
    made: list[Engine] = []

    def build(**changes: Any) -> Engine:
        engine = Engine(settings.changed(**changes), lambda: watched)
        made.append(engine)
        return engine

    yield build
    watched.gate.set()
    for engine in made:
        engine.close()


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come true within 20 s"
        time.sleep(0.005)


def test_answers_follow_from_the_models_probabilities(make: MakeEngine, encoder: Encoder) -> None:
    engine = make()
    for text in texts(40):
        negative, neutral, positive, mixed = map(float, encoder.predict_proba([text])[0])
        by_label = {
            "negative": negative,
            "neutral": neutral,
            "positive": positive,
            "mixed": mixed,
        }
        label = max(by_label, key=by_label.__getitem__)
        ((found, score, confidence),) = engine.call("SENTIMENT", text, "all")
        assert found == label == engine.call("SENTIMENT", text)
        assert score == pytest.approx(positive - negative, abs=6e-5)
        assert confidence == pytest.approx(by_label[label], abs=6e-5)
        assert engine.call("SENTIMENT", text, "score") == score


def test_the_answer_has_the_shape_of_the_question(make: MakeEngine) -> None:
    engine = make()
    assert engine.call("SENTIMENT", "great") == "positive"
    assert engine.call("SENTIMENT", [["great"]]) == [["positive"]]
    assert engine.call("SENTIMENT", [["great", "bad"], ["bad", "great"]]) == [
        ["positive", "negative"],
        ["negative", "positive"],
    ]
    assert len(engine.call("SENTIMENT", "great", "all")[0]) == 3
    assert [len(row) for row in engine.call("SENTIMENT", [["great"], ["bad"]], "all")] == [3, 3]
    with pytest.raises(BadInput, match="text is 2 columns wide"):
        engine.call("SENTIMENT", [["great", "bad"]], "all")


def test_empty_and_bad_cells_touch_only_themselves(make: MakeEngine, watched: Watched) -> None:
    engine = make()
    broken = CellError("#DIV/0!", "")
    column = [["great"], [None], ["   "], [broken], ["x" * 40_000], [5], ["bad"]]
    answers = [row[0] for row in engine.call("SENTIMENT", column)]
    assert answers[0] == "positive"
    assert answers[1] == answers[2] == ""
    assert answers[3] == broken
    assert answers[4].code == "#VALUE!"
    assert "40,000" in answers[4].message
    assert answers[5] in watched.labels
    assert answers[6] == "negative"
    in_three = engine.call("SENTIMENT", column, "all")
    assert in_three[1] == ["", "", ""]
    assert in_three[3] == [broken] * 3
    assert sorted(watched.seen) == ["5", "bad", "great"]


def test_below_min_confidence_is_no_answer_and_says_why(make: MakeEngine) -> None:
    engine = make()
    confidence = engine.call("SENTIMENT", "great", "all")[0][2]
    assert engine.call("SENTIMENT", "great", "label", confidence) == "positive"
    above = round(confidence + 0.0001, 4)
    undecided = engine.call("SENTIMENT", "great", "label", above)
    message = f"confidence {confidence} is below min_confidence {above}"
    assert undecided == CellError("#N/A", message)
    assert isinstance(undecided.to_exception(), Undecided)
    assert engine.call("SENTIMENT", "great", "score", above) == undecided
    assert engine.call("SENTIMENT", "great", "all", above) == [[undecided, undecided, confidence]]
    with pytest.raises(OutOfRange, match="min_confidence is 80"):
        engine.call("SENTIMENT", "great", "label", 80)


def test_a_failed_call_does_not_touch_the_others(make: MakeEngine) -> None:
    answers = make().calls(
        [
            ("SENTIMENT", ["great"]),
            ("SENTIMNT", ["great"]),
            ("SENTIMENT", ["great", "colour"]),
            ("SHOP.SENTIMENT", ["bad"]),
        ]
    )
    assert [answer.value for answer in answers] == ["positive", None, None, "negative"]
    assert "Did you mean SENTIMENT" in str(answers[1].error)
    assert "'colour'" in str(answers[2].error)
    assert answers[0].model is not None
    assert answers[0].model.startswith("encoder@")


def test_submit_gives_a_result_per_item(make: MakeEngine) -> None:
    engine = make()
    assert engine.submit("SENTIMENT", ["great", None, "bad"]) == ["positive", "", "negative"]
    rows = engine.submit("SENTIMENT", ["great", "bad"], {"output": "all"})
    assert [row[0] for row in rows] == ["positive", "negative"]
    assert engine.submit("SENTIMENT", []) == []
    with pytest.raises(BadInput, match="SENTIMENT has no argument colour"):
        engine.submit("SENTIMENT", ["great"], {"colour": 1})


def test_the_batch_does_not_change_the_answer(make: MakeEngine) -> None:
    some = texts(200)
    engine = make(store=False, store_memory_items=0)
    together = engine.submit("SENTIMENT", some, {"output": "all"}, use_store=False)
    alone = [
        engine.submit("SENTIMENT", [text], {"output": "all"}, use_store=False)[0] for text in some
    ]
    backwards = engine.submit("SENTIMENT", some[::-1], {"output": "all"}, use_store=False)[::-1]
    for other in (alone, backwards):
        assert [row[0] for row in other] == [row[0] for row in together]
        for mine, theirs in zip(other, together, strict=True):
            assert mine[1:] == pytest.approx(theirs[1:], abs=5e-4)


def test_the_same_text_is_read_once(make: MakeEngine, watched: Watched) -> None:
    engine = make()
    engine.submit("SENTIMENT", ["great", "bad", "great", " great ", "great"])
    assert sorted(watched.seen) == ["bad", "great"]


def test_a_second_pass_asks_no_model_whatever_the_option(
    make: MakeEngine, watched: Watched
) -> None:
    engine = make()
    some = texts(300)
    first = engine.submit("SENTIMENT", some)
    read = len(watched.seen)
    assert read == 300
    assert engine.submit("SENTIMENT", some[::-1]) == first[::-1]
    engine.submit("SENTIMENT", some, {"output": "all", "min_confidence": 0.5})
    assert len(watched.seen) == read
    cells = engine.stats().cells
    assert cells["SENTIMENT", "model"] == 300
    assert cells["SENTIMENT", "store"] == 600


def test_results_outlive_the_server(make: MakeEngine, watched: Watched) -> None:
    some = texts(100)
    engine = make()
    first = engine.submit("SENTIMENT", some)
    engine.close()
    watched.seen.clear()
    assert make(store_memory_items=0).submit("SENTIMENT", some) == first
    assert watched.seen == []


def test_another_model_version_computes_anew(
    make: MakeEngine, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make()
    engine.submit("SENTIMENT", ["great"])
    monkeypatch.setattr(Watched, "version", "another")
    engine.submit("SENTIMENT", ["great"])
    assert watched.seen == ["great", "great"]


def test_no_store_neither_reads_nor_writes(make: MakeEngine, watched: Watched) -> None:
    engine = make()
    engine.submit("SENTIMENT", ["great"])
    engine.submit("SENTIMENT", ["great", "bad"], use_store=False)
    assert sorted(watched.seen) == ["bad", "great", "great"]
    engine.submit("SENTIMENT", ["bad"])
    assert sorted(watched.seen) == ["bad", "bad", "great", "great"]


def test_a_stored_value_of_the_wrong_size_is_computed_again(
    make: MakeEngine, watched: Watched
) -> None:
    engine = make()
    right = engine.submit("SENTIMENT", ["great"])
    (key,) = engine.store._memory
    engine.store.put_many([(key, b"short")])
    assert engine.submit("SENTIMENT", ["great"]) == right
    assert watched.seen == ["great", "great"]


def test_calls_in_flight_share_their_items(make: MakeEngine, watched: Watched) -> None:
    engine = make()
    engine.wait_ready(20)
    watched.gate.clear()
    answers: list[Any] = []
    callers = [
        threading.Thread(
            target=lambda: answers.append(engine.submit("SENTIMENT", ["great", "bad"]))
        )
        for _ in range(8)
    ]
    for caller in callers:
        caller.start()
    wait_until(lambda: engine.stats().workers[0].shared_items == 14)
    watched.gate.set()
    for caller in callers:
        caller.join()
    assert answers == [["positive", "negative"]] * 8
    assert sorted(watched.seen) == ["bad", "great"]


def test_a_text_that_breaks_the_model_spoils_its_cell_only(
    make: MakeEngine, watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    def poison(text: str) -> None:
        if text == "poison":
            raise RuntimeError("secret detail of the model")

    watched.break_on = poison
    engine = make()
    answers = engine.submit("SENTIMENT", ["great", "poison", "bad"])
    assert answers[0] == "positive"
    assert answers[2] == "negative"
    assert answers[1].code == "#N/A"
    assert "secret" not in answers[1].message
    assert "secret detail of the model" in caplog.text
    # A failure is not kept: once the model can, it answers.
    watched.break_on = lambda text: None
    assert engine.submit("SENTIMENT", ["poison"])[0] in watched.labels


def test_probabilities_that_are_no_numbers_are_an_error_and_not_kept(
    make: MakeEngine, watched: Watched
) -> None:
    watched.nan_on = "strange"
    engine = make()
    answers = engine.submit("SENTIMENT", ["great", "strange"])
    assert answers[0] == "positive"
    assert answers[1] == CellError("#N/A", "The model gave no usable answer for this text.")
    watched.nan_on = ""
    assert engine.submit("SENTIMENT", ["strange"])[0] in watched.labels


def test_too_much_waiting_is_refused_at_once(make: MakeEngine, watched: Watched) -> None:
    engine = make(max_waiting_items=50)
    engine.wait_ready(20)
    started = time.monotonic()
    with pytest.raises(NotReady, match=r"The server is busy: .* at most 50") as refusal:
        engine.submit("SENTIMENT", texts(51))
    assert time.monotonic() - started < 1
    assert refusal.value.retry_after_s
    assert len(engine.submit("SENTIMENT", texts(50))) == 50


def test_a_call_ends_at_its_deadline_and_keeps_what_is_done(
    make: MakeEngine, watched: Watched
) -> None:
    engine = make(call_timeout_s=0.3, max_batch_items=20)
    engine.wait_ready(20)
    some = texts(100)
    engine.submit("SENTIMENT", some[:10])
    watched.gate.clear()
    started = time.monotonic()
    with pytest.raises(NotReady, match=r"10 of 100 cells are done and kept: ask again"):
        engine.submit("SENTIMENT", some)
    assert time.monotonic() - started < 3
    watched.gate.set()
    wait_until(lambda: engine.stats().workers[0].waiting == 0)
    assert len(watched.seen) < 60, "items that nobody waits for are dropped"


def test_a_caller_that_left_frees_the_model(make: MakeEngine, watched: Watched) -> None:
    engine = make(max_batch_items=20)
    engine.wait_ready(20)
    engine.submit("SENTIMENT", ["warm up"])
    watched.gate.clear()
    with pytest.raises(CallAbandoned):
        engine.calls([("SENTIMENT", [[[t] for t in texts(100)]])], cancelled=lambda: True)
    watched.gate.set()
    wait_until(lambda: engine.stats().workers[0].waiting == 0)
    assert len(watched.seen) < 60


def test_a_single_call_passes_a_long_column(make: MakeEngine, watched: Watched) -> None:
    engine = make(max_batch_items=16, interactive_items=4)
    engine.wait_ready(20)
    watched.gate.clear()
    column = threading.Thread(target=engine.submit, args=("SENTIMENT", texts(400)))
    column.start()
    wait_until(lambda: engine.stats().workers[0].waiting == 384)  # a batch of 16 is running
    caller = threading.Thread(target=engine.call, args=("SENTIMENT", "great phone"))
    caller.start()
    wait_until(lambda: engine.stats().workers[0].waiting == 385)
    watched.gate.set()
    caller.join()
    column.join()
    position = watched.seen.index("great phone")
    assert position == 16, f"{position} texts of the column went first"


def test_while_loading_a_call_waits_and_then_says_so(settings: Settings, watched: Watched) -> None:
    loaded = threading.Event()

    def load() -> Watched:
        loaded.wait(20)
        return watched

    with Engine(settings.changed(load_timeout_s=0.1), load) as engine:
        assert engine.health()["encoder"] == "encoder is still loading"
        assert engine.models()[0]["problem"] == "encoder is still loading"
        with pytest.raises(NotReady, match="encoder is still loading"):
            engine.call("SENTIMENT", "great")
        loaded.set()
        engine.wait_ready(20)
        assert engine.call("SENTIMENT", "great") == "positive"
        assert engine.health()["encoder"] is None


def test_health_is_red_while_the_model_is_stuck_or_wrong(
    make: MakeEngine, watched: Watched
) -> None:
    engine = make()
    engine.wait_ready(20)
    assert engine.health()["encoder"] is None
    watched.gate.clear()
    assert engine.health(0.05)["encoder"] == "encoder did not answer within 0.05 s"
    watched.gate.set()

    def fail(text: str) -> None:
        raise RuntimeError("out of memory")

    watched.break_on = fail
    assert engine.health()["encoder"] == "encoder failed: out of memory"


def test_after_a_crash_the_engine_answers_again(
    make: MakeEngine, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "RESTART_WAITS_S", (0.01,))
    engine = make()
    engine.wait_ready(20)

    def crash(text: str) -> None:
        if text == "crash":
            raise SystemExit("the thread ends")

    watched.break_on = crash
    with pytest.raises(NotReady, match="Encoder is not running"):
        engine.submit("SENTIMENT", ["crash"])
    watched.break_on = lambda text: None
    wait_until(lambda: engine.health()["encoder"] is None)
    assert engine.call("SENTIMENT", "great") == "positive"


def test_a_missing_model_is_named_with_what_to_do(settings: Settings) -> None:
    with Engine(settings.changed(encoder_folder=settings.home / "nothing")) as engine:
        with pytest.raises(NotReady, match=r"No model folder at .*nothing.*shopsheet doctor"):
            engine.wait_ready(20)
        with pytest.raises(NotReady, match="No model folder at"):
            engine.call("SENTIMENT", "great")
