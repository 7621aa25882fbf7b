"""Links that do something when they are followed: each bears a key that only this device can make.

A link is followed by GET, which a page of another site can make a browser do with the log-in it remembers, and over
plain HTTP no browser says that it does. So what a link does is bound to its key, which nobody can guess (hardening
row 39). The secret behind the keys lies in the settings: links survive a restart, and end with a factory reset.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from base64 import urlsafe_b64encode

from firmware.core.context import Core
from firmware.core.store_file import Damaged

FILE = "link-secret"
SECRET_BYTES = 32
KEY_BYTES = 18


class Links:
    """Makes keys and knows them again. `what` is all that a link does: another of it has another key."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._secret = b""
        self._reading = asyncio.Lock()

    async def key(self, *what: object) -> str:
        """The key of a link. Raises Unavailable while the storage cannot keep the secret of a new device."""
        mac = hmac.digest(await self._kept(), "\0".join(map(str, what)).encode(), "sha256")
        return urlsafe_b64encode(mac[:KEY_BYTES]).decode()

    async def knows(self, key: str, *what: object) -> bool:
        """Whether this is the key of a link that does just this. Raises Unavailable."""
        return hmac.compare_digest((await self.key(*what)).encode(), key.encode())

    async def _kept(self) -> bytes:
        async with self._reading:
            if not self._secret:
                store = self._core.store
                try:
                    found = await store.load(FILE)
                except Damaged:
                    found = None  # the store has raised the alarm; former links are of no use any more
                if found is None or len(found) != SECRET_BYTES:
                    found = secrets.token_bytes(SECRET_BYTES)
                    await store.save(FILE, found)
                self._secret = found
            return self._secret
