"""Nets resolve their drivers, tell changes in order, and record fights; traces are exact."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hal.sim.nets import Contention, Copper, Net, Strength
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.traces import LONGEST_TRACE, Pulse, Trace


def test_a_pulse_of_seven_seconds_is_seven() -> None:
    async def main(clock: VirtualClock) -> None:
        trace: Trace[bool] = Trace(clock, clock.now_ns(), False)
        await clock.sleep(0.1)
        trace.put(True)
        await clock.sleep(7.0)
        trace.put(False)
        assert trace.points == ((0.0, False), (0.1, True), (7.1, False))
        assert trace.pulses() == (Pulse(0.1, 7.0, True),)
        assert trace.since(5.0) == ((7.1, False),)
        assert trace.pulses(since_s=0.2) == ()

    virtual_run(main)


def test_a_trace_of_colours_has_a_pulse_for_each_colour_and_none_for_off() -> None:
    async def main(clock: VirtualClock) -> None:
        trace: Trace[str] = Trace(clock, clock.now_ns(), "off")
        for colour in ("green", "green", "red", "off"):
            trace.put(colour)
            await clock.sleep(1.0)
        assert trace.pulses() == (Pulse(0.0, 2.0, "green"), Pulse(2.0, 1.0, "red"))

    virtual_run(main)


def test_a_trace_keeps_the_newest_points() -> None:
    async def main(clock: VirtualClock) -> None:
        trace: Trace[bool] = Trace(clock, clock.now_ns(), False)
        for index in range(LONGEST_TRACE + 10):
            trace.put(index % 2 == 0)
        assert len(trace.entries) == LONGEST_TRACE

    virtual_run(main)


def test_a_stamp_from_before_the_last_point_is_moved_up() -> None:
    async def main(clock: VirtualClock) -> None:
        trace: Trace[bool] = Trace(clock, clock.now_ns(), False)
        await clock.sleep(1.0)
        trace.put(True)
        trace.put(False, clock.now_ns() - 500_000_000)
        assert trace.points[-1] == (1.0, False)

    virtual_run(main)


def test_the_stronger_driver_wins_and_low_wins_a_fight() -> None:
    async def main(clock: VirtualClock) -> None:
        copper = Copper(clock, clock.now_ns())
        net = Net("gpio0:1", copper)
        assert net.level is False
        net.drive("chip", False, strength=Strength.CHIP_PULL)
        net.drive("board", True, strength=Strength.BOARD_PULL)
        assert net.level is True
        net.drive("reader", False)
        assert net.level is False
        net.drive("reader", None)
        assert net.level is True
        assert not copper.contentions
        net.drive("cpu", True)
        net.drive("reader", False)
        assert net.level is False
        assert list(copper.contentions) == [Contention(clock.now_ns(), "gpio0:1", ("cpu",), ("reader",))]
        net.drive("reader", None)
        assert net.level is True

    virtual_run(main)


def test_listeners_see_a_group_only_when_all_of_it_has_moved() -> None:
    async def main(clock: VirtualClock) -> None:
        copper = Copper(clock, clock.now_ns())
        red, green = Net("red", copper), Net("green", copper)
        seen: list[tuple[bool, bool]] = []
        for net in (red, green):
            net.listen(lambda _t_ns, _level: seen.append((red.level, green.level)))
        with copper.together():
            red.drive("cpu", True)
            green.drive("cpu", True)
        assert seen == [(True, True), (True, True)]

    virtual_run(main)


def test_a_change_made_by_a_listener_is_told_after_the_change_that_caused_it() -> None:
    async def main(clock: VirtualClock) -> None:
        copper = Copper(clock, clock.now_ns())
        cause, effect = Net("cause", copper), Net("effect", copper)
        told: list[str] = []
        cause.listen(lambda _t_ns, level: effect.drive("relay", level))
        effect.listen(lambda _t_ns, _level: told.append("effect"))
        cause.listen(lambda _t_ns, _level: told.append("cause"))
        cause.drive("cpu", True)
        assert told == ["cause", "effect"]

    virtual_run(main)


Drives = st.tuples(st.sampled_from("abc"), st.sampled_from([True, False, None]), st.sampled_from(list(Strength)))


@given(st.lists(Drives, max_size=30))
def test_a_net_is_what_its_strongest_drivers_say(drives: list[tuple[str, bool | None, Strength]]) -> None:
    async def main(clock: VirtualClock) -> None:
        net = Net("net", Copper(clock, clock.now_ns()))
        holds: dict[str, tuple[Strength, bool]] = {}
        for who, level, strength in drives:
            net.drive(who, level, strength=strength)
            holds.pop(who, None)
            if level is not None:
                holds[who] = (strength, level)
            strongest = max((held for held, _ in holds.values()), default=None)
            levels = {level for held, level in holds.values() if held is strongest}
            assert net.level is (levels == {True})
            assert net.trace.value is net.level

    virtual_run(main)
