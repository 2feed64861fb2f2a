"""Scoring a file: the answers of the server, whatever happens to the process on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from server import cli, scoring
from server.engine import Answer, Engine
from server.local import Caller, open_caller
from server.scoring import Task, read_options, result_columns, score
from server.settings import Settings
from server.tables import open_table
from tests.conftest import LiveServer
from udfs.catalogue import FUNCTIONS
from udfs.errors import BadInput, CellError, ModelFailed, NotReady, OutOfRange

SENTIMENT = FUNCTIONS["SENTIMENT"]
TEXTS = ["great value", "物流太慢了，包装也破了", "", "slow and broken", "很好", "an ok box"]


def reviews(path: Path, texts: Sequence[str] = TEXTS) -> Path:
    import csv

    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["id", "text"], *enumerate(texts, start=1)])
    return path


class EngineCaller:
    """Calls of an engine that the test holds; counts them and fails when told."""

    where = "the test"

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.rows = 0
        self.fail_after: int | None = None
        self.errors: list[Exception] = []
        self.model: str | None = None

    def answers(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> Sequence[Answer]:
        if self.errors:
            raise self.errors.pop(0)
        if self.fail_after is not None and self.rows >= self.fail_after:
            raise ModelFailed("the test says stop")
        answers = self.engine.calls(calls)
        self.rows += sum(len(args[0]) for _, args in calls)
        for answer in answers:
            answer.model = self.model or answer.model
        return answers

    def call_many(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        raise NotImplementedError

    def call(self, function: str, *args: Any) -> Any:
        raise NotImplementedError

    @contextmanager
    def connect(self) -> Iterator[Caller]:
        yield self


@pytest.fixture
def caller(engine: Engine) -> EngineCaller:
    return EngineCaller(engine)


def task(source: Path, target: Path, options: dict[str, Any] | None = None, **more: Any) -> Task:
    return Task(source, target, SENTIMENT, "text", options or {}, **more)


def rows_of(path: Path) -> list[list[Any]]:
    return list(open_table(path).rows())


# What comes out


def test_labels_are_those_that_single_calls_give(tmp_path: Path, caller: EngineCaller) -> None:
    source = reviews(tmp_path / "reviews.csv")
    summary = score(task(source, tmp_path / "out.csv"), caller.connect)
    table = open_table(tmp_path / "out.csv")
    assert table.columns == ["id", "text", "sentiment", "sentiment_error"]
    for row in table.rows():
        assert row[2] == (caller.engine.call("SENTIMENT", row[1]) or None)
    assert (summary.rows, summary.failed, summary.continued) == (6, 0, 0)
    assert summary.model.startswith("encoder@")
    assert [path.name for path in tmp_path.glob("out*")] == ["out.csv"]


@pytest.mark.parametrize("source_kind", ["csv", "tsv", "xlsx", "parquet"])
@pytest.mark.parametrize("target_kind", ["csv", "tsv", "xlsx", "parquet"])
def test_every_format_gives_the_same_answers(
    tmp_path: Path, caller: EngineCaller, source_kind: str, target_kind: str
) -> None:
    source = tmp_path / f"in.{source_kind}"
    if source_kind == "parquet":
        pq.write_table(pa.table({"id": range(6), "text": [t or None for t in TEXTS]}), source)
    elif source_kind == "xlsx":
        book = openpyxl.Workbook()
        assert book.active is not None
        for row in [["id", "text"], *enumerate(TEXTS)]:
            book.active.append(row)
        book.save(source)
    else:
        separator = "\t" if source_kind == "tsv" else ","
        lines = [["id", "text"], *([str(i), t] for i, t in enumerate(TEXTS))]
        source.write_text("\n".join(separator.join(line) for line in lines), encoding="utf-8")
    target = tmp_path / f"out.{target_kind}"
    score(task(source, target, {"output": "all"}), caller.connect)
    table = open_table(target)
    assert table.columns[2:] == [
        "sentiment_label",
        "sentiment_score",
        "sentiment_confidence",
        "sentiment_error",
    ]
    column = [[text] for text in TEXTS]
    for row, expected in zip(
        table.rows(), caller.engine.call("SENTIMENT", column, "all"), strict=True
    ):
        assert row[1:2] == [row[1]]
        label, *numbers = row[2:5]
        assert label == (expected[0] or None)
        if label:
            assert [float(n) for n in numbers] == pytest.approx(expected[1:], abs=1e-12)
        else:
            assert numbers == [None, None]


def test_one_bad_row_does_not_spoil_the_column(tmp_path: Path, caller: EngineCaller) -> None:
    source = reviews(tmp_path / "reviews.csv", ["great", "x" * 40_000, "slow"])
    summary = score(task(source, tmp_path / "out.xlsx", {"output": "all"}), caller.connect)
    good, bad, after = rows_of(tmp_path / "out.xlsx")
    assert good[2] == "positive"
    assert after[2] == "negative"
    assert all(isinstance(cell, CellError) and cell.code == "#VALUE!" for cell in bad[2:5])
    assert bad[5].startswith("#VALUE! text has 40,000 characters")
    assert summary.failed == 1
    score(task(source, tmp_path / "out.csv"), caller.connect)
    bad = rows_of(tmp_path / "out.csv")[1]
    assert bad[2] is None
    assert bad[3].startswith("#VALUE! text has 40,000")


def test_unsure_rows_say_so(tmp_path: Path, caller: EngineCaller) -> None:
    source = reviews(tmp_path / "reviews.csv")
    summary = score(task(source, tmp_path / "out.csv", {"min_confidence": 1.0}), caller.connect)
    assert summary.failed == 5  # the sixth is empty
    assert "min_confidence" in rows_of(tmp_path / "out.csv")[0][3]


def test_a_table_without_rows_needs_no_model(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,text\n", encoding="utf-8")

    def never() -> Any:
        raise AssertionError("no caller is needed")

    summary = score(task(tmp_path / "in.csv", tmp_path / "out.csv"), never)
    assert summary.rows == 0
    assert open_table(tmp_path / "out.csv").columns[-1] == "sentiment_error"


# Options and columns


def test_options_are_checked_as_in_a_formula() -> None:
    assert read_options(SENTIMENT, ["output=ALL", "min_confidence=0.8"]) == {
        "output": "all",
        "min_confidence": 0.8,
    }
    with pytest.raises(BadInput, match=r"'outptu=all' is not one of SENTIMENT: output="):
        read_options(SENTIMENT, ["outptu=all"])
    with pytest.raises(BadInput, match="expected"):
        read_options(SENTIMENT, ["output=both"])
    with pytest.raises(OutOfRange, match="from 0 to 1"):
        read_options(SENTIMENT, ["min_confidence=80"])
    with pytest.raises(BadInput, match="given twice"):
        read_options(SENTIMENT, ["output=all", "output=label"])


def test_columns_are_named_after_function_and_output() -> None:
    assert result_columns(SENTIMENT, {}) == ["sentiment", "sentiment_error"]
    assert result_columns(SENTIMENT, {"output": "label"}) == ["sentiment", "sentiment_error"]
    assert result_columns(SENTIMENT, {"output": "score"}) == ["sentiment_score", "sentiment_error"]


def test_the_input_is_never_overwritten(tmp_path: Path, caller: EngineCaller) -> None:
    source = reviews(tmp_path / "reviews.csv")
    with pytest.raises(BadInput, match="is the input itself"):
        score(task(source, tmp_path / "." / "reviews.csv"), caller.connect)


# Runs that stop


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "FIRST_CHUNK_ROWS", 10)
    monkeypatch.setattr(scoring, "MAX_CHUNK_ROWS", 10)


def many(count: int = 60) -> list[str]:
    return [f"{TEXTS[i % len(TEXTS)]} {i}" if i % 7 else "" for i in range(count)]


@pytest.mark.usefixtures("small_chunks")
def test_a_stopped_run_goes_on_and_scores_no_row_twice(
    tmp_path: Path, caller: EngineCaller
) -> None:
    source = reviews(tmp_path / "in.csv", many())
    caller.fail_after = 30
    with pytest.raises(ModelFailed):
        score(task(source, tmp_path / "out.csv"), caller.connect)
    assert not (tmp_path / "out.csv").exists()
    assert (tmp_path / "out.csv.unfinished").exists()
    caller.fail_after, done = None, caller.rows
    summary = score(task(source, tmp_path / "out.csv"), caller.connect)
    assert (summary.continued, summary.rows) == (done, 60)
    assert caller.rows == 60
    score(task(source, tmp_path / "whole.csv"), caller.connect)
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not (tmp_path / "out.csv.unfinished").exists()


@pytest.mark.usefixtures("small_chunks")
def test_parts_that_do_not_fit_together_are_refused(tmp_path: Path, caller: EngineCaller) -> None:
    source, target = reviews(tmp_path / "in.csv", many()), tmp_path / "out.csv"
    caller.fail_after = 30
    with pytest.raises(ModelFailed):
        score(task(source, target), caller.connect)
    caller.fail_after = None
    with pytest.raises(BadInput, match=r"its options was none and is now output=all.*--restart"):
        score(task(source, target, {"output": "all"}), caller.connect)
    caller.model = "encoder@newer"
    with pytest.raises(BadInput, match=r"the model is now encoder@newer"):
        score(task(source, target), caller.connect)
    caller.model = None
    reviews(source, [*many(), "one more"])
    with pytest.raises(BadInput, match=r"in.csv has changed since a run into out.csv stopped"):
        score(task(source, target), caller.connect)
    summary = score(task(source, target, restart=True), caller.connect)
    assert (summary.continued, summary.rows) == (0, 61)


def test_an_input_that_changes_under_way_is_noticed(tmp_path: Path, caller: EngineCaller) -> None:
    source = reviews(tmp_path / "in.csv")

    @contextmanager
    def meddle() -> Iterator[Caller]:
        yield caller
        reviews(source, [*TEXTS, "one more"])

    with pytest.raises(BadInput, match="was changed while it was scored"):
        score(task(source, tmp_path / "out.csv"), meddle)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.usefixtures("small_chunks")
def test_two_runs_into_one_file_do_not_mix(tmp_path: Path, caller: EngineCaller) -> None:
    source = reviews(tmp_path / "in.csv", many())

    @contextmanager
    def twice() -> Iterator[Caller]:
        with pytest.raises(BadInput, match=r"Another run is writing out.csv"):
            score(task(source, tmp_path / "out.csv"), caller.connect)
        yield caller

    assert score(task(source, tmp_path / "out.csv"), twice).rows == 60


def test_a_foreign_file_in_the_place_of_the_journal_is_left_alone(
    tmp_path: Path, caller: EngineCaller
) -> None:
    source = reviews(tmp_path / "in.csv")
    (tmp_path / "out.csv.unfinished").write_text("my own notes, longer than a header " * 20)
    with pytest.raises(BadInput, match="not what a run leaves behind"):
        score(task(source, tmp_path / "out.csv"), caller.connect)
    assert (tmp_path / "out.csv.unfinished").exists()


def test_a_busy_server_is_waited_for(
    tmp_path: Path, caller: EngineCaller, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = reviews(tmp_path / "in.csv")
    caller.errors = [NotReady("busy", 0.01), NotReady("busy", 0.01)]
    assert score(task(source, tmp_path / "out.csv"), caller.connect).rows == 6
    monkeypatch.setattr(scoring, "PATIENCE_S", 0.0)
    caller.errors = [NotReady("busy", 5.0)]
    with pytest.raises(NotReady, match="busy The rows done so far are kept"):
        score(task(source, tmp_path / "out2.csv"), caller.connect)


# The command, as a person types it


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "server.cli", "score", *args]


def environment(settings: Settings) -> dict[str, str]:
    return {
        **os.environ,
        "SHOPSHEET_HOME": str(settings.home),
        "SHOPSHEET_ENCODER": str(settings.encoder_folder),
        "SHOPSHEET_PORT": "1",  # nobody listens there: the engine runs in the process
        "PYTHONUTF8": "1",
    }


def test_a_killed_process_goes_on_with_an_equal_result(tmp_path: Path, settings: Settings) -> None:
    source = reviews(tmp_path / "in.csv", [f"{t} number {i}" for i in range(800) for t in TEXTS])
    args = [str(source), "-f", "SENTIMENT", "-c", "text", "--option", "output=all", "--no-store"]
    journal = tmp_path / "out.csv.unfinished"
    killed = 0
    for _ in range(2):
        process = subprocess.Popen(
            command(*args, "-o", str(tmp_path / "out.csv")),
            env=environment(settings),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        before = journal.stat().st_size if journal.exists() else 20_000
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if journal.exists() and journal.stat().st_size > before:
                process.kill()
            time.sleep(0.005)
        killed += process.wait() != 0
    assert killed >= 1
    assert not (tmp_path / "out.csv").exists()
    result = subprocess.run(
        command(*args, "-o", str(tmp_path / "out.csv")),
        env=environment(settings), capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "of them by an earlier run" in result.stdout
    whole = subprocess.run(
        command(*args, "-o", str(tmp_path / "whole.csv")), env=environment(settings), check=False
    )
    assert whole.returncode == 0
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_the_command_uses_the_running_server(
    tmp_path: Path, live_server: LiveServer, capsys: pytest.CaptureFixture[str]
) -> None:
    source = reviews(tmp_path / "reviews.csv")
    status = cli.main(
        ["score", str(source), "--function", "sentiment", "--column", "text",
         "-o", str(tmp_path / "scored.xlsx"), "--option", "output=score"]
    )  # fmt: skip
    out = capsys.readouterr()
    assert status == 0
    assert "6 rows scored with SENTIMENT by encoder@" in out.out
    assert out.err == ""  # no progress bar where nobody looks
    counts = live_server.engine.stats().cells
    assert counts[("SENTIMENT", "model")] == 5
    assert [row[2] for row in rows_of(tmp_path / "scored.xlsx")][2] is None


def test_a_named_server_that_is_down_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("SHOPSHEET_URL", "http://127.0.0.1:9")
    with pytest.raises(NotReady, match=r"127\.0\.0\.1:9"), open_caller(settings):
        pass


def test_mistakes_are_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = reviews(tmp_path / "reviews.csv")
    for args, message in [
        (["-f", "SENTIMENT", "-c", "review"], "has no column 'review'. Its columns are: 'id', 't"),
        (["-f", "SENTIMNT", "-c", "text"], "Did you mean SENTIMENT"),
        (["-f", "SENTIMENT", "-c", "text", "-o", str(tmp_path / "a.doc")], "ends in '.doc'"),
    ]:
        assert cli.main(["score", str(source), *args]) == 1
        captured = capsys.readouterr()
        assert captured.err.startswith("error: ")
        assert message in captured.err
        assert captured.err.count("\n") == 1
    assert [path.name for path in tmp_path.glob("*.*")] == ["reviews.csv"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no getrusage")
def test_a_hundred_thousand_rows_take_little_memory(tmp_path: Path, settings: Settings) -> None:
    """Texts repeat, so that the time is that of the files and not that of the model."""
    import csv

    source = tmp_path / "big.csv"
    with source.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "text", "padding"])
        writer.writerows((i, TEXTS[i % 6] * 5, "x" * 200) for i in range(100_000))
    code = (
        "import resource, sys; from server.cli import main; status = main(sys.argv[1:]);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(status)"
    )
    peaks = []
    for rows_file, target in [(reviews(tmp_path / "few.csv"), "few.xlsx"), (source, "big.xlsx")]:
        result = subprocess.run(
            [sys.executable, "-c", code, "score", str(rows_file), "-f", "SENTIMENT", "-c", "text",
             "-o", str(tmp_path / target)],
            env=environment(settings), capture_output=True, text=True, check=True,
        )  # fmt: skip
        peaks.append(int(result.stdout.split()[-1]) / 1024)
    assert peaks[1] - peaks[0] < 150, f"MiB: {peaks}"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_keeps_what_is_done_however_often_it_is_pressed(
    tmp_path: Path, settings: Settings
) -> None:
    source = reviews(tmp_path / "in.csv", [f"{t} number {i}" for i in range(20_000) for t in TEXTS])
    journal = tmp_path / "out.csv.unfinished"
    process = subprocess.Popen(
        command(str(source), "-f", "SENTIMENT", "-c", "text", "-o", str(tmp_path / "out.csv")),
        env=environment(settings), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not (journal.exists() and journal.stat().st_size > 100_000):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "which are kept: the same command goes on there" in err
    assert "FATAL" not in err
    assert journal.exists(), err
