"""Where private keys are kept: an interface, and the one that keeps them in a file of the store.

A key leaves its keystore only as a signature, or as a TLS context that holds it (`load_into`).
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Mapping
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from firmware.core.errors import Invalid, NotFound
from firmware.core.params import Keeper
from firmware.core.vocabulary.certificates import KeyType

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey
FILE = "keystore"


class Keystore(Protocol):
    """A place of private keys, by the name of their certificate."""

    name: str

    async def open(self) -> None:
        """Read what is there. Raises Damaged, Unavailable, Invalid."""

    def signer(self, name: str) -> PrivateKey:
        """The key as a signer. Raises NotFound."""

    async def keep(self, name: str, key: PrivateKey) -> None:
        """Keep a key, durably. Raises Unavailable."""

    async def remove(self, name: str) -> None:
        """Destroy a key. Raises Unavailable."""

    def load_into(self, context: ssl.SSLContext, name: str, chain: bytes) -> None:
        """Give a TLS context the certificate chain (PEM) with its key. Raises NotFound, Invalid."""

    def __contains__(self, name: object) -> bool: ...


def public_bytes(key: PublicKey) -> bytes:
    """What two keys are compared by."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def generate(kind: KeyType) -> PrivateKey:
    """A new key; RSA takes its time."""
    match kind:
        case KeyType.EC_P256:
            return ec.generate_private_key(ec.SECP256R1())
        case KeyType.EC_P384:
            return ec.generate_private_key(ec.SECP384R1())
        case KeyType.RSA_2048:
            return rsa.generate_private_key(65537, 2048)
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


class FileKeystore:
    """Keys in one file of the settings, readable by the firmware's user only."""

    name = "file"

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._keys: dict[str, bytes] = {}

    async def open(self) -> None:
        """Read the file. Raises Damaged, Unavailable, Invalid."""
        data = await self._keeper.load(FILE)
        if data is None:
            return
        try:
            found = json.loads(data)
            self._keys = {str(name): str(pem).encode() for name, pem in found.items()}
        except (ValueError, AttributeError):
            raise Invalid(FILE, "is not a table of keys") from None

    def signer(self, name: str) -> PrivateKey:
        """The key as a signer. Raises NotFound, Invalid."""
        if name not in self._keys:
            raise NotFound("certificates.name", f"no private key for {name!r}")
        key = load_pem_private_key(self._keys[name], None)
        if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise Invalid(FILE, f"the key of {name!r} is of another kind")
        return key

    async def keep(self, name: str, key: PrivateKey) -> None:
        """Keep a key, durably. Raises Unavailable; then nothing has changed."""
        await self._save({**self._keys, name: key_pem(key)})

    async def remove(self, name: str) -> None:
        """Destroy a key. Raises Unavailable; then nothing has changed."""
        if name in self._keys:
            left = {each: pem for each, pem in self._keys.items() if each != name}
            await self._save(left)
            await self._save(left)  # the store keeps the content before as a copy: that one has to go too

    async def _save(self, keys: Mapping[str, bytes]) -> None:
        text = json.dumps({name: pem.decode() for name, pem in keys.items()})
        await self._keeper.save(FILE, text.encode())
        self._keys = dict(keys)

    def load_into(self, context: ssl.SSLContext, name: str, chain: bytes) -> None:
        """Give a TLS context a chain with its key, through memory only. Raises NotFound, Invalid."""
        if name not in self._keys:
            raise NotFound("certificates.name", f"no private key for {name!r}")
        load_chain(context, chain, self._keys[name])

    def __contains__(self, name: object) -> bool:
        return name in self._keys


def load_chain(context: ssl.SSLContext, chain: bytes, key: bytes) -> None:
    """Python takes a key from a file only; this one lies in memory and has no name. Raises Invalid."""
    handle = os.memfd_create("lintel-key", os.MFD_CLOEXEC)
    try:
        os.write(handle, chain + b"\n" + key)
        context.load_cert_chain(f"/proc/self/fd/{handle}")
    except ssl.SSLError as error:
        raise Invalid("certificates", f"cannot be used for TLS: {error.reason or error}") from None
    finally:
        os.close(handle)
