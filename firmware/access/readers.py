"""Service `access`: cards and keys in, decisions out.

Each reader has its own queue and its own worker: what one reader waits for (the recording of a limited
use) delays neither the others nor the loop. Decisions read memory only.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from firmware.access.config import AccessConfig
from firmware.access.desk import Desk
from firmware.access.entries import EntryList
from firmware.access.entry_commands import EntryCommands
from firmware.core.context import Core
from hal.ports import CardReader, Hardware


class ReadersService:
    """Publishes what happens at the readers and runs the entry list it is given."""

    name: ClassVar[str] = "access"
    vital: ClassVar[bool] = True
    needs: ClassVar[frozenset[str]] = frozenset({"reader"})

    def __init__(self, core: Core, hardware: Hardware, config: AccessConfig, entries: EntryList) -> None:
        """Raises Invalid for a node that is not on the board."""
        config.check(hardware)
        self._core = core
        self._entries = entries
        self._desks = {
            node: self._desk(node, hardware.alias(node), reader, config) for node, reader in hardware.readers.items()
        }
        self._doors = tuple(config.doors)

    def _desk(self, node: str, alias: str, reader: CardReader, config: AccessConfig) -> Desk:
        return Desk(
            self._core,
            self._entries,
            reader,
            alias=alias,
            door=config.door_of(node),
            keypad=config.keypads is None or node in config.keypads,
        )

    async def start(self) -> None:
        """Load the entry list, then listen to every reader."""
        EntryCommands(self._core, self._entries).register()
        await self._entries.start(self._doors)
        for desk in self._desks.values():
            desk.open()

    async def run(self) -> None:
        """Serve the readers until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._entries.run())
            for desk in self._desks.values():
                tasks.create_task(desk.serve())

    async def stop(self) -> None:
        """Stop listening; entry list safe."""
        for desk in self._desks.values():
            desk.close()
        await self._entries.stop()
