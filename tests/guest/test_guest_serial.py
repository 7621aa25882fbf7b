"""The serial wire on a kernel driver that switches RS-485 direction (the guest's simulated half-duplex bus)."""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct

import pytest

from hal.buses.serial import SerialUart
from hal.clock import SystemClock
from hal.errors import BusError

STATIONS = ("/dev/ttyVB0", "/dev/ttyVB1")
TIOCGRS485 = 0x542E
ENABLED, RTS_ON_SEND, RTS_AFTER_SEND = 1, 2, 4

pytestmark = pytest.mark.skipif(
    not all(os.path.exists(station) for station in STATIONS),
    reason="this kernel has no simulated RS-485 bus (/dev/ttyVB0)",
)


def rs485_flags(device: str) -> int:
    """What the kernel has set for the port."""
    fd = os.open(device, os.O_RDWR | os.O_NOCTTY)
    try:
        return int(struct.unpack("I", fcntl.ioctl(fd, TIOCGRS485, bytes(32))[:4])[0])
    finally:
        os.close(fd)


def test_two_stations_talk_in_turn_with_the_direction_switched_by_the_kernel() -> None:
    clock = SystemClock()

    async def main() -> None:
        heard: dict[str, bytearray] = {"panel": bytearray(), "reader": bytearray()}
        panel = SerialUart("panel", STATIONS[0], clock, baud=9600, rs485=True)
        reader = SerialUart("reader", STATIONS[1], clock, baud=9600, rs485=True)
        flags = rs485_flags(STATIONS[0])
        assert flags & (ENABLED | RTS_ON_SEND | RTS_AFTER_SEND) == ENABLED | RTS_ON_SEND
        panel.receive(lambda _, data: heard["panel"].extend(data))
        reader.receive(lambda _, data: heard["reader"].extend(data))
        poll = bytes(range(100))
        panel.write(poll)
        with pytest.raises(BusError, match=r"while .* bytes are being sent"):
            panel.set_baud(19200)
        while len(heard["reader"]) < 100:
            await clock.sleep(0.005)
        reader.write(b"ack")
        while len(heard["panel"]) < 3:
            await clock.sleep(0.005)
        assert (bytes(heard["reader"]), bytes(heard["panel"])) == (poll, b"ack")
        panel.close()
        reader.close()

    asyncio.run(asyncio.wait_for(main(), 10))
