"""A serial bus behind a pty: bytes take their time, nothing is jumped over, and faults reach the board."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from hal.errors import BusError, LineInUse
from hal.sim import serial
from hal.sim.serial import SerialBus
from hal.sim.time import VirtualClock, virtual_run
from hal.wires import Uart
from tests.unit.sim.conftest import Connect, in_process, new_world

BYTE_NS = 10 * 10**9 // 9600


@dataclass(eq=False)
class Echo:
    """A station that answers a message that ends with a full stop, and remembers all it hears."""

    bus: SerialBus
    baud: int = 9600
    answers: bool = True
    heard: bytearray = field(default_factory=bytearray)
    times: list[int] = field(default_factory=list)

    def hear(self, t_ns: int, data: bytes) -> None:
        self.heard += data
        self.times.append(t_ns)
        if data.endswith(b".") and self.answers:
            self.bus.say(self, bytes(self.heard).upper())


@asynccontextmanager
async def opened(clock: VirtualClock, *, baud: int = 9600) -> AsyncIterator[tuple[SerialBus, Uart]]:
    """The bus of a world in this process, and the port that the board has opened on it."""
    world = new_world(clock)
    async with in_process(world) as wires:
        yield world.uart("rs485"), await wires.uart("rs485", baud=baud)


def test_a_question_and_its_answer_take_the_time_of_their_bytes() -> None:
    async def main(clock: VirtualClock) -> None:
        async with opened(clock) as (bus, uart):
            station = Echo(bus)
            bus.stations.append(station)
            got: list[tuple[int, bytes]] = []
            uart.receive(lambda t_ns, data: got.append((t_ns, data)))
            began_ns = clock.now_ns()
            uart.write(b"hello.")
            await clock.sleep(1.0)
            assert bytes(station.heard) == b"hello."
            assert station.times == [began_ns + index * BYTE_NS for index in range(1, 7)]
            assert b"".join(data for _, data in got) == b"HELLO."
            assert [t_ns for t_ns, _ in got] == [began_ns + index * BYTE_NS for index in range(7, 13)]
            assert [name for _, name in bus.trace.points] == ["", "board", "Echo", ""]

    virtual_run(main)


def test_every_station_hears_the_board_and_each_other() -> None:
    async def main(clock: VirtualClock) -> None:
        async with opened(clock) as (bus, uart):
            talker, listener = Echo(bus), Echo(bus, answers=False)
            bus.stations += [talker, listener]
            uart.write(b"ab.")
            await clock.sleep(1.0)
            assert bytes(listener.heard) == b"ab.AB."
            assert bytes(talker.heard) == b"ab."

    virtual_run(main)


def test_two_that_talk_at_once_garble_each_other() -> None:
    async def main(clock: VirtualClock) -> None:
        async with opened(clock) as (bus, _):
            one, two, third = (Echo(bus, answers=False) for _ in range(3))
            bus.stations += [one, two, third]
            bus.say(one, b"aaaa")
            bus.say(two, b"bb")
            await clock.sleep(1.0)
            assert len(third.heard) == 6
            assert third.heard.count(b"a") == 2
            assert third.heard.count(b"b") == 0

    virtual_run(main)


def test_a_station_at_another_rate_hears_nonsense() -> None:
    async def main(clock: VirtualClock) -> None:
        async with opened(clock) as (bus, uart):
            station = Echo(bus, baud=19200, answers=False)
            bus.stations.append(station)
            uart.write(b"hello")
            await clock.sleep(1.0)
            assert len(station.heard) == 5
            assert bytes(station.heard) != b"hello"
            await clock.sleep(1.0)
            uart.set_baud(19200)
            station.heard.clear()
            uart.write(b"hello")
            await clock.sleep(1.0)
            assert bytes(station.heard) == b"hello"

    virtual_run(main)


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ("half", lambda data: data == bytes(range(100))),
        ("drop", lambda data: 100 < len(data) < 200 and set(data) <= set(range(200))),
        ("noise", lambda data: len(data) == 200 and 0 < sum(a != b for a, b in enumerate(data)) < 60),
        ("garbage", lambda data: len(data) == 200 and all(a != b for a, b in enumerate(data))),
    ],
)
def test_a_fault_of_the_bus_spoils_what_the_board_hears(fault: str, check: object) -> None:
    async def main(clock: VirtualClock) -> None:
        async with opened(clock) as (bus, uart):
            got = bytearray()
            uart.receive(lambda _t_ns, data: got.extend(data))
            bus.fault(fault)
            bus.say(Echo(bus), bytes(range(200)))
            await clock.sleep(1.0)
            assert callable(check)
            assert check(bytes(got))
            got.clear()
            bus.clear()
            bus.say(Echo(bus), bytes(range(200)))
            await clock.sleep(1.0)
            assert bytes(got) == bytes(range(200))

    virtual_run(main)


def test_a_long_message_arrives_whole() -> None:
    async def main(clock: VirtualClock) -> None:
        async with opened(clock, baud=115200) as (bus, uart):
            station = Echo(bus, baud=115200, answers=False)
            bus.stations.append(station)
            message = bytes(range(256)) * 40
            uart.write(message)
            await clock.sleep(5.0)
            assert bytes(station.heard) == message

    virtual_run(main)


class StandsStill:
    """The clock of a machine that is stopped for an hour between any two looks at it."""

    def __init__(self) -> None:
        self._now_ns = 0

    def now_ns(self) -> int:
        self._now_ns += 3600 * 10**9
        return self._now_ns


def test_a_machine_that_stands_still_loses_no_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial, "SystemClock", StandsStill)

    async def main(clock: VirtualClock) -> None:
        async with opened(clock) as (bus, uart):
            station = Echo(bus)
            bus.stations.append(station)
            heard_ns: list[int] = []
            uart.receive(lambda t_ns, _: heard_ns.append(t_ns))
            for _ in range(50):
                station.times.clear()
                heard_ns.clear()
                began_ns = clock.now_ns()
                uart.write(b".")
                station.heard.clear()
                await clock.sleep(3 * BYTE_NS / 1e9)
                assert (station.times, heard_ns) == ([began_ns + BYTE_NS], [began_ns + 2 * BYTE_NS])

    virtual_run(main)


def test_bytes_that_somebody_else_takes_end_the_run_with_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial, "LOST_AFTER_NS", 50_000_000)

    async def main(clock: VirtualClock) -> None:
        async with opened(clock) as (bus, uart):
            bus.stations.append(Echo(bus))
            uart.receive(lambda *_: None)
            thief = os.open(bus.path, os.O_RDONLY | os.O_NOCTTY)

            def steal() -> None:
                while not os.read(thief, 1):
                    pass

            try:
                bus.say(bus.stations[0], b"abc")
                clock.call_later(BYTE_NS / 1e9, steal)  # as soon as the first byte is in the kernel
                await clock.sleep(1.0)
            finally:
                os.close(thief)

    with pytest.raises(RuntimeError, match="rs485, to the board: 1 bytes went into the kernel and never came out"):
        virtual_run(main)


def test_bytes_that_nobody_reads_do_not_stop_time() -> None:
    async def main(clock: VirtualClock) -> None:
        async with opened(clock) as (bus, _):
            bus.say(Echo(bus), b"hello")
            await clock.sleep(10.0)

    virtual_run(main)


def test_the_port_is_for_one_user_and_gone_without_power(connect: Connect) -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        async with connect(world) as wires:
            uart = await wires.uart("rs485", baud=9600)
            with pytest.raises(LineInUse):
                await wires.uart("rs485", baud=9600)
            uart.receive(lambda _t_ns, _data: None)
            world.power(False)
            await clock.sleep(0.1)
            with pytest.raises(BusError):
                uart.write(b"x")
            with pytest.raises(BusError, match="no power"):
                await wires.uart("rs485", baud=9600)
            world.power(True)
            again = await wires.uart("rs485", baud=9600)
            again.write(b"x")
            await clock.sleep(0.1)

    virtual_run(main)


def test_a_few_flipped_bits_reach_both_sides_in_the_share_asked_for() -> None:
    async def main(clock: VirtualClock) -> None:
        async with opened(clock) as (bus, uart):
            station = Echo(bus, answers=False)
            bus.stations.append(station)
            got = bytearray()
            uart.receive(lambda _t_ns, data: got.extend(data))
            bus.fault("flips")
            bus.flip_share = 0.05
            bus.say(station, bytes(8000))
            await clock.sleep(10.0)
            uart.write(bytes(8000))
            await clock.sleep(10.0)
            for heard in (bytes(got), bytes(station.heard)):
                flipped = [byte for byte in heard if byte]
                assert len(heard) == 8000
                assert 25 < len(flipped) < 75
                assert all(byte.bit_count() == 1 for byte in flipped)

    virtual_run(main)


def test_on_a_shorted_bus_nobody_hears_anything() -> None:
    async def main(clock: VirtualClock) -> None:
        async with opened(clock) as (bus, uart):
            station = Echo(bus)
            bus.stations.append(station)
            got = bytearray()
            uart.receive(lambda _t_ns, data: got.extend(data))
            bus.fault("short")
            uart.write(b"hello.")
            bus.say(station, b"hello.")
            await clock.sleep(1.0)
            assert (bytes(got), bytes(station.heard)) == (b"", b"")
            bus.clear()
            uart.write(b"hello.")
            await clock.sleep(1.0)
            assert bytes(got) == b"HELLO."

    virtual_run(main)


def test_a_pulled_adapter_is_told_and_the_port_is_there_again_afterwards(connect: Connect) -> None:
    async def main(clock: VirtualClock) -> None:
        world = new_world(clock)
        bus = world.uart("rs485")
        async with connect(world) as wires:
            uart = await wires.uart("rs485", baud=9600)
            lost: list[BusError] = []
            uart.on_lost(lost.append)
            uart.receive(lambda _t_ns, _data: None)
            bus.unplug()
            await clock.sleep(0.1)
            assert len(lost) == 1
            with pytest.raises(BusError, match="not plugged in"):
                await wires.uart("rs485", baud=9600)
            bus.plug()
            again = await wires.uart("rs485", baud=9600)
            again.write(b"x")
            await clock.sleep(0.1)

    virtual_run(main)
