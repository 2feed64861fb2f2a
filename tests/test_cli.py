"""The frame of the command line: every verb explains itself, our errors are one line."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from server import cli
from server.commands import VERBS

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([verb, "--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: shopsheet {verb}")
    assert len(out) > 100


def test_the_help_lists_all_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    out = capsys.readouterr().out
    assert all(re.search(rf"\n    {verb}\s", out) for verb in VERBS)
    modules = {path.stem for path in (ROOT / "server" / "commands").glob("[!_]*.py")}
    assert modules == set(VERBS)


def test_the_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert capsys.readouterr().out == f"shopsheet {project['version']}\n"


def test_an_unknown_verb_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["scrore"])
    assert stop.value.code == 2
    assert "invalid choice: 'scrore'" in capsys.readouterr().err


def test_our_errors_are_one_line_without_a_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "server.cli", "score", "none.csv", "-f", "SENTIMENT", "-c", "x"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "error: There is no file none.csv.\n"
    assert done.stdout == ""


def test_help_needs_neither_flask_nor_a_model() -> None:
    code = (
        "import sys; from server import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'flask', 'numpy', 'torch', 'openvino', 'pyarrow', 'openpyxl', 'formualizer'}\n"
        "sys.exit(str(sorted(heavy & set(sys.modules))) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
