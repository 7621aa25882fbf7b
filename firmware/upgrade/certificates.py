"""Whose signature a device takes: chains of certificates, revocation lists, and certificates bound to one device.

A release certificate leads over one release authority to the release root; a device's own certificate is issued
by the custom root itself and names serial number and chip id. Reference: RFC 5280, sections 4.2 and 6.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from firmware.upgrade import der
from firmware.upgrade.refusals import Refusal, Why, shown

# Serial number and chip id, under a private arc made from a UUID (ITU-T X.667); not critical, because OpenSSL
# refuses every critical extension that it does not know.
BINDING = x509.ObjectIdentifier("2.25.298372161934775029283365027414.1")
LONGEST_LIFE = timedelta(days=90)
LARGEST_KEYRING = 256 * 1024
RELEASE, DEVICE = "release", "device"
LONGEST_CHAIN = 4

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


@dataclass(frozen=True, slots=True)
class Trust:
    """One PEM file of a keyring: roots, and revocation lists of every authority below and including them."""

    roots: tuple[x509.Certificate, ...]
    lists: tuple[x509.CertificateRevocationList, ...]
    pem: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """Who is trusted: release roots; for test firmware the custom root and the installed certificate."""

    release: Trust
    custom: Trust | None
    installed: x509.Certificate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What a chain is judged against; `now` aware, UTC."""

    serial: str
    chip_id: str
    now: datetime
    clock_trusted: bool


def read_trust(pem: bytes) -> Trust:
    """Roots and revocation lists of a PEM file. Raises Refusal."""
    if len(pem) > LARGEST_KEYRING:
        raise Refusal(Why.NO_KEYRING, f"{len(pem)} bytes; the longest file is {LARGEST_KEYRING}")
    blocks = pem.split(b"-----BEGIN X509 CRL-----")[1:]
    try:
        roots = tuple(x509.load_pem_x509_certificates(pem))
        lists = tuple(x509.load_pem_x509_crl(b"-----BEGIN X509 CRL-----" + block) for block in blocks)
    except ValueError:
        raise Refusal(Why.NO_KEYRING, "no certificate can be read in it") from None
    return Trust(roots, lists, pem)


def judge(
    signer: x509.Certificate, others: tuple[x509.Certificate, ...], keyring: Keyring, device: Device
) -> tuple[str, Trust]:
    """The role of a signer and whom that rests on; `release` or `device`. Raises Refusal."""
    for role, trust in ((RELEASE, keyring.release), (DEVICE, keyring.custom)):
        chain = None if trust is None else _chain(signer, others, trust.roots)
        if trust is None or chain is None:
            continue
        _check_chain(chain, trust, device.now)
        _check_leaf(signer)
        if role == DEVICE:
            check_binding(signer, device)
            if keyring.installed != signer:
                raise Refusal(Why.NOT_INSTALLED)
        return role, trust
    raise Refusal(Why.FOREIGN_KEY, shown(signer.issuer.rfc4514_string()))


def judge_own(certificate: x509.Certificate, custom: Trust, device: Device) -> None:
    """Whether a certificate may be installed as this device's own. Raises Refusal."""
    chain = _chain(certificate, (), custom.roots)
    if chain is None:
        raise Refusal(Why.FOREIGN_KEY, shown(certificate.issuer.rfc4514_string()), where="certificate")
    _check_chain(chain, custom, device.now)
    _check_leaf(certificate)
    check_binding(certificate, device)


def check_binding(certificate: x509.Certificate, device: Device) -> None:
    """A device's own certificate: made for it, short-lived, and judged by a clock that is set. Raises Refusal."""
    serial, chip_id = binding_of(certificate)
    if (serial, chip_id) != (device.serial, device.chip_id):
        raise Refusal(Why.OTHER_DEVICE, f"for {shown(serial)}; this is {device.serial}")
    if certificate.not_valid_after_utc - certificate.not_valid_before_utc > LONGEST_LIFE:
        raise Refusal(Why.TOO_LONG_LIVED)
    if not device.clock_trusted:
        raise Refusal(Why.CLOCK_NOT_SET)


def binding_of(certificate: x509.Certificate) -> tuple[str, str]:
    """Serial number and chip id for which a certificate was made. Raises Refusal."""
    try:
        found = certificate.extensions.get_extension_for_oid(BINDING)
    except x509.ExtensionNotFound:
        raise Refusal(Why.BINDING, "it names no device") from None
    value = found.value
    if not isinstance(value, x509.UnrecognizedExtension):
        raise Refusal(Why.BINDING)
    try:
        serial, chip_id = der.only(value.value, der.SEQUENCE).fields(der.UTF8, der.UTF8)
        return serial.content.decode(), chip_id.content.decode()
    except (Refusal, UnicodeDecodeError):
        raise Refusal(Why.BINDING) from None


def binding(serial: str, chip_id: str) -> x509.UnrecognizedExtension:
    """The extension that binds a certificate to a device: SEQUENCE of serial number and chip id, both UTF8String."""
    parts = b"".join(bytes([der.UTF8, len(text)]) + text for text in (serial.encode(), chip_id.encode()))
    return x509.UnrecognizedExtension(BINDING, bytes([der.SEQUENCE, len(parts)]) + parts)


def _chain(
    leaf: x509.Certificate, others: tuple[x509.Certificate, ...], roots: tuple[x509.Certificate, ...]
) -> tuple[x509.Certificate, ...] | None:
    """From the leaf to a root, each issued by the next; None when there is no such chain."""
    chain = [leaf]
    while len(chain) <= LONGEST_CHAIN:
        if (root := next((one for one in roots if _issued(chain[-1], one)), None)) is not None:
            return (*chain, root)
        above = next((one for one in others if one not in chain and _issued(chain[-1], one)), None)
        if above is None:
            return None
        chain.append(above)
    return None


def _issued(one: x509.Certificate, by: x509.Certificate) -> bool:
    if not isinstance(by.public_key(), (ec.EllipticCurvePublicKey, rsa.RSAPublicKey)):
        return False
    try:
        one.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _check_chain(chain: tuple[x509.Certificate, ...], trust: Trust, now: datetime) -> None:
    for depth, one in enumerate(chain):
        name = shown(one.subject.rfc4514_string())
        if now < one.not_valid_before_utc:
            raise Refusal(Why.NOT_YET_VALID, f"{name}: from {one.not_valid_before_utc:%Y-%m-%d}")
        if now > one.not_valid_after_utc:
            raise Refusal(Why.EXPIRED, f"{name}: until {one.not_valid_after_utc:%Y-%m-%d}")
        if depth:
            _check_authority(one, depth - 1)
            _check_revoked(chain[depth - 1], one, trust, now)


def _check_authority(one: x509.Certificate, below: int) -> None:
    """An issuer may issue: CA, `keyCertSign` and `cRLSign`, and no more authorities below than it may have."""
    name = shown(one.subject.rfc4514_string())
    constraints, usage = _extension(one, x509.BasicConstraints), _extension(one, x509.KeyUsage)
    if constraints is None or not constraints.ca or usage is None or not (usage.key_cert_sign and usage.crl_sign):
        raise Refusal(Why.KEY_USAGE, f"{name} is no authority")
    if constraints.path_length is not None and below > constraints.path_length:
        raise Refusal(Why.KEY_USAGE, f"{name} may not have authorities below it")


def _check_revoked(one: x509.Certificate, issuer: x509.Certificate, trust: Trust, now: datetime) -> None:
    key = issuer.public_key()
    assert isinstance(key, (ec.EllipticCurvePublicKey, rsa.RSAPublicKey)), "_issued lets no other key through"
    lists = [one for one in trust.lists if one.issuer == issuer.subject and one.is_signature_valid(key)]
    if not lists:
        raise Refusal(Why.CRL_MISSING, shown(issuer.subject.rfc4514_string()))
    if any(found.get_revoked_certificate_by_serial_number(one.serial_number) is not None for found in lists):
        raise Refusal(Why.REVOKED, shown(one.subject.rfc4514_string()))
    newest = max(lists, key=lambda found: found.last_update_utc)
    until = newest.next_update_utc
    if now < newest.last_update_utc or until is None or now > until:
        raise Refusal(Why.CRL_EXPIRED, shown(issuer.subject.rfc4514_string()))


def _check_leaf(leaf: x509.Certificate) -> None:
    """Signs code, and nothing else: keyUsage digitalSignature and extended usage codeSigning, both critical."""
    constraints, usage = _extension(leaf, x509.BasicConstraints), _extension(leaf, x509.KeyUsage, critical=True)
    if constraints is not None and constraints.ca:
        raise Refusal(Why.KEY_USAGE, "an authority signs no bundles itself")
    if usage is None or not usage.digital_signature or usage.key_cert_sign or usage.key_encipherment:
        raise Refusal(Why.KEY_USAGE, "its key usage is not digitalSignature, critical")
    extended = _extension(leaf, x509.ExtendedKeyUsage, critical=True)
    if extended is None or list(extended) != [ExtendedKeyUsageOID.CODE_SIGNING]:
        raise Refusal(Why.KEY_USAGE, "its extended key usage is not codeSigning, critical")


def _extension(one: x509.Certificate, kind: type[_Extension], *, critical: bool = False) -> _Extension | None:
    try:
        found = one.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None
    return found.value if found.critical or not critical else None
