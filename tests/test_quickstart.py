"""Quickstart: what is missing is said, what is done is not done again."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from server import quickstart
from server.quickstart import SetupProblem

ROOT = Path(__file__).parent.parent


def test_only_the_standard_library_is_needed() -> None:
    code = (
        "import sys; sys.path.insert(0, '.'); import server.quickstart, server.running\n"
        "import server.settings, udfs.errors, udfs.client\n"
        "loaded = {n.split('.')[0] for n, m in sys.modules.items() if hasattr(m, '__file__')}\n"
        "foreign = loaded - set(sys.stdlib_module_names)\n"
        "print(sorted(n for n in foreign if not n.startswith('_') and n not in "
        "('server', 'udfs')))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8",
        check=True,
    )  # fmt: skip
    assert done.stdout == "[]\n"


def test_an_old_python_is_told_what_to_get() -> None:
    with pytest.raises(SetupProblem, match=r"This is Python 3\.9\.1; Shopsheet needs 3\.11"):
        quickstart.check_python((3, 9, 1))
    quickstart.check_python((3, 11, 0))


def test_an_intel_mac_is_told_that_it_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(quickstart.platform, "machine", lambda: "x86_64")
    with pytest.raises(SetupProblem, match="no longer published"):
        quickstart.check_python((3, 12, 0))


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (
            "WARNING: Retrying after connection broken by 'NewConnectionError(...)': /flask/\n"
            "ERROR: No matching distribution found for flask>=3.1",
            "cannot reach the package index.*HTTPS_PROXY",
        ),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "PIP_CERT"),
        ("ERROR: No matching distribution found for openvino>=2025.2", r"no openvino>=2025\.2 for"),
        ("ERROR: Could not install: [Errno 28] No space left on device", "disk is full"),
        ("line 1\nERROR: something new", "last words.*\n  line 1\n  ERROR: something new"),
    ],
)
def test_why_pip_failed_is_said_with_what_to_do(output: str, message: str) -> None:
    import re

    assert re.search(message, quickstart.explain_pip(output, Path("log")), re.S)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project in the place of ours, which installs in a moment and from no network."""
    root = tmp_path / "clone"
    root.mkdir()
    (root / "requirements.lock").write_text("")
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "tiny"\nversion = "1"\n'
    )
    (root / "backend.py").write_text(BACKEND)
    for name, path in {
        "ROOT": root, "VENV": root / ".venv", "LOCK": root / "requirements.lock",
    }.items():  # fmt: skip
        monkeypatch.setattr(quickstart, name, path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.chdir(root)
    return root


BACKEND = """
import zipfile
NAME = "tiny-1-py3-none-any.whl"
METADATA = "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n"
def get_requires_for_build_editable(config_settings=None): return []
def build_editable(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(folder + "/" + NAME, "w") as wheel:
        wheel.writestr("tiny.py", "")
        wheel.writestr("tiny-1.dist-info/METADATA", METADATA)
        wheel.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr("tiny-1.dist-info/RECORD", "")
    return NAME
"""


def test_set_up_makes_an_environment_once(
    clone: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    python = quickstart.set_up("base")
    assert subprocess.run([python, "-c", "import tiny"], check=False).returncode == 0
    assert "Making a virtual environment in .venv" in capsys.readouterr().out
    quickstart.set_up("base")
    assert capsys.readouterr().out == "Everything is installed in .venv.\n"
    (clone / "requirements.lock").write_text("# changed\n")
    quickstart.set_up("base")
    assert "Installing" in capsys.readouterr().out
    # Without a network a package that is not there yet cannot come, and that is said.
    text = (clone / "pyproject.toml").read_text()
    (clone / "pyproject.toml").write_text(text + 'dependencies = ["shopsheet-has-no-such-thing"]\n')
    (clone / "backend.py").write_text(
        BACKEND.replace(
            "Version: 1\\n", "Version: 1\\nRequires-Dist: shopsheet-has-no-such-thing\\n"
        )
    )
    with pytest.raises(SetupProblem, match="There is no shopsheet-has-no-such-thing for Python"):
        quickstart.set_up("base")
    assert quickstart._fingerprint("base") != json.loads(
        (clone / ".venv" / "shopsheet-installed.json").read_text()
    ).get("wanted")


def test_a_foreign_folder_is_not_cleared(clone: Path) -> None:
    (clone / ".venv").mkdir()
    (clone / ".venv" / "precious.txt").write_text("mine")
    with pytest.raises(SetupProblem, match="is not a virtual environment"):
        quickstart.set_up("base")
    assert (clone / ".venv" / "precious.txt").read_text() == "mine"


def test_an_environment_whose_python_is_gone_is_made_anew(clone: Path) -> None:
    venv.EnvBuilder(with_pip=False).create(clone / ".venv")
    quickstart.venv_python().unlink()
    assert quickstart.set_up("base") == quickstart.venv_python()
    assert quickstart._runs(quickstart.venv_python())


def test_half_a_clone_is_noticed(clone: Path) -> None:
    (clone / "requirements.lock").unlink()
    with pytest.raises(SetupProblem, match="from a whole clone of the project"):
        quickstart.set_up("base")


def test_a_full_disk_is_noticed_before_the_work(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(quickstart.FREE_MB, "base", 10**12)
    with pytest.raises(SetupProblem, match="MB of disk left; about"):
        quickstart.set_up("base")
    assert not (clone / ".venv").exists()


# The server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_taken_port_is_said_with_another(own_home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SetupProblem, match=rf"Port {port} is used.*--port {port + 1}"):
            quickstart.start_server(Path(sys.executable), port)


def test_a_server_that_cannot_start_says_why(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPSHEET_ENCODER", str(tmp_path / "no such model"))
    with pytest.raises(
        SetupProblem, match=r"stopped as soon as it was started(?s:.*)no such model"
    ):
        quickstart.start_server(Path(sys.executable), free_port())


def test_the_server_starts_once_and_stops(
    own_home: Path,
    tiny_encoder_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SHOPSHEET_ENCODER", str(tiny_encoder_folder))
    port = free_port()
    url = quickstart.start_server(Path(sys.executable), port)
    try:
        assert quickstart.start_server(Path(sys.executable), port) == url
        assert "runs already at" in capsys.readouterr().out
        call = [sys.executable, "-m", "server.cli", "call", "SENTIMENT", "great value"]
        done = subprocess.run(
            call, env={**os.environ, "SHOPSHEET_URL": url}, capture_output=True, encoding="utf-8",
            check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, "positive\n"), done.stderr
    finally:
        assert quickstart.stop() == 0
    assert f"The server at {url} has stopped" in capsys.readouterr().out
    assert quickstart.stop() == 0
    assert "No server" in capsys.readouterr().out
