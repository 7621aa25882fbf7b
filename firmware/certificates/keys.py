"""Private keys: their kinds, how they are made, how they are compared. No I/O."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from firmware.core.errors import Invalid
from firmware.core.vocabulary.certificates import KeyType

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


def generate(kind: KeyType) -> PrivateKey:
    """A new key; RSA takes its time."""
    match kind:
        case KeyType.EC_P256:
            return ec.generate_private_key(ec.SECP256R1())
        case KeyType.EC_P384:
            return ec.generate_private_key(ec.SECP384R1())
        case KeyType.RSA_2048:
            return rsa.generate_private_key(65537, 2048)
        case KeyType.RSA_3072:
            return rsa.generate_private_key(65537, 3072)
        case KeyType.RSA_4096:
            return rsa.generate_private_key(65537, 4096)


def kind_of(key: PublicKey | object) -> str:
    """A key's kind in words; Invalid for one that no client would take (RSA below 2048 bits, other curves)."""
    if isinstance(key, rsa.RSAPublicKey) and 2048 <= key.key_size <= 8192:
        return f"rsa-{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in ("secp256r1", "secp384r1", "secp521r1"):
        return f"ec-p{key.curve.name[4:7]}"
    raise Invalid("certificates.key", "is neither RSA of 2048 to 8192 bits nor EC on P-256, P-384 or P-521")


def key_pem(key: PrivateKey) -> bytes:
    """A key as text, not encrypted."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def key_of(pem: bytes) -> PrivateKey:
    """A key from its text. Raises Invalid."""
    key = load_pem_private_key(pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise Invalid("keystore", "holds a key that is neither RSA nor EC")
    return key
