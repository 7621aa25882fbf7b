"""Words of the certificates room: what the device shows of itself, whom it trusts, and where HTTP answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from firmware.core.events import Pulse, State, topic


class CertificateKind(StrEnum):
    """What a certificate is for: showing who the device is, or judging who somebody else is."""

    OWN = "client_server"
    AUTHORITY = "ca"


class KeyType(StrEnum):
    """Kinds of keys, the default first."""

    EC_P256 = "ec-p256"
    EC_P384 = "ec-p384"
    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"


@topic("security/certificate")
@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateChanged(Pulse):
    """A certificate was created, added, renewed or removed."""

    name: str
    kind: CertificateKind
    change: str
    by: str


@topic("network/http")
@dataclass(frozen=True, slots=True, kw_only=True)
class HttpState(State):
    """Where the device answers over HTTP and HTTPS, as HOST:PORT (empty: not), and what is to be said of it.

    `fingerprint` is the SHA-256 of the certificate that HTTPS shows.
    """

    http: str
    https: str
    fingerprint: str = ""
    warning: str = ""


CertificateName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$")]
Text = Annotated[str, Field(max_length=65_536)]
Part = Annotated[str, Field(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
AlternativeName = Annotated[str, Field(max_length=253, pattern=r"^[A-Za-z0-9.:*_-]+$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Who a certificate is to name (RFC 5280, 4.1.2.6), and the DNS names and addresses it is good for."""

    common_name: Part = ""
    organization: Part = ""
    organizational_unit: Part = ""
    locality: Part = ""
    state: Part = ""
    country: Annotated[str, Field(pattern=r"^([A-Z]{2})?$")] = ""
    alternative_names: Annotated[tuple[AlternativeName, ...], Field(max_length=32)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRef:
    """One certificate by name."""

    name: CertificateName


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateCreate:
    """A new key with a self-signed certificate."""

    name: CertificateName
    key_type: KeyType = KeyType.EC_P256
    subject: Subject = field(default_factory=Subject)
    days: Annotated[int, Field(ge=1, le=7300)] = 3650


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateAdd:
    """A certificate from a file: PEM as text, or any of PEM, CER (DER) and PFX (PKCS #12) in base64.

    With a private key (in the same PEM text, in the PFX, or in `key`) it is one of our own; without, the name must be
    of one whose key is here already (the answer to a signing request), or `kind` says that it is an authority's.
    """

    name: CertificateName
    kind: CertificateKind = CertificateKind.OWN
    pem: Text = field(default="", repr=False)
    data: Text = field(default="", repr=False)
    key: Text = field(default="", repr=False)
    password: Annotated[str, Field(max_length=256)] = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningRequestParams:
    """Ask for a signing request with the key of a certificate; an empty subject is that of the certificate."""

    name: CertificateName
    subject: Subject = field(default_factory=Subject)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningRequest:
    """A certificate signing request (PKCS #10) in PEM."""

    name: str
    pem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateView:
    """A certificate as shown: never its key. Times are ISO 8601, fingerprints SHA-256 in hex."""

    name: str
    kind: CertificateKind
    subject: str
    issuer: str
    serial: str
    not_before: str
    not_after: str
    key_type: str
    keystore: str
    fingerprint: str
    alternative_names: tuple[str, ...]
    self_signed: bool
    pem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateList:
    """All certificates, by name."""

    certificates: tuple[CertificateView, ...]
