"""What a door controller makes the readers show and sound: the newest wish of each kind, carried out in order.

However many wishes come, one waits; so a panel that sends a light command with every poll costs nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection

from firmware.core.actions import Invocation
from firmware.core.context import Core
from firmware.core.errors import StationError
from firmware.core.vocabulary.access import BaseParams, BeepParams
from hal.ports import Hardware
from hal.types import Pattern

log = logging.getLogger("firmware.controller")


class Feedback:
    """The lights and beepers of the readers, as far as a controller may use them."""

    def __init__(self, core: Core, hardware: Hardware) -> None:
        self._core = core
        self._lights = tuple(node for node, reader in hardware.readers.items() if reader.led is not None)
        self._beepers = tuple(node for node, reader in hardware.readers.items() if reader.beeper is not None)
        self._chosen: frozenset[str] = frozenset()
        self._pattern: Pattern | None = None
        self._on = False
        self._shown: dict[str, Pattern | None] = {}
        self._sounded: dict[str, bool] = {}
        self._wake = asyncio.Event()

    def choose(self, readers: Collection[str]) -> None:
        """Use these readers from now on; none named means all."""
        self._chosen = frozenset(readers or (*self._lights, *self._beepers))
        self._wake.set()

    def show(self, pattern: Pattern | None) -> None:
        """Show this between indications; None is the device's own idle colour."""
        self._pattern = pattern
        self._wake.set()

    def beep(self, on: bool) -> None:
        """Beep from now on, or stop."""
        self._on = on
        self._wake.set()

    def clear(self) -> None:
        """Nobody wants anything any more."""
        self._pattern, self._on = None, False
        self._wake.set()

    async def run(self) -> None:
        """Carry wishes out until cancelled."""
        while True:
            await self._wake.wait()
            await self.carry_out()

    async def carry_out(self) -> None:
        """Bring every reader in line with the wishes now."""
        self._wake.clear()
        for reader in self._lights:
            pattern = self._pattern if reader in self._chosen else None
            if self._shown.get(reader) != pattern and await self._do(
                "reader.base", BaseParams(reader=reader, pattern=pattern)
            ):
                self._shown[reader] = pattern
        for reader in self._beepers:
            on = self._on and reader in self._chosen
            if self._sounded.get(reader, False) is not on and await self._do(
                "reader.beep", BeepParams(reader=reader, on=on)
            ):
                self._sounded[reader] = on

    async def _do(self, action: str, params: object) -> bool:
        try:
            await self._core.actions.invoke(Invocation(action=action, params=params))
        except StationError as error:
            log.warning("what the door controller wants shown is not: %s", error)
            return False
        return True
