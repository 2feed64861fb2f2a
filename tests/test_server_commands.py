"""The verbs serve, call, models and doctor, as a user types them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.cli import main
from server.commands import doctor
from server.commands.call import read_argument, show
from tests.conftest import LiveServer
from udfs.client import Client
from udfs.errors import CellError

ROOT = Path(__file__).parent.parent


@pytest.fixture
def tiny(tiny_encoder_folder: Path, free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation whose model is the tiny one and whose server does not run."""
    monkeypatch.setenv("SHOPSHEET_ENCODER", str(tiny_encoder_folder))
    monkeypatch.setenv("SHOPSHEET_PORT", str(free_port))


class Serving:
    """`shopsheet serve` in a process of its own."""

    def __init__(self, *args: str) -> None:
        flags = subprocess.CREATE_NEW_PROCESS_GROUP if sys.platform == "win32" else 0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "server.cli", "serve", *args],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            creationflags=flags,
        )
        self.lines: list[str] = []

    def until_ready(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if line.startswith("ready"):
                break
        return "".join(self.lines)

    def stop(self) -> int:
        stop = signal.CTRL_BREAK_EVENT if sys.platform == "win32" else signal.SIGTERM
        if self.process.poll() is None:
            self.process.send_signal(stop)
        assert self.process.stdout is not None
        with self.process.stdout as rest:
            self.lines += rest.readlines()
        return self.process.wait(60)


@pytest.fixture
def serving(tiny: None) -> Iterator[Serving]:
    server = Serving()
    yield server
    if server.process.poll() is None:
        server.process.kill()
        server.process.wait(60)
    if server.process.stdout is not None:
        server.process.stdout.close()


def test_serve_says_where_it_is_answers_and_stops(
    serving: Serving, own_home: Path, free_port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    said = serving.until_ready()
    assert f"Shopsheet listens at http://127.0.0.1:{free_port}" in said
    assert f"token: {own_home / 'token'}" in said
    assert "ready after" in said
    assert "encoder@0.1-" in said
    with Client.from_environment(url=f"http://127.0.0.1:{free_port}") as client:
        assert client.call("SENTIMENT", "great") == "positive"
    # `call` takes the running server: a second model is not loaded.
    assert main(["call", "SENTIMENT", "bad"]) == 0
    assert capfd.readouterr().out == "negative\n"
    # A second server on the same port says that there is one.
    second = Serving()
    second.until_ready()
    assert second.stop() == 1
    assert "error: Shopsheet already runs at" in "".join(second.lines)
    # Each check finds what the server holds.
    assert main(["doctor"]) == 0
    assert f"port {free_port}: Shopsheet runs there and is ready" in capfd.readouterr().out
    started = time.monotonic()
    assert serving.stop() == 0
    assert time.monotonic() - started < 20
    assert "stopping" in "".join(serving.lines)
    assert "ready after" in (own_home / "logs" / "server.log").read_text(encoding="utf-8")


def test_serve_refuses_a_port_of_another_program(
    tiny: None, free_port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", free_port)):
        assert main(["serve"]) == 1
    said = capfd.readouterr().err
    assert f"error: Port {free_port} of 127.0.0.1 is used by another program" in said
    assert "--port" in said


def test_serve_without_a_model_ends_with_the_reason(
    tiny: None, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPSHEET_ENCODER", str(own_home / "nothing"))
    server = Serving()
    server.until_ready()
    assert server.process.wait(60) == 1
    server.stop()
    said = "".join(server.lines)
    assert "No model folder at" in said
    assert "ready" not in said
    assert "Traceback" not in said


def test_call_without_a_server_computes_itself(
    tiny: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["call", "SENTIMENT", "great"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "positive\n"
    assert captured.err == ""


def test_call_does_not_stand_in_for_a_server_that_was_named(
    tiny: None, free_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHOPSHEET_URL", f"http://127.0.0.1:{free_port}")
    assert main(["call", "SENTIMENT", "great"]) == 1
    assert "does not answer" in capsys.readouterr().err


def test_call_prints_grids_and_whole_results(
    tiny: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["call", "SENTIMENT", '["great", null, "bad"]', "all"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split("\t")[0] for row in rows] == ["positive", "", "negative"]
    assert main(["call", "SENTIMENT", "great", "", "0.99", "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert result["error"]["code"] == "#N/A"
    assert result["model"].startswith("encoder@")
    assert main(["call", "SENTIMENT", '["great"]', "score", "--json", "--no-store"]) == 0
    ((score,),) = json.loads(capsys.readouterr().out)["value"]
    assert 0 < score <= 1


def test_call_says_what_is_wrong(tiny: None, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, expected in (
        (["SENTIMNT", "great"], "error: There is no function 'SENTIMNT'. Did you mean SENTIMENT"),
        (["SENTIMENT", "great", "colour"], "error: output is 'colour'; expected"),
        (["SENTIMENT"], "error: text is missing"),
        (["SENTIMENT", "great", "label", "1"], "is below min_confidence 1"),
    ):
        assert main(["call", *arguments]) == 1
        captured = capsys.readouterr()
        assert expected in captured.err
        assert captured.out == ""


def test_call_with_a_wrong_token_says_so(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHOPSHEET_TOKEN", "not-the-token")
    assert main(["call", "SENTIMENT", "great"]) == 1
    assert "token" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("great value", "great value"),
        ("", None),
        ("5", 5),
        ("-0.5", -0.5),
        ("1e3", 1000.0),
        ("24h", "24h"),
        ("007", "007"),
        ("1.2.3", "1.2.3"),
        ("true", "true"),
        ('["a","b"]', [["a"], ["b"]]),
        ('[["a","b"]]', [["a", "b"]]),
        ("[]", []),
        ("[sic] great", "[sic] great"),
        ('"quoted"', '"quoted"'),
    ],
)
def test_arguments_are_read_as_a_sheet_would_pass_them(typed: str, expected: Any) -> None:
    assert read_argument(typed) == expected


def test_values_are_shown_as_tab_separated_cells() -> None:
    assert show([["a", 0.5], [None, CellError("#N/A", "why")]]) == "a\t0.5\n\t#N/A"
    assert show("好") == "好"


def test_models_lists_versions_and_problems(
    tiny: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tiny_encoder_folder: Path,
    tmp_path: Path,
) -> None:
    main(["models", "--json"])
    models = json.loads(capsys.readouterr().out)
    mine = next(m for m in models if m["folder"] == str(tiny_encoder_folder))
    assert mine["version"].startswith("0.1-")
    assert mine["card"]["name"] == "tiny encoder"
    damaged = shutil.copytree(tiny_encoder_folder, tmp_path / "damaged")
    with (damaged / "model.safetensors").open("ab") as file:
        file.write(b"more")
    monkeypatch.setenv("SHOPSHEET_ENCODER", str(damaged))
    assert main(["models"]) == 1
    assert "checksum" in capsys.readouterr().out


def test_doctor_finds_nothing_wrong_with_a_good_installation(
    tiny: None, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["doctor"])
    said = capsys.readouterr().out
    assert status == 0, said
    assert "No problems found." in said
    marks = [line.split()[0] for line in said.splitlines() if line and ":" in line]
    assert set(marks) <= {"ok", "note"}


def test_doctor_names_each_problem_and_what_to_do(
    tiny: None,
    own_home: Path,
    free_port: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHOPSHEET_ENCODER", str(own_home / "nothing"))
    own_home.mkdir()
    (own_home / "token").write_text("readable-by-all", encoding="utf-8")
    (own_home / "token").chmod(0o644)
    with socket.create_server(("127.0.0.1", free_port)) as other:
        other.settimeout(0.1)
        monkeypatch.setattr("server.running.ANSWER_S", 0.2)
        assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    problems = [line for line in said.splitlines() if line.startswith("problem")]
    assert any("No model folder at" in line for line in problems)
    assert any(f"Port {free_port}" in line and "--port" in line for line in problems)
    if os.name == "posix":
        assert any("chmod 600" in line for line in problems)
    assert f"{len(problems)} problems found." in said


def test_doctor_names_old_python_and_missing_packages() -> None:
    assert doctor.check_python((3, 10, 2)).mark == "problem"
    assert "found 3.10.2, needed 3.11" in doctor.check_python((3, 10, 2)).text
    missing = doctor.check_packages({"json": "x", "no_such_package": "dreams"})
    assert missing.mark == "problem"
    assert "no_such_package (for dreams" in missing.text
    assert "json" not in missing.text


def test_doctor_names_a_wrong_setting(
    tiny: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPSHEET_THREADS", "many")
    assert main(["doctor"]) == 1
    assert "SHOPSHEET_THREADS is 'many'; expected a whole number." in capsys.readouterr().out
