"""The file of keys of external readers: what was lost stays lost until somebody forgets that reader."""

from __future__ import annotations

import asyncio

from firmware.core.store import Damaged
from firmware.osdp.keys import FILE, KeyBook

KEY = bytes.fromhex("8F1C2E7A5B3D90C4E6F70812A3B5D94C")


class Disk:
    """A store in memory whose file can rot."""

    def __init__(self) -> None:
        self.data: bytes | None = None
        self.rotten = False

    async def load(self, name: str) -> bytes | None:
        if self.rotten:
            raise Damaged(name, "cannot be read")
        return self.data

    async def save(self, name: str, data: bytes) -> None:
        self.data, self.rotten = data, False


def test_row_2_after_damage_a_reader_that_was_not_forgotten_stays_out_of_clear_text_also_after_a_restart() -> None:
    async def whole() -> None:
        disk = Disk()
        first = KeyBook(disk)
        await first.load()
        for reader in ("reader1", "reader2"):
            await first.use(reader, KEY)
        disk.rotten = True
        second = KeyBook(disk)
        await second.load()
        await second.forget("reader1")
        third = KeyBook(disk)
        await third.load()
        assert disk.data is not None, FILE
        assert not third.of("reader1").secured
        assert third.of("reader2").secured

    asyncio.run(whole())
