"""The Wiegand output driver, heard by a controller that somebody else wrote, and by our own reader's framer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.assemble import assemble
from hal.board import load_board
from hal.clock import Clock
from hal.drivers.wiegand_framer import WiegandFramer
from hal.drivers.wiegand_out import MOST_WAITING, TRIES, WiegandOutput
from hal.errors import DeviceError, OutOfRange
from hal.pulse import TELLING_LENGTHS
from hal.sim.peers.controller import ControllerPeer
from hal.sim.pulses import SteppedPulses
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.wires import SimWires
from hal.sim.world import World
from hal.types import CardBits, Edge, LineRef, WiegandTiming

US, MS = 1_000, 1_000_000
CARD = "10000000100000000000000010"
D0, D1 = (line for _, line in load_board("door_station").nodes["out1"].lines())

Test = Callable[[VirtualClock, World, WiegandOutput, ControllerPeer], Awaitable[None]]


def on_the_board(test: Test) -> None:
    """Run a test with the output of a door station and the controller behind it."""

    async def main(clock: VirtualClock) -> None:
        world = World(clock, load_board("door_station"))
        wires = SimWires(world)
        assembled = await assemble(world.board, wires, clock)
        output = cast(WiegandOutput, assembled.hardware.wiegand_outs["out1"])
        controller = cast(ControllerPeer, world.find("controller"))
        await test(clock, world, output, controller)
        await assembled.close()
        await wires.close()
        world.close()

    virtual_run(main)


def moves(world: World) -> list[tuple[int, int, bool]]:
    """Every move of both lines, in order: (ns, line, level)."""
    found = [(t_ns, line, level) for line, at in enumerate((D0, D1)) for t_ns, level in world.nets[at].trace.entries]
    return sorted(found)[2:]  # without the level that each began with


def test_a_controller_takes_a_frame_as_it_was_sent_with_the_default_timing() -> None:
    async def test(clock: VirtualClock, world: World, output: WiegandOutput, controller: ControllerPeer) -> None:
        sent = await output.send(CARD)
        await clock.sleep(0.1)
        (frame,) = controller.frames
        assert (frame.bits, frame.trouble) == (CARD, "")
        assert set(frame.pulses_ns) == {40 * US}
        assert set(frame.intervals_ns) == {2 * MS}
        assert (sent.bits, sent.pulses_ns, sent.intervals_ns, sent.attempts, sent.t_ns) == (
            CARD,
            frame.pulses_ns,
            frame.intervals_ns,
            1,
            frame.t_ns,
        )

    on_the_board(test)


def test_frames_asked_for_at_once_go_out_in_order_with_silence_between_them() -> None:
    async def test(clock: VirtualClock, world: World, output: WiegandOutput, controller: ControllerPeer) -> None:
        output.set_timing(WiegandTiming(pulse_us=100, interval_us=200, frame_gap_us=30_000))
        await asyncio.gather(*(output.send(f"{key:04b}") for key in (1, 2, 3, 4)))
        await clock.sleep(0.1)
        assert controller.good_frames == ("0001", "0010", "0011", "0100")
        ends = [frame.t_ns + sum(frame.intervals_ns) + frame.pulses_ns[-1] for frame in controller.frames]
        starts = [frame.t_ns for frame in controller.frames]
        assert [start - end for end, start in zip(ends, starts[1:], strict=False)] == [30 * MS] * 3
        # 100 us of pulse and the least rest of 200 us: the interval asked for is too short for that.
        assert {interval for frame in controller.frames for interval in frame.intervals_ns} == {300 * US}
        assert output.status.frames == 4

    on_the_board(test)


@given(
    bits=st.text("01", min_size=24, max_size=200),
    pulse_us=st.integers(20, 100),
    interval_us=st.integers(200, 20_000),
)
def test_our_own_reader_reads_every_frame_that_the_output_sends(bits: str, pulse_us: int, interval_us: int) -> None:
    async def test(clock: VirtualClock, world: World, output: WiegandOutput, controller: ControllerPeer) -> None:
        output.set_timing(WiegandTiming(pulse_us=pulse_us, interval_us=interval_us))
        await output.send(bits)
        framer = WiegandFramer("reader")
        # Behind the transistor a high line is a pulse: the data line falls.
        falls = [(t_ns, line) for t_ns, line, level in moves(world) if level]
        facts = [
            fact for seq, (t_ns, line) in enumerate(falls) for fact in framer.feed(Edge(t_ns, line, False, seq + 1))
        ]
        facts += framer.silence(falls[-1][0] + 100 * MS)
        assert [fact.bits for fact in facts if isinstance(fact, CardBits)] == [bits]
        assert len(facts) == 1

    on_the_board(test)


class LateClock:
    """A clock whose sleepers wake up late by what stands in `late_ns`, one after the other."""

    def __init__(self, clock: VirtualClock, late_ns: list[int]) -> None:
        self._clock = clock
        self._late_ns = late_ns

    async def sleep(self, s: float) -> None:
        late_ns = self._late_ns.pop(0) if self._late_ns else 0
        await self._clock.sleep(s + late_ns / 1e9)

    def __getattr__(self, name: str) -> object:
        return getattr(self._clock, name)


@given(
    bits=st.sampled_from([CARD, "0101", "11100001", "1" * 37]),
    late=st.dictionaries(st.integers(0, 120), st.sampled_from([5, 30, 61, 75, 200, 1_500, 4_000]), max_size=6),
    interval_us=st.sampled_from([200, 2_000, 18_500]),
)
def test_whatever_wakes_up_late_the_controller_takes_the_frame_once_and_nothing_else(
    bits: str, late: dict[int, int], interval_us: int
) -> None:
    async def test(clock: VirtualClock, world: World, output: WiegandOutput, controller: ControllerPeer) -> None:
        lines = await (await SimWires(world).gpio("gpio0")).outputs("late", (10, 11), initial=(False, False))
        nets = [world.net(LineRef("gpio0", offset)) for offset in (10, 11)]
        heard = ControllerPeer(world, "late", *nets, active_high=True)
        tardy = cast(Clock, LateClock(clock, [late.get(sleep, 0) * US for sleep in range(121)]))
        sender = WiegandOutput("late", SteppedPulses(lines, tardy, active_high=True), clock)
        sender.set_timing(WiegandTiming(interval_us=interval_us))
        try:
            sent = await sender.send(bits)
        except DeviceError:
            assert sender.status.broken == TRIES
            sent = None
        await clock.sleep(0.1)
        # A receiver that measures nothing goes by the length alone, and must not be fooled either.
        lengths = TELLING_LENGTHS | {len(bits)}
        assert [frame.bits for frame in heard.frames if len(frame.bits) in lengths] == ([] if sent is None else [bits])
        assert list(heard.good_frames)[-1:] == ([] if sent is None else [bits])
        assert len(heard.frames) == sender.status.broken + (sent is not None)
        assert sent is None or all(20 * US <= width <= 100 * US for width in sent.pulses_ns)
        sender.close()
        heard.close()

    on_the_board(test)


def test_a_frame_that_always_breaks_is_given_up_with_its_reason_and_the_next_one_still_goes_out() -> None:
    async def test(clock: VirtualClock, world: World, output: WiegandOutput, controller: ControllerPeer) -> None:
        late_ns = [0, 90 * US] * (2 * TRIES)
        lines = await (await SimWires(world).gpio("gpio0")).outputs("late", (10, 11), initial=(False, False))
        pulses = SteppedPulses(lines, cast(Clock, LateClock(clock, late_ns)), active_high=True)
        sender = WiegandOutput("late", pulses, clock)
        with pytest.raises(
            DeviceError, match=r"^late: a frame was broken off 10 times, at last after a pulse of 130 us$"
        ):
            await sender.send("1" * 24)
        late_ns.clear()
        assert (await sender.send("0101")).attempts == 1
        assert (sender.status.frames, sender.status.broken, sender.status.failed) == (1, TRIES, 1)
        sender.close()

    on_the_board(test)


# Sleeps of a train, from 1: for each pulse first its start, then its width.
@pytest.mark.parametrize(
    ("sleep", "late_us", "attempts", "heard_bits"),
    [
        (8, 60, 1, 0),  # 100 us is still a pulse
        (8, 61, 2, 5),  # the fourth pulse is too wide; four bits would be a key
        (10, 61, 2, 5),
        (7, 1_000, 1, 0),  # 20 ms is still a gap
        (7, 1_001, 2, 3),  # the fourth pulse would come too late and does not
        (16, 61, 2, 9),
        (52, 61, 2, 27),  # the last pulse of a card is too wide: whole as it is, it must not be taken
    ],
)
def test_a_pulse_or_gap_that_is_just_out_of_bounds_breaks_the_frame(
    sleep: int, late_us: int, attempts: int, heard_bits: int
) -> None:
    async def test(clock: VirtualClock, world: World, output: WiegandOutput, controller: ControllerPeer) -> None:
        lines = await (await SimWires(world).gpio("gpio0")).outputs("late", (10, 11), initial=(False, False))
        nets = [world.net(LineRef("gpio0", offset)) for offset in (10, 11)]
        heard = ControllerPeer(world, "late", *nets, active_high=True)
        late_ns = [0] * (sleep - 1) + [late_us * US]
        pulses = SteppedPulses(lines, cast(Clock, LateClock(clock, late_ns)), active_high=True)
        sender = WiegandOutput("late", pulses, clock)
        sender.set_timing(WiegandTiming(interval_us=19_000))
        assert (await sender.send(CARD)).attempts == attempts
        await clock.sleep(0.1)
        assert [len(frame.bits) for frame in heard.frames] == ([26] if attempts == 1 else [heard_bits, 26])
        assert heard.frames[-1].good
        sender.close()
        heard.close()

    on_the_board(test)


@pytest.mark.parametrize(
    ("timing", "message"),
    [
        (WiegandTiming(pulse_us=19), "out1: pulse_us 19 is not between 20 and 100"),
        (WiegandTiming(pulse_us=101), "out1: pulse_us 101 is not between 20 and 100"),
        (WiegandTiming(interval_us=199), "out1: interval_us 199 is not between 200 and 20000"),
        (WiegandTiming(interval_us=20_001), "out1: interval_us 20001 is not between 200 and 20000"),
        (WiegandTiming(frame_gap_us=19_999), "out1: frame_gap_us 19999 is not between 20000 and 1000000"),
        (WiegandTiming(frame_gap_us=1_000_001), "out1: frame_gap_us 1000001 is not between 20000 and 1000000"),
    ],
)
def test_a_timing_outside_its_range_is_refused_and_the_old_one_stays(timing: WiegandTiming, message: str) -> None:
    async def test(clock: VirtualClock, world: World, output: WiegandOutput, controller: ControllerPeer) -> None:
        with pytest.raises(OutOfRange, match=f"^{re.escape(message)}$"):
            output.set_timing(timing)
        assert output.timing == WiegandTiming()

    on_the_board(test)


@pytest.mark.parametrize("bits", ["", "1" * 513, "01a"])
def test_what_is_no_frame_moves_no_line(bits: str) -> None:
    async def test(clock: VirtualClock, world: World, output: WiegandOutput, controller: ControllerPeer) -> None:
        with pytest.raises(OutOfRange, match="out1: a frame"):
            await output.send(bits)
        assert moves(world) == []

    on_the_board(test)


def test_more_frames_than_a_person_can_cause_are_refused_and_those_that_wait_still_go_out() -> None:
    async def test(clock: VirtualClock, world: World, output: WiegandOutput, controller: ControllerPeer) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(MOST_WAITING):
                group.create_task(output.send("0001"))
            await clock.sleep(0)
            with pytest.raises(DeviceError, match="64 frames wait already"):
                await output.send("0010")
        await clock.sleep(0.1)
        assert controller.good_frames == ("0001",) * MOST_WAITING

    on_the_board(test)


def test_row_14_opening_and_closing_moves_no_data_line() -> None:
    async def main(clock: VirtualClock) -> None:
        world = World(clock, load_board("door_station"))
        for _ in range(3):
            wires = SimWires(world)
            assembled = await assemble(world.board, wires, clock)
            await clock.sleep(1)
            await assembled.close()
            await wires.close()
        assert moves(world) == []
        world.close()

    virtual_run(main)


def test_row_14_a_send_that_is_cancelled_within_a_pulse_leaves_both_lines_at_rest() -> None:
    async def test(clock: VirtualClock, world: World, output: WiegandOutput, controller: ControllerPeer) -> None:
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(output.send(CARD))
            await clock.sleep(0.002_010)
            assert [world.nets[line].level for line in (D0, D1)] == [True, False]
            sending.cancel()
        assert [world.nets[line].level for line in (D0, D1)] == [False, False]
        await clock.sleep(0.5)
        await output.send(CARD)  # after all that the broken one could have taken
        await clock.sleep(0.1)
        assert controller.good_frames[-1] == CARD

    on_the_board(test)


def test_both_lines_are_never_pulled_together() -> None:
    async def test(clock: VirtualClock, world: World, output: WiegandOutput, controller: ControllerPeer) -> None:
        await output.send("01" * 20)
        levels = [False, False]
        for _, line, level in moves(world):
            levels[line] = level
            assert not all(levels)
        assert all(late[0] > early[0] for early, late in pairwise(moves(world)))

    on_the_board(test)
