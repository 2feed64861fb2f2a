"""A certificate for https://localhost, from an authority that can vouch for nothing else.

Excel loads add-ins over HTTPS only. The certificate of the server is signed once by an authority
made for it; the authority's private key lives in memory for that one signature and is never
written, and the authority itself is limited to the names of this machine. So who trusts it trusts
this one certificate, and nobody, not even a thief of all our files, can make another.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from udfs.errors import BadInput

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, GeneralName

HOST_NAME = "localhost"
ADDRESSES = ("127.0.0.1", "::1")
AUTHORITY_NAME = "Shopsheet localhost authority"  # followed by letters of its own
# Apple refuses a server's certificate of more than 825 days ("Requirements for trusted
# certificates in iOS 13 and macOS 10.15"). Renewing asks the user for trust again: so not less.
VALID_DAYS = 820
RENEW_DAYS = 60  # with fewer days left, installing makes a new one
BACKDATED = timedelta(days=1)  # for clocks that go wrong a little
INSTALL_COMMAND = "shopsheet addin install excel"


class BadCertificate(BadInput):
    """The files of the certificate cannot be used."""


@dataclass(frozen=True)
class LocalCertificate:
    """The authority's certificate and the server's, with its key, in files of one folder."""

    authority_path: Path
    server_path: Path  # certificate and private key in one file: they can never be of two makes
    name: str  # of the authority, another one for each
    authority_sha1: str  # by which Windows and macOS call it; 40 upper case hex digits
    not_before: datetime
    not_after: datetime

    def days_left(self, now: datetime | None = None) -> int:
        """Whole days until it ends; negative when it has ended."""
        return (self.not_after - (now or datetime.now(UTC))).days

    def problem(self, now: datetime | None = None) -> str | None:
        """Why it cannot be used now, None if it can."""
        now = now or datetime.now(UTC)
        if now >= self.not_after:
            return f"it ended on {self.not_after:%Y-%m-%d}"
        if now < self.not_before:
            return f"it begins on {self.not_before:%Y-%m-%d}: is the clock right?"
        return None

    def server_context(self) -> ssl.SSLContext:
        """What a TLS server (1.2 or newer) needs.

        Raises: BadCertificate if the file cannot be read.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self.server_path)
        except (OSError, ssl.SSLError) as error:
            raise _unusable(self.server_path.parent, str(error)) from error
        return context


def certificate_folder(home: Path) -> Path:
    """Where the certificate of a Shopsheet folder lies."""
    return home / "certificates"


def load_certificate(folder: Path) -> LocalCertificate | None:
    """The certificate in `folder`, None if there is none.

    Raises: BadCertificate if a file is missing or damaged, or the files do not fit together.
    """
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import serialization

    authority_path, server_path = _paths(folder)
    if not authority_path.exists() and not server_path.exists():
        return None
    try:
        authority = x509.load_pem_x509_certificate(authority_path.read_bytes())
        server_pem = server_path.read_bytes()
        server = x509.load_pem_x509_certificate(server_pem)
        key = serialization.load_pem_private_key(server_pem, password=None)
        server.verify_directly_issued_by(authority)
    except InvalidSignature as error:
        raise _unusable(folder, f"{authority_path.name} did not sign it") from error
    except (OSError, ValueError, TypeError) as error:
        raise _unusable(folder, str(error)) from error
    if key.public_key() != server.public_key():
        raise _unusable(folder, "its private key is of another certificate")
    return _described(authority, server, authority_path, server_path)


def make_certificate(folder: Path, now: datetime | None = None) -> LocalCertificate:
    """A new authority and server certificate, written to `folder` in place of older ones.

    Only the user may read the files: mode 0600 where the system has modes; on Windows they are as
    private as the folder, which by default is in the user's own profile.
    Raises: BadInput if the folder cannot be written.
    """
    from cryptography.hazmat.primitives import serialization

    now = (now or datetime.now(UTC)).replace(microsecond=0)
    authority_key, authority = new_authority(now)
    server_key, server = sign_server(authority_key, authority)
    del authority_key  # its only copy
    key_pem = server_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    authority_path, server_path = _paths(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_private(authority_path, authority.public_bytes(serialization.Encoding.PEM))
        _write_private(server_path, server.public_bytes(serialization.Encoding.PEM) + key_pem)
    except OSError as error:
        raise BadInput(
            f"The certificate cannot be written to {folder} ({error}). "
            "Set SHOPSHEET_HOME to a folder that you can write."
        ) from error
    return _described(authority, server, authority_path, server_path)


def delete_certificate(folder: Path) -> None:
    """Nothing; the files of the certificate are gone."""
    for path in _paths(folder):
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # somebody else's file is in it, or it was never made
        folder.rmdir()


def new_authority(now: datetime) -> tuple[EllipticCurvePrivateKey, Certificate]:
    """An authority that may sign servers named localhost, 127.0.0.1 and ::1, and nothing else.

    Source of the name constraints: RFC 5280, section 4.2.1.10.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"{AUTHORITY_NAME} {secrets.token_hex(4)}")
    only: list[GeneralName] = [x509.DNSName(HOST_NAME)]
    only += [x509.IPAddress(ipaddress.ip_network(address)) for address in ADDRESSES]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now - BACKDATED + timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(
            x509.NameConstraints(permitted_subtrees=only, excluded_subtrees=None), critical=True
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def sign_server(
    authority_key: EllipticCurvePrivateKey,
    authority: Certificate,
    host_name: str = HOST_NAME,
    addresses: tuple[str, ...] = ADDRESSES,
) -> tuple[EllipticCurvePrivateKey, Certificate]:
    """A server's key and certificate for these names, valid as long as its authority."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    names: list[GeneralName] = [x509.DNSName(host_name)]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(host_name))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(authority.not_valid_before_utc)
        .not_valid_after(authority.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    return key, certificate


def _described(
    authority: Certificate, server: Certificate, authority_path: Path, server_path: Path
) -> LocalCertificate:
    from cryptography.hazmat.primitives import hashes

    return LocalCertificate(
        authority_path=authority_path,
        server_path=server_path,
        name=common_name(authority),
        # A name, not a protection: the systems' tools find certificates by it.
        authority_sha1=authority.fingerprint(hashes.SHA1()).hex().upper(),
        not_before=max(authority.not_valid_before_utc, server.not_valid_before_utc),
        not_after=min(authority.not_valid_after_utc, server.not_valid_after_utc),
    )


def common_name(certificate: Certificate) -> str:
    """The CN of the subject, "" if it has none."""
    from cryptography.x509.oid import NameOID

    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def _name(text: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Shopsheet"),
            x509.NameAttribute(NameOID.COMMON_NAME, text),
        ]
    )


def _key_usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _paths(folder: Path) -> tuple[Path, Path]:
    return folder / "authority.pem", folder / "localhost.pem"


def _write_private(path: Path, content: bytes) -> None:
    """Puts a file in place at once; at no moment can another user read it."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(
        new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o600
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _unusable(folder: Path, why: str) -> BadCertificate:
    return BadCertificate(
        f"The certificate in {folder} cannot be used ({why}). "
        f"Run `{INSTALL_COMMAND}` to make a new one."
    )
