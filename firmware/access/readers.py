"""Service `access`: cards and keys in, decisions out.

Each reader has its own queue and its own worker: what one reader waits for (the recording of a limited
use) delays neither the others nor the loop. Decisions read memory only; the door controller is asked beside them.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from firmware.access.config import AccessConfig
from firmware.access.desk import Desk, Shared
from firmware.access.entries import EntryList
from firmware.access.entry_commands import EntryCommands
from firmware.access.forward import Forwarder
from firmware.access.latest import LatestCards
from firmware.access.oddity import Whereabouts
from firmware.access.presenting import PresentingCommands
from firmware.access.throttle import Throttles
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
        self._entries = entries
        self._throttles = Throttles(core)
        self._forwarder = Forwarder(core)
        shared = Shared(core, entries, self._throttles, Whereabouts(), self._forwarder, LatestCards())
        self._desks = {
            node: _desk(shared, node, hardware.alias(node), reader, config) for node, reader in hardware.readers.items()
        }
        self._doors = tuple(config.doors)
        self._commands = (EntryCommands(core, entries), PresentingCommands(shared, self._desks))

    async def start(self) -> None:
        """Load the entry list, then listen to every reader."""
        for commands in self._commands:
            commands.register()
        await self._entries.start(self._doors)
        await self._throttles.load()
        for desk in self._desks.values():
            desk.open()

    async def run(self) -> None:
        """Serve the readers until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._entries.run())
            tasks.create_task(self._throttles.run())
            tasks.create_task(self._forwarder.run())
            for desk in self._desks.values():
                tasks.create_task(desk.serve())

    async def stop(self) -> None:
        """Stop listening; counts and entry list safe."""
        for desk in self._desks.values():
            desk.close()
        await self._throttles.stop()
        await self._entries.stop()


def _desk(shared: Shared, node: str, alias: str, reader: CardReader, config: AccessConfig) -> Desk:
    keypad = config.keypads is None or node in config.keypads
    return Desk(shared, reader, alias=alias, door=config.door_of(node), keypad=keypad)
