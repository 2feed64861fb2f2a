"""The local certificate: who accepts it, what its authority may not do, how it is kept."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from server.certificates import (
    ADDRESSES,
    AUTHORITY_NAME,
    BadCertificate,
    LocalCertificate,
    delete_certificate,
    load_certificate,
    make_certificate,
    new_authority,
    sign_server,
)
from server.trust import (
    MacKeychain,
    NssDatabase,
    TrustRefused,
    WindowsStore,
    distrust,
    nss_folders,
    run_command,
    trust_alone,
    trust_stores,
)
from udfs.errors import BadInput

NAMES = ("localhost", *ADDRESSES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "certificates"


@pytest.fixture
def certificate(folder: Path) -> LocalCertificate:
    return make_certificate(folder)


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> str:
    """The TLS version that both agree on. Raises: ssl.SSLError."""
    left, right = socket.socketpair()
    left.settimeout(10)
    right.settimeout(10)

    def serve() -> None:
        try:
            server.wrap_socket(left, server_side=True).close()
        except OSError:  # the client refused
            left.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(right, server_hostname=name) as connection:
            return connection.version() or ""
    finally:
        right.close()
        thread.join()


def strict_client(authority: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority)
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13
    return context


# ---- what it vouches for


@pytest.mark.parametrize("name", NAMES)
def test_a_client_that_trusts_the_authority_accepts_the_server(
    certificate: LocalCertificate, name: str
) -> None:
    client = strict_client(certificate.authority_path)
    assert handshake(certificate.server_context(), client, name) == "TLSv1.3"


def test_a_client_that_does_not_trust_it_refuses(certificate: LocalCertificate) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(certificate.server_context(), ssl.create_default_context(), "localhost")


def test_the_server_is_no_other_machine(certificate: LocalCertificate) -> None:
    client = strict_client(certificate.authority_path)
    for name in ("shop.example", "127.0.0.2", "localhost.example"):
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(certificate.server_context(), client, name)


@pytest.mark.parametrize(
    ("name", "addresses"),
    [("bank.example", ()), ("localhost", ("10.0.0.1",)), ("sub.localhost.example", ADDRESSES)],
)
def test_even_with_its_key_the_authority_could_not_sign_for_other_names(
    tmp_path: Path, name: str, addresses: tuple[str, ...]
) -> None:
    authority_key, authority = new_authority(datetime.now(UTC))
    key, server = sign_server(authority_key, authority, name, addresses)
    (tmp_path / "authority.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "server.pem").write_bytes(server.public_bytes(serialization.Encoding.PEM) + key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        handshake(
            context, strict_client(tmp_path / "authority.pem"), addresses[0] if addresses else name
        )


def test_the_server_certificate_cannot_sign(certificate: LocalCertificate) -> None:
    server = x509.load_pem_x509_certificate(certificate.server_path.read_bytes())
    constraints = server.extensions.get_extension_for_class(x509.BasicConstraints).value
    usage = server.extensions.get_extension_for_class(x509.KeyUsage).value
    assert not constraints.ca
    assert not usage.key_cert_sign


def test_old_tls_is_refused(certificate: LocalCertificate) -> None:
    client = strict_client(certificate.authority_path)
    client.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        client.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        client.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(OSError, match=r"(?i)protocol|alert|reset|eof"):
        handshake(certificate.server_context(), client, "localhost")
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    assert handshake(certificate.server_context(), client, "localhost") == "TLSv1.2"


# ---- how it is kept


def test_no_file_holds_the_key_of_the_authority(
    certificate: LocalCertificate, folder: Path
) -> None:
    authority = x509.load_pem_x509_certificate(certificate.authority_path.read_bytes())
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == ["authority.pem", "localhost.pem"]
    with_keys = [path for path in files if b"PRIVATE KEY" in path.read_bytes()]
    assert with_keys == [certificate.server_path]
    key = serialization.load_pem_private_key(certificate.server_path.read_bytes(), None)
    assert key.public_key() != authority.public_key()


@pytest.mark.skipif(os.name != "posix", reason="this system has no file modes")
def test_only_the_user_can_read_the_files(certificate: LocalCertificate, folder: Path) -> None:
    old = os.umask(0)
    try:
        make_certificate(folder)  # again, over the old files
    finally:
        os.umask(old)
    for path in (certificate.authority_path, certificate.server_path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_it_is_valid_now_and_no_longer_than_apple_allows(certificate: LocalCertificate) -> None:
    assert certificate.problem() is None
    for path in (certificate.authority_path, certificate.server_path):
        read = x509.load_pem_x509_certificate(path.read_bytes())
        lifetime = read.not_valid_after_utc - read.not_valid_before_utc
        assert timedelta(days=800) < lifetime <= timedelta(days=825)
    ended = certificate.not_after
    assert certificate.days_left(ended - timedelta(days=3)) == 3
    assert "ended on" in (certificate.problem(ended) or "")
    assert "clock" in (certificate.problem(certificate.not_before - timedelta(days=1)) or "")


def test_saved_equals_loaded(certificate: LocalCertificate, folder: Path) -> None:
    assert load_certificate(folder) == certificate
    again = make_certificate(folder)
    assert load_certificate(folder) == again
    assert again.name != certificate.name
    assert again.name.startswith(AUTHORITY_NAME)
    authority = x509.load_pem_x509_certificate(again.authority_path.read_bytes())
    assert again.authority_sha1 == authority.fingerprint(hashes.SHA1()).hex().upper()
    delete_certificate(folder)
    assert load_certificate(folder) is None
    assert not folder.exists()
    delete_certificate(folder)


def test_damaged_files_are_named_with_the_remedy(
    certificate: LocalCertificate, folder: Path, tmp_path: Path
) -> None:
    other = make_certificate(tmp_path / "other")
    good = {
        path: path.read_bytes() for path in (certificate.authority_path, certificate.server_path)
    }
    own_server, other_server = good[certificate.server_path], other.server_path.read_bytes()
    key_begins = own_server.index(b"-----BEGIN PRIVATE KEY")
    other_key = other_server[other_server.index(b"-----BEGIN PRIVATE KEY") :]
    for path, content in (
        (certificate.authority_path, None),
        (certificate.server_path, None),
        (certificate.server_path, b"not a certificate"),
        (certificate.server_path, own_server[:key_begins]),
        (certificate.server_path, own_server[:key_begins] + other_key),
        (certificate.authority_path, other.authority_path.read_bytes()),
    ):
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(BadCertificate, match="shopsheet addin install excel"):
            load_certificate(folder)
        path.write_bytes(good[path])
    assert load_certificate(folder) == certificate


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(BadInput, match="SHOPSHEET_HOME"):
        make_certificate(tmp_path / "file")


# ---- how browsers on Linux trust it, with their own tool

needs_certutil = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("certutil") is None,
    reason="certutil of NSS is not installed (Debian: libnss3-tools)",
)


@needs_certutil
def test_a_browser_database_trusts_and_forgets(
    certificate: LocalCertificate, folder: Path, tmp_path: Path
) -> None:
    store = NssDatabase(tmp_path / "home" / ".pki" / "nssdb")
    said: list[str] = []
    assert not store.trusts(certificate)
    assert store.ours() == []
    trust_alone(store, certificate, said.append)
    assert store.trusts(certificate)
    assert store.ours() == [certificate.name]
    commands = [line for line in said if line.startswith("  $ certutil")]
    assert len(commands) == 2, "make the database, add the authority"
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700

    said.clear()
    trust_alone(store, certificate, said.append)
    assert said == [], "what is trusted already is left alone"

    renewed = make_certificate(folder)
    trust_alone(store, renewed, said.append)
    assert store.ours() == [renewed.name], "the old authority is not trusted any more"
    assert not store.trusts(certificate)

    assert distrust(store, said.append) == 1
    assert store.ours() == []
    assert distrust(store, said.append) == 0


@needs_certutil
def test_nss_itself_accepts_the_server_certificate(
    certificate: LocalCertificate, tmp_path: Path
) -> None:
    store = NssDatabase(tmp_path / "nssdb")
    trust_alone(store, certificate, lambda line: None)
    database = f"sql:{store.folder}"
    server = str(certificate.server_path)
    assert (
        run_command(
            ["certutil", "-A", "-d", database, "-n", "s", "-t", ",,", "-i", server]
        ).returncode
        == 0
    )
    checked = run_command(["certutil", "-V", "-d", database, "-n", "s", "-u", "V", "-e"])
    assert "certificate is valid" in checked.stdout, checked.stderr
    distrust(store, lambda line: None)
    checked = run_command(["certutil", "-V", "-d", database, "-n", "s", "-u", "V", "-e"])
    assert checked.returncode != 0


@needs_certutil
def test_authorities_of_others_stay(certificate: LocalCertificate, tmp_path: Path) -> None:
    store = NssDatabase(tmp_path / "nssdb")
    trust_alone(store, certificate, lambda line: None)
    other = make_certificate(tmp_path / "other")
    add = ["certutil", "-A", "-d", f"sql:{store.folder}", "-t", "C,,", "-i"]
    assert run_command([*add, str(other.authority_path), "-n", "My company"]).returncode == 0
    distrust(store, lambda line: None)
    listed = run_command(["certutil", "-L", "-d", f"sql:{store.folder}"]).stdout
    assert "My company" in listed
    assert AUTHORITY_NAME not in listed


@needs_certutil
def test_a_command_that_fails_says_so(certificate: LocalCertificate, tmp_path: Path) -> None:
    (tmp_path / "cert9.db").write_text("damaged", encoding="utf-8")
    with pytest.raises(TrustRefused, match="certutil") as error:
        NssDatabase(tmp_path).add(certificate, lambda line: None)
    assert str(tmp_path) in error.value.message


def test_every_browser_of_the_user_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    old, new = tmp_path / ".pki/nssdb", tmp_path / ".local/share/pki/nssdb"
    profile = tmp_path / ".mozilla/firefox/abc.default"

    def touch(folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "cert9.db").touch()

    assert nss_folders(tmp_path) == [old], "made where every version of Chromium looks"
    touch(new)
    assert nss_folders(tmp_path) == [new], "an old one would hide it from Chromium"
    touch(old)
    touch(profile)
    (profile.parent / "Crash Reports").mkdir()
    assert nss_folders(tmp_path) == [old, new, profile]
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    touch(tmp_path / "data/pki/nssdb")
    assert nss_folders(tmp_path) == [old, tmp_path / "data/pki/nssdb", profile]


# ---- commands of systems that these tests do not run on


class Recorded:
    """Stands in for running commands; answers what it was told to."""

    def __init__(self, returncode: int = 0, stdout: str = "") -> None:
        self.commands: list[list[str]] = []
        self.returncode, self.stdout = returncode, stdout

    def __call__(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        self.commands.append(list(command))
        return subprocess.CompletedProcess(command, self.returncode, self.stdout, "denied")


def test_commands_of_macos(certificate: LocalCertificate, tmp_path: Path) -> None:
    run = Recorded(stdout=f"SHA-256 hash: {'0' * 64}\nSHA-1 hash: {'AB' * 20}\nkeychain: x\n")
    (store,) = trust_stores("darwin", tmp_path, run)
    assert isinstance(store, MacKeychain)
    said: list[str] = []
    store.add(certificate, said.append)
    keychain = str(tmp_path / "Library/Keychains/login.keychain-db")
    assert run.commands.pop()[:4] == ["security", "add-trusted-cert", "-r", "trustRoot"]
    assert keychain in said[-1]
    assert str(certificate.authority_path) in said[-1]
    assert "password" in said[0]
    assert store.ours() == ["AB" * 20]
    store.remove("AB" * 20, said.append)
    assert run.commands.pop() == [
        "security", "delete-certificate", "-Z", "AB" * 20, "-t", keychain,
    ]  # fmt: skip
    assert store.trusts(certificate)
    run.returncode = 1
    assert not store.trusts(certificate)
    with pytest.raises(TrustRefused, match="denied"):
        store.add(certificate, said.append)


def test_commands_of_windows(
    certificate: LocalCertificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def roots(name: str) -> list[tuple[bytes, str, bool]]:
        assert name == "ROOT"
        pem = certificate.authority_path.read_text(encoding="ascii")
        return [
            (b"old and odd", "x509_asn", True),
            (ssl.PEM_cert_to_DER_cert(pem), "x509_asn", True),
        ]

    monkeypatch.setattr(ssl, "enum_certificates", roots, raising=False)
    run = Recorded()
    (store,) = trust_stores("win32", tmp_path, run)
    assert isinstance(store, WindowsStore)
    assert store.trusts(certificate)
    assert store.ours() == [certificate.authority_sha1]
    said: list[str] = []
    store.add(certificate, said.append)
    program, *rest = run.commands.pop()
    assert program.endswith("certutil.exe")
    assert rest == ["-user", "-addstore", "Root", str(certificate.authority_path)]
    assert "Yes" in said[0]
    distrust(store, said.append)
    assert run.commands.pop()[1:] == ["-user", "-delstore", "Root", certificate.authority_sha1]


def test_where_no_way_is_known_there_is_no_store(tmp_path: Path) -> None:
    assert trust_stores("sunos5", tmp_path) == []
