"""`shopsheet addin`: what is built, put into Excel and LibreOffice, shown, and taken out again."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import types
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from addin.build_libreoffice import IDENTIFIER, VERSION
from addin.libreoffice.bridge import log_path
from addin.libreoffice.office import clean_environment, find_office
from addin.office_manifest import ADDIN_ID, manifest
from server import cli, excel_addin
from server.certificates import certificate_folder, load_certificate, make_certificate
from server.settings import Settings
from udfs.errors import BadInput, NotReady, ShopsheetError


@dataclass
class Store:
    """A trust store that only remembers: the system's own is not ours to change in a test."""

    where: str = "test store"
    held: list[str] = field(default_factory=list)

    def ours(self) -> list[str]:
        return list(self.held)

    def trusts(self, certificate: Any) -> bool:
        return certificate.name in self.held

    def id_of(self, certificate: Any) -> str:
        return str(certificate.name)

    def add(self, certificate: Any, say: Any) -> None:
        self.held.append(certificate.name)

    def remove(self, authority_id: str, say: Any) -> None:
        self.held.remove(authority_id)


class Registry(types.ModuleType):
    """The part of winreg that is used, over a dictionary: the module exists on Windows alone."""

    HKEY_CURRENT_USER, KEY_SET_VALUE, REG_SZ = "HKCU", 2, 1

    def __init__(self) -> None:
        super().__init__("winreg")
        self.keys: dict[str, dict[str, str]] = {}

    @contextlib.contextmanager
    def CreateKey(self, root: str, path: str) -> Iterator[dict[str, str]]:
        assert root == "HKCU"
        yield self.keys.setdefault(path, {})

    @contextlib.contextmanager
    def OpenKey(self, root: str, path: str, *_: int) -> Iterator[dict[str, str]]:
        if path not in self.keys:
            raise FileNotFoundError(path)
        yield self.keys[path]

    def SetValueEx(self, key: dict[str, str], name: str, _: int, kind: int, data: str) -> None:
        assert kind == self.REG_SZ
        key[name] = data

    def QueryValueEx(self, key: dict[str, str], name: str) -> tuple[str, int]:
        if name not in key:
            raise FileNotFoundError(name)
        return key[name], self.REG_SZ

    def DeleteValue(self, key: dict[str, str], name: str) -> None:
        if name not in key:
            raise FileNotFoundError(name)
        del key[name]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def home_settings(own_home: Path) -> Settings:
    return Settings(home=own_home, https_port=9443)


def test_excel_on_windows_is_told_by_the_registry_where_the_manifest_lies(
    home_settings: Settings,
    store: Store,
    said: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry = Registry()
    monkeypatch.setitem(sys.modules, "winreg", registry)
    where: dict[str, Any] = {"system": "win32", "user": tmp_path, "stores": [store]}
    assert excel_addin.status(home_settings, **where) == ["not installed"]
    excel_addin.install(home_settings, said.append, web=False, **where)

    path = Path(registry.keys[excel_addin.WINDOWS_KEY][ADDIN_ID])
    assert path.read_text(encoding="utf-8") == manifest("https://localhost:9443")
    certificate = load_certificate(certificate_folder(home_settings.home))
    assert certificate is not None
    assert store.held == [certificate.name]
    assert "registered for Excel: yes" in excel_addin.status(home_settings, **where)
    assert any("shopsheet serve" in line for line in said)

    excel_addin.uninstall(home_settings, said.append, **where)
    assert registry.keys[excel_addin.WINDOWS_KEY] == {}
    assert store.held == []
    assert not path.exists()
    assert excel_addin.status(home_settings, **where) == ["not installed"]
    excel_addin.uninstall(home_settings, said.append, **where)  # twice does no harm


def test_excel_on_macos_finds_the_manifest_in_its_folder(
    home_settings: Settings, store: Store, said: list[str], tmp_path: Path
) -> None:
    where: dict[str, Any] = {"system": "darwin", "user": tmp_path, "stores": [store]}
    with pytest.raises(BadInput, match="Start Excel once"):
        excel_addin.install(home_settings, said.append, web=False, **where)
    assert store.held == []  # nothing was changed
    (tmp_path / excel_addin.MAC_CONTAINER).mkdir(parents=True)
    excel_addin.install(home_settings, said.append, web=False, **where)
    (copy,) = (tmp_path / excel_addin.MAC_FOLDER).iterdir()
    assert "https://localhost:9443" in copy.read_text(encoding="utf-8")
    assert "in Excel's folder: yes" in excel_addin.status(home_settings, **where)
    copy.unlink()
    assert "in Excel's folder: no, install again" in excel_addin.status(home_settings, **where)
    excel_addin.install(home_settings, said.append, web=False, **where)
    assert len(store.held) == 1  # the certificate that was good is still used
    excel_addin.uninstall(home_settings, said.append, **where)
    assert not copy.exists()


def test_a_folder_that_macos_protects_is_named(
    home_settings: Settings, store: Store, said: list[str], tmp_path: Path
) -> None:
    where: dict[str, Any] = {"system": "darwin", "user": tmp_path, "stores": [store]}
    (tmp_path / excel_addin.MAC_CONTAINER).mkdir(parents=True)
    (tmp_path / excel_addin.MAC_CONTAINER / "Data").write_text("in the way", encoding="utf-8")
    with pytest.raises(BadInput, match="Privacy & Security"):
        excel_addin.install(home_settings, said.append, web=False, **where)


def test_python_of_the_microsoft_store_is_refused_before_anything_is_changed(
    home_settings: Settings,
    store: Store,
    said: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "base_prefix", r"C:\Program Files\WindowsApps\Python.3.12")
    where: dict[str, Any] = {"system": "win32", "user": tmp_path, "stores": [store]}
    with pytest.raises(BadInput, match="Microsoft Store"):
        excel_addin.install(home_settings, said.append, web=False, **where)
    assert store.held == []
    assert not home_settings.home.exists()
    excel_addin.install(home_settings, said.append, web=True, **where)
    assert len(store.held) == 1


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(BadInput, match="SHOPSHEET_HOME"):
        excel_addin.build(Settings(home=tmp_path / "file"))


def test_a_damaged_or_older_certificate_is_replaced_in_the_store(
    home_settings: Settings, store: Store, said: list[str], tmp_path: Path
) -> None:
    where: dict[str, Any] = {"system": "linux", "user": tmp_path, "stores": [store]}
    folder = certificate_folder(home_settings.home)
    old = make_certificate(folder)
    store.held.append(old.name)
    old.server_path.write_text("damaged", encoding="utf-8")
    assert any("cannot be used" in line for line in _status_after_build(home_settings, where))
    excel_addin.install(home_settings, said.append, web=True, **where)
    new = load_certificate(folder)
    assert new is not None
    assert store.held == [new.name]
    assert new.name != old.name


def _status_after_build(settings: Settings, where: dict[str, Any]) -> list[str]:
    excel_addin.build(settings)
    return excel_addin.status(settings, **where)


def test_without_excel_the_browser_is_named(
    home_settings: Settings, said: list[str], tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="excel-web"):
        excel_addin.install(home_settings, said.append, web=False, system="linux", user=tmp_path)
    assert not home_settings.home.exists()
    excel_addin.install(
        home_settings, said.append, web=True, system="linux", user=tmp_path, stores=[]
    )
    assert any("Upload My Add-in" in line for line in said)
    assert any("trust the authority" in line for line in said)


def test_a_manifest_for_another_port_is_noticed(home_settings: Settings, tmp_path: Path) -> None:
    excel_addin.build(home_settings)
    other = Settings(home=home_settings.home, https_port=9444)
    lines = excel_addin.status(other, system="linux", user=tmp_path, stores=[])
    assert "the manifest is not for https://localhost:9444 and this version: install again" in lines
    with pytest.raises(BadInput, match="SHOPSHEET_HTTPS_PORT"):
        excel_addin.build(Settings(home=home_settings.home, https_port=0))


def test_build_writes_for_every_host(capsys: pytest.CaptureFixture[str], own_home: Path) -> None:
    assert cli.main(["addin", "build", "--url", "http://127.0.0.1:9000/"]) == 0
    out = capsys.readouterr().out
    extension = own_home / "addin" / "libreoffice" / "shopsheet.oxt"
    assert str(extension) in out
    assert str(own_home / "addin" / "excel" / "manifest.xml") in out
    with zipfile.ZipFile(extension) as oxt:
        settings = json.loads(oxt.read("settings.json"))
    assert settings == {"url": "http://127.0.0.1:9000", "home": str(own_home.resolve())}


def test_install_asks_for_which_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["addin", "install"]) == 1
    assert "libreoffice or excel or excel-web" in capsys.readouterr().err


def test_a_program_that_is_not_there_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    missing = tmp_path / "soffice"
    assert cli.main(["addin", "install", "libreoffice", "--soffice", str(missing)]) == 1
    assert str(missing) in capsys.readouterr().err


def test_a_wrong_address_is_refused_before_anything_is_written(
    capsys: pytest.CaptureFixture[str], own_home: Path
) -> None:
    assert cli.main(["addin", "build", "libreoffice", "--url", "localhost:9000"]) == 1
    assert "http://127.0.0.1:8421" in capsys.readouterr().err
    assert not list(own_home.rglob("*.oxt"))


def test_libreoffice_gets_no_python_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/somewhere/venv")
    monkeypatch.setenv("PYTHONHOME", "/somewhere/venv")
    monkeypatch.setenv("PATH", os.pathsep.join(["/somewhere/venv/bin", "/opt/pyenv", "/usr/bin"]))
    environment = clean_environment()
    folders = environment["PATH"].split(os.pathsep)
    assert "/somewhere/venv/bin" not in folders
    assert "/opt/pyenv" in folders
    if sys.platform == "linux":
        assert folders.index("/usr/bin") < folders.index("/opt/pyenv")
    assert "PYTHONHOME" not in environment
    assert "VIRTUAL_ENV" not in environment


@pytest.mark.libreoffice
def test_the_extension_goes_in_shows_and_comes_out(
    capsys: pytest.CaptureFixture[str], own_home: Path, tmp_path: Path
) -> None:
    profile = tmp_path / "profile"
    try:
        office = find_office(profile=profile)
        _ = office.python
    except ShopsheetError as error:
        pytest.skip(error.message)
    where = ["libreoffice", "--profile", str(profile)]
    assert cli.main(["addin", "status", *where]) == 0
    assert "the extension is not installed" in capsys.readouterr().out
    for _ in range(2):  # the second time in place of the first
        assert cli.main(["addin", "install", *where]) == 0
        assert "installed" in capsys.readouterr().out
    assert office.installed() == {IDENTIFIER: VERSION}
    log_path(own_home).parent.mkdir(parents=True)
    log_path(own_home).write_text("2026-01-01 SENTIMENT: the reason\n", encoding="utf-8")
    assert cli.main(["addin", "status", *where]) == 0
    shown = capsys.readouterr().out
    assert f"the extension is {VERSION}" in shown
    assert "SENTIMENT: the reason" in shown
    assert cli.main(["addin", "uninstall", *where]) == 0
    assert cli.main(["addin", "uninstall", *where]) == 0
    assert office.installed() == {}


@pytest.mark.libreoffice
def test_a_broken_extension_is_refused_with_libreoffice_s_reason(tmp_path: Path) -> None:
    try:
        office = find_office(profile=tmp_path / "profile")
        _ = office.python
    except ShopsheetError as error:
        pytest.skip(error.message)
    broken = tmp_path / "broken.oxt"
    broken.write_bytes(b"no zip")
    with pytest.raises(NotReady, match="extension manager failed"):
        office.add(broken)


@pytest.mark.libreoffice
@pytest.mark.skipif(os.name != "posix", reason="ends a process group")
def test_a_libreoffice_that_is_open_is_neither_used_nor_closed(tmp_path: Path) -> None:
    office = find_office(profile=tmp_path / "profile") if shutil.which("soffice") else None
    if office is None:
        pytest.skip("LibreOffice is not installed")
    office.installed()  # makes the profile
    assert office.profile is not None
    theirs = subprocess.Popen(
        [
            str(office.soffice),
            "--headless",
            "--norestore",
            f"-env:UserInstallation={office.profile.as_uri()}",
            f"--accept=pipe,name=theirs{os.getpid()};urp;",  # it waits, as one with a window does
        ],
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        lock = office.profile / ".lock"
        deadline = time.monotonic() + 60
        while not lock.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(2)  # until it answers a second start
        with pytest.raises(NotReady, match="LibreOffice is open"):
            office.installed()
        assert theirs.poll() is None
    finally:
        os.killpg(theirs.pid, signal.SIGKILL)
        theirs.wait()
