"""Serial readers across processes: the world behind a socket, the drivers on its ptys, in real time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from hal.assemble import Assembled, assemble
from hal.board import load_board
from hal.clock import SystemClock
from hal.sim.peers.osdp_panel import OsdpPanelPeer
from hal.sim.peers.osdp_reader import OsdpReaderPeer
from hal.sim.remote import RemoteWires, WorldServer
from hal.sim.world import World
from hal.types import CardBits, LinkPhase, LinkSettings, ReaderFact
from tests.live.device import lintel, running

pytestmark = pytest.mark.live

KEY = bytes.fromhex("8D2C5E91F07A4B36C1D84E0F7B92A365")
PATIENCE_S = 120.0


def across_a_socket(tmp_path: Path, test: Callable[[World, Assembled], Awaitable[None]]) -> None:
    """Run a test with drivers that reach their world as those of another process do."""

    async def main() -> None:
        clock = SystemClock()
        async with AsyncExitStack() as stack:
            world = World(clock, load_board("door_station"))
            stack.callback(world.close)
            server = WorldServer(world, tmp_path / "world")
            await server.start()
            stack.push_async_callback(server.close)
            wires = await RemoteWires.connect(tmp_path / "world", clock)
            stack.push_async_callback(wires.close)
            assembled = await assemble(world.board, wires, clock)
            stack.push_async_callback(assembled.close)
            async with asyncio.TaskGroup() as group:
                work = group.create_task(assembled.run())
                await test(world, assembled)
                work.cancel()

    asyncio.run(asyncio.wait_for(main(), 2 * PATIENCE_S))


async def until(what: str, check: Callable[[], bool]) -> None:
    """Wait until `check` holds; patience, not speed."""
    clock = SystemClock()
    end_ns = clock.now_ns() + round(PATIENCE_S * 1e9)
    while not check():
        assert clock.now_ns() < end_ns, f"never seen: {what}"
        await clock.sleep(0.02)


def test_cards_come_from_a_reader_in_another_process_through_the_secure_channel(tmp_path: Path) -> None:
    async def test(world: World, assembled: Assembled) -> None:
        reader = world.find("reader:external")
        assert isinstance(reader, OsdpReaderPeer)
        port = assembled.hardware.serial_readers["reader2"]
        facts: list[ReaderFact] = []
        port.watch(facts.append)
        port.connect(LinkSettings())
        await port.install(KEY)
        await until("a secure link", lambda: port.link.phase is LinkPhase.CONNECTED and port.link.secure)
        for number in range(1, 6):
            while len({fact.bits for fact in facts if isinstance(fact, CardBits)}) < number:
                # A card is lost with the link, which is lost while this process stands still: it is held there again.
                await reader.swipe(f"H10301:7:{number}")
                await SystemClock().sleep(0.5)
        assert all(isinstance(fact, CardBits) for fact in facts)
        world.uart("rs485").unplug()
        await until("the port is gone", lambda: port.link.phase is LinkPhase.NOT_CONNECTED)
        world.uart("rs485").plug()
        await until("it is back", lambda: port.link.phase is LinkPhase.CONNECTED)

    across_a_socket(tmp_path, test)


def test_a_panel_in_another_process_gets_our_cards(tmp_path: Path) -> None:
    async def test(world: World, assembled: Assembled) -> None:
        panel = world.find("panel:panel")
        assert isinstance(panel, OsdpPanelPeer)
        port = assembled.hardware.panels["panel1"]
        port.serve(LinkSettings(keys=(KEY,)))
        panel.keys = (KEY,)
        panel.plug()
        await until("a secure link", lambda: port.link.phase is LinkPhase.CONNECTED and port.link.secure)
        port.card("10" * 13)
        port.keys("12#")
        await until("card and keys", lambda: list(panel.cards) == ["10" * 13] and panel.pressed == "12#")

    across_a_socket(tmp_path, test)


def test_a_running_device_knows_the_verbs_of_serial_readers_and_panels(tmp_path: Path) -> None:
    with running(tmp_path / "state") as device:
        device.bench("swipe", "external", "H10301:1:2")
        device.bench("keys", "external", "12#")
        device.bench("plug", "panel")
        peers = device.bench("state")["peers"]
        assert peers["reader:external"]["plugged"] is True
        assert peers["panel:panel"]["plugged"] is True
        assert peers["panel:panel"]["link"] != "connected", "nobody serves the port yet"
        done = lintel("bench", "--state", str(device.state), "panel", "panel", "ligth", "red")
        assert (done.returncode, done.stdout) == (1, "")
        assert "did you mean 'light'?" in done.stderr
