"""The port expander: no glitch at a request, edges from polls or from its interrupt, failures survived."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wires_in_memory import MS, MemoryGpio, MemoryI2c, MemoryMcp23017, running

from hal.drivers.digital import Relay
from hal.drivers.mcp23017 import Mcp23017
from hal.errors import Absent, BusError, HalError, LineInUse, NoReply, OutOfRange
from hal.sim.time import VirtualClock, virtual_run
from hal.types import Drive, Edge, EdgeKind, Pull
from tests.effort import examples

AT = 0x20


class Rig:
    """An expander on its bus."""

    def __init__(self, i2c: MemoryI2c, chip: MemoryMcp23017, expander: Mcp23017) -> None:
        self.i2c = i2c
        self.chip = chip
        self.expander = expander

    @classmethod
    async def open(cls, clock: VirtualClock, *, chip: MemoryMcp23017 | None = None) -> Rig:
        chip = chip or MemoryMcp23017(clock)
        i2c = MemoryI2c(clock, {AT: chip})
        return cls(i2c, chip, await Mcp23017.open("exp0", i2c, AT, clock))


@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("before", [None, True, False])
def test_row_14_an_output_shows_its_first_level_and_nothing_else(before: bool | None, initial: bool) -> None:
    async def main(clock: VirtualClock) -> None:
        chip = MemoryMcp23017(clock)
        if before is not None:  # an earlier life drove the line, and died
            chip.write(0x14, bytes([before << 3]))
            chip.write(0x00, bytes([0xFF & ~(1 << 3)]))
        rig = await Rig.open(clock, chip=chip)
        assert chip.line(3) == ([None] if before is None else [None, before])
        await rig.expander.outputs("relay1", [3], initial=[initial])
        expected = [None, initial] if before in (None, initial) else [None, before, initial]
        assert chip.line(3) == expected

    virtual_run(main)


def test_levels_reach_the_chip_at_once_and_only_the_byte_that_changed() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig.open(clock)
        low = await rig.expander.outputs("a", [0, 1], initial=[False, False])
        high = await rig.expander.outputs("b", [15], initial=[False])
        async with running(rig.expander.run()):
            await clock.sleep(0.1)
            rig.i2c.calls.clear()
            low.set(True, False)
            await clock.sleep(0.002)
            assert rig.i2c.calls == [("write", 0x14, 0b01)]
            high.set(True)
            low.set(True, True)
            await clock.sleep(0.002)
            assert rig.i2c.calls[1:] == [("write", 0x14, 0x8003)]
            assert low.levels() == (True, True)
            low.set(True, True)
            await clock.sleep(0.002)
            assert len(rig.i2c.calls) == 2

    virtual_run(main)


def test_an_open_drain_output_is_low_or_an_input_and_never_high() -> None:
    async def main(clock: VirtualClock) -> None:
        chip = MemoryMcp23017(clock)
        chip.write(0x14, b"\x04")
        rig = await Rig.open(clock, chip=chip)
        lines = await rig.expander.outputs("bus", [2], initial=[True], drive=Drive.OPEN_DRAIN)
        async with running(rig.expander.run()):
            for level in (False, True, False, True):
                lines.set(level)
                await clock.sleep(0.01)
        assert chip.line(2) == [None, False, None, False, None]

    virtual_run(main)


def test_inputs_are_pulled_up_polled_and_report_their_edges() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig.open(clock)
        lines = await rig.expander.inputs("contacts", [9, 4], pull=Pull.UP)
        falling = await rig.expander.inputs("other", [5], edges=EdgeKind.FALLING)
        assert rig.chip.word(0x0C) == 1 << 9 | 1 << 4
        assert lines.levels() == (True, True)
        seen: list[Edge] = []
        lines.watch(seen.append)
        also: list[Edge] = []
        falling.watch(also.append)
        async with running(rig.expander.run()):
            moved_ns = clock.now_ns() + 500 * MS
            await clock.sleep(0.5)
            for line in (4, 5, 9):
                rig.chip.put(line, False)
            await clock.sleep(0.5)
            rig.chip.put(9, True)
            rig.chip.put(5, True)
            await clock.sleep(0.5)
        assert [(edge.line, edge.level, edge.seq) for edge in seen] == [(0, False, 1), (1, False, 2), (0, True, 3)]
        assert [(edge.line, edge.level, edge.seq) for edge in also] == [(0, False, 1)]
        assert 0 <= seen[0].t_ns - moved_ns <= 11 * MS
        assert lines.levels() == (True, False)

    virtual_run(main)


class InterruptRig:
    """An expander whose interrupt pin is joined to a line of the processor."""

    @classmethod
    async def open(cls, clock: VirtualClock) -> tuple[MemoryGpio, MemoryMcp23017, MemoryI2c, Mcp23017]:
        gpio = MemoryGpio(clock)
        chip = MemoryMcp23017(clock, interrupt=lambda level: gpio.put(22, level))
        i2c = MemoryI2c(clock, {AT: chip})
        return gpio, chip, i2c, await Mcp23017.open("exp0", i2c, AT, clock, interrupt=(gpio, 22))


def test_with_an_interrupt_even_a_short_pulse_is_seen_with_the_time_of_the_interrupt() -> None:
    async def main(clock: VirtualClock) -> None:
        _gpio, chip, i2c, expander = await InterruptRig.open(clock)
        lines = await expander.inputs("tamper", [12], pull=Pull.UP)
        seen: list[Edge] = []
        lines.watch(seen.append)
        async with running(expander.run()):
            await clock.sleep(0.3)
            quiet = len(i2c.calls)
            await clock.sleep(0.5)
            assert len(i2c.calls) == quiet  # not polled in between
            moved_ns = clock.now_ns()
            chip.put(12, False)
            clock.call_later(0.0001, chip.put, 12, True)
            await clock.sleep(0.2)
        assert [(edge.level, edge.seq) for edge in seen] == [(False, 1), (True, 2)]
        assert seen[0].t_ns == moved_ns
        expander.close()

    virtual_run(main)


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 15)), max_size=40))
@settings(max_examples=examples(60), deadline=None)
def test_with_an_interrupt_levels_are_right_soon_after_any_train_of_changes(changes: list[tuple[int, int]]) -> None:
    async def main(clock: VirtualClock) -> None:
        _gpio, chip, _i2c, expander = await InterruptRig.open(clock)
        lines = await expander.inputs("all", range(16), pull=Pull.UP)
        seen: list[Edge] = []
        lines.watch(seen.append)
        async with running(expander.run()):
            for after_us, line in changes:
                await clock.sleep(after_us / 1e6)
                chip.put(line, not chip.outside >> line & 1)
            await clock.sleep(0.05)
            assert lines.levels() == tuple(bool(chip.outside >> line & 1) for line in range(16))
        assert [edge.seq for edge in seen] == list(range(1, len(seen) + 1))
        for line in range(16):
            levels = [edge.level for edge in seen if edge.line == line]
            assert levels == [n % 2 == 1 for n in range(len(levels))]
        expander.close()

    virtual_run(main)


def test_a_line_has_one_owner_until_it_is_given_back() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig.open(clock)
        lines = await rig.expander.inputs("io1", [3])
        with pytest.raises(LineInUse, match="relay2 asks for line 3, which io1 holds"):
            await rig.expander.outputs("relay2", [2, 3], initial=[False, False])
        assert rig.chip.line(2) == [None]
        lines.close()
        lines.close()
        outputs = await rig.expander.outputs("relay2", [2, 3], initial=[False, False])
        outputs.close()
        with pytest.raises(BusError, match="after they were closed"):
            outputs.set(True, True)
        await rig.expander.inputs("io1", [3])

    virtual_run(main)


def test_what_the_chip_cannot_do_is_refused() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig.open(clock)
        expander = rig.expander
        with pytest.raises(OutOfRange, match="pull-ups only"):
            await expander.inputs("a", [1], pull=Pull.DOWN)
        with pytest.raises(OutOfRange, match="no debounce"):
            await expander.inputs("a", [1], debounce_us=5000)
        with pytest.raises(OutOfRange, match="line 16; the chip has 0 to 15"):
            await expander.inputs("a", [16])
        with pytest.raises(OutOfRange, match="line -1"):
            await expander.outputs("a", [-1], initial=[False])
        with pytest.raises(OutOfRange, match="each line once"):
            await expander.inputs("a", [1, 1])
        with pytest.raises(OutOfRange, match="0x30"):
            await Mcp23017.open("exp0", rig.i2c, 0x30, clock)
        with pytest.raises(Absent, match="exp1: no expander answers at 0x21"):
            await Mcp23017.open("exp1", rig.i2c, 0x21, clock)

    virtual_run(main)


def test_a_request_that_fails_leaves_the_line_free() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig.open(clock)
        rig.i2c.gone.add(AT)
        with pytest.raises(NoReply):
            await rig.expander.outputs("relay1", [1], initial=[True])
        rig.i2c.gone.clear()
        await rig.expander.inputs("io1", [1])
        assert rig.chip.line(1) == [None]

    virtual_run(main)


def test_a_chip_that_leaves_is_told_once_asked_less_often_and_set_up_again(caplog: pytest.LogCaptureFixture) -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig.open(clock)
        inputs = await rig.expander.inputs("contact", [4], pull=Pull.UP)
        outputs = await rig.expander.outputs("relay1", [1], initial=[False])
        problems: list[HalError | None] = []
        rig.expander.on_problem(problems.append)
        async with running(rig.expander.run()):
            await clock.sleep(1)
            rig.i2c.gone.add(AT)
            rig.chip.reset()  # it lost its power
            await clock.sleep(1)
            assert isinstance(rig.expander.problem, NoReply)
            asked_ns = clock.now_ns()
            outputs.set(True)
            await clock.sleep(30)
            assert inputs.levels() == (True,)
            assert clock.now_ns() - asked_ns == 30_000 * MS
            rig.chip.put(4, False)
            rig.i2c.gone.clear()
            await clock.sleep(2)
            assert inputs.levels() == (False,)
            assert rig.chip.word(0x0C) == 1 << 4
            assert rig.chip.line(1)[-2:] == [None, True]
            assert [problem is None for problem in problems] == [False, True]
            assert rig.expander.problem is None

    virtual_run(main)
    assert len(caplog.records) == 2


def test_a_chip_that_was_reset_without_a_word_is_set_up_again_within_two_seconds() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig.open(clock)
        outputs = await rig.expander.outputs("relay1", [1], initial=[False])
        async with running(rig.expander.run()):
            outputs.set(True)
            await clock.sleep(5)
            rig.chip.reset()
            await clock.sleep(2)
            assert rig.chip.line(1)[-3:] == [True, None, True]
            assert rig.expander.problem is None

    virtual_run(main)


def test_a_relay_on_an_expander_is_off_when_everything_is_closed() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig.open(clock)
        relay = await Relay.open("relay1", rig.expander, 7, clock, max_on_s=3.0)
        async with running(rig.expander.run()):
            relay.on()
            await clock.sleep(0.01)
            assert rig.chip.line(7) == [None, False, True]
        relay.close()
        await rig.expander.flush()
        assert rig.chip.line(7) == [None, False, True, False]
        rig.expander.close()

    virtual_run(main)


def test_requests_at_the_same_time_do_not_disturb_each_other() -> None:
    async def main(clock: VirtualClock) -> None:
        rig = await Rig.open(clock)
        await asyncio.gather(*(rig.expander.outputs(f"o{n}", [n], initial=[n % 2 == 0]) for n in range(16)))
        assert rig.chip.word(0x00) == 0
        assert rig.chip.word(0x14) == 0x5555
        for n in range(16):
            assert rig.chip.line(n) == [None, n % 2 == 0]

    virtual_run(main)
