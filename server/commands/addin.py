"""`shopsheet addin`: puts the formulas into LibreOffice Calc and Excel, or takes them out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from addin.libreoffice.office import Office
    from server.settings import Settings

HELP = """Put the formulas into LibreOffice or Excel, take them out, or see what is installed.

Hosts: libreoffice, excel (on Windows or macOS), excel-web (Excel in a browser). `build` writes the
add-in's files without installing anything; build and status take all hosts if none is given."""

HOSTS = ("libreoffice", "excel", "excel-web")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("install", "uninstall", "status", "build"))
    parser.add_argument("host", nargs="?", choices=HOSTS, help="which program")
    parser.add_argument("--host", dest="host_option", choices=HOSTS, help=argparse.SUPPRESS)
    calc = parser.add_argument_group("LibreOffice")
    calc.add_argument("--soffice", type=Path, help="program, if it is not found by itself")
    calc.add_argument("--profile", type=Path, help="folder of a user profile other than your own")
    calc.add_argument("--url", help="server that the formulas call; default: this machine's")


def run(args: argparse.Namespace) -> int:
    """0 when done. Raises: ShopsheetError saying what stood in the way."""
    from server.settings import Settings
    from udfs.errors import BadInput

    settings = Settings.from_environment()
    host = args.host or args.host_option
    if host is None and args.action in ("install", "uninstall"):
        raise BadInput(
            f"Say for which program: shopsheet addin {args.action} {' or '.join(HOSTS)}."
        )
    hosts = HOSTS if host is None else (host,)
    if "libreoffice" in hosts:
        _libreoffice(args, settings, alone=host is not None)
    if any(host.startswith("excel") for host in hosts):
        _excel(args.action, settings, web=hosts == ("excel-web",))
    return 0


def extension_path(settings: Settings) -> Path:
    """The LibreOffice extension as it is built for this machine."""
    return settings.home / "addin" / "libreoffice" / "shopsheet.oxt"


def _libreoffice(args: argparse.Namespace, settings: Settings, alone: bool) -> None:
    from addin.build_libreoffice import IDENTIFIER
    from addin.libreoffice.office import find_office
    from udfs.errors import NotReady

    if args.action == "build":
        print(f"LibreOffice: {_build_extension(args.url, settings)}")
        return
    try:
        office = find_office(args.soffice, args.profile)
    except NotReady as error:
        if alone:
            raise
        print(f"LibreOffice: {error.message}")
        return
    if args.action == "install":
        _install(office, args.url, settings)
    elif args.action == "uninstall":
        office.remove(IDENTIFIER)
        extension_path(settings).unlink(missing_ok=True)
        print("LibreOffice: the extension is removed.")
    else:
        _print_status(office, settings)


def _build_extension(url: str | None, settings: Settings) -> Path:
    from addin.build_libreoffice import pack
    from udfs.client import DEFAULT_URL
    from udfs.transport import split_url

    if url is None and settings.url != DEFAULT_URL:
        url = settings.url
    path = extension_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pack(split_url(url).geturl() if url else None, settings.home.resolve()))
    return path


def _install(office: Office, url: str | None, settings: Settings) -> None:
    from addin.build_libreoffice import IDENTIFIER, VERSION
    from udfs.errors import NotReady

    path = _build_extension(url, settings)
    if office.add(path).get(IDENTIFIER) != VERSION:
        raise NotReady(f"LibreOffice took {path} but does not list it. Try Tools > Extensions.")
    print(f"LibreOffice {office.version}: installed {path}")
    print("Start the server with `shopsheet serve`, open Calc and type =SHOP.SENTIMENT(A2).")


def _print_status(office: Office, settings: Settings) -> None:
    from addin.build_libreoffice import IDENTIFIER, VERSION
    from addin.libreoffice.bridge import log_path

    found = office.installed().get(IDENTIFIER)
    state = "the extension is not installed" if found is None else f"the extension is {found}"
    if found not in (None, VERSION):
        state += f"; {VERSION} is current: install again"
    print(f"LibreOffice {office.version} at {office.soffice}: {state}")
    log = log_path(settings.home)
    if log.exists():
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        print(f"  why cells failed last ({log}):")
        print("\n".join(f"  {line}" for line in lines[-3:]))


def _excel(action: str, settings: Settings, web: bool) -> None:
    from server import excel_addin

    if action == "build":
        print(f"Excel: {excel_addin.build(settings)}")
    elif action == "install":
        excel_addin.install(settings, print, web=web)
    elif action == "uninstall":
        excel_addin.uninstall(settings, print)
    else:
        print("\n".join(f"Excel: {line}" for line in excel_addin.status(settings)))
