"""A board of relays on USB as a probe: each relay closes a contact between its wire and ground, or opens it.

It drives what the board reads slowly: a door contact, a request to exit, a button. It watches nothing. The boards meant
are those that take four bytes at 9600 baud: A0, the relay (from 1), 1 to close or 0 to open, the sum of the three.
"""

from __future__ import annotations

import os
import termios
import tty
from collections.abc import Iterable, Sequence
from contextlib import ExitStack

from hal.errors import BusError
from hal.types import Pull
from tests.bench.rig.probes import Changed

HEAD = 0xA0


def order(relay: int, closed: bool) -> bytes:
    """The bytes that move one relay."""
    return bytes((HEAD, relay, closed, (HEAD + relay + closed) & 0xFF))


class RelayBoard:
    """One board on its serial port; implements Probe for lines that the board under test reads."""

    def __init__(self, device: str, relays: Iterable[int]) -> None:
        self._device = device
        self._relays = tuple(relays)
        self._fd = -1

    @property
    def pushes(self) -> bool:
        return False

    async def open(self) -> None:
        try:
            self._fd = os.open(self._device, os.O_RDWR | os.O_NOCTTY)
            tty.setraw(self._fd)
            settings = termios.tcgetattr(self._fd)
            settings[4] = settings[5] = termios.B9600
            termios.tcsetattr(self._fd, termios.TCSANOW, settings)
        except (OSError, termios.error) as error:
            raise BusError(self._device, f"cannot open the relay board: {error}") from error
        for relay in self._relays:
            self.release(relay)

    def _move(self, relay: int, closed: bool) -> None:
        try:
            os.write(self._fd, order(relay, closed))
        except OSError as error:
            raise BusError(self._device, f"the relay board does not take orders: {error.strerror}") from error

    def hold(self, line: int, level: bool) -> None:
        self._move(line, not level)

    def release(self, line: int, pull: Pull = Pull.NONE) -> None:
        self._move(line, False)

    async def levels(self, lines: Sequence[int]) -> tuple[bool, ...]:
        if lines and not set(lines) <= set(self._relays):
            raise BusError(self._device, "a relay board cannot read a line")
        try:
            termios.tcdrain(self._fd)
        except termios.error as error:
            raise BusError(self._device, f"the relay board does not take orders: {error}") from error
        return tuple(False for _ in lines)

    def watch(self, lines: Iterable[int], changed: Changed | None) -> None:
        if tuple(lines):
            raise BusError(self._device, "a relay board cannot watch a line")

    async def close(self) -> None:
        if self._fd < 0:
            return
        with ExitStack() as last:
            last.callback(self._close)
            for relay in self._relays:  # each is let go, whatever becomes of the others
                last.callback(self.release, relay)

    def _close(self) -> None:
        os.close(self._fd)
        self._fd = -1
