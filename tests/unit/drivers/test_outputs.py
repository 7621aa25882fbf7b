"""Digital outputs and relays: polarity, safe state, longest on-time."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wires_in_memory import MemoryGpio, S

from hal.drivers.digital import DigitalOutput, Readback, Relay
from hal.errors import BusError, LineInUse, OutOfRange
from hal.ports import OutputChange, OutputTrouble
from hal.sim.time import VirtualClock, virtual_run
from tests.effort import examples


@pytest.mark.parametrize("active_high", [True, False])
def test_an_output_applies_polarity_and_is_requested_off(active_high: bool) -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        output = await DigitalOutput.open("beeper", gpio, 7, clock, active_high=active_high)
        output.on()
        assert output.is_on()
        output.off()
        assert gpio.sets == [(0.0, (not active_high,)), (0.0, (active_high,)), (0.0, (not active_high,))]
        output.close()

    virtual_run(main)


def test_switching_to_the_same_state_moves_nothing_and_tells_nobody() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        relay = await Relay.open("relay1", gpio, 5, clock)
        changes: list[OutputChange] = []
        relay.watch(changes.append)
        relay.off()
        for _ in range(100):
            relay.on()
        relay.off()
        relay.off()
        now_ns = clock.now_ns()
        assert gpio.sets == [(0.0, (False,)), (0.0, (True,)), (0.0, (False,))]
        assert changes == [OutputChange(now_ns, True, "command"), OutputChange(now_ns, False, "command")]
        relay.close()

    virtual_run(main)


def test_a_relay_goes_off_after_its_longest_on_time() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        relay = await Relay.open("relay1", gpio, 5, clock, max_on_s=7.0)
        changes: list[OutputChange] = []
        relay.watch(changes.append)
        relay.on()
        await clock.sleep(6.999)
        assert relay.is_on()
        await clock.sleep(1)
        assert not relay.is_on()
        assert gpio.sets == [(0.0, (False,)), (0.0, (True,)), (7.0, (False,))]
        assert changes[-1] == OutputChange(gpio.start_ns + 7 * S, False, "longest on-time")
        relay.close()

    virtual_run(main)


def test_switching_on_again_never_extends_the_longest_on_time() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        relay = await Relay.open("relay1", gpio, 5, clock, max_on_s=3.0)
        for _ in range(25):
            relay.on()
            await clock.sleep(0.1)
        await clock.sleep(2)
        assert gpio.sets == [(0.0, (False,)), (0.0, (True,)), (3.0, (False,))]
        relay.close()

    virtual_run(main)


def test_the_longest_on_time_starts_anew_after_a_break() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        relay = await Relay.open("relay1", gpio, 5, clock, max_on_s=3.0)
        relay.on()
        await clock.sleep(2)
        relay.off()
        relay.on()
        await clock.sleep(2.5)
        assert relay.is_on()
        await clock.sleep(1)
        assert gpio.sets[-1] == (5.0, (False,))
        relay.close()

    virtual_run(main)


@given(
    st.lists(st.tuples(st.floats(0, 2), st.booleans()), max_size=30),
    st.floats(0.1, 3),
)
@settings(max_examples=examples(100), deadline=None)
def test_no_sequence_of_commands_keeps_a_relay_on_beyond_its_limit(
    commands: list[tuple[float, bool]], max_on_s: float
) -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        relay = await Relay.open("relay1", gpio, 5, clock, max_on_s=max_on_s)
        for after_s, on in commands:
            await clock.sleep(after_s)
            if on:
                relay.on()
            else:
                relay.off()
        await clock.sleep(4)
        relay.close()
        levels = [levels[0] for _, levels in gpio.sets]
        assert all(before != after for before, after in pairwise(levels))
        for (on_s, (level,)), (off_s, _) in pairwise(gpio.sets):
            assert not level or off_s - on_s <= max_on_s + 2e-9
        assert gpio.sets[-1][1] == (False,)

    virtual_run(main)


def test_closing_switches_off_first_and_says_so() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        relay = await Relay.open("relay1", gpio, 5, clock, active_high=False)
        changes: list[OutputChange] = []
        relay.watch(changes.append)
        relay.on()
        relay.close()
        relay.close()
        assert [change.reason for change in changes] == ["command", "closing"]
        assert gpio.levels[5] is True
        assert gpio.owners == {}
        relay.off()
        with pytest.raises(BusError, match="after it was closed"):
            relay.on()

    virtual_run(main)


def test_a_failing_wire_leaves_the_output_as_it_was() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        output = await DigitalOutput.open("beeper", gpio, 7, clock)
        gpio.broken = True
        with pytest.raises(BusError):
            output.on()
        assert not output.is_on()
        output.close()
        assert gpio.owners == {}

    virtual_run(main)


def test_a_cut_off_that_fails_is_reported_once_and_tried_until_it_works() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        relay = await Relay.open("relay1", gpio, 5, clock, max_on_s=2.0)
        troubles: list[OutputTrouble] = []
        relay.on_trouble(troubles.append)
        relay.on()
        gpio.broken = True
        await clock.sleep(7.5)
        assert [(trouble.stuck, trouble.commanded) for trouble in troubles] == [(True, False)]
        gpio.broken = False
        await clock.sleep(2)
        assert gpio.sets[-1] == (8.0, (False,))
        assert [trouble.stuck for trouble in troubles] == [True, False]
        relay.close()

    virtual_run(main)


@pytest.mark.parametrize("max_on_s", [0.0, 0.05, 3601.0, float("nan")])
def test_a_longest_on_time_outside_its_range_is_refused_before_anything_is_requested(max_on_s: float) -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        with pytest.raises(OutOfRange, match=r"relay1: longest on-time .* between 0\.1 and 3600\.0 s"):
            await Relay.open("relay1", gpio, 5, clock, max_on_s=max_on_s)
        assert gpio.sets == []

    virtual_run(main)


def test_a_relay_whose_readback_line_is_taken_gives_its_own_line_back() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        await gpio.inputs("somebody", [6])
        with pytest.raises(LineInUse):
            await Relay.open("relay1", gpio, 5, clock, readback=Readback(gpio, 6))
        assert gpio.owners == {6: "somebody"}

    virtual_run(main)


@pytest.mark.parametrize("repaired_s", [0.0, 2.5])
def test_a_relay_that_moved_although_its_line_refused_is_driven_off_again(repaired_s: float) -> None:
    """A chip that took the command and lost the answer: nobody is told on, so nobody would switch it off."""

    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        relay = await Relay.open("relay1", gpio, 5, clock, max_on_s=60.0)
        lines = relay._lines
        drive, refusals = lines.set, iter([True])

        def moved_and_refused(level: bool) -> None:
            if next(refusals, False):
                drive(level)
                gpio.broken = repaired_s > 0
                raise BusError("memory", "no answer")
            drive(level)

        lines.set = moved_and_refused  # type: ignore[assignment, method-assign]
        with pytest.raises(BusError):
            relay.on()
        assert not relay.is_on()
        await clock.sleep(repaired_s)
        gpio.broken = False
        await clock.sleep(1.5)
        assert [level for _, level in gpio.sets] == [(False,), (True,), (False,)]
        assert gpio.sets[-1][0] <= repaired_s + 1.0
        relay.close()

    virtual_run(main)
