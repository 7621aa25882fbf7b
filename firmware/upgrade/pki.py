"""The keys of whoever makes firmware: root, release authority, release certificate, and certificates for one device.

For development and tests; a vendor keeps the two roots offline and the release key in a token. All keys are ECDSA
P-256. Reference: RFC 5280, sections 4.2 and 5.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from firmware.core.errors import Invalid
from firmware.upgrade.certificates import LONGEST_LIFE, binding

YEAR = timedelta(days=365)
ROOT_LIFE, AUTHORITY_LIFE, RELEASE_LIFE = 20 * YEAR, 10 * YEAR, 3 * YEAR


@dataclass(frozen=True, slots=True)
class Holder:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def certificate_pem(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(Encoding.PEM)

    def key_pem(self) -> bytes:
        """The private key, not encrypted."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a certificate is to say; the defaults are a release certificate's."""

    name: str
    start: datetime
    life: timedelta
    authority_below: int | None = None
    is_authority: bool = False
    usage: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.CODE_SIGNING,)
    extra: tuple[x509.ExtensionType, ...] = ()
    extra_critical: tuple[x509.ExtensionType, ...] = ()


def issue(wish: Wish, issuer: Holder | None = None) -> Holder:
    """A new certificate with a new key, issued by `issuer` or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wish.name)])
    signing = key if issuer is None else issuer.key
    signer = subject if issuer is None else issuer.certificate.subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(wish.start)
        .not_valid_after(wish.start + wish.life)
        .add_extension(x509.BasicConstraints(wish.is_authority, wish.authority_below), critical=True)
        .add_extension(_key_usage(authority=wish.is_authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
    )
    if not wish.is_authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage(wish.usage), critical=True)
    for extra in (*wish.extra, *wish.extra_critical):
        builder = builder.add_extension(extra, critical=extra in wish.extra_critical)
    return Holder(builder.sign(signing, hashes.SHA256()), key)


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def revocations(
    issuer: Holder, start: datetime, life: timedelta, revoked: Sequence[x509.Certificate] = ()
) -> x509.CertificateRevocationList:
    """The list of certificates that an authority has taken back."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(start).next_update(start + life)
    for one in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(one.serial_number).revocation_date(start).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(issuer.key, hashes.SHA256())


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """Everybody who signs: two roots, a release authority, and the release certificate."""

    root: Holder
    authority: Holder
    release: Holder
    custom: Holder
    start: datetime

    @classmethod
    def new(cls, start: datetime) -> Vendor:
        """New keys, valid from `start`."""
        top = Wish(name="Lintel release root", start=start, life=ROOT_LIFE, is_authority=True, authority_below=1)
        root = issue(top)
        below = replace(top, name="Lintel release authority", life=AUTHORITY_LIFE, authority_below=0)
        authority = issue(below, root)
        release = issue(Wish(name="Lintel release", start=start, life=RELEASE_LIFE), authority)
        custom = issue(replace(top, name="Lintel custom root", authority_below=0))
        return cls(root=root, authority=authority, release=release, custom=custom, start=start)

    def release_pem(self, revoked: Sequence[x509.Certificate] = ()) -> bytes:
        """The keyring's `release.pem`: the root, and the lists of both authorities."""
        lists = (revocations(one, self.start, AUTHORITY_LIFE, revoked) for one in (self.root, self.authority))
        return self.root.certificate_pem() + b"".join(one.public_bytes(Encoding.PEM) for one in lists)

    def custom_pem(self, revoked: Sequence[x509.Certificate] = ()) -> bytes:
        """The keyring's `custom.pem`: the custom root and its list."""
        taken_back = revocations(self.custom, self.start, AUTHORITY_LIFE, revoked)
        return self.custom.certificate_pem() + taken_back.public_bytes(Encoding.PEM)

    def save(self, folder: Path) -> None:
        """Write everything below a folder that is made now. Raises Invalid."""
        keyring = folder / "keyring"
        try:
            folder.mkdir(mode=0o700, parents=True)
            keyring.mkdir()
            for name in ("root", "authority", "release", "custom"):
                _save(folder, name, getattr(self, name))
            (keyring / "release.pem").write_bytes(self.release_pem())
            (keyring / "custom.pem").write_bytes(self.custom_pem())
        except OSError as error:
            raise Invalid(str(folder), f"cannot be made: {error.strerror}") from None


def for_device(custom: Holder, serial: str, chip_id: str, start: datetime) -> Holder:
    """A certificate whose bundles only one device takes, for 90 days."""
    wish = Wish(name=f"Lintel test {serial}", start=start, life=LONGEST_LIFE, extra=(binding(serial, chip_id),))
    return issue(wish, custom)


def load(folder: Path, name: str) -> Holder:
    """A certificate and its key as `Vendor.save` wrote them. Raises Invalid."""
    try:
        certificate = x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())
        key = load_key((folder / f"{name}.key").read_bytes())
    except OSError as error:
        raise Invalid(str(folder), f"has no readable {name}: {error.strerror}") from None
    except (ValueError, TypeError):
        raise Invalid(str(folder), f"{name}.pem or {name}.key is no certificate or key") from None
    return Holder(certificate, key)


def load_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """A private key of the only kind that signs bundles. Raises ValueError, TypeError."""
    key = load_pem_private_key(pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not an elliptic-curve key")
    return key


def _save(folder: Path, name: str, holder: Holder) -> None:
    (folder / f"{name}.pem").write_bytes(holder.certificate_pem())
    descriptor = os.open(folder / f"{name}.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(holder.key_pem())


def save_device(folder: Path, serial: str, chip_id: str, start: datetime) -> str:
    """Make and write the certificate of one device; returns the stem of its file names. Raises Invalid."""
    custom = load(folder, "custom")
    try:
        _save(folder, f"device-{serial}", for_device(custom, serial, chip_id, start))
    except OSError as error:
        raise Invalid(str(folder), f"device-{serial} cannot be made: {error.strerror}") from None
    return f"device-{serial}"
