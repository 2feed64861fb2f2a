"""Puts the Office.js add-in into Excel on Windows and macOS, or prepares it for Excel on the web.

Excel loads the add-in's files from https://localhost, so installing also makes a certificate for
that address and has the system trust it. Without an app store an add-in is side-loaded: Windows
reads the paths of manifests from the registry, macOS from a folder of Excel's.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from addin.office_manifest import ADDIN_ID, manifest
from server.certificates import (
    RENEW_DAYS,
    BadCertificate,
    LocalCertificate,
    certificate_folder,
    delete_certificate,
    load_certificate,
    make_certificate,
)
from server.settings import Settings
from server.trust import TrustStore, distrust, trust_alone, trust_stores
from udfs.errors import BadInput

Say = Callable[[str], object]

# Where Excel on Windows looks for manifests that are side-loaded: any value name, the path as data.
# Source: what Microsoft's office-addin-dev-settings writes.
WINDOWS_KEY = r"Software\Microsoft\Office\16.0\WEF\Developer"
MAC_CONTAINER = Path("Library/Containers/com.microsoft.Excel")
MAC_FOLDER = MAC_CONTAINER / "Data/Documents/wef"
MAC_NAME = f"{ADDIN_ID}.manifest.xml"


def manifest_path(settings: Settings) -> Path:
    """The manifest as it is installed; it names the server's address."""
    return settings.home / "addin" / "excel" / "manifest.xml"


def origin(settings: Settings) -> str:
    """The address from which Excel loads the add-in."""
    if not settings.https_port:
        raise BadInput(
            "SHOPSHEET_HTTPS_PORT is 0, so the server would take another port at every start. "
            "Give it a fixed one, such as 8422: Excel remembers the address."
        )
    return f"https://localhost:{settings.https_port}"


def build(settings: Settings) -> Path:
    """The manifest, written for this machine's server. Raises: BadInput."""
    path = manifest_path(settings)
    text = manifest(origin(settings))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise BadInput(
            f"The manifest cannot be written to {path} ({error}). "
            "Set SHOPSHEET_HOME to a folder that you can write."
        ) from error
    return path.resolve()


def install(
    settings: Settings,
    say: Say,
    *,
    web: bool,
    system: str = sys.platform,
    user: Path | None = None,
    stores: list[TrustStore] | None = None,
) -> None:
    """Nothing; the certificate is trusted, the manifest is where Excel finds it, and `say` was
    told what is left to do. With `web` nothing is put into an Excel on this machine.

    Raises: BadInput where there is no Excel to install into, NotReady if the system refuses.
    """
    user = user or Path.home()
    if not web and system not in ("win32", "darwin"):
        raise BadInput(
            "Excel runs on Windows and macOS. Here use Excel in a browser: "
            "`shopsheet addin install excel-web`."
        )
    if not web:
        _check_excel_can_be_told(system, user)
    path = build(settings)
    certificate = _current_certificate(settings, say)
    found = trust_stores(system, user) if stores is None else stores
    for store in found:
        trust_alone(store, certificate, say)
    if not found:
        say(
            f"Tell your browser to trust the authority in {certificate.authority_path}: "
            "no way to do that is known here (on Linux install certutil: libnss3-tools or "
            "nss-tools)."
        )
    if web:
        say(f"The manifest is {path}")
        say("In Excel on the web: Home > Add-ins > More Add-ins > My Add-ins > Upload My Add-in,")
        say("and choose that file. The browser asks once whether Excel may reach this machine.")
    elif system == "win32":
        _register_on_windows(path)
        say(f"Registered {path}")
        say("Start Excel anew, then Home > Add-ins > More Add-ins > Developer Add-ins: Shopsheet.")
    else:
        say(f"Put the manifest into {_copy_on_mac(path, user)}")
        say("Start Excel anew, then Home > Add-ins: Shopsheet.")
    say("Start the server with `shopsheet serve`, or start it anew if it is running.")


def uninstall(
    settings: Settings,
    say: Say,
    *,
    system: str = sys.platform,
    user: Path | None = None,
    stores: list[TrustStore] | None = None,
) -> None:
    """Nothing; Excel on this machine has no add-in of ours, and nothing trusts our certificate.

    Raises: NotReady if the system refuses.
    """
    user = user or Path.home()
    if system == "win32":
        _unregister_on_windows()
    (user / MAC_FOLDER / MAC_NAME).unlink(missing_ok=True)
    manifest_path(settings).unlink(missing_ok=True)
    for store in trust_stores(system, user) if stores is None else stores:
        distrust(store, say)
    delete_certificate(certificate_folder(settings.home))
    say("The add-in and its certificate are removed. Start the server anew if it is running.")
    say("Excel on the web: Home > Add-ins > More Add-ins > My Add-ins, and remove it there.")


def status(
    settings: Settings,
    *,
    system: str = sys.platform,
    user: Path | None = None,
    stores: list[TrustStore] | None = None,
) -> list[str]:
    """What is installed for Excel, as lines for a person."""
    user = user or Path.home()
    path = manifest_path(settings)
    if not path.exists():
        return ["not installed"]
    lines = [f"manifest: {path}"]
    if path.read_text(encoding="utf-8") != manifest(origin(settings)):
        lines.append(f"the manifest is not for {origin(settings)} and this version: install again")
    if system == "win32":
        lines.append(_yes_no("registered for Excel", _is_registered_on_windows(path)))
    elif system == "darwin":
        lines.append(_yes_no("in Excel's folder", (user / MAC_FOLDER / MAC_NAME).exists()))
    try:
        certificate = load_certificate(certificate_folder(settings.home))
    except BadCertificate as error:
        return [*lines, error.message]
    if certificate is None:
        return [*lines, "no certificate: install again"]
    lines.append(certificate.problem() or f"certificate: {certificate.days_left()} days left")
    for store in trust_stores(system, user) if stores is None else stores:
        lines.append(_yes_no(f"trusted by the {store.where}", store.trusts(certificate)))
    return lines


def _yes_no(what: str, so: bool) -> str:
    return f"{what}: {'yes' if so else 'no, install again'}"


def _current_certificate(settings: Settings, say: Say) -> LocalCertificate:
    """The certificate that is there if it is good for a while, else a new one."""
    folder = certificate_folder(settings.home)
    try:
        certificate = load_certificate(folder)
    except BadCertificate as error:
        say(error.message)
        certificate = None
    if certificate and not certificate.problem() and certificate.days_left() >= RENEW_DAYS:
        return certificate
    certificate = make_certificate(folder)
    say(f"Made a certificate for localhost in {folder}")
    return certificate


def _check_excel_can_be_told(system: str, user: Path) -> None:
    """Nothing, before anything is changed.

    Raises: BadInput on macOS if Excel has never run, and on Windows with the Python of the
    Microsoft Store, which keeps what it writes into the registry to itself.
    """
    if system == "darwin" and not (user / MAC_CONTAINER).is_dir():
        raise BadInput(
            f"There is no {user / MAC_CONTAINER}: Excel is not installed or was never started. "
            "Start Excel once, quit it, and try again."
        )
    if system == "win32" and "windowsapps" in sys.base_prefix.lower():
        raise BadInput(
            f"This Python ({sys.base_prefix}) is from the Microsoft Store, whose programs write "
            "to a registry of their own: Excel would not see the add-in. Install Python from "
            "python.org and set Shopsheet up with it, or use Excel in a browser: "
            "`shopsheet addin install excel-web`."
        )


def _copy_on_mac(path: Path, user: Path) -> Path:
    """The folder of Excel's into which the manifest was copied. Raises: BadInput."""
    copy = user / MAC_FOLDER / MAC_NAME
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    except OSError as error:
        raise BadInput(
            f"The manifest cannot be copied to {copy} ({error}). Allow your terminal to use data "
            "of other apps (System Settings > Privacy & Security > App Management), or copy "
            f"{path} there yourself."
        ) from error
    return copy.parent


def _winreg() -> Any:
    import winreg

    return winreg


def _register_on_windows(path: Path) -> None:
    registry = _winreg()
    with registry.CreateKey(registry.HKEY_CURRENT_USER, WINDOWS_KEY) as key:
        registry.SetValueEx(key, ADDIN_ID, 0, registry.REG_SZ, str(path))


def _unregister_on_windows() -> None:
    registry = _winreg()
    try:
        with registry.OpenKey(
            registry.HKEY_CURRENT_USER, WINDOWS_KEY, 0, registry.KEY_SET_VALUE
        ) as key:
            registry.DeleteValue(key, ADDIN_ID)
    except FileNotFoundError:
        pass  # it was not there


def _is_registered_on_windows(path: Path) -> bool:
    registry = _winreg()
    try:
        with registry.OpenKey(registry.HKEY_CURRENT_USER, WINDOWS_KEY) as key:
            return bool(registry.QueryValueEx(key, ADDIN_ID)[0] == str(path.resolve()))
    except FileNotFoundError:
        return False
