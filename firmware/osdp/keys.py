"""The keys of external readers, kept durably before any reader is told of them.

A reader has one key in use and, while a new one is on its way, a second: whichever of the two the reader turns
out to have is the one that stays. `secured` remembers that a reader was seen with a secure channel; it is lost
only when somebody lets the device forget the reader (hardening rows 2 to 5).
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field, replace

from firmware.core.errors import Invalid, Unavailable
from firmware.core.params import Keeper
from firmware.core.store_file import Damaged
from firmware.core.values import decode, encode

FILE = "osdp-keys"

log = logging.getLogger("firmware.osdp")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderKeys:
    """What is known of one reader: keys in hex, the one in use first; `secured` once seen with a secure channel.

    `imported` until then for a key that somebody else drew: it may be that of other readers as well, so it never
    crosses the wire under the published install key (hardening row 3).
    """

    keys: tuple[str, ...] = field(default=(), repr=False)
    secured: bool = False
    imported: bool = False

    def raw(self) -> tuple[bytes, ...]:
        """The keys as bytes."""
        return tuple(bytes.fromhex(key) for key in self.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """The file as it is kept; `lost` once it was damaged: a reader that is not in it may have had a key."""

    readers: dict[str, ReaderKeys]
    lost: bool = False


UNKNOWN = ReaderKeys()


class KeyBook:
    """All keys of this device's external readers."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._readers: dict[str, ReaderKeys] = {}
        self._read = False
        self._lost = False

    def of(self, reader: str) -> ReaderKeys:
        """What is known of a reader. While the file was not read, or is lost, an unknown one counts as secured."""
        known = self._readers.get(reader)
        if known is None:
            return UNKNOWN if self._read and not self._lost else ReaderKeys(secured=True)
        return known

    async def load(self) -> bool:
        """Read the file; False while the storage does not answer.

        Damage leaves no keys and no clear text: only forgetting a reader by hand goes on from there (row 21).
        """
        try:
            data = await self._keeper.load(FILE)
            kept = KeyFile(readers={}) if data is None else decode(KeyFile, json.loads(data), where=FILE)
        except (Damaged, Invalid, ValueError) as error:  # before Unavailable, of which Damaged is one
            log.error("the keys of external readers are lost, none is talked to in clear text: %s", error)
            kept = KeyFile(readers={}, lost=True)
        except Unavailable as error:
            log.error("the keys of external readers cannot be read now: %s", error)
            return False
        self._readers, self._lost = dict(kept.readers), kept.lost
        self._read = True
        return True

    async def offer(self, reader: str, key: bytes, *, imported: bool = False) -> None:
        """Keep a key that the reader is given next, or has already, behind the one in use. Raises Unavailable."""
        known = self.of(reader)
        imported = imported or known.imported
        await self._put(reader, replace(known, keys=(*known.keys[:1], key.hex()), imported=imported))

    async def prefer(self, reader: str, key: bytes) -> None:
        """Put a key that the reader says it has taken before the one it had. Raises Unavailable."""
        known = self.of(reader)
        rest = tuple(each for each in known.keys if each != key.hex())
        await self._put(reader, replace(known, keys=(key.hex(), *rest[:1])))

    async def use(self, reader: str, key: bytes) -> None:
        """Keep only this key: the reader has shown that it has it. Raises Unavailable."""
        await self._put(reader, ReaderKeys(keys=(key.hex(),), secured=True))

    async def forget(self, reader: str) -> None:
        """Forget keys and history of a reader: somebody replaced it. Raises Unavailable."""
        await self._put(reader, UNKNOWN)

    async def _put(self, reader: str, known: ReaderKeys) -> None:
        if not self._read and not await self.load():
            raise Unavailable(FILE, "cannot be read now; nothing was changed")
        readers = {**self._readers, reader: known}
        await self._keeper.save(FILE, json.dumps(encode(KeyFile(readers=readers, lost=self._lost))).encode())
        self._readers = readers
