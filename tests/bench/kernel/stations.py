"""A serial bus of the guest's kernel as a bus of a world: its stations hang on the port beside the board's.

The kernel paces bytes, turns direction and spoils what collides; this end passes them on and adds a bad cable.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import termios
import tty
from pathlib import Path

from hal.errors import BusError
from hal.sim.peers.base import Place
from hal.sim.serial import BITS_PER_BYTE, RATES, READ_SIZE, SerialBus, Station

CODES = {rate: code for code, rate in RATES.items()}
# bench_uart.c: two pairs of three stations, then a null modem.
ON_A_PAIR, PAIRED = 3, 6
TIOCVHANGUP = 0x5437  # not in Python's termios


def far_end(device: Path) -> Path:
    """The port at the other end of one of bench_uart.c. Raises BusError for any other."""
    found = re.fullmatch(r"ttyVB(\d)", device.resolve().name)
    if found is None:
        raise BusError(str(device), "is no simulated port of the guest")
    number = int(found[1])
    return Path(f"/dev/ttyVB{number + 1 if number < PAIRED else number ^ 1}")


class KernelSerial(SerialBus):
    """One bus. Its stations all listen at the rate of the first."""

    def __init__(self, place: Place, name: str, *, full_duplex: bool = False) -> None:
        super().__init__(place, name, full_duplex=full_duplex)
        self._fd = -1
        self._rate = 0
        self._device = Path()
        self._port = Path()  # what the name of the device leads to

    def begin(self, device: Path) -> None:
        """Hang the stations on the far end of the board's port."""
        self._device, self._port = device, device.resolve()
        self._fd = os.open(far_end(device), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._fd)
        self._follow_rate()
        asyncio.get_running_loop().add_reader(self._fd, self._arrived)

    def _follow_rate(self) -> bool:
        """Listen at the rate of the stations; whether that is a change."""
        rate = self.stations[0].baud if self.stations else 9600
        if rate == self._rate:
            return False
        self._rate = rate
        settings = termios.tcgetattr(self._fd)
        settings[4] = settings[5] = CODES[rate]
        termios.tcsetattr(self._fd, termios.TCSANOW, settings)
        return True

    def _arrived(self) -> None:
        data = os.read(self._fd, READ_SIZE)
        now_ns = self.place.clock.now_ns()
        if self._follow_rate() or "short" in self.faults:
            return  # heard at the wrong rate, or not at all
        self.trace.put("board", now_ns)
        self.trace.put("", now_ns)
        for station in tuple(self.stations):
            station.hear(now_ns, data)

    def say(self, station: Station, data: bytes) -> int:
        """A station sends bytes; returns about when the last one ends."""
        self._follow_rate()
        data = self._faulty(data)
        if "flips" in self.faults:
            data = self._flipped(data)
        now_ns = self.place.clock.now_ns()
        if "short" not in self.faults:
            self.overruns += len(data) - os.write(self._fd, data)
        self.trace.put(type(station).__name__, now_ns)
        self.trace.put("", now_ns)
        return now_ns + len(data) * BITS_PER_BYTE * 1_000_000_000 // self._rate

    @property
    def path(self) -> str:
        """The firmware opens the board's own port here. Raises BusError."""
        raise BusError(self.name, "is a port of the kernel on this bench")

    def unplug(self) -> None:
        """Pull the adapter out, as the kernel has it: who has the port open is hung up, and its name is gone.

        Raises BusError where the board knows the port by no name of its own.
        """
        if not self._plugged:
            return
        if not self._device.is_symlink():
            raise BusError(self.name, f"{self._device} is soldered in: on this bench only a port with a name comes out")
        self._plugged = False
        self._device.unlink()
        port = os.open(self._port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            fcntl.ioctl(port, TIOCVHANGUP)
        finally:
            os.close(port)

    def plug(self) -> None:
        """Put the adapter back."""
        if not self._plugged:
            self._device.symlink_to(self._port)
            self._plugged = True

    def shut(self) -> None:
        """Let go of the far end; the guest keeps its port."""
        self.plug()
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
