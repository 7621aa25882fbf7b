"""The folder of a dispatcher: its authority, its certificate, and the key of its owner, made at the first start."""

from __future__ import annotations

import ipaddress
import os
import secrets
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from firmware.core.errors import Unavailable

AUTHORITY, CERTIFICATE, OWNER_KEY = "authority.pem", "dispatcher.pem", "owner.key"
YEARS = timedelta(days=3650)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a dispatcher shows to devices: certificate with key (a file), its authority (PEM), the owner's key."""

    certificate: Path
    authority: str
    owner_key: str

    def context(self) -> ssl.SSLContext:
        """The TLS of the side that devices call. Raises Unavailable."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate)
        except (OSError, ssl.SSLError) as error:
            raise Unavailable(str(self.certificate), f"holds no certificate with its key ({error})") from error
        return context


def identity(folder: Path, host: str, now: datetime, certificate: Path | None = None) -> Identity:
    """What lies in the folder; what is missing is made. A `certificate` of your own needs no authority of ours.

    `host` is the name or address that devices call. Raises Unavailable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = folder / OWNER_KEY
        if not key.exists():
            _write(key, secrets.token_urlsafe(24) + "\n")
        authority = ""
        if certificate is None:
            certificate = folder / CERTIFICATE
            if not certificate.exists():
                _make(folder, host, now)
            authority = (folder / AUTHORITY).read_text()
        return Identity(certificate=certificate, authority=authority, owner_key=key.read_text().strip())
    except OSError as error:
        raise Unavailable(str(folder), f"cannot be used ({error.strerror or error})") from error


def _make(folder: Path, host: str, now: datetime) -> None:
    """An authority that signs one certificate and is forgotten: only its certificate is kept."""
    above, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Lintel dispatcher authority")])
    authority = _sign(name, above, name, above, now, [(x509.BasicConstraints(ca=True, path_length=0), True)])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
    ours = _sign(
        subject,
        own,
        name,
        above,
        now,
        [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.SubjectAlternativeName([_general(host)]), False),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        ],
    )
    key = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write(folder / AUTHORITY, authority.public_bytes(Encoding.PEM).decode())
    _write(folder / CERTIFICATE, key.decode() + ours.public_bytes(Encoding.PEM).decode())


def _sign(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    above: ec.EllipticCurvePrivateKey,
    now: datetime,
    extensions: list[tuple[x509.ExtensionType, bool]],
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + YEARS)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above.public_key()), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(above, hashes.SHA256())


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(path: Path, text: str) -> None:
    """A new file that only its owner reads."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
