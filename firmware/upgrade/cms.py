"""The signature of a bundle: CMS SignedData with the manifest inside, one signer, ECDSA P-256 with SHA-256.

A second judge, `openssl cms -verify`, has to come to the same manifest: neither is trusted alone, because each
accepts something the other refuses. Reference: RFC 5652 (CMS), RFC 5754 (SHA-2 in CMS).
"""

from __future__ import annotations

import hashlib
import hmac
import warnings
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from firmware.upgrade import der
from firmware.upgrade.refusals import Refusal, Why

SIGNED_DATA = der.oid("1.2.840.113549.1.7.2")
ENVELOPED_DATA = der.oid("1.2.840.113549.1.7.3")
DATA = der.oid("1.2.840.113549.1.7.1")
CONTENT_TYPE = der.oid("1.2.840.113549.1.9.3")
MESSAGE_DIGEST = der.oid("1.2.840.113549.1.9.4")
SHA256 = der.oid("2.16.840.1.101.3.4.2.1")
ECDSA_SHA256 = der.oid("1.2.840.10045.4.3.2")
# The most certificates a signature brings along: leaf, release authority, and room for one more.
MOST_CERTIFICATES = 4
TAGGED_0 = 0xA0


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signature covers, and by whom; the certificates are not judged yet."""

    manifest: bytes
    signer: x509.Certificate
    others: tuple[x509.Certificate, ...]


def read(signature: bytes) -> Signed:
    """Parse and verify a signature with the key of the certificate it names. Raises Refusal."""
    kind, body = der.only(signature, der.SEQUENCE).fields(der.OID, TAGGED_0)
    if kind.content == ENVELOPED_DATA:
        raise Refusal(Why.CRYPT_FORMAT)
    if kind.content != SIGNED_DATA:
        raise der.malformed("not SignedData")
    signed_data = der.only(body.content, der.SEQUENCE)
    _check_attached(signed_data)
    number, algorithms, content, certificates, signers = signed_data.fields(
        der.INTEGER, der.SET, der.SEQUENCE, TAGGED_0, der.SET
    )
    if number.content != b"\x01":
        raise der.malformed("a version of SignedData other than 1")
    _check_algorithm(algorithms.content, SHA256)
    manifest = _content(content)
    signer, others = _signer(signers, [one.whole for one in certificates.parts()], manifest)
    return Signed(manifest, signer, others)


def _check_attached(signed_data: der.Value) -> None:
    """A bundle of the format `plain` is signed apart from its manifest: worth a word of its own."""
    for part in signed_data.parts():
        if part.tag == der.SEQUENCE and len(part.parts()) == 1:
            raise Refusal(Why.PLAIN_FORMAT)


def _content(content: der.Value) -> bytes:
    kind, octets = content.fields(der.OID, TAGGED_0)
    if kind.content != DATA:
        raise der.malformed("signed content that is not data")
    return der.only(octets.content, der.OCTETS).content


def _check_algorithm(data: bytes, wanted: bytes) -> None:
    """One AlgorithmIdentifier, without parameters or with NULL (RFC 5754, section 2)."""
    name, *parameters = der.only(data, der.SEQUENCE).parts()
    if name.tag != der.OID or name.content != wanted or [one.whole for one in parameters] not in ([], [b"\x05\x00"]):
        raise der.malformed("an algorithm other than SHA-256 with ECDSA")


def _signer(
    signers: der.Value, raw: list[bytes], manifest: bytes
) -> tuple[x509.Certificate, tuple[x509.Certificate, ...]]:
    infos = signers.parts()
    if len(infos) != 1 or not 1 <= len(raw) <= MOST_CERTIFICATES:
        raise der.malformed(f"{len(infos)} signers, {len(raw)} certificates; one signer is needed")
    number, sid, digest, attributes, algorithm, value = infos[0].fields(
        der.INTEGER, der.SEQUENCE, der.SEQUENCE, TAGGED_0, der.SEQUENCE, der.OCTETS
    )
    if number.content != b"\x01":
        raise der.malformed("a version of SignerInfo other than 1")
    _check_algorithm(digest.whole, SHA256)
    _check_algorithm(algorithm.whole, ECDSA_SHA256)
    _check_attributes(attributes, manifest)
    certificates = [certificate(one) for one in raw]
    named = [one for one in certificates if _is_named(one, sid)]
    if len(named) != 1:
        raise der.malformed("the signer's certificate is not there, or twice")
    signed = bytes([der.SET]) + attributes.whole[1:]
    key = named[0].public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise der.malformed("a key that is not ECDSA P-256")
    try:
        key.verify(value.content, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise Refusal(Why.SIGNATURE_WRONG) from None
    return named[0], tuple(one for one in certificates if one is not named[0])


def _check_attributes(attributes: der.Value, manifest: bytes) -> None:
    """Content type and message digest, each once with one value; the SET in its one order (X.690, 11.6)."""
    parts = attributes.parts()
    if [one.whole for one in parts] != sorted(one.whole for one in parts):
        raise der.malformed("attributes out of order")
    found: dict[bytes, bytes] = {}
    for part in parts:
        name, values = part.fields(der.OID, der.SET)
        if name.content in found:
            raise der.malformed("an attribute twice")
        found[name.content] = values.content
    if CONTENT_TYPE not in found or der.only(found[CONTENT_TYPE], der.OID).content != DATA:
        raise der.malformed("no content type")
    if MESSAGE_DIGEST not in found:
        raise der.malformed("no message digest")
    digest = der.only(found[MESSAGE_DIGEST], der.OCTETS).content
    if not hmac.compare_digest(digest, hashlib.sha256(manifest).digest()):
        raise Refusal(Why.SIGNATURE_WRONG, "the manifest is not the one that was signed")


def certificate(raw: bytes) -> x509.Certificate:
    """One certificate, DER, every field of which can be read. Raises Refusal."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what the library merely warns of, RFC 5280 forbids
            found = x509.load_der_x509_certificate(raw)
            # Fields are parsed when they are asked for: a malformed one shall be noticed here, not later.
            found.extensions, found.subject, found.issuer, found.serial_number  # noqa: B018
            found.not_valid_before_utc, found.not_valid_after_utc, found.signature_algorithm_oid  # noqa: B018
            found.public_key()
    except (ValueError, UnsupportedAlgorithm, Warning, x509.InvalidVersion, x509.DuplicateExtension):
        raise der.malformed("a certificate that cannot be read") from None
    except x509.UnsupportedGeneralNameType:
        raise der.malformed("a certificate with an unknown kind of name") from None
    return found


def _is_named(one: x509.Certificate, sid: der.Value) -> bool:
    """Whether IssuerAndSerialNumber names this certificate."""
    issuer, serial = sid.fields(der.SEQUENCE, der.INTEGER)
    return issuer.whole == one.issuer.public_bytes() and int.from_bytes(serial.content) == one.serial_number
