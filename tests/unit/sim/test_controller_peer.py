"""Somebody's controller at the end of two data lines: what it takes, what it does not, and its wires towards us."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from hal.board import load_board
from hal.errors import OutOfRange
from hal.sim.nets import Net
from hal.sim.peers.controller import ControllerPeer
from hal.sim.peers.loop import LoopPeer
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.world import World
from hal.types import LoopState

Test = Callable[[VirtualClock, World, ControllerPeer, tuple[Net, Net]], Awaitable[None]]


def beside_the_board(test: Test) -> None:
    async def main(clock: VirtualClock) -> None:
        world = World(clock, load_board("door_station"))
        controller = world.find("controller")
        assert isinstance(controller, ControllerPeer)
        d0, d1 = (world.net(line) for _, line in world.board.nodes["out1"].lines())
        await test(clock, world, controller, (d0, d1))
        world.close()

    virtual_run(main)


async def pulse(clock: VirtualClock, net: Net, width_us: int = 50, rest_us: int = 1_950) -> None:
    net.drive("test", True)
    await clock.sleep(width_us / 1e6)
    net.drive("test", None)
    await clock.sleep(rest_us / 1e6)


def test_silence_ends_a_frame_and_the_trace_shows_it_from_its_first_pulse_to_the_silence() -> None:
    async def test(clock: VirtualClock, world: World, controller: ControllerPeer, lines: tuple[Net, Net]) -> None:
        for bit in (0, 1, 1, 0):
            await pulse(clock, lines[bit])
        await clock.sleep(0.05)
        assert controller.good_frames == ("0110",)
        (shown,) = controller.trace.pulses()
        assert (shown.value, shown.t_s) == ("0110", 0.0)
        assert round(shown.width_s, 6) == round(3 * 0.002 + 0.00005 + 0.025, 6)

    beside_the_board(test)


@pytest.mark.parametrize(
    ("width_us", "rest_us", "trouble"),
    [
        (19, 2_000, "pulse of 19 us"),
        (101, 2_000, "pulse of 101 us"),
        (50, 149, "interval of 199 us"),
        (50, 19_951, "interval of 20001 us"),
    ],
)
def test_a_pulse_or_gap_outside_the_standard_spoils_the_frame(width_us: int, rest_us: int, trouble: str) -> None:
    async def test(clock: VirtualClock, world: World, controller: ControllerPeer, lines: tuple[Net, Net]) -> None:
        await pulse(clock, lines[0])
        await pulse(clock, lines[1], width_us, rest_us)
        await pulse(clock, lines[0])
        await clock.sleep(0.05)
        assert [(frame.bits, frame.trouble) for frame in controller.frames] == [("010", trouble)]
        assert controller.good_frames == ()

    beside_the_board(test)


def test_both_lines_at_once_spoil_a_frame_and_a_deaf_or_unpowered_one_hears_nothing() -> None:
    async def test(clock: VirtualClock, world: World, controller: ControllerPeer, lines: tuple[Net, Net]) -> None:
        lines[0].drive("test", True)
        await pulse(clock, lines[1])
        lines[0].drive("test", None)
        await clock.sleep(0.05)
        assert [frame.trouble for frame in controller.frames] == ["both lines at once"]
        world.fault("controller", "deaf")
        await pulse(clock, lines[1])
        world.clear("controller")
        await clock.sleep(0.05)
        assert len(controller.frames) == 1

    beside_the_board(test)


def test_its_light_and_beeper_wires_pull_the_terminals_they_lead_to() -> None:
    async def test(clock: VirtualClock, world: World, controller: ControllerPeer, lines: tuple[Net, Net]) -> None:
        io3 = world.find("port:io3")
        assert isinstance(io3, LoopPeer)
        controller.wire("beeper", io3)
        controller.drive("beeper", True)
        assert io3.circuit is LoopState.CLOSED
        controller.drive("beeper", False)
        assert io3.circuit is LoopState.OPEN
        with pytest.raises(OutOfRange, match="nothing is wired to 'led1'"):
            controller.drive("led1", True)
        with pytest.raises(OutOfRange, match="has no wire 'buzzer'; did you mean 'beeper'"):
            controller.wire("buzzer", io3)

    beside_the_board(test)
