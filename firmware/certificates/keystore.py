"""Where private keys are kept: an interface, and the one that keeps them in a file of the store.

A key leaves its keystore only as a signature, or as a TLS context that holds it (`load_into`).
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from firmware.core.errors import Invalid, NotFound, Refused
from firmware.core.params import Keeper
from firmware.core.vocabulary.certificates import KeyType

if TYPE_CHECKING:
    from firmware.certificates.keys import PrivateKey

FILE = "keystore"


class Keystore(Protocol):
    """A place of private keys, by the name of their certificate. Serving TLS needs no library but Python's own."""

    async def open(self) -> None:
        """Read what is there. Raises Damaged, Unavailable, Invalid."""

    def signer(self, name: str) -> PrivateKey:
        """The key as a signer. Raises NotFound."""

    async def keep(self, name: str, key: bytes) -> None:
        """Keep a key (PKCS #8 in PEM), durably. Raises Unavailable."""

    def makes(self, kind: KeyType) -> bool:
        """Whether a new key of this kind is made in the keystore itself, and nowhere else."""

    async def make(self, name: str, kind: KeyType) -> PrivateKey:
        """Make a key, of a kind that it `makes`; the answer signs with it. Raises Unavailable."""

    async def settle(self, name: str) -> None:
        """What was made is used from now on: a former key of that name is destroyed. Raises Unavailable."""

    async def unmake(self, name: str) -> None:
        """What was made is not used and is destroyed; a former key of that name stays. Raises Unavailable."""

    def place_of(self, name: str) -> str:
        """Where a key is: `file` or `tpm`."""

    def close(self) -> None:
        """Let what runs finish."""

    async def remove(self, name: str) -> None:
        """Destroy a key. Raises Unavailable."""

    def load_into(self, context: ssl.SSLContext, name: str, chain: bytes) -> None:
        """Give a TLS context the certificate chain (PEM) with its key. Raises NotFound, Invalid."""

    def __contains__(self, name: object) -> bool: ...


class FileKeystore:
    """Keys in one file of the settings, readable by the firmware's user only."""

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
        from firmware.certificates.keys import key_of  # only who signs needs the library

        if name not in self._keys:
            raise NotFound("certificates.name", f"no private key for {name!r}")
        return key_of(self._keys[name])

    def makes(self, kind: KeyType) -> bool:
        """A file makes no keys."""
        return False

    async def make(self, name: str, kind: KeyType) -> PrivateKey:
        """Never asked. Raises Refused."""
        raise Refused("keystore", f"makes no {kind.value}")

    async def settle(self, name: str) -> None:
        """Nothing was made."""

    async def unmake(self, name: str) -> None:
        """Nothing was made."""

    def place_of(self, name: str) -> str:
        """In the file."""
        return "file"

    def close(self) -> None:
        """Nothing runs."""

    async def keep(self, name: str, key: bytes) -> None:
        """Keep a key, durably. Raises Unavailable; then nothing has changed."""
        await self._save({**self._keys, name: key})

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
