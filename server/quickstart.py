"""Sets Shopsheet up from a fresh clone, with nothing but Python.

    python -m server.quickstart         set up, start the server, refresh the sample workbook
    python -m server.quickstart stop    stop the server that the first one started
    python -m server.quickstart test    set up and run the tests

Every step that is done already is skipped, so running it again is quick.
"""

# Only the standard library is imported here: this runs before anything is installed, and up to the
# check of the version it must be understood by an old Python.
from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
SAMPLE = ROOT / "sample_workbooks" / "reviews.xlsx"
BROWSER_TESTS = ROOT / "tests" / "browser"
OLDEST = (3, 11)
FREE_MB = {"base": 1_500, "test": 5_000}  # measured: 0.7 GB and 2.5 GB, and pip needs as much again
EXTRAS = {"base": (), "test": ("dev", "train")}
READY_S = 180
WINDOWS = os.name == "nt"


class SetupProblem(Exception):
    """Something is missing; the message says what and where to get it."""


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0 done, 1 something is missing, else that of the tests."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # an old console may lack a character
    parser = argparse.ArgumentParser(
        prog="python -m server.quickstart",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", nargs="?", default="run", choices=["run", "stop", "test"])
    parser.add_argument("--port", type=int, default=None, help="of the server (default 8421)")
    args, rest = parser.parse_known_args(argv)
    if rest and args.what != "test":
        parser.error(f"unknown argument: {' '.join(rest)}")
    try:
        check_python(sys.version_info[:3])
        os.chdir(ROOT)
        if args.what == "stop":
            return stop()
        return run(args.port) if args.what == "run" else test(rest)
    except SetupProblem as problem:
        print(f"\nerror: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; run the same command again to go on", file=sys.stderr)
        return 130


# Setting up


def check_python(version: tuple[int, ...]) -> None:
    """Nothing, if this Python and this machine will do. Raises: SetupProblem."""
    found = ".".join(map(str, version))
    if version < OLDEST:
        raise SetupProblem(
            f"This is Python {found}; Shopsheet needs 3.11 or newer. Get it from python.org (on "
            "Windows also from the Microsoft Store, on macOS `brew install python`), then run this "
            f"command with it, for example: {'py -3.12' if WINDOWS else 'python3.12'} -m "
            "server.quickstart"
        )
    if sys.maxsize <= 2**32:
        raise SetupProblem(
            f"This Python {found} is a 32-bit build; the models need a 64-bit one. Get the 64-bit "
            "installer from python.org."
        )
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        raise SetupProblem(
            "This Python runs on Intel, for which the model runtime is no longer published on "
            "macOS. On a Mac with Apple silicon use a Python built for it (not under Rosetta)."
        )


def set_up(kind: str) -> Path:
    """The Python of a virtual environment that holds all that `kind` needs.

    Raises: SetupProblem saying what is missing.
    """
    if not LOCK.is_file():
        raise SetupProblem(
            f"{LOCK} is missing. Run this from a whole clone of the project, not from a copy of "
            "some of its folders."
        )
    python = venv_python()
    stamp = VENV / "shopsheet-installed.json"
    wanted = _fingerprint(kind)
    installed = _read_json(stamp)
    if python.is_file() and set(wanted) <= set(installed.get("wanted", [])):
        _say(f"Everything is installed in {_shown(VENV)}.")
        return python
    _check_disk(kind)
    _make_venv(python)
    _install(python, EXTRAS[kind])
    # What an earlier run installed is still there, if the versions are the same.
    same = installed.get("wanted", []) if _same_lock(installed, wanted) else []
    stamp.write_text(json.dumps({"wanted": sorted({*same, *wanted})}), encoding="utf-8")
    return python


def venv_python() -> Path:
    """Where the environment's own Python is, or will be."""
    return VENV / ("Scripts/python.exe" if WINDOWS else "bin/python")


def _fingerprint(kind: str) -> list[str]:
    """One mark for the base and one per extra; they change when the project's needs change."""
    digest = hashlib.sha256()
    for path in (LOCK, ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    digest.update(str(ROOT).encode())
    lock = digest.hexdigest()[:16]
    return [f"{lock} {part}" for part in ("base", *EXTRAS[kind])]


def _same_lock(installed: dict[str, Any], wanted: list[str]) -> bool:
    return any(mark.split()[0] == wanted[0].split()[0] for mark in installed.get("wanted", []))


def _check_disk(kind: str) -> None:
    free_mb = shutil.disk_usage(ROOT).free / 2**20
    if free_mb < FREE_MB[kind]:
        raise SetupProblem(
            f"{ROOT} has {free_mb:,.0f} MB of disk left; about {FREE_MB[kind]:,} are needed."
        )


def _make_venv(python: Path) -> None:
    if python.is_file() and _runs(python):
        return
    if VENV.exists() and not (VENV / "pyvenv.cfg").is_file():
        raise SetupProblem(
            f"{VENV} exists and is not a virtual environment. Move it away and run this again."
        )
    _say(f"Making a virtual environment in {_shown(VENV)} ...")
    try:
        import ensurepip  # noqa: F401 (Debian packs both modules apart from Python)
        import venv
    except ImportError as error:
        raise SetupProblem(_no_venv(error)) from error
    try:
        venv.EnvBuilder(with_pip=True, clear=VENV.exists(), symlinks=not WINDOWS).create(VENV)
    except (OSError, subprocess.CalledProcessError) as error:
        shutil.rmtree(VENV, ignore_errors=True)
        raise SetupProblem(f"{VENV} cannot be made: {error}") from error


def _no_venv(error: ImportError) -> str:
    version = ".".join(map(str, sys.version_info[:2]))
    how = (
        f"Install it, on Debian and Ubuntu with: sudo apt install python{version}-venv"
        if sys.platform.startswith("linux")
        else "Install Python from python.org, which has it."
    )
    return f"This Python lacks the module {error.name}. {how}"


def _runs(python: Path) -> bool:
    """Whether that Python works and is new enough; one whose base was removed does not."""
    code = f"import sys, pip; sys.exit(sys.version_info[:2] < {OLDEST})"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _install(python: Path, extras: tuple[str, ...]) -> None:
    _say("Installing what Shopsheet needs; the first time takes a few minutes ...")
    what = f".[{','.join(extras)}]" if extras else "."
    command = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input",
               "--progress-bar", "off", "-c", LOCK.name, "-e", what]  # fmt: skip
    log = VENV / "install.log"
    with (
        log.open("w", encoding="utf-8") as record,
        subprocess.Popen(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUTF8": "1"},
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                record.write(line)
                loading = re.match(r"\s*Downloading (\S+/)?([^/\s]+) \((.*[kMG]B)\)", line)
                if loading:
                    _say(f"  {loading[2].split('-')[0]} ({loading[3]})")
            status = process.wait()
        except BaseException:
            process.kill()
            raise
    if status:
        raise SetupProblem(explain_pip(log.read_text(encoding="utf-8", errors="replace"), log))


def explain_pip(output: str, log: Path) -> str:
    """Why pip failed, in a sentence, with what to do."""
    unreachable = (
        "NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|"
        "Connection refused|Network is unreachable|Name or service not known|getaddrinfo failed"
    )
    lack = re.search(r"No matching distribution found for (\S+)", output)
    if re.search(unreachable, output):
        return (
            "pip cannot reach the package index. Check the network. Behind a proxy set "
            "HTTPS_PROXY; with an index of your company's set PIP_INDEX_URL. Then run the same "
            f"command again. pip's own words: {log}"
        )
    if re.search("CERTIFICATE_VERIFY_FAILED|SSLError", output):
        return (
            "pip does not trust the certificate of the package index, as behind a company's "
            "proxy. Set PIP_CERT to the company's certificate file and run the same command "
            f"again. pip's own words: {log}"
        )
    if re.search("No space left on device|Errno 28", output):
        return f"The disk is full. pip's own words: {log}"
    if lack:
        version = ".".join(map(str, sys.version_info[:2]))
        return (
            f"There is no {lack[1]} for Python {version} on {platform.system()} "
            f"{platform.machine()}. Python 3.11 to 3.13 on 64-bit Windows, Linux or Apple silicon "
            f"have all packages. pip's own words: {log}"
        )
    last = "\n".join(f"  {line}" for line in output.strip().splitlines()[-8:])
    return f"pip could not install the packages. Its last words, of {log}:\n{last}"


# The first run


def run(port: int | None) -> int:
    """0 once the server runs and the sample workbook holds its answers."""
    python = set_up("base")
    from udfs.errors import ShopsheetError

    try:
        url = start_server(python, port)
        refreshed = _refresh(python, url)
    except ShopsheetError as error:
        raise SetupProblem(error.message) from error
    _say(_where_next(url, refreshed))
    return 0


def start_server(python: Path, port: int | None) -> str:
    """Address of the server, running and ready. Raises: SetupProblem."""
    from server.running import look
    from server.settings import Settings

    settings = Settings.from_environment(port=port)
    url = settings.url
    found = look(url)
    if found.shopsheet:
        _say(f"The server runs already at {url}.")
        _wait_ready(url, None, None)
        return url
    if found.somebody:
        raise SetupProblem(
            f"Port {settings.port} is used by another program. Stop it, or choose another port: "
            f"{_python_word()} -m server.quickstart --port {settings.port + 1}"
        )
    _say("Starting the server ...")
    log = settings.home / "logs" / "quickstart.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        process = _start(
            [str(python), "-m", "server.cli", "serve", "--port", str(settings.port)], log
        )
    except OSError as error:
        raise SetupProblem(f"The server cannot be started: {error}") from error
    started = {"pid": process.pid, "url": url}
    _state_file(settings.home).write_text(json.dumps(started), encoding="utf-8")
    _wait_ready(url, process, log)
    process.returncode = 0  # it outlives us, and need not warn about that
    return url


def _start(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """The process, which goes on when this one ends and hears no Ctrl-C of this terminal."""
    options: dict[str, Any] = {"start_new_session": True}
    if WINDOWS:
        flags = ("CREATE_NO_WINDOW", "CREATE_NEW_PROCESS_GROUP", "CREATE_BREAKAWAY_FROM_JOB")
        options = {"creationflags": sum(getattr(subprocess, flag) for flag in flags)}
    with log.open("wb") as stream:
        common: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": stream,
            "stderr": subprocess.STDOUT,
            "env": {**os.environ, "PYTHONUTF8": "1"},
            "cwd": ROOT,
        }
        try:
            return subprocess.Popen(command, **common, **options)
        except PermissionError:  # Windows: the job that we are in lets nobody out
            if not WINDOWS:
                raise
            options["creationflags"] &= ~subprocess.CREATE_BREAKAWAY_FROM_JOB  # type: ignore[attr-defined,unused-ignore]
            return subprocess.Popen(command, **common, **options)


def _wait_ready(
    url: str,
    process: subprocess.Popen[bytes] | None,
    log: Path | None,
) -> None:
    from server.running import look

    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            break
        if look(url).ready:
            return
        time.sleep(0.3)
    said = _tail(log) if log is not None else ""
    if process is not None and process.poll() is not None:
        raise SetupProblem(f"The server stopped as soon as it was started. It said:\n{said}")
    raise SetupProblem(
        f"The server at {url} is not ready after {READY_S} s. `shopsheet doctor` finds out why."
        + (f" It said:\n{said}" if said else "")
    )


def _refresh(python: Path, url: str) -> bool:
    """Whether the sample workbook holds the answers of this server."""
    _say(f"Refreshing {_shown(SAMPLE)} ...")
    done = subprocess.run(
        [str(python), "-m", "server.cli", "refresh", str(SAMPLE)],
        env={**os.environ, "SHOPSHEET_URL": url, "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    for line in (done.stdout + done.stderr).strip().splitlines()[-12:]:
        _say(f"  {line}")
    if done.returncode:
        _say("  (The workbook was not changed. Is it open in Excel? Close it and run this again.)")
    return done.returncode == 0


def _where_next(url: str, refreshed: bool) -> str:
    shopsheet = _shown(VENV / ("Scripts\\shopsheet.exe" if WINDOWS else "bin/shopsheet"))
    workbook = f"Open {_shown(SAMPLE)}: 200 reviews" + (
        ", each with the model's answer, and a summary." if refreshed else "."
    )
    reviews = _shown(SAMPLE.with_suffix(".csv"))
    port = "" if url.endswith(":8421") else f"  (set SHOPSHEET_URL={url} first)"
    return f"""
The server runs at {url} and keeps running. Nothing leaves this machine.

Where to look next:
  {workbook}
  Try the formula in your browser: {url}/addin/console.html
  On the command line:             {shopsheet} call SENTIMENT "great value"{port}
  A whole file:                    {shopsheet} score {reviews} -f SENTIMENT -c review
  In Excel or LibreOffice:         {shopsheet} addin --help
  If something is wrong:           {shopsheet} doctor
  Stop the server:                 {_python_word()} -m server.quickstart stop
"""


def stop() -> int:
    """0 once the server that quickstart started has stopped, or if there is none."""
    from server.running import look
    from server.settings import Settings

    path = _state_file(Settings.from_environment().home)
    state = _read_json(path)
    if not state or not look(str(state.get("url"))).shopsheet:
        path.unlink(missing_ok=True)
        _say("No server that quickstart started is running.")
        return 0
    os.kill(int(state["pid"]), signal.SIGTERM)
    deadline = time.monotonic() + 30
    while look(str(state["url"])).somebody:
        if time.monotonic() > deadline:
            raise SetupProblem(
                f"The server (process {state['pid']}) does not stop. End it by hand."
            )
        time.sleep(0.2)
    path.unlink(missing_ok=True)
    _say(f"The server at {state['url']} has stopped.")
    return 0


def _state_file(home: Path) -> Path:
    return home / "quickstart.json"


# The tests


def test(pytest_args: list[str]) -> int:
    """Exit status of the checks and the tests; with pytest's arguments only of those tests."""
    python = set_up("test")
    _set_up_browser_tests()
    steps: list[tuple[str, list[str]]] = []
    if not pytest_args:
        steps = [
            ("Style", ["-m", "ruff", "check", "."]),
            ("Types", ["-m", "mypy"]),
            ("Generated files", ["-m", "addin.build", "--check"]),
        ]
    steps.append(("Tests", ["-m", "pytest", *pytest_args]))
    failed = []
    for name, command in steps:
        _say(f"\n{name}: {' '.join(['python', *command])}")
        done = subprocess.run([str(python), *command], cwd=ROOT, check=False)
        if done.returncode:
            failed.append((name, done.returncode))
    if failed:
        print(f"failed: {', '.join(name for name, _ in failed)}", file=sys.stderr)
        return failed[-1][1]
    return 0


def _set_up_browser_tests() -> None:
    """Nothing; without npm the browser tests skip themselves and say why."""
    if not (BROWSER_TESTS / "package-lock.json").is_file():
        return
    stamp = BROWSER_TESTS / "node_modules" / ".package-lock.json"
    lock = BROWSER_TESTS / "package-lock.json"
    if stamp.is_file() and stamp.stat().st_mtime >= lock.stat().st_mtime:
        return
    npm = shutil.which("npm")
    if npm is None:
        _say("npm is missing (it comes with Node.js): the browser tests will be skipped.")
        return
    _say("Installing what the browser tests need (npm ci) ...")
    done = subprocess.run(
        [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=BROWSER_TESTS, check=False
    )
    if done.returncode:
        _say("npm ci failed: the browser tests will be skipped.")


# Words


def _say(text: str) -> None:
    print(text, flush=True)


def _shown(path: Path) -> str:
    """`path` as one would type it in the project's folder."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _python_word() -> str:
    return "py" if WINDOWS else "python3"


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return "\n".join(f"  {line}" for line in lines[-10:])


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


if __name__ == "__main__":
    sys.exit(main())
