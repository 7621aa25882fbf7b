"""Buttons and digital inputs: bounce removed by the times of the edges."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wires_in_memory import MS, MemoryGpio

from hal.drivers.button import PushButton
from hal.drivers.digital import DigitalInput
from hal.ports import InputChange, LoopChange
from hal.sim.time import VirtualClock, virtual_run
from hal.types import LoopState, Pull
from tests.effort import examples


def test_a_bouncing_press_is_reported_once_with_the_time_of_its_first_edge() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        button = await PushButton.open("control", gpio, 4, clock, debounce_s=0.020)
        changes: list[InputChange] = []
        button.watch(changes.append)
        for t_s, level in ((1.0, False), (1.003, True), (1.004, False), (1.012, True), (1.013, False)):
            gpio.later(t_s, 4, level)
        await clock.sleep(1.032)
        assert changes == []
        assert not button.pressed()
        await clock.sleep(0.002)
        assert changes == [InputChange(gpio.start_ns + 1000 * MS, True)]
        assert button.pressed()
        button.close()

    virtual_run(main)


def test_a_glitch_shorter_than_the_debounce_time_is_never_reported() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        contact = await DigitalInput.open("contact", gpio, 4, clock, debounce_s=0.010)
        changes: list[LoopChange] = []
        contact.watch(changes.append)
        for n in range(50):
            gpio.later(0.1 + 0.03 * n, 4, False)
            gpio.later(0.1 + 0.03 * n + 0.0099, 4, True)
        await clock.sleep(3)
        assert changes == []
        assert contact.state() is LoopState.OPEN
        contact.close()

    virtual_run(main)


def test_edges_delivered_late_are_judged_by_their_own_times() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        contact = await DigitalInput.open("contact", gpio, 4, clock, debounce_s=0.010)
        changes: list[LoopChange] = []
        contact.watch(changes.append)
        await clock.sleep(1)
        # The loop stalled for 300 ms: a closing of 100 ms and a glitch of 3 ms come in one go.
        begin_ns = gpio.start_ns + 700 * MS
        for t_ms, level in ((0, False), (100, True), (200, False), (203, True)):
            gpio.deliver(4, level, begin_ns + t_ms * MS)
        await clock.sleep(1)
        assert changes == [
            LoopChange(begin_ns, LoopState.CLOSED),
            LoopChange(begin_ns + 100 * MS, LoopState.OPEN),
        ]
        contact.close()

    virtual_run(main)


def test_a_lost_edge_is_made_good_from_the_level() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        contact = await DigitalInput.open("contact", gpio, 4, clock, debounce_s=0.010)
        changes: list[LoopChange] = []
        contact.watch(changes.append)
        gpio.later(1.000, 4, False)
        gpio.later(1.002, 4, True)
        gpio.later(1.003, 4, False, lost=True)
        await clock.sleep(2)
        assert [change.state for change in changes] == [LoopState.CLOSED]
        contact.close()

    virtual_run(main)


@pytest.mark.parametrize("closed_high", [False, True])
def test_polarity_and_pull_of_an_input_are_applied(closed_high: bool) -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        pull = Pull.DOWN if closed_high else Pull.UP
        contact = await DigitalInput.open("contact", gpio, 4, clock, closed_high=closed_high, pull=pull)
        assert gpio.pulls[4] is pull
        assert contact.state() is LoopState.OPEN
        assert not contact.supervised
        gpio.put(4, closed_high)
        await clock.sleep(0.1)
        assert contact.state() is LoopState.CLOSED
        contact.close()
        assert gpio.owners == {}

    virtual_run(main)


def test_a_button_held_while_the_firmware_starts_is_pressed_from_the_first() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        gpio.levels[4] = False
        button = await PushButton.open("control", gpio, 4, clock)
        assert button.pressed()
        button.close()

    virtual_run(main)


def test_nothing_is_reported_after_close() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        button = await PushButton.open("control", gpio, 4, clock)
        changes: list[InputChange] = []
        button.watch(changes.append)
        gpio.put(4, False)
        button.close()
        button.close()
        await clock.sleep(1)
        assert changes == []

    virtual_run(main)


def settled(gaps_ms: list[int], quiet_ms: int) -> list[tuple[int, bool]]:
    """What should be reported for a line that starts high and toggles after each gap."""
    reports, level, raw, t_ms, burst_ms = [], True, True, 0, 0
    for n, gap_ms in enumerate(gaps_ms):
        t_ms += gap_ms
        if n == 0 or gap_ms >= quiet_ms:
            burst_ms = t_ms
        raw = not raw
        stays_ms = gaps_ms[n + 1] if n + 1 < len(gaps_ms) else quiet_ms
        if stays_ms >= quiet_ms and raw != level:
            level = raw
            reports.append((burst_ms, level))
    return reports


@given(st.lists(st.integers(1, 60), max_size=40), st.integers(1, 40))
@settings(max_examples=examples(150), deadline=None)
def test_any_train_of_edges_reports_exactly_the_levels_that_stayed(gaps_ms: list[int], quiet_ms: int) -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        contact = await DigitalInput.open("contact", gpio, 4, clock, debounce_s=quiet_ms / 1000)
        changes: list[LoopChange] = []
        contact.watch(changes.append)
        level, t_ms = True, 0
        for gap_ms in gaps_ms:
            t_ms += gap_ms
            level = not level
            gpio.later(t_ms / 1000, 4, level)
        await clock.sleep(t_ms / 1000 + 1)
        told = [((change.t_ns - gpio.start_ns) // MS, change.state is LoopState.OPEN) for change in changes]
        assert told == settled(gaps_ms, quiet_ms)
        contact.close()

    virtual_run(main)
