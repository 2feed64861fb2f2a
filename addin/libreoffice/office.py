"""Finds LibreOffice on this machine, and installs the extension into it or takes it out."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from udfs.errors import BadInput, NotReady

HEADLESS = Path(__file__).resolve().parent / "headless.py"
WINDOWS_FOLDERS = ("ProgramFiles", "ProgramW6432", "ProgramFiles(x86)")
MAC_APPS = (Path("/Applications"), Path.home() / "Applications")
LINUX_FOLDERS = ("usr/lib/libreoffice", "usr/lib64/libreoffice", "opt/libreoffice*")
RUN_S = 300.0


@dataclass(frozen=True)
class Office:
    """One LibreOffice. `profile` is the folder of a user profile, None the user's own."""

    soffice: Path
    profile: Path | None = None

    @cached_property
    def version(self) -> str:
        """Such as 7.4.7.2; "unknown" where it cannot be asked without opening a window."""
        if sys.platform == "win32":
            return "unknown"
        done = _run([str(self.soffice), "--version"], timeout_s=60)
        found = re.search(r"\d+(\.\d+)+", done.stdout)
        return found[0] if found else "unknown"

    @cached_property
    def python(self) -> str:
        """A Python that can talk to LibreOffice.

        Raises: NotReady if there is none, saying what to install.
        """
        program = self.soffice.resolve().parent
        candidates = [
            program / "python.exe",
            program / "python",
            program.parent / "Resources" / "python",
        ]
        names = [str(path) for path in candidates if path.exists()]
        if os.name == "posix":
            names.append("/usr/bin/python3")
        names.append(sys.executable)
        for name in names:
            if Path(name).exists() and _run([name, "-c", "import uno"], timeout_s=60).ok:
                return name
        raise NotReady(
            f"{self.soffice} was found, but no Python that can talk to it. "
            "On Debian and Ubuntu: sudo apt install python3-uno. On Fedora: sudo dnf install "
            "libreoffice-pyuno. Elsewhere install LibreOffice from libreoffice.org."
        )

    def installed(self) -> dict[str, str]:
        """Version of every extension of the user, by identifier.

        Raises: NotReady if LibreOffice cannot be asked, for instance because it is open.
        """
        return self._manage("list")

    def add(self, extension: Path) -> dict[str, str]:
        """The user's extensions, with `extension` (a .oxt file) in place of an older one."""
        return self._manage("add", str(extension))

    def remove(self, identifier: str) -> dict[str, str]:
        """The user's extensions, without `identifier`, whether it was there or not."""
        return self._manage("remove", identifier)

    def _manage(self, *action: str) -> dict[str, str]:
        # unopkg would do on most machines, but it refuses to work for root, and its output is made
        # for people. The extension manager behind it is the same everywhere.
        profile = "" if self.profile is None else self.profile.resolve().as_uri()
        done = _run([self.python, str(HEADLESS), str(self.soffice), profile, *action])
        lines = done.stdout.strip().splitlines()
        try:
            answer = json.loads(lines[-1]) if lines else {}
        except ValueError:
            answer = {}
        if "installed" not in answer:
            why = answer.get("error") or done.stderr.strip() or "it said nothing"
            raise NotReady(f"LibreOffice's extension manager failed: {why}")
        installed: dict[str, str] = answer["installed"]
        return installed


def find_office(soffice: Path | None = None, profile: Path | None = None) -> Office:
    """The LibreOffice at `soffice`, else the first one found in PATH and the usual folders.

    Raises: BadInput if `soffice` is not there, NotReady if none is found.
    """
    if soffice is not None:
        if not soffice.is_file():
            raise BadInput(f"There is no program {soffice}. Give the path of soffice.")
        return Office(soffice, profile)
    for path in _candidates():
        if path.is_file():
            return Office(path, profile)
    raise NotReady(
        "LibreOffice was not found. Install it from libreoffice.org (Debian and Ubuntu: sudo apt "
        "install libreoffice-calc python3-uno), or give its program with --soffice."
    )


def _candidates() -> Iterator[Path]:
    for name in ("soffice", "libreoffice"):
        if found := shutil.which(name):
            yield Path(found)
    if sys.platform == "win32":
        for variable in WINDOWS_FOLDERS:
            if folder := os.environ.get(variable):
                yield Path(folder) / "LibreOffice" / "program" / "soffice.exe"
    elif sys.platform == "darwin":
        for folder in MAC_APPS:
            yield folder / "LibreOffice.app" / "Contents" / "MacOS" / "soffice"
    else:
        for pattern in LINUX_FOLDERS:
            for folder in sorted(Path("/").glob(pattern), reverse=True):
                yield folder / "program" / "soffice"


@dataclass(frozen=True)
class _Done:
    ok: bool
    stdout: str
    stderr: str


def _run(command: list[str], timeout_s: float = RUN_S) -> _Done:
    """What a program printed. It sees no Python of ours: LibreOffice brings its own."""
    try:
        done = subprocess.run(
            command,
            env=clean_environment(),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
        )
    except OSError as error:
        return _Done(False, "", str(error))
    except subprocess.TimeoutExpired:
        return _Done(False, "", f"{Path(command[0]).name} gave no answer in {timeout_s:g} s")
    return _Done(done.returncode == 0, done.stdout, done.stderr)


def clean_environment() -> dict[str, str]:
    """This process's environment without what makes LibreOffice's Python load ours.

    Another Python first in PATH, be it a virtual environment's or pyenv's, or PYTHONHOME, breaks
    the Python inside LibreOffice: on Linux that one takes its library from the first in PATH.
    """
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
    }
    if own := environment.pop("VIRTUAL_ENV", None):
        folders = environment.get("PATH", "").split(os.pathsep)
        environment["PATH"] = os.pathsep.join(
            folder for folder in folders if not folder.startswith(own)
        )
    if sys.platform == "linux":
        system = os.pathsep.join(("/usr/bin", "/bin"))
        environment["PATH"] = os.pathsep.join((system, environment.get("PATH", system)))
    return environment
