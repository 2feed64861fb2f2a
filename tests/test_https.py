"""Excel's way to the server: `serve` with a certificate, and a browser that trusts it."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import os
import shutil
import ssl
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask

from server.certificates import (
    RENEW_DAYS,
    VALID_DAYS,
    LocalCertificate,
    certificate_folder,
    common_name,
    load_certificate,
    make_certificate,
    new_authority,
    sign_server,
)
from server.cli import main
from server.commands import doctor, serve
from server.listener import Listener, listen_socket
from server.settings import Settings
from server.tls_front import TlsFront
from server.trust import NssDatabase, distrust, trust_alone
from tests.conftest import TOKEN, LiveServer
from tests.test_addin_browser import CHROMIUM_FLAGS, CHROMIUM_NAMES
from tests.test_server_commands import Serving, tiny  # noqa: F401 - a fixture


@pytest.fixture
def certificate(own_home: Path) -> LocalCertificate:
    return make_certificate(certificate_folder(own_home))


@pytest.fixture
def https(certificate: LocalCertificate, live_server: LiveServer) -> Iterator[TlsFront]:
    """HTTPS in front of the live server."""
    front = TlsFront(certificate.server_context(), 0, ("127.0.0.1", live_server.port))
    front.start()
    yield front
    front.stop()


@pytest.fixture
def https_port(monkeypatch: pytest.MonkeyPatch) -> int:
    with listen_socket("127.0.0.1", 0) as probe:
        port: int = probe.getsockname()[1]
    monkeypatch.setenv("SHOPSHEET_HTTPS_PORT", str(port))
    return port


def get(port: int, path: str, certificate: LocalCertificate) -> tuple[int, dict[str, str]]:
    """Status and headers, over a connection that checks the certificate."""
    context = ssl.create_default_context(cafile=certificate.authority_path)
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return response.status, {name.lower(): value for name, value in response.getheaders()}


# ---- shopsheet serve


def test_serve_answers_https_when_there_is_a_certificate(
    tiny: None,  # noqa: F811
    certificate: LocalCertificate,
    https_port: int,
) -> None:
    server = Serving()
    try:
        said = server.until_ready()
        assert f"Excel reaches it at https://localhost:{https_port}" in said
        assert "renews" not in said
        status, _ = get(https_port, "/addin/taskpane.html", certificate)
        assert status == 200
        assert server.stop() == 0
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait(60)
        assert server.process.stdout is not None
        server.process.stdout.close()
    listen_socket("127.0.0.1", https_port).close()  # it is free again


@pytest.fixture
def listener(app: Flask, settings: Settings) -> Iterator[Listener]:
    listener = Listener(app, settings)
    listener.stop()
    yield listener
    listener.run()  # closes it


def start(settings: Settings, listener: Listener) -> TlsFront | None:
    front = serve._start_https(settings, listener)
    if front is not None:
        front.stop()
    return front


def test_without_a_certificate_there_is_no_https_and_no_word_of_it(
    settings: Settings, listener: Listener, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(settings, listener) is None
    assert capsys.readouterr().out == ""


def test_a_certificate_that_cannot_be_used_is_said_and_http_goes_on(
    settings: Settings, listener: Listener, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = certificate_folder(settings.home)
    made = make_certificate(folder, datetime.now(UTC) - timedelta(days=VALID_DAYS))
    assert start(settings, listener) is None
    said = capsys.readouterr().out
    assert f"it ended on {made.not_after:%Y-%m-%d}" in said
    assert "shopsheet addin install excel" in said

    made.server_path.write_text("damaged", encoding="utf-8")
    assert start(settings, listener) is None
    assert f"The certificate in {folder} cannot be used" in capsys.readouterr().out


def test_a_certificate_that_ends_soon_is_said(
    settings: Settings, listener: Listener, capsys: pytest.CaptureFixture[str]
) -> None:
    age = timedelta(days=VALID_DAYS - RENEW_DAYS)
    make_certificate(certificate_folder(settings.home), datetime.now(UTC) - age)
    assert start(settings.changed(https_port=0), listener) is not None
    said = capsys.readouterr().out
    assert "Excel reaches it at https://localhost:" in said
    assert "ends in" in said


def test_a_taken_https_port_is_said_and_http_goes_on(
    settings: Settings,
    listener: Listener,
    certificate: LocalCertificate,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with listen_socket("127.0.0.1", 0) as other:
        port = other.getsockname()[1]
        assert start(settings.changed(https_port=port), listener) is None
    said = capsys.readouterr().out
    assert f"no HTTPS for Excel: Port {port} of 127.0.0.1" in said
    assert "SHOPSHEET_HTTPS_PORT" in said


def test_doctor_looks_at_the_certificate(settings: Settings) -> None:
    folder = certificate_folder(settings.home)
    assert doctor.check_certificate(settings).mark == "note"
    make_certificate(folder)
    fine = doctor.check_certificate(settings.changed(https_port=9443))
    assert fine.mark == "ok"
    assert "https://localhost:9443" in fine.text
    for age, expected in ((VALID_DAYS, "ended on"), (VALID_DAYS - 10, "ends in 8 days")):
        make_certificate(folder, datetime.now(UTC) - timedelta(days=age))
        found = doctor.check_certificate(settings)
        assert found.mark == "problem"
        assert expected in found.text
        assert "shopsheet addin install excel" in found.text
    (folder / "authority.pem").unlink()
    assert doctor.check_certificate(settings).mark == "problem"


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("certutil") is None,
    reason="needs certutil of NSS on Linux (Debian: libnss3-tools)",
)
def test_the_add_in_is_installed_for_the_browser_and_removed(
    own_home: Path,
    tmp_path: Path,
    https_port: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "somebody"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert main(["addin", "install", "excel-web"]) == 0
    said = capsys.readouterr().out
    assert "certutil -A" in said  # each command is said
    assert "Upload My Add-in" in said
    manifest = own_home / "addin" / "excel" / "manifest.xml"
    assert f"https://localhost:{https_port}/addin/taskpane.html" in manifest.read_text("utf-8")
    assert load_certificate(certificate_folder(own_home)) is not None
    assert main(["addin", "status", "excel-web"]) == 0
    assert f"trusted by the certificates of the browser in {tmp_path}" in capsys.readouterr().out
    assert main(["addin", "install", "excel-web"]) == 0
    assert "certutil" not in capsys.readouterr().out, "what is trusted already is left alone"
    database = NssDatabase(tmp_path / "somebody" / ".pki" / "nssdb")
    assert len(database.ours()) == 1
    assert main(["addin", "uninstall", "excel-web"]) == 0
    assert database.ours() == []
    assert not certificate_folder(own_home).exists()
    assert not manifest.exists()


# ---- what Excel loads


def test_the_console_is_one_step_away(https: TlsFront, certificate: LocalCertificate) -> None:
    status, headers = get(https.port, "/console", certificate)
    assert status in (302, 303, 307, 308)
    assert headers["location"] == "/addin/console.html"
    assert get(https.port, headers["location"], certificate)[0] == 200


@pytest.mark.parametrize("page", ["taskpane.html", "console.html", "functions.js"])
def test_excel_on_the_web_may_frame_the_add_in(
    https: TlsFront, certificate: LocalCertificate, page: str
) -> None:
    status, headers = get(https.port, f"/addin/{page}", certificate)
    assert status == 200
    assert "x-frame-options" not in headers
    assert "frame-ancestors" not in headers.get("content-security-policy", "")


# ---- a real browser with a certificate database of its own


@pytest.fixture
def chromium(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Opens Chromium whose user is somebody new."""
    program = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, CHROMIUM_NAMES)), ""
    )
    if not program or not sys.platform.startswith("linux"):
        pytest.skip("needs Chromium on Linux; install it, or name it in CHROMIUM.")
    if shutil.which("certutil") is None:
        pytest.skip("needs certutil of NSS (Debian: libnss3-tools).")
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed.")
    home = tmp_path / "somebody"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if name[:4] != "XDG_"}
    with api.sync_playwright() as playwright:

        @contextlib.contextmanager
        def opened(*flags: str) -> Iterator[Any]:
            browser = playwright.chromium.launch(
                executable_path=program,
                args=[*CHROMIUM_FLAGS, *flags],
                env={**environment, "HOME": str(home)},
            )
            try:
                yield browser.new_page()
            finally:
                browser.close()

        opened.home = home  # type: ignore[attr-defined]
        yield opened


@pytest.mark.browser
def test_chromium_trusts_the_add_in_after_install_and_not_before_or_after(
    https: TlsFront, certificate: LocalCertificate, chromium: Any
) -> None:
    console = f"{https.url}/addin/console.html"
    store = NssDatabase(chromium.home / ".pki" / "nssdb")
    with chromium() as page, pytest.raises(Exception, match="ERR_CERT_AUTHORITY_INVALID"):
        page.goto(console)

    trust_alone(store, certificate, lambda line: None)
    for host in ("localhost", "127.0.0.1"):
        with chromium() as page:
            problems: list[str] = []
            page.on("requestfailed", lambda request, seen=problems: seen.append(request.url))
            response = page.goto(console.replace("localhost", host))
            assert response.ok
            assert page.evaluate("isSecureContext")
            # A call from the page, as the add-in makes it: with the token, to its own origin.
            answer = page.evaluate(
                """async (token) => {
                    const response = await fetch("/v1/calls", {
                        method: "POST",
                        headers: {Authorization: `Bearer ${token}`},
                        body: JSON.stringify({calls: [{
                            id: "1", function: "SENTIMENT", args: ["great"]}]})});
                    return await response.json();
                }""",
                TOKEN,
            )
            assert answer["results"][0]["value"] == "positive"
            assert problems == []

    distrust(store, lambda line: None)
    with chromium() as page, pytest.raises(Exception, match="ERR_CERT_AUTHORITY_INVALID"):
        page.goto(console)


@pytest.mark.browser
def test_chromium_lets_the_authority_vouch_for_no_other_site(
    certificate: LocalCertificate, live_server: LiveServer, chromium: Any
) -> None:
    """Not even with the key that nobody has: the names in the certificate forbid it."""
    key, authority = new_authority(datetime.now(UTC))
    certificate.authority_path.write_bytes(authority.public_bytes(Encoding.PEM))
    store = NssDatabase(chromium.home / ".pki" / "nssdb")
    trusted = dataclasses.replace(certificate, name=common_name(authority))
    trust_alone(store, trusted, lambda line: None)
    for site, expected in (("localhost", None), ("bank.example", "ERR_CERT")):
        server_key, server = sign_server(key, authority, site, ())
        key_pem = server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        certificate.server_path.write_bytes(server.public_bytes(Encoding.PEM) + key_pem)
        front = TlsFront(certificate.server_context(), 0, ("127.0.0.1", live_server.port))
        front.start()
        try:
            with chromium(f"--host-resolver-rules=MAP {site} 127.0.0.1") as page:
                if expected is None:
                    assert page.goto(f"https://{site}:{front.port}/health").ok
                else:
                    with pytest.raises(Exception, match=expected):
                        page.goto(f"https://{site}:{front.port}/health")
        finally:
            front.stop()
