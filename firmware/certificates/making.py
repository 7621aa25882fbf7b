"""Certificates and signing requests of our own making (RFC 5280, RFC 2986). No I/O."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from firmware.certificates.keys import PrivateKey, generate, key_pem
from firmware.core.errors import Invalid
from firmware.core.vocabulary.certificates import KeyType, Subject

# A device that starts with a wrong clock still makes a certificate that is good today (hardening row 46).
BEGIN = datetime(2020, 1, 1)  # noqa: DTZ001 - certificates hold UTC without a zone
PARTS = (
    ("country", NameOID.COUNTRY_NAME),
    ("state", NameOID.STATE_OR_PROVINCE_NAME),
    ("locality", NameOID.LOCALITY_NAME),
    ("organization", NameOID.ORGANIZATION_NAME),
    ("organizational_unit", NameOID.ORGANIZATIONAL_UNIT_NAME),
    ("common_name", NameOID.COMMON_NAME),
)


def name_of(subject: Subject) -> x509.Name:
    """The name in a certificate; empty parts are left out."""
    found = ((oid, getattr(subject, part)) for part, oid in PARTS)
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in found if value])


def subject_of(pem: str) -> Subject:
    """The subject of a certificate that is kept, for a request that renews it."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    found: dict[str, Any] = {
        part: str(attributes[0].value)
        for part, oid in PARTS
        if (attributes := certificate.subject.get_attributes_for_oid(oid))
    }
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return replace(Subject(), **found)
    known = tuple(str(each.value) for each in names if isinstance(each, x509.DNSName | x509.IPAddress))
    return replace(Subject(), alternative_names=known, **found)


def alternative(names: Iterable[str]) -> x509.SubjectAlternativeName:
    """DNS names and addresses. Raises Invalid."""
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            if ":" in name:
                raise Invalid("subject.alternative_names", f"{name!r} is neither a name nor an address") from None
            found.append(x509.DNSName(name))
    return x509.SubjectAlternativeName(found)


def self_signed(key: PrivateKey, subject: Subject, now: datetime, days: int) -> x509.Certificate:
    """A certificate of the key by itself; `now` only says how long it lasts. Raises Invalid."""
    name = name_of(subject)
    start = now.replace(tzinfo=None)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGIN)
        .not_valid_after(max(start, BEGIN) + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(_BOTH), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if subject.alternative_names:
        builder = builder.add_extension(alternative(subject.alternative_names), critical=False)
    return builder.sign(key, hashes.SHA256())


_BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


def drawn(kind: KeyType, subject: Subject, now: datetime, days: int) -> tuple[bytes, str]:
    """A new key and its certificate by itself, both in PEM. RSA takes its time."""
    key = generate(kind)
    return key_pem(key), certificate_of(key, subject, now, days)


def certificate_of(key: PrivateKey, subject: Subject, now: datetime, days: int) -> str:
    """A certificate of a key by itself, in PEM. Raises Invalid."""
    return self_signed(key, subject, now, days).public_bytes(Encoding.PEM).decode()


def signing_request(key: PrivateKey, subject: Subject) -> str:
    """A request in PEM. Raises Invalid."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(name_of(subject))
    if subject.alternative_names:
        builder = builder.add_extension(alternative(subject.alternative_names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
