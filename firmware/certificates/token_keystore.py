"""Private keys in a TPM 2.0, through libtpm2-pkcs11: made in it, used in it, never outside. Others stay in the file.

What is made here is made in the TPM: EC P-256 and P-384, RSA of the sizes that the chip has. Keys that come in a file,
and larger RSA keys, are kept in the file as without a TPM. The TPM's own key wraps ours; what it has wrapped lies in
the settings, of no use elsewhere.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import ssl
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firmware.certificates.keystore import FileKeystore
from firmware.core.errors import Invalid, StationError, Unavailable
from firmware.core.params import Keeper
from firmware.core.vocabulary.certificates import KeyType
from firmware.core.worker import Worker
from hal.clock import Clock

if TYPE_CHECKING:
    from firmware.certificates.keys import PrivateKey
    from firmware.certificates.openssl_engine import Engine, TokenKey
    from firmware.certificates.pkcs11 import Pins, Token

FILE = "token"
LABEL = "lintel"
MODULES = "/usr/lib/*/libtpm2_pkcs11.so.1"
# Where the library keeps what the TPM has wrapped, and how it reaches the TPM (its own names, tpm2-pkcs11).
STORE, WAY = "TPM2_PKCS11_STORE", "TPM2_PKCS11_TCTI"
DEVICE = "device:/dev/tpmrm0"
PIN_BYTES = 16

log = logging.getLogger("lintel.certificates")


class TokenKeystore(FileKeystore):
    """The file keystore with a token beside it; without its TPM it is the file keystore alone, and says so."""

    def __init__(self, keeper: Keeper, folder: Path, clock: Clock) -> None:
        """`folder` holds what the TPM has wrapped; it goes with the settings."""
        super().__init__(keeper)
        self._folder = folder
        self._worker = Worker(clock, "keystore")
        self._token: Token | None = None
        self._kinds: frozenset[KeyType] = frozenset()
        self._engine: Engine | None = None
        self._labels: dict[str, str] = {}  # of keys in the token; each is used once, because OpenSSL remembers them
        self._former: dict[str, str] = {}
        self._known: dict[str, TokenKey] = {}
        self.trouble = ""
        self._pins: Pins

    async def open(self) -> None:
        """Read the file and open the token, which is made when there is none. Raises Damaged, Unavailable, Invalid."""
        await super().open()
        self._worker.start()
        try:
            await self._open_token()
        except StationError as error:
            self.trouble = error.message
            log.error("the TPM cannot be used, new keys are kept in the file: %s", error.message)

    async def _open_token(self) -> None:
        from firmware.certificates.openssl_engine import engine_of
        from firmware.certificates.pkcs11 import Pins, Token

        module = next(iter(glob(MODULES)), None)
        if module is None:
            raise Unavailable("keystore", "there is no library for TPMs (package libtpm2-pkcs11-1)")
        saved = await self._keeper.load(FILE)
        found = _new() if saved is None else _read(saved)
        pins = self._pins = Pins(str(found["user"]), str(found["officer"]))
        self._labels = {str(name): str(label) for name, label in found["labels"].items()}
        if saved is None:
            await self._keep_record()  # before the token has it: nobody could open it otherwise

        def work() -> tuple[Token, Engine, frozenset[KeyType]]:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.environ[STORE] = str(self._folder)
            os.environ.setdefault(WAY, DEVICE)
            token = Token(module, LABEL, pins)
            token.open()
            return token, engine_of(module, LABEL, pins.user), token.kinds()

        self._token, self._engine, self._kinds = await self._worker.run(work)
        # What is in the file as well was made while there was no TPM, and is later.
        for name in tuple(self._labels):
            if super().__contains__(name):
                del self._labels[name]

    async def _keep_record(self) -> None:
        record = {"user": self._pins.user, "officer": self._pins.officer, "labels": self._labels}
        await self._keeper.save(FILE, json.dumps(record).encode())

    def makes(self, kind: KeyType) -> bool:
        """Whether a new key of this kind is made in the token."""
        return self._token is not None and kind in self._kinds

    def place_of(self, name: str) -> str:
        """Where a key is: `tpm` or `file`."""
        return "tpm" if self._engine is not None and name in self._labels else super().place_of(name)

    async def make(self, name: str, kind: KeyType) -> PrivateKey:
        """A new key in the token, which signs with it. Raises Unavailable; then there is none.

        A chip may refuse what it has said it makes: whoever wanted the key in the TPM is not given one in the file.
        """
        token = self._token
        assert token is not None
        label = secrets.token_hex(PIN_BYTES)
        try:
            await self._worker.run(lambda: token.make(label, kind))
        except Unavailable as error:
            others = ", ".join(sorted(self._kinds - {kind}))
            raise Unavailable(
                "keystore", f"the TPM made no key of type {kind}: {error.message}; it offers {others}"
            ) from error
        if name in self._labels:
            self._former[name] = self._labels[name]
        self._labels[name] = label
        try:
            await self._keep_record()
            return self.signer(name)
        except StationError:
            await self.unmake(name)
            raise

    async def keep(self, name: str, key: bytes) -> None:
        """Keep a key in the file; one of the token under that name is used no more. Raises Unavailable."""
        await super().keep(name, key)
        await self._destroy(self._labels.pop(name, ""))

    async def settle(self, name: str) -> None:
        """The token's key is used from now on: one in the file under that name is destroyed. Raises Unavailable."""
        await super().remove(name)
        await self._destroy(self._former.pop(name, ""))

    async def unmake(self, name: str) -> None:
        """What was made is not used: the token's key is destroyed, one in the file stays. Raises Unavailable."""
        made = self._labels.pop(name, "")
        if name in self._former:
            self._labels[name] = self._former.pop(name)
        await self._destroy(made)

    async def _destroy(self, label: str) -> None:
        """The record first: what it does not name is used no more."""
        token = self._token
        if label and token is not None:
            self._known.pop(label, None)
            await self._keep_record()
            await self._worker.run(lambda: token.destroy(label))

    async def remove(self, name: str) -> None:
        """Destroy a key, wherever it is. Raises Unavailable."""
        await super().remove(name)
        await self.unmake(name)

    def signer(self, name: str) -> PrivateKey:
        """The key as a signer. Raises NotFound, Invalid, Unavailable."""
        if self._engine is None or name not in self._labels:
            return super().signer(name)
        from firmware.certificates.token_signer import signer_of

        return signer_of(self._key(name))

    def load_into(self, context: ssl.SSLContext, name: str, chain: bytes) -> None:
        """Give a TLS context a chain with its key. Raises NotFound, Invalid, Unavailable."""
        if self._engine is None or name not in self._labels:
            super().load_into(context, name, chain)
            return
        self._engine.serve(context, self._key(name), chain)

    def _key(self, name: str) -> TokenKey:
        if self._engine is None:
            raise Unavailable("keystore", f"the key of {name!r} is in the TPM: {self.trouble}")
        label = self._labels[name]
        if label not in self._known:
            self._known[label] = self._engine.key(label)
        return self._known[label]

    def __contains__(self, name: object) -> bool:
        # A key in a TPM that cannot be reached is as good as none: the device makes another certificate.
        return (name in self._labels and self._token is not None) or super().__contains__(name)

    def close(self) -> None:
        """Let what runs finish."""
        self._worker.close()


def _new() -> dict[str, Any]:
    return {"user": secrets.token_hex(PIN_BYTES), "officer": secrets.token_hex(PIN_BYTES), "labels": {}}


def _read(saved: bytes) -> dict[str, Any]:
    try:
        found = json.loads(saved)
        return {"user": found["user"], "officer": found["officer"], "labels": dict(found["labels"])}
    except (ValueError, KeyError, TypeError):
        raise Invalid(FILE, "is not the record of a token") from None
