"""`shopsheet doctor`: checks this installation and says what to do about each problem."""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server.settings import Settings

HELP = "Check this installation; each problem comes with what to do."

PYTHON = (3, 11)
# Import name and what it is needed for.
PACKAGES = {
    "flask": "the server",
    "waitress": "the server",
    "prometheus_client": "/metrics",
    "numpy": "the models",
    "safetensors": "loading models",
    "tokenizers": "reading texts",
    "openvino": "running models on this processor",
    "openpyxl": "reading workbooks",
    "xlsxwriter": "writing workbooks",
    "formualizer": "refreshing workbooks",
    "cryptography": "HTTPS for Excel",
    "pyarrow": "parquet files",
}
LIBREOFFICE = (
    Path("/Applications/LibreOffice.app/Contents/MacOS/soffice"),
    Path(r"C:\Program Files\LibreOffice\program\soffice.exe"),
    Path(r"C:\Program Files (x86)\LibreOffice\program\soffice.exe"),
)
EXCEL_ON_MAC = Path("/Applications/Microsoft Excel.app")


@dataclass(frozen=True)
class Finding:
    """The outcome of one check. A note is neither good nor bad."""

    mark: str  # ok, note or problem
    subject: str
    text: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    return None


def run(args: argparse.Namespace) -> int:
    """0 if nothing is wrong, 1 if there is a problem."""
    problems = 0
    for finding in findings():
        print(f"{finding.mark:<8} {finding.subject}: {finding.text}", flush=True)
        problems += finding.mark == "problem"
    if problems:
        print(f"\n{problems} problem{'s' if problems > 1 else ''} found.")
    else:
        print("\nNo problems found.")
    return 1 if problems else 0


def findings() -> Iterator[Finding]:
    """Every check in turn, the ones that others need first."""
    yield check_python(sys.version_info[:3])
    packages = check_packages(PACKAGES)
    yield packages
    if packages.mark == "problem":
        return  # the rest would only fail for the same reason
    from server.settings import Settings
    from udfs.errors import ShopsheetError

    try:
        settings = Settings.from_environment()
    except ShopsheetError as error:
        yield Finding("problem", "settings", error.message)
        return
    yield Finding("ok", "settings", "read from the environment")
    checks: tuple[Callable[[Settings], Finding], ...] = (
        check_home,
        check_token,
        check_store,
        check_knowledge,
        check_model,
        check_own_models,
        check_port,
        check_certificate,
    )
    for check in checks:
        yield check(settings)
    yield check_libreoffice()
    yield check_excel()


def check_python(version: tuple[int, ...]) -> Finding:
    found = ".".join(map(str, version))
    if version >= PYTHON:
        return Finding("ok", "Python", f"{found} at {sys.executable}")
    wanted = ".".join(map(str, PYTHON))
    return Finding("problem", "Python", f"found {found}, needed {wanted} or newer. Install it.")


def check_packages(packages: dict[str, str]) -> Finding:
    missing = []
    for name, use in packages.items():
        try:
            importlib.import_module(name)
        except Exception as error:  # a broken package may raise anything
            missing.append(f"{name} (for {use}: {error})")
    if missing:
        text = f"cannot import {'; '.join(missing)}. Run `pip install -e .` in the project folder."
        return Finding("problem", "packages", text)
    return Finding("ok", "packages", f"all {len(packages)} can be imported")


def check_home(settings: Settings) -> Finding:
    home = settings.home
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            free = shutil.disk_usage(home).free
    except OSError as error:
        text = f"{home} cannot be written ({error}). Set SHOPSHEET_HOME to a folder of yours."
        return Finding("problem", "home", text)
    if free < settings.store_max_mb * 2**20:
        text = f"{home} has {free / 2**20:,.0f} MiB left; up to {settings.store_max_mb} are used."
        return Finding("problem", "home", f"{text} Free some, or lower SHOPSHEET_STORE_MAX_MB.")
    return Finding("ok", "home", str(home))


def check_token(settings: Settings) -> Finding:
    from server.guard import server_token
    from udfs.errors import ShopsheetError

    path = settings.token_path
    if not settings.token and not path.exists():
        return Finding("note", "token", f"{path} will be made by the first `shopsheet serve`")
    try:
        server_token(settings)
    except ShopsheetError as error:
        return Finding("problem", "token", error.message)
    if settings.token:
        return Finding("ok", "token", "from SHOPSHEET_TOKEN")
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.name == "posix" and mode & 0o077:
        text = f"{path} can be read by others (mode {mode:o}). Run: chmod 600 '{path}'"
        return Finding("problem", "token", text)
    return Finding("ok", "token", str(path))


def check_store(settings: Settings) -> Finding:
    from server.engine import open_store

    if not settings.store:
        return Finding("note", "result store", "switched off by SHOPSHEET_STORE")
    store = open_store(settings)
    try:
        stats = store.stats()
    finally:
        store.close()
    if not stats.working:
        text = f"{settings.store_path} cannot be opened. Delete it; results are computed again."
        return Finding("problem", "result store", text)
    size = f"{stats.entries:,} results, {stats.bytes / 2**20:,.1f} MiB"
    return Finding("ok", "result store", f"{settings.store_path}: {size}")


def check_knowledge(settings: Settings) -> Finding:
    from server.commands.knowledge import describe
    from server.engine import open_knowledge

    state = open_knowledge(settings).state()
    if state.problem:
        kept = f" The last good one is in use: {describe(state.knowledge)}."
        text = state.problem + (kept if state.knowledge else " None is in use.")
        return Finding("problem", "knowledge file", text)
    if not state.path.exists():
        text = f"none at {state.path}; `shopsheet knowledge new` makes one"
        return Finding("note", "knowledge file", text)
    return Finding("ok", "knowledge file", f"{state.path}: {describe(state.knowledge)}")


def check_model(settings: Settings) -> Finding:
    from server.engine import CHECK_TEXT, load_shipped_encoder, model_name
    from udfs.errors import ShopsheetError

    started = time.monotonic()
    try:
        encoder = load_shipped_encoder(settings)
        try:
            encoder.read([CHECK_TEXT])
            name = f"{model_name('encoder', encoder)} on {encoder.backend}"
        finally:
            encoder.close()
    except ShopsheetError as error:
        return Finding("problem", "encoder", error.message)
    except Exception as error:
        text = f"{type(error).__name__}: {error}. Install Shopsheet again, or report this."
        return Finding("problem", "encoder", text)
    seconds = time.monotonic() - started
    return Finding("ok", "encoder", f"{name} answers {seconds:.1f} s after loading began")


def check_own_models(settings: Settings) -> Finding:
    from server.artefacts import is_artefact, load_artefact
    from server.own.heads import all_in_use, load_version
    from server.own.versions import DAMAGED, Versions, refit_command
    from udfs.errors import ShopsheetError

    try:
        folder = settings.encoder_folder
        encoder = load_artefact(folder).version if is_artefact(folder) else None
        used = all_in_use(settings.home)
        for signature, version_id in used.items():
            versions = Versions(settings.home, *signature.split("/", 1))
            if version_id == DAMAGED:
                versions.current()  # says what is wrong
            found = load_version(versions, version_id)
            if encoder is not None and found.encoder != encoder:
                return Finding(
                    "problem",
                    "own models",
                    f"{versions.title} was fitted to encoder {found.encoder}, and {encoder} is in "
                    f"use. Fit it anew: {refit_command(versions)}",
                )
    except ShopsheetError as error:
        return Finding("problem", "own models", error.message)
    if not used:
        return Finding("ok", "own models", "none are in use")
    return Finding("ok", "own models", ", ".join(f"{name}@{one}" for name, one in used.items()))


def check_port(settings: Settings) -> Finding:
    from server.listener import PortTaken, listen_socket
    from server.running import look

    subject = f"port {settings.port}"
    found = look(settings.url)
    if found.shopsheet:
        state = "and is ready" if found.ready else "but is not ready: see its log or /health"
        return Finding("ok" if found.ready else "problem", subject, f"Shopsheet runs there {state}")
    try:
        listen_socket(settings.host, settings.port).close()
    except PortTaken as error:
        return Finding("problem", subject, error.message)
    return Finding("ok", subject, "free; `shopsheet serve` starts the server")


def check_certificate(settings: Settings) -> Finding:
    from server.certificates import (
        INSTALL_COMMAND,
        RENEW_DAYS,
        BadCertificate,
        certificate_folder,
        load_certificate,
    )

    try:
        certificate = load_certificate(certificate_folder(settings.home))
    except BadCertificate as error:
        return Finding("problem", "HTTPS", error.message)
    if certificate is None:
        text = f"no certificate; only Excel needs one, and `{INSTALL_COMMAND}` makes it"
        return Finding("note", "HTTPS", text)
    days = certificate.days_left()
    reason = certificate.problem() or (f"it ends in {days} days" if days < RENEW_DAYS else None)
    if reason:
        text = f"renew the certificate with `{INSTALL_COMMAND}`: {reason}"
        return Finding("problem", "HTTPS", text)
    text = f"certificate for https://localhost:{settings.https_port}, {days} days left"
    return Finding("ok", "HTTPS", text)


def check_libreoffice() -> Finding:
    found = shutil.which("soffice") or shutil.which("libreoffice")
    for path in LIBREOFFICE:
        found = found or (str(path) if path.exists() else None)
    if found is None:
        return Finding("note", "LibreOffice", "not found; needed only for formulas in Calc")
    return Finding("ok", "LibreOffice", found)


def check_excel() -> Finding:
    if sys.platform == "win32":
        import winreg

        try:
            winreg.CloseKey(winreg.OpenKey(winreg.HKEY_CLASSES_ROOT, "Excel.Application"))
            return Finding("ok", "Excel", "installed")
        except OSError:
            pass
    elif EXCEL_ON_MAC.exists():
        return Finding("ok", "Excel", str(EXCEL_ON_MAC))
    return Finding(
        "note",
        "Excel",
        "not found; `shopsheet refresh` computes formulas in .xlsx files without it",
    )
