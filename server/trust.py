"""Where each system keeps the authorities that it trusts, and how ours gets in and out again.

Only the user's own store is touched, never the whole machine's, and only authorities of our name.
Every command is said before it runs.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from server.certificates import AUTHORITY_NAME, LocalCertificate, common_name
from udfs.errors import NotReady

ANSWER_S = 600  # the system may ask the user something

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]
Say = Callable[[str], object]


class TrustRefused(NotReady):
    """The system, or the user whom it asked, did not do what was wanted."""


class TrustStore(Protocol):
    """One place where a system or browser keeps trusted authorities."""

    @property
    def where(self) -> str:
        """Its name, for a person."""

    def ours(self) -> list[str]:
        """Ids of the authorities of our name that it holds; any command accepts such an id."""

    def trusts(self, certificate: LocalCertificate) -> bool:
        """Whether it trusts the certificate's authority."""

    def id_of(self, certificate: LocalCertificate) -> str:
        """The id that the certificate's authority has here."""

    def add(self, certificate: LocalCertificate, say: Say) -> None:
        """Nothing; the authority is trusted. Raises: TrustRefused."""

    def remove(self, authority_id: str, say: Say) -> None:
        """Nothing; the authority is gone. Raises: TrustRefused."""


def run_command(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """What a command said and its exit status. Raises: TrustRefused if it cannot run."""
    try:
        return subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=ANSWER_S,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TrustRefused(f"`{_shown(command)}` did not run: {error}.") from error


@dataclass(frozen=True)
class WindowsStore:
    """Trusted root authorities of the current user on Windows. Windows asks before each change."""

    run: Run = run_command
    where: str = "trusted root certificates of this Windows user"

    def ours(self) -> list[str]:
        return [sha1 for sha1, name in _windows_roots() if name.startswith(AUTHORITY_NAME)]

    def trusts(self, certificate: LocalCertificate) -> bool:
        return certificate.authority_sha1 in self.ours()

    def id_of(self, certificate: LocalCertificate) -> str:
        return certificate.authority_sha1

    def add(self, certificate: LocalCertificate, say: Say) -> None:
        say("Windows will ask whether to install a certificate: answer Yes.")
        path = str(certificate.authority_path)
        _do(self.run, say, [_certutil(), "-user", "-addstore", "Root", path], self.where)

    def remove(self, authority_id: str, say: Say) -> None:
        say("Windows will ask whether to delete a certificate: answer Yes.")
        _do(self.run, say, [_certutil(), "-user", "-delstore", "Root", authority_id], self.where)


@dataclass(frozen=True)
class MacKeychain:
    """The user's login keychain on macOS. macOS asks for the password before each change."""

    home: Path
    run: Run = run_command
    where: str = "login keychain"

    @property
    def keychain(self) -> str:
        return str(self.home / "Library" / "Keychains" / "login.keychain-db")

    def ours(self) -> list[str]:
        found = self.run(
            ["security", "find-certificate", "-a", "-Z", "-c", AUTHORITY_NAME, self.keychain]
        )
        return re.findall(r"^SHA-1 hash: ([0-9A-F]{40})$", found.stdout, flags=re.MULTILINE)

    def trusts(self, certificate: LocalCertificate) -> bool:
        # A certificate can lie in the keychain without being trusted.
        path = str(certificate.authority_path)
        command = ["security", "verify-cert", "-q", "-l", "-L", "-p", "basic", "-c", path]
        return self.run(command).returncode == 0

    def id_of(self, certificate: LocalCertificate) -> str:
        return certificate.authority_sha1

    def add(self, certificate: LocalCertificate, say: Say) -> None:
        say("macOS will ask for your password to change the certificates that you trust.")
        # For web servers alone (and the check of the certificate as such, which that includes).
        policies = ["-r", "trustRoot", "-p", "ssl", "-p", "basic", "-k", self.keychain]
        path = str(certificate.authority_path)
        _do(self.run, say, ["security", "add-trusted-cert", *policies, path], self.where)

    def remove(self, authority_id: str, say: Say) -> None:
        say("macOS will ask for your password to change the certificates that you trust.")
        command = ["security", "delete-certificate", "-Z", authority_id, "-t", self.keychain]
        _do(self.run, say, command, self.where)


@dataclass(frozen=True)
class NssDatabase:
    """The certificates of Chrome, Chromium or one Firefox profile on Linux."""

    folder: Path
    run: Run = run_command

    @property
    def where(self) -> str:
        return f"certificates of the browser in {self.folder}"

    def ours(self) -> list[str]:
        return [name for name, _ in self._listed()]

    def trusts(self, certificate: LocalCertificate) -> bool:
        # A capital C in the first group: may vouch for web servers.
        return any(name == certificate.name and "C" in flags for name, flags in self._listed())

    def id_of(self, certificate: LocalCertificate) -> str:
        return certificate.name

    def add(self, certificate: LocalCertificate, say: Say) -> None:
        if not (self.folder / "cert9.db").exists():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            command = ["certutil", "-N", "-d", self._database, "--empty-password"]
            _do(self.run, say, command, self.where)
        path = str(certificate.authority_path)
        command = ["certutil", "-A", "-d", self._database, "-t", "C,,", "-n", certificate.name]
        _do(self.run, say, [*command, "-i", path], self.where)

    def remove(self, authority_id: str, say: Say) -> None:
        command = ["certutil", "-D", "-d", self._database, "-n", authority_id]
        _do(self.run, say, command, self.where)

    @property
    def _database(self) -> str:
        return f"sql:{self.folder}"

    def _listed(self) -> Iterator[tuple[str, str]]:
        """Name and flags for web servers of each authority of ours."""
        if not (self.folder / "cert9.db").exists():
            return
        for line in self.run(["certutil", "-L", "-d", self._database]).stdout.splitlines():
            name, _, flags = line.strip().rpartition(" ")
            if name.startswith(AUTHORITY_NAME):
                yield name.strip(), flags.split(",")[0]


def trust_stores(system: str, home: Path, run: Run = run_command) -> list[TrustStore]:
    """The stores that matter on this system, none where we know no way.

    `system` is as sys.platform says, `home` the user's folder.
    """
    if system == "win32":
        return [WindowsStore(run)]
    if system == "darwin":
        return [MacKeychain(home, run)]
    if system.startswith("linux") and shutil.which("certutil"):
        return [NssDatabase(folder, run) for folder in nss_folders(home)]
    return []


def nss_folders(home: Path) -> list[Path]:
    """Folders of the certificate databases of the browsers on Linux, existing or to be made.

    Chromium reads ~/.pki/nssdb if it is there, else (since version 146) the one in the data folder.
    Source: docs/linux/cert_management.md of Chromium.
    """
    data = Path(os.environ.get("XDG_DATA_HOME") or "")
    data = data if data.is_absolute() else home / ".local" / "share"
    old, new = home / ".pki" / "nssdb", data / "pki" / "nssdb"
    shared = [folder for folder in (old, new) if (folder / "cert9.db").exists()]
    others = [home / "snap" / "chromium" / "current" / ".pki" / "nssdb"]
    for profiles in (
        home / ".mozilla" / "firefox",
        home / "snap" / "firefox" / "common" / ".mozilla" / "firefox",
        home / ".var" / "app" / "org.mozilla.firefox" / ".mozilla" / "firefox",
    ):
        if profiles.is_dir():
            others += sorted(folder for folder in profiles.iterdir() if folder.is_dir())
    # The old place where there is none yet: every version reads it.
    return (shared or [old]) + [folder for folder in others if (folder / "cert9.db").exists()]


def trust_alone(store: TrustStore, certificate: LocalCertificate, say: Say) -> None:
    """Nothing; the store trusts this authority and none that we made before.

    Raises: TrustRefused.
    """
    for authority_id in store.ours():
        if authority_id != store.id_of(certificate):
            store.remove(authority_id, say)
    if not store.trusts(certificate):
        store.add(certificate, say)


def distrust(store: TrustStore, say: Say) -> int:
    """How many authorities of ours were removed. Raises: TrustRefused."""
    found = store.ours()
    for authority_id in found:
        store.remove(authority_id, say)
    return len(found)


def _do(run: Run, say: Say, command: Sequence[str], where: str) -> None:
    say(f"  $ {_shown(command)}")
    done = run(command)
    if done.returncode:
        output = " ".join(f"{done.stderr} {done.stdout}".split())[:300]
        raise TrustRefused(
            f"The {where} were not changed: `{_shown(command)}` ended with {done.returncode} "
            f"({output or 'it said nothing'}). Try again, and allow the change when you are asked."
        )


def _shown(command: Sequence[str]) -> str:
    return subprocess.list2cmdline(command) if os.name == "nt" else shlex.join(command)


def _certutil() -> str:
    # By its full path: the browsers' tool of the same name may come first in PATH.
    return str(Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "certutil.exe")


def _windows_roots() -> Iterator[tuple[str, str]]:
    """SHA-1 and common name of every root authority that this Windows user trusts."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    enumerate_store = getattr(ssl, "enum_certificates")  # noqa: B009 - on Windows alone
    for der, encoding, _ in enumerate_store("ROOT"):
        if encoding == "x509_asn":
            try:
                certificate = x509.load_der_x509_certificate(der)
                yield certificate.fingerprint(hashes.SHA1()).hex().upper(), common_name(certificate)
            except ValueError:
                continue  # some old root that cryptography finds malformed: not ours
