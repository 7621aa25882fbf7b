"""Both drivers of OSDP on a kernel's half-duplex RS-485 bus: our panel asks our reader, the kernel turns direction."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial

import pytest

from hal.buses.serial import SerialUart
from hal.clock import SystemClock
from hal.drivers.osdp_bus import OsdpBus
from hal.drivers.osdp_peripheral import OsdpPort, identity_of
from hal.drivers.osdp_reader import OsdpReader
from hal.types import (
    CardBits,
    ChipIdentity,
    Colour,
    LinkPhase,
    LinkSettings,
    PanelFact,
    PanelKey,
    PanelLight,
    Pattern,
    ReaderFact,
)
from hal.wires import Uart

STATIONS = ("/dev/ttyVB0", "/dev/ttyVB1")
KEY = bytes.fromhex("8D2C5E91F07A4B36C1D84E0F7B92A365")
OTHER_KEY = bytes.fromhex("17F3A86B2D905CE4B79E01C85A46D23F")
CARDS = ["10000000100000000000000010", "10" * 32, "1" * 37]
PATIENCE_S = 30.0

pytestmark = pytest.mark.skipif(
    not all(os.path.exists(station) for station in STATIONS),
    reason="this kernel has no simulated RS-485 bus (/dev/ttyVB0)",
)


async def opened(device: str, *, baud: int) -> Uart:
    """A station with its transceiver switched by the kernel."""
    return SerialUart(device, device, SystemClock(), baud=baud, rs485=True)


async def until(what: str, check: Callable[[], bool]) -> None:
    """Wait until `check` holds; patience, not speed."""
    clock = SystemClock()
    end_ns = clock.now_ns() + round(PATIENCE_S * 1e9)
    while not check():
        assert clock.now_ns() < end_ns, f"never seen: {what}"
        await clock.sleep(0.02)


@pytest.mark.parametrize("baud", [9600, 115200])
def test_cards_lights_and_a_new_key_cross_a_half_duplex_bus_in_the_secure_channel(baud: int) -> None:
    async def main() -> None:
        clock = SystemClock()
        bus = OsdpBus("bus", partial(opened, STATIONS[0]), clock)
        reader = OsdpReader("reader", bus, clock, keypad=True, led=True, beeper=True)
        identity = identity_of(ChipIdentity(serial="02A11CE00001", chip_id="1"))
        port = OsdpPort("port", "bus", partial(opened, STATIONS[1]), clock, identity)
        facts: list[ReaderFact] = []
        lights: list[PanelFact] = []
        reader.watch(facts.append)
        port.watch(lights.append)
        port.on_key(keep)
        async with asyncio.TaskGroup() as group:
            work = [group.create_task(bus.run()), group.create_task(port.run())]
            port.serve(LinkSettings(keys=(KEY,), baud=baud))
            reader.connect(LinkSettings(keys=(KEY,), baud=baud))
            await until("a secure link", lambda: reader.link.phase is LinkPhase.CONNECTED and reader.link.secure)
            for bits in CARDS:
                port.card(bits)
            await until("three cards", lambda: len(facts) == len(CARDS))
            assert [fact.bits for fact in facts if isinstance(fact, CardBits)] == CARDS
            assert reader.led is not None
            reader.led.show(Pattern.steady(Colour.GREEN))
            await until("green", lambda: green(lights))
            await reader.set_key(OTHER_KEY)
            await reader.show_text("kept")
            assert reader.link.secure
            assert reader.link.check_errors == port.link.check_errors == 0
            for task in work:
                task.cancel()
        reader.close()
        bus.close()
        port.close()

    asyncio.run(asyncio.wait_for(main(), 2 * PATIENCE_S))


def green(facts: list[PanelFact]) -> bool:
    """Whether the light is green now."""
    lights = [fact for fact in facts if isinstance(fact, PanelLight)]
    return bool(lights) and lights[-1].pattern == Pattern.steady(Colour.GREEN)


async def keep(_wish: PanelKey) -> bool:
    return True
