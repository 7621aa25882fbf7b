"""The keys of our OSDP link to somebody's panel: kept durably before they count, and never shown.

Two at most: the newest, and the one before it until the panel has proved that it knows the newest. A key file that
cannot be read is not "no key": clear text and install mode stay closed until somebody gives the key up.
"""

from __future__ import annotations

import json

from firmware.core.context import Core
from firmware.core.errors import Unavailable
from firmware.core.store import Damaged
from firmware.core.vocabulary.controller import ControllerKey
from hal.osdp.keys import weak_key

FILE = "controller-osdp"
KEPT = 2
# How long the panel is kept waiting for the disk; it retries for longer than that.
WITHIN_S = 2.0


class Keyring:
    """The keys, newest first."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.keys: tuple[bytes, ...] = ()
        self.trouble = ""

    @property
    def held(self) -> bool:
        """Whether a key was ever taken and not given up, readable or not."""
        return bool(self.keys or self.trouble)

    async def load(self) -> None:
        """Read what is kept. Raises Unavailable when the storage cannot be read now."""
        self.keys, self.trouble = (), ""
        try:
            saved = await self._core.store.load(FILE)
            self.keys = () if saved is None else _keys_of(saved)
        except (Damaged, ValueError):
            self.trouble = "the kept key is damaged; give it up (controller.forget_key) and install a new one"

    async def keep(self, key: bytes) -> bool:
        """Keep a key that the panel sets; False when it is weak (row 4) or cannot be kept, and the old one counts."""
        why = weak_key(key)
        if why is not None:
            self._tell("refused", f"the key {why}")
            return False
        keys = (key, *(old for old in self.keys if old != key))[:KEPT]
        try:
            await self._save(keys)
        except Unavailable as error:
            self._tell("refused", f"it could not be kept: {error.message}")
            return False
        self.keys, self.trouble = keys, ""
        self._tell("taken")
        return True

    async def proved(self) -> None:
        """The panel has proved the newest key: the one before it is of no use any more. Raises Unavailable."""
        if len(self.keys) > 1:
            await self._save(self.keys[:1])
            self.keys = self.keys[:1]

    async def forget(self) -> None:
        """Give every key up. Raises Unavailable, and then it is still there."""
        await self._core.store.remove(FILE)
        self.keys, self.trouble = (), ""
        self._tell("forgotten")

    async def _save(self, keys: tuple[bytes, ...]) -> None:
        await self._core.store.save(FILE, json.dumps({"keys": [key.hex() for key in keys]}).encode(), within_s=WITHIN_S)

    def _tell(self, change: str, reason: str = "") -> None:
        self._core.bus.publish(ControllerKey(change=change, reason=reason))


def _keys_of(saved: bytes) -> tuple[bytes, ...]:
    data = json.loads(saved)
    if not isinstance(data, dict) or not isinstance(data.get("keys"), list):
        raise ValueError("no list of keys")
    keys = tuple(bytes.fromhex(text) for text in data["keys"])
    if not 1 <= len(keys) <= KEPT or any(len(key) != 16 for key in keys):
        raise ValueError("not keys of 16 bytes")
    return keys
