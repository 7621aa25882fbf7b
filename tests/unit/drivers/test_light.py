"""Lights: patterns in time, mixed colours in one step."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wires_in_memory import MemoryGpio, S

from hal.drivers.light import Light, step_at
from hal.errors import OutOfRange
from hal.sim.time import VirtualClock, virtual_run
from hal.types import OFF, Colour, Pattern, Step
from tests.effort import examples

RGB = {Colour.RED: 1, Colour.GREEN: 2, Colour.BLUE: 3}


@pytest.mark.parametrize(
    ("channels", "colours"),
    [
        ({Colour.GREEN: 1}, {Colour.GREEN}),
        ({Colour.AMBER: 1}, {Colour.AMBER}),
        ({Colour.RED: 1, Colour.GREEN: 2}, {Colour.RED, Colour.GREEN, Colour.AMBER}),
        (RGB, {Colour.RED, Colour.GREEN, Colour.BLUE, Colour.AMBER, Colour.WHITE}),
    ],
)
def test_the_colours_of_a_light_follow_from_its_lamps(channels: dict[Colour, int], colours: set[Colour]) -> None:
    async def main(clock: VirtualClock) -> None:
        light = await Light.open("status", MemoryGpio(clock), channels, clock)
        assert light.colours == colours | {Colour.OFF}
        light.close()

    virtual_run(main)


@pytest.mark.parametrize("active_high", [True, False])
def test_a_mixed_colour_is_driven_in_one_step(active_high: bool) -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        light = await Light.open("status", gpio, RGB, clock, active_high=active_high)
        for colour in (Colour.AMBER, Colour.WHITE, Colour.BLUE, Colour.OFF):
            light.show(Pattern.steady(colour))
        lit = [tuple(level == active_high for level in levels) for _, levels in gpio.sets]
        assert lit == [(False,) * 3, (True, True, False), (True,) * 3, (False, False, True), (False,) * 3]
        light.close()

    virtual_run(main)


def test_a_flashing_light_keeps_its_rhythm_for_an_hour() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        light = await Light.open("status", gpio, {Colour.GREEN: 2}, clock)
        light.show(Pattern.flash(Colour.GREEN, on_ms=333))
        await clock.sleep(3600)
        edges = gpio.sets[1:]
        assert [t_s for t_s, _ in edges] == [pytest.approx(n * 0.333, abs=1e-9) for n in range(len(edges))]
        assert [levels[0] for _, levels in edges] == [n % 2 == 0 for n in range(len(edges))]
        light.close()

    virtual_run(main)


def test_showing_the_same_pattern_does_not_start_it_again() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        light = await Light.open("status", gpio, {Colour.RED: 1, Colour.GREEN: 2}, clock)
        pattern = Pattern.flash(Colour.RED, Colour.GREEN, on_ms=500)
        for _ in range(10):
            light.show(pattern)
            await clock.sleep(0.19)
        assert [t_s for t_s, _ in gpio.sets[1:]] == [0.0, 0.5, 1.0, 1.5]
        assert light.shown() == pattern
        light.close()

    virtual_run(main)


def test_a_new_pattern_replaces_the_old_one_at_once() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        light = await Light.open("status", gpio, {Colour.RED: 1, Colour.GREEN: 2}, clock)
        light.show(Pattern.flash(Colour.RED, on_ms=500))
        await clock.sleep(0.25)
        light.show(Pattern.steady(Colour.GREEN))
        await clock.sleep(5)
        assert gpio.sets == [(0.0, (False, False)), (0.0, (True, False)), (0.25, (False, True))]
        light.close()

    virtual_run(main)


def test_a_light_is_off_at_close_and_deaf_afterwards() -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        light = await Light.open("status", gpio, {Colour.RED: 1}, clock, active_high=False)
        light.show(Pattern.flash(Colour.RED, on_ms=100))
        light.close()
        light.close()
        light.show(Pattern.steady(Colour.RED))
        assert gpio.levels[1] is True
        assert gpio.owners == {}
        assert light.shown() == OFF

    virtual_run(main)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (Pattern.steady(Colour.BLUE), "cannot show 'blue'; valid: amber, green, off, red"),
        (Pattern(()), "at least one step"),
        (Pattern((Step(Colour.RED, 0), Step(Colour.OFF, 100))), "at least 1 ms"),
    ],
)
def test_a_pattern_that_cannot_be_shown_is_refused_and_changes_nothing(pattern: Pattern, message: str) -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        light = await Light.open("status", gpio, {Colour.RED: 1, Colour.GREEN: 2}, clock)
        with pytest.raises(OutOfRange, match=message):
            light.show(pattern)
        assert light.shown() == OFF
        assert len(gpio.sets) == 1
        light.close()

    virtual_run(main)


def test_a_light_whose_wire_fails_goes_on_with_its_pattern_when_the_wire_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main(clock: VirtualClock) -> None:
        gpio = MemoryGpio(clock)
        light = await Light.open("status", gpio, {Colour.RED: 1}, clock)
        gpio.broken = True
        light.show(Pattern.flash(Colour.RED, on_ms=100))
        await clock.sleep(1.05)
        gpio.broken = False
        await clock.sleep(0.1)
        assert gpio.sets[1:] == [(1.1, (False,))]
        light.close()

    virtual_run(main)
    assert [record.getMessage() for record in caplog.records] == [
        "status: cannot be driven: memory: the chip is gone",
        "status: can be driven again",
    ]


steps = st.lists(st.tuples(st.sampled_from(list(Colour)), st.integers(1, 5000)), min_size=2, max_size=6)


@given(steps, st.integers(0, 100 * S))
@settings(max_examples=examples(200), deadline=None)
def test_a_step_is_the_same_however_late_it_is_asked_for(given_steps: list[tuple[Colour, int]], late_ns: int) -> None:
    pattern = Pattern(tuple(Step(colour, for_ms) for colour, for_ms in given_steps))
    start_ns = 17 * S
    t_ns, n = start_ns, 0
    while t_ns + pattern.steps[n].for_ms * 1_000_000 <= start_ns + late_ns:
        t_ns += pattern.steps[n].for_ms * 1_000_000
        n = (n + 1) % len(pattern.steps)
    assert step_at(pattern, start_ns, start_ns + late_ns) == (
        pattern.steps[n].colour,
        t_ns + pattern.steps[n].for_ms * 1_000_000,
    )
