"""The I/O room with the real drivers of a door station, on simulated wires: what arrives at the terminals."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from firmware.core.actions import Caller, Level
from firmware.core.vocabulary.io import PortState, RelayChanged, RelayTrouble
from firmware.io import IoConfig, PortsService, RelaysService
from hal.assemble import assemble
from hal.board import load_board
from hal.sim.wires import SimWires
from hal.sim.world import World
from hal.types import Direction, LoopState

ADMIN = Caller("root", Level.ADMIN, "api")
PORTS = ("io1", "io2", "io3", "io4")


def io(core: Any, hardware: Any) -> PortsService:
    return PortsService(core, hardware, IoConfig(ports=PORTS))


def relays(core: Any, hardware: Any) -> RelaysService:
    return RelaysService(core, hardware, frozenset({"relay1"}))


@contextlib.asynccontextmanager
async def assembled(station, world):
    """One life of the firmware's hardware on a world that goes on."""
    wires = SimWires(world)
    opened = await assemble(world.board, wires, station.clock)
    station.hardware = opened.hardware
    async with asyncio.TaskGroup() as tasks:
        polling = tasks.create_task(opened.run())
        try:
            yield
        finally:
            polling.cancel()
            await opened.close()
            await wires.close()


@contextlib.contextmanager
def world_of(station):
    world = World(station.clock, load_board("door_station"))
    try:
        yield world
    finally:
        world.close()


def state(station: Any, port: str) -> PortState:
    found = station.core.bus.state(PortState, port)
    assert found is not None
    return found


def test_an_output_set_for_a_time_closes_the_circuit_at_the_terminal_exactly_that_long(on_station):
    async def body(station):
        with world_of(station) as world:
            async with assembled(station, world), station.boot(io):
                await station.act("port.configure", ADMIN, port="io1", direction="output")
                await station.act("port.set", port="io1", active=True, for_s=2.5)
                await station.clock.sleep(5)
                (pulse,) = world.find("port:io1").output.pulses()
                assert pulse.width_s == 2.5
                assert world.find("port:io2").output.pulses() == ()

    on_station(body)


def test_row_12_a_supervised_input_on_the_wire_tells_open_closed_cut_and_short(on_station):
    async def body(station):
        with world_of(station) as world:
            async with assembled(station, world), station.boot(io):
                world.find("port:io2").fit()
                await station.act("port.configure", ADMIN, port="io2", supervised=True)
                for circuit in (LoopState.CLOSED, LoopState.CUT, LoopState.SHORT, LoopState.OPEN):
                    world.find("port:io2").set(circuit)
                    await station.clock.sleep(0.5)
                    now = state(station, "io2")
                    assert now.circuit is circuit
                    assert now.tampered is (circuit in (LoopState.CUT, LoopState.SHORT))
                    assert now.active is (circuit in (LoopState.CLOSED, LoopState.SHORT))

    on_station(body)


def test_a_port_turned_from_output_to_input_lets_go_of_the_wire_and_reads_it(on_station):
    async def body(station):
        with world_of(station) as world:
            async with assembled(station, world), station.boot(io):
                await station.act("port.configure", ADMIN, port="io3", direction="output", normal="closed")
                await station.clock.sleep(0.1)
                assert world.find("port:io3").output.value
                await station.act("port.configure", ADMIN, port="io3", direction="input", normal="open")
                await station.clock.sleep(0.5)
                assert not world.find("port:io3").output.value
                assert (state(station, "io3").direction, state(station, "io3").active) == (Direction.INPUT, False)
                world.find("port:io3").set(LoopState.CLOSED)
                await station.clock.sleep(0.5)
                assert state(station, "io3").active

    on_station(body)


def test_row_14_restarts_of_the_io_service_move_no_wire_but_the_normally_closed_outputs(on_station):
    async def body(station):
        with world_of(station) as world:
            async with assembled(station, world):
                async with station.boot(io):
                    await station.act("port.configure", ADMIN, port="io1", direction="output")
                    await station.act("port.configure", ADMIN, port="io2", direction="output", normal="closed")
                    await station.clock.sleep(0.1)
                began_s = world.now_s + 0.1
                await station.clock.sleep(0.2)
                for _ in range(20):
                    async with station.boot(io):
                        await station.clock.sleep(0.5)
                    await station.clock.sleep(0.5)
                moved = [value for _, value in world.find("port:io2").output.since(began_s)]
                assert moved == [True, False] * 20
                for quiet in ("port:io1", "port:io3", "port:io4", "relay:door", "relay:aux"):
                    for trace in world.find(quiet).traces.values():
                        assert trace.since(began_s) == (), quiet

    on_station(body)


def test_row_14_restarts_of_the_whole_hardware_move_no_output_that_is_normally_open(on_station):
    async def body(station):
        with world_of(station) as world:
            async with assembled(station, world), station.boot(io):
                await station.act("port.configure", ADMIN, port="io1", direction="output")
            for _ in range(10):
                async with assembled(station, world), station.boot(io):
                    assert state(station, "io1").direction is Direction.OUTPUT
                    await station.clock.sleep(0.5)
                async with assembled(station, world), station.boot(relays):
                    await station.clock.sleep(0.5)
            for port in (*(f"port:{name}" for name in PORTS), "relay:door", "relay:aux"):
                peer = world.find(port)
                assert (peer.output if port.startswith("port") else peer.trace).pulses() == (), port

    on_station(body)


def test_a_free_relay_pulls_in_for_exactly_the_time_asked_and_drops_out_at_a_stop(on_station):
    async def body(station):
        with world_of(station) as world:
            async with assembled(station, world):
                async with station.boot(relays):
                    await station.act("relay.set", relay="aux", on=True, for_s=1.25)
                    await station.clock.sleep(5)
                    await station.act("relay.set", relay="aux", on=True)
                    await station.clock.sleep(1)
                changes = [(fact.on, fact.why) for fact in station.facts if isinstance(fact, RelayChanged)]
                assert [pulse.width_s for pulse in world.find("relay:aux").trace.pulses()] == [1.25, 1.0]
                assert changes == [
                    (False, "start"),
                    (True, "command"),
                    (False, "command"),
                    (True, "command"),
                    (False, "closing"),
                ]
                assert world.find("relay:door").trace.pulses() == ()

    on_station(body)


def test_row_13_a_free_relay_whose_contact_is_welded_is_told(on_station):
    async def body(station):
        with world_of(station) as world:
            every = frozenset[str]()
            async with assembled(station, world):
                async with station.boot(lambda core, hardware: RelaysService(core, hardware, every)):
                    await station.act("relay.set", relay="relay1", on=True, for_s=1)
                    world.fault("relay:door", "welded")
                    await station.clock.sleep(1 + 2)
                    trouble = station.core.bus.state(RelayTrouble, "relay1")
                    assert trouble is not None
                    assert (trouble.stuck, trouble.commanded) == (True, False)

    on_station(body)
