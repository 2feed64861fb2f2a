"""What the README says is so: its commands run, its code runs, its links lead somewhere."""

from __future__ import annotations

import doctest
import json
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from server import cli, quickstart
from server.commands import VERBS
from server.settings import WEIGHTS_FOLDER, Settings
from tests.conftest import LiveServer

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHIPPED = WEIGHTS_FOLDER / "encoder"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def commands() -> list[tuple[str, str]]:
    """Each `$ command` of the console blocks, with what the README shows below it."""
    found = []
    for block in blocks("console"):
        for part in block.split("$ ")[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """With the model that users have, where it is there."""
    return settings.changed(encoder_folder=SHIPPED) if SHIPPED.is_dir() else settings


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    for name in ("reviews.csv", "reviews.xlsx"):
        shutil.copy(ROOT / "sample_workbooks" / name, folder)
    monkeypatch.chdir(folder)
    return folder


def test_the_commands_run_and_print_what_is_shown(
    workplace: Path, live_server: LiveServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(commands()) >= 5
    for command, shown in commands():
        program, *args = shlex.split(command)
        assert program == "shopsheet"
        status = cli.main(args)
        printed = capsys.readouterr()
        assert status == 0, printed.err
        same = doctest.OutputChecker().check_output(shown, printed.out, doctest.ELLIPSIS)
        assert same, f"{command} printed:\n{printed.out}"


def test_the_python_code_runs(live_server: LiveServer) -> None:
    code = blocks("python")
    assert code
    for block in code:
        exec(compile(block, "README.md", "exec"), {})


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_http_request_is_answered(live_server: LiveServer) -> None:
    [request] = [block for block in blocks("sh") if "curl" in block]
    request = request.replace("http://127.0.0.1:8421", live_server.url)
    words = shlex.split(request.replace("$SHOPSHEET_TOKEN", live_server.token).replace("\\\n", ""))
    done = subprocess.run(["curl", "-s", *words[1:]], capture_output=True, check=True)
    assert json.loads(done.stdout)["results"][0]["value"] == "positive"


def test_the_two_commands_are_those_of_quickstart() -> None:
    started = [line for block in blocks("sh") for line in block.splitlines() if "python" in line]
    assert started == ["python -m server.quickstart", "python -m server.quickstart test"]
    for word in ("run", "stop", "test"):
        assert word in str(quickstart.__doc__)


def test_links_lead_to_files() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_verb_is_listed() -> None:
    section = README.split("## Commands")[1].split("##")[0]
    assert set(re.findall(r"`shopsheet ([a-z]+)", section)) == set(VERBS)


def test_the_changelog_tells_of_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {project['version']}\n" in changelog
