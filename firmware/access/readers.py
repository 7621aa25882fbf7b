"""Service `access`: cards and keys in, decisions out.

Each reader has its own queue and its own worker: what one reader waits for (the recording of a limited
use) delays neither the others nor the loop. Decisions read memory only; the door controller is asked beside them.
"""

from __future__ import annotations

import asyncio
import logging
from typing import ClassVar

from firmware.access.chips import ChipParams
from firmware.access.config import AccessConfig
from firmware.access.desk import Desk, Shared
from firmware.access.entries import EntryList
from firmware.access.entry_commands import EntryCommands
from firmware.access.forward import Forwarder
from firmware.access.latest import LatestCards
from firmware.access.oddity import Whereabouts
from firmware.access.presenting import PresentingCommands
from firmware.access.settings import access_group
from firmware.access.throttle import Throttles
from firmware.core.context import Core
from firmware.core.vocabulary.station import ParamsChanged
from hal.errors import HalError
from hal.ports import CardReader, Hardware

log = logging.getLogger("firmware.access")


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
        self._group = access_group(hardware)
        self._chip_readers = hardware.chip_readers
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
        self._core.params.declare(ChipParams)
        await self._core.params.load(ChipParams)
        self._ask_chips()
        await self._entries.start(self._doors, self._group)
        await self._throttles.load()
        for desk in self._desks.values():
            desk.open()

    async def run(self) -> None:
        """Serve the readers until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._entries.run())
            tasks.create_task(self._throttles.run())
            tasks.create_task(self._forwarder.run())
            tasks.create_task(self._follow_chips())
            for desk in self._desks.values():
                tasks.create_task(desk.serve())

    async def beat(self) -> None:
        """Return once every desk has made a decision, or has none to make."""
        for desk in self._desks.values():
            await desk.beat()

    async def _follow_chips(self) -> None:
        with self._core.bus.subscribe(ParamsChanged, retained=False) as changes:
            async for notice in changes:
                if isinstance(notice.event, ParamsChanged) and notice.event.group == ChipParams.group:
                    self._ask_chips()

    def _ask_chips(self) -> None:
        """Tell the readers of chips what the data sets need."""
        reads = self._core.params.get(ChipParams).reads()
        for name, reader in self._chip_readers.items():
            try:
                reader.read_also(reads)
            except HalError as error:
                log.error("reader %s does not read the data sets: %s", name, error)

    async def stop(self) -> None:
        """Stop listening; counts and entry list safe."""
        for desk in self._desks.values():
            desk.close()
        try:
            await self._throttles.stop()
        finally:
            await self._entries.stop()


def _desk(shared: Shared, node: str, alias: str, reader: CardReader, config: AccessConfig) -> Desk:
    keypad = config.keypads is None or node in config.keypads
    return Desk(shared, reader, alias=alias, door=config.door_of(node), keypad=keypad)
