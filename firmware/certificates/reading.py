"""Certificates from files: PEM, CER (DER) and PFX (PKCS #12), bounded, and what can be shown of them. No I/O."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

from firmware.certificates.keys import PrivateKey, kind_of
from firmware.core.errors import Invalid
from firmware.core.vocabulary.certificates import CertificateAdd, CertificateKind, CertificateView

MAX_BYTES = 48 * 1024
MAX_CHAIN = 8
# What cryptography raises for parts of a certificate that are not as the standard has them.
UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
PEM_MARK = b"-----BEGIN"


@dataclass(frozen=True, slots=True)
class Read:
    """What a file held: the certificates, the device's own first, and perhaps a private key."""

    chain: tuple[x509.Certificate, ...]
    key: PrivateKey | None

    def pem(self) -> str:
        """The chain as text."""
        return b"".join(each.public_bytes(Encoding.PEM) for each in self.chain).decode()


def read_file(params: CertificateAdd) -> Read:
    """The content of an upload. Raises Invalid naming the field."""
    if bool(params.pem) == bool(params.data):
        raise Invalid("certificates.add", "give either pem (text) or data (base64)")
    field = "certificates.add.pem" if params.pem else "certificates.add.data"
    data = params.pem.encode() if params.pem else _bytes(params.data)
    if not data or len(data) > MAX_BYTES:
        raise Invalid(field, f"is empty or longer than {MAX_BYTES} bytes")
    password = params.password.encode() or None
    chain, key = _certificates(data, password, field)
    if params.key:
        key = _private(params.key.encode(), password, "certificates.add.key")
    if key is not None and chain:
        chain = _own_first(chain, key)
    if not chain:
        raise Invalid(field, "holds no certificate")
    if len(chain) > MAX_CHAIN:
        raise Invalid(field, f"holds more than {MAX_CHAIN} certificates")
    for each in chain:
        _check(each, field)
    return Read(tuple(chain), key)


def _bytes(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("certificates.add.data", "is not base64") from None


def _certificates(data: bytes, password: bytes | None, field: str) -> tuple[list[x509.Certificate], PrivateKey | None]:
    if PEM_MARK in data:
        try:
            chain = x509.load_pem_x509_certificates(data) if b"BEGIN CERTIFICATE-----" in data else []
        except UNREADABLE:
            raise Invalid(field, "holds a certificate that cannot be read") from None
        return chain, _private(data, password, field) if b"PRIVATE KEY-----" in data else None
    try:
        return [x509.load_der_x509_certificate(data)], None
    except UNREADABLE:
        pass  # no CER: it may be a PFX
    try:
        key, own, others = load_key_and_certificates(data, password)
    except UNREADABLE:
        raise Invalid(field, "is no PEM, no CER, and no PFX that this password opens") from None
    return [each for each in (own, *others) if each is not None], _usable(key, field) if key is not None else None


def _private(data: bytes, password: bytes | None, field: str) -> PrivateKey:
    try:
        load = load_pem_private_key if PEM_MARK in data else load_der_private_key
        key = load(data, password)
    except TypeError:
        raise Invalid(field, "the private key needs its password, or has none") from None
    except (ValueError, UnsupportedAlgorithm):
        raise Invalid(field, "holds a private key that cannot be read (or the password is wrong)") from None
    return _usable(key, field)


def _usable(key: object, field: str) -> PrivateKey:
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise Invalid(field, "holds a private key that is neither RSA nor EC")
    return key


def _own_first(chain: list[x509.Certificate], key: PrivateKey) -> list[x509.Certificate]:
    public = key.public_key()
    own = next((each for each in chain if each.public_key() == public), None)
    if own is None:
        raise Invalid("certificates.add.key", "does not belong to the certificate")
    return [own, *(each for each in chain if each is not own)]


def _check(certificate: x509.Certificate, field: str) -> None:
    """Whether it can be shown: cryptography reads the parts of a certificate only when they are asked for."""
    try:
        view("", CertificateKind.OWN, (certificate,), "")
    except UNREADABLE:
        raise Invalid(field, "holds a certificate that cannot be read") from None


def same_key(read: Read, pem: str) -> bool:
    """Whether what was read is for the key of a certificate that is kept."""
    kept = x509.load_pem_x509_certificate(pem.encode())
    return kept.public_key() == read.chain[0].public_key()


def check_authority(certificates: Iterable[x509.Certificate]) -> None:
    """Raises Invalid unless all of them may sign others."""
    for each in certificates:
        try:
            basic = each.extensions.get_extension_for_class(x509.BasicConstraints).value
        except (x509.ExtensionNotFound, ValueError):
            raise Invalid("certificates.add", "is not an authority's certificate (basic constraints)") from None
        if not basic.ca:
            raise Invalid("certificates.add", "is not an authority's certificate (basic constraints: CA is false)")


def shown(name: str, kind: CertificateKind, pem: str, keystore: str) -> CertificateView:
    """What is shown of a certificate that is kept."""
    return view(name, kind, tuple(x509.load_pem_x509_certificates(pem.encode())), keystore)


def view(name: str, kind: CertificateKind, chain: tuple[x509.Certificate, ...], keystore: str) -> CertificateView:
    """What is shown of a certificate."""
    first = chain[0]
    return CertificateView(
        name=name,
        kind=kind,
        subject=first.subject.rfc4514_string(),
        issuer=first.issuer.rfc4514_string(),
        serial=f"{first.serial_number:x}",
        not_before=first.not_valid_before_utc.isoformat(),
        not_after=first.not_valid_after_utc.isoformat(),
        key_type=kind_of(first.public_key()),
        keystore=keystore,
        fingerprint=first.fingerprint(hashes.SHA256()).hex(),
        alternative_names=_alternative(first),
        self_signed=_signed_itself(first),
        pem=b"".join(each.public_bytes(Encoding.PEM) for each in chain).decode(),
    )


def _alternative(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return tuple(str(each.value) for each in names if isinstance(each, x509.DNSName | x509.IPAddress))


def _signed_itself(certificate: x509.Certificate) -> bool:
    if certificate.issuer != certificate.subject:
        return False
    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
