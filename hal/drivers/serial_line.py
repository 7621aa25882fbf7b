"""A serial port that is open while somebody wants it, and is opened again when it was lost.

An adapter that is pulled out, or a port that is not there at all, is a reason in words and never an error for
whoever opens doors: the line tries again until it is told to stop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from hal.clock import Clock
from hal.errors import BusError, HalError
from hal.wires import ByteHandler, Uart

log = logging.getLogger("hal.drivers")

# How long to wait before a port that is not there is tried again, in seconds.
RETRY_S = 0.5


class OpenPort(Protocol):
    """Opens the port at a rate; `Wires.uart` of one bus."""

    def __call__(self, *, baud: int) -> Awaitable[Uart]:
        """The port. Raises HalError."""


class SerialLine:
    """One port. `heard` gets its bytes; `changed` is called when it was opened or lost."""

    def __init__(
        self, name: str, open_port: OpenPort, clock: Clock, *, heard: ByteHandler, changed: Callable[[], None]
    ) -> None:
        self.name = name
        self._open_port = open_port
        self._clock = clock
        self._heard = heard
        self._changed = changed
        self._baud: int | None = None
        self._port: Uart | None = None
        self._trouble = ""
        self._wake = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether bytes can be sent."""
        return self._port is not None

    @property
    def baud(self) -> int:
        """The rate it is wanted at; 0 while nobody wants it."""
        return self._baud or 0

    @property
    def trouble(self) -> str:
        """Why the port is not open although it is wanted; empty while it is, or while it is being opened."""
        return self._trouble

    def want(self, baud: int) -> None:
        """Open the port, or change the rate of the open one."""
        if baud == self._baud:
            return
        self._baud = baud
        if self._port is None:
            self._wake.set()
            return
        try:
            self._port.set_baud(baud)
        except BusError as error:
            self._lost(error)

    def leave(self) -> None:
        """Give the port back; nobody wants it now."""
        self._baud = None
        self._trouble = ""
        self._give_back()
        self._wake.set()

    def write(self, data: bytes) -> bool:
        """Send bytes; false when the port is not there, which is noted as its trouble."""
        if self._port is None:
            return False
        try:
            self._port.write(data)
        except BusError as error:
            self._lost(error)
            return False
        return True

    def _lost(self, error: HalError) -> None:
        if self._port is None and self._trouble:
            return
        self._give_back()
        self._trouble = error.message
        log.warning("%s: the serial port is gone, it will be opened again: %s", self.name, error)
        self._wake.set()
        self._changed()

    def _give_back(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            port.on_lost(None)
            port.close()

    async def run(self) -> None:
        """Open the port whenever it is wanted and not there; until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._baud is not None and self._port is None:
                if not await self._opened(self._baud):
                    await self._pause()

    async def _opened(self, baud: int) -> bool:
        try:
            port = await self._open_port(baud=baud)
        except HalError as error:
            if self._baud is not None and self._trouble != error.message:
                self._trouble = error.message
                log.warning("%s: the serial port cannot be opened: %s", self.name, error)
                self._changed()
            return False
        if self._baud is None:
            port.close()
            return True
        return self._took(port, baud)

    def _took(self, port: Uart, baud: int) -> bool:
        """The port is ours now, unless it went at once."""
        try:
            if baud != self._baud:
                port.set_baud(self.baud)
            port.receive(self._heard)
        except BusError as error:
            port.close()
            self._trouble = error.message
            return False
        self._port, self._trouble = port, ""
        port.on_lost(self._lost)
        self._changed()
        return True

    async def _pause(self) -> None:
        """Wait before the next try; a new wish ends the wait."""
        timer = self._clock.call_later(RETRY_S, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()
        self._wake.clear()
