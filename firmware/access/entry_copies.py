"""When the last good copy of the entry list is made: some seconds after a change, at once after a removal."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from firmware.access.entry_table import Copying
from firmware.core.errors import Unavailable
from hal.clock import Clock, Timer

COPY_AFTER_S = 5.0

log = logging.getLogger("firmware.access")


class Disk(Protocol):
    """The disk work of the list."""

    async def begin(self) -> Copying:
        """Begin a copy. Raises Unavailable."""

    async def step(self, copying: Copying) -> bool:
        """Do a part of it; True when it is done. Raises Unavailable."""

    def end(self, copying: Copying) -> None:
        """Give a copy up."""


class Copies:
    """Keeps the copy up to date; `current` says whether it is."""

    def __init__(self, clock: Clock, disk: Disk, damaged: Callable[[str], None]) -> None:
        """`damaged` is told when what is to be copied cannot be believed."""
        self._clock = clock
        self._disk = disk
        self._damaged = damaged
        self._due = asyncio.Event()
        self._timer: Timer | None = None
        self.current = True

    def changed(self, *, now: bool) -> None:
        """The list has changed: make a copy soon, or `now`."""
        self.current = False
        self._soon(now=now)

    def stop(self) -> None:
        """Make no more copies."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def run(self) -> None:
        """Make copies when they are due, until cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            self.stop()
            try:
                await self._copy()
            except Unavailable as error:
                log.error("the entry list could not be copied: %s", error)
                self._soon(now=False)

    def _soon(self, *, now: bool) -> None:
        if now:
            self.stop()
            self._due.set()
        elif self._timer is None and not self._due.is_set():
            self._timer = self._clock.call_later(COPY_AFTER_S, self._due.set)

    async def _copy(self) -> None:
        """Bring the copy up to date in steps, so that a use waits for one step and not for all of a long list."""
        self.current = True
        copying: Copying | None = None
        try:
            copying = await self._disk.begin()
            while not await self._disk.step(copying):
                pass
        except BaseException:
            self.current = False
            if copying is not None:
                self._disk.end(copying)
            raise
        if copying.damage is not None:
            self._damaged(f"{copying.damage}; the last good copy is kept")
