"""Hardening row 12: open, closed, cut and shorted loops are told apart, without chatter."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wires_in_memory import MS, running

from hal.drivers.loop import UNSUPERVISED, LoopTracker, SupervisedLoop, classify, supervised
from hal.errors import BusError, HalError, OutOfRange
from hal.ports import LoopChange
from hal.sim.time import VirtualClock, virtual_run
from hal.types import LoopState
from tests.effort import examples

BY_VOLTAGE = (LoopState.SHORT, LoopState.CLOSED, LoopState.OPEN, LoopState.CUT)
NOMINAL = {LoopState.SHORT: 0.0, LoopState.CLOSED: 1.0, LoopState.OPEN: 2.0}

eols = st.floats(500, 50_000)
pullups = st.floats(500, 50_000)
supplies = st.floats(1.8, 5.5)
states = st.sampled_from(BY_VOLTAGE)


def volts_of(state: LoopState, error: float, eol_ohm: float, pullup_ohm: float, supply_v: float) -> float:
    if state is LoopState.CUT:
        return supply_v * 0.999
    ohm = NOMINAL[state] * eol_ohm * (1 + error)
    return supply_v * ohm / (ohm + pullup_ohm)


class Voltmeter:
    """A converter whose voltage a test sets."""

    def __init__(self, volts: float) -> None:
        self.volts = volts
        self.broken = False
        self.reads = 0

    async def read_v(self, channel: int) -> float:
        assert channel == 2
        self.reads += 1
        if self.broken:
            raise BusError("adc0", "no answer")
        return self.volts


@given(states, st.none() | states, st.floats(-0.1, 0.1), eols, pullups, supplies)
@settings(max_examples=examples(200), deadline=None)
def test_row_12_resistors_within_ten_percent_are_told_apart_whatever_was_before(
    state: LoopState, previous: LoopState | None, error: float, eol_ohm: float, pullup_ohm: float, supply_v: float
) -> None:
    bands = supervised(eol_ohm, pullup_ohm, supply_v)
    assert classify(volts_of(state, error, eol_ohm, pullup_ohm, supply_v), previous, bands) is state


@given(eols, pullups, supplies, st.booleans())
@settings(max_examples=examples(100), deadline=None)
def test_row_12_a_sweep_of_the_voltage_passes_every_state_once(
    eol_ohm: float, pullup_ohm: float, supply_v: float, upwards: bool
) -> None:
    bands = supervised(eol_ohm, pullup_ohm, supply_v)
    sweep = [supply_v * n / 2000 for n in range(2001)]
    state = None
    seen: list[LoopState] = []
    for volts in sweep if upwards else reversed(sweep):
        state = classify(volts, state, bands)
        if not seen or seen[-1] is not state:
            seen.append(state)
    assert seen == list(BY_VOLTAGE if upwards else reversed(BY_VOLTAGE))


@given(st.integers(0, 2), st.booleans(), st.lists(st.floats(0, 1), min_size=1, max_size=50), eols, pullups)
@settings(max_examples=examples(200), deadline=None)
def test_row_12_noise_within_the_band_never_chatters(
    index: int, from_above: bool, noise: list[float], eol_ohm: float, pullup_ohm: float
) -> None:
    bands = supervised(eol_ohm, pullup_ohm, 3.3)
    low, high = bands.limits_v[index]
    state = bands.states[index + from_above]
    for part in noise:
        assert classify(min(high, low + part * (high - low)), state, bands) is state


@pytest.mark.parametrize(
    ("volts", "previous", "expected"),
    [
        (0.0, None, LoopState.CLOSED),
        (0.99, None, LoopState.CLOSED),
        (1.01, None, LoopState.OPEN),
        (0.95, LoopState.OPEN, LoopState.OPEN),
        (0.89, LoopState.OPEN, LoopState.CLOSED),
        (3.3, LoopState.CUT, LoopState.OPEN),
    ],
)
def test_an_unsupervised_loop_is_open_above_one_volt(
    volts: float, previous: LoopState | None, expected: LoopState
) -> None:
    assert classify(volts, previous, UNSUPERVISED) is expected


@given(st.lists(states, max_size=60))
@settings(max_examples=examples(200), deadline=None)
def test_row_12_only_what_two_polls_in_a_row_saw_is_reported(polls: list[LoopState]) -> None:
    tracker = LoopTracker(supervised(4700, 10_000, 3.3), volts_of(LoopState.CLOSED, 0, 4700, 10_000, 3.3))
    state = LoopState.CLOSED
    for t_ns, (before, now) in enumerate(pairwise([LoopState.CLOSED, *polls])):
        change = tracker.feed(t_ns, volts_of(now, 0, 4700, 10_000, 3.3))
        if now is before and now is not state:
            state = now
            assert change == LoopChange(t_ns - 1, state)
        else:
            assert change is None
        assert tracker.state is state


async def open_loop(clock: VirtualClock, adc: Voltmeter) -> SupervisedLoop:
    return await SupervisedLoop.open("contact1", adc, 2, clock, eol_ohm=4700, pullup_ohm=10_000, supply_v=3.3)


def nominal(state: LoopState) -> float:
    return volts_of(state, 0.03, 4700, 10_000, 3.3)


def test_row_12_a_loop_reports_every_state_within_40_ms() -> None:
    async def main(clock: VirtualClock) -> None:
        adc = Voltmeter(nominal(LoopState.CLOSED))
        loop = await open_loop(clock, adc)
        async with running(loop.run()):
            changes: list[LoopChange] = []
            loop.watch(changes.append)
            assert loop.supervised
            assert loop.state() is LoopState.CLOSED
            for state in (LoopState.OPEN, LoopState.CUT, LoopState.SHORT, LoopState.CLOSED):
                await clock.sleep(1.003)
                moved_ns = clock.now_ns()
                adc.volts = nominal(state)
                await clock.sleep(0.040)
                assert loop.state() is state
                assert changes[-1].state is state
                assert 0 <= changes[-1].t_ns - moved_ns <= 20 * MS
            assert len(changes) == 4

    virtual_run(main)


def test_row_12_a_disturbance_of_one_poll_is_not_reported() -> None:
    async def main(clock: VirtualClock) -> None:
        adc = Voltmeter(nominal(LoopState.CLOSED))
        loop = await open_loop(clock, adc)
        async with running(loop.run()):
            changes: list[LoopChange] = []
            loop.watch(changes.append)
            for state in (LoopState.OPEN, LoopState.CUT, LoopState.SHORT):
                await clock.sleep(0.991)
                adc.volts = nominal(state)
                await clock.sleep(0.020)
                adc.volts = nominal(LoopState.CLOSED)
            await clock.sleep(1)
            assert changes == []

    virtual_run(main)


def test_a_failing_converter_keeps_the_state_is_told_once_and_asked_less_often(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main(clock: VirtualClock) -> None:
        adc = Voltmeter(nominal(LoopState.OPEN))
        loop = await open_loop(clock, adc)
        async with running(loop.run()):
            problems: list[HalError | None] = []
            loop.on_problem(problems.append)
            adc.broken = True
            await clock.sleep(1)
            before = adc.reads
            await clock.sleep(60)
            assert adc.reads - before <= 61
            assert loop.state() is LoopState.OPEN
            assert [str(problem) for problem in problems] == ["adc0: no answer"]
            assert loop.problem is problems[0]
            adc.broken = False
            adc.volts = nominal(LoopState.CUT)
            await clock.sleep(1.1)
            assert loop.state() is LoopState.CUT
            assert problems[1:] == [None]

    virtual_run(main)
    assert len(caplog.records) == 2


def test_a_loop_that_cannot_be_measured_at_the_start_counts_as_cut_until_it_can() -> None:
    async def main(clock: VirtualClock) -> None:
        adc = Voltmeter(nominal(LoopState.CLOSED))
        adc.broken = True
        loop = await open_loop(clock, adc)
        async with running(loop.run()):
            changes: list[LoopChange] = []
            loop.watch(changes.append)
            assert loop.state() is LoopState.CUT
            assert loop.problem is not None
            adc.broken = False
            await clock.sleep(1)
            assert [change.state for change in changes] == [LoopState.CLOSED]

    virtual_run(main)


def test_polls_keep_their_rhythm_while_the_converter_takes_its_time() -> None:
    async def main(clock: VirtualClock) -> None:
        adc = Voltmeter(1.0)
        instants: list[int] = []
        read = adc.read_v

        async def slow(channel: int) -> float:
            instants.append(clock.now_ns())
            await clock.sleep(0.007)
            return await read(channel)

        adc.read_v = slow  # type: ignore[method-assign]
        loop = await open_loop(clock, adc)
        async with running(loop.run()):
            await clock.sleep(2)
        assert {later - earlier for earlier, later in pairwise(instants[1:])} == {20 * MS}

    virtual_run(main)


@pytest.mark.parametrize("wrong", [{"eol_ohm": 0}, {"pullup_ohm": -1}, {"supply_v": float("nan")}, {"poll_s": 0}])
def test_values_no_loop_can_have_are_refused(wrong: dict[str, float]) -> None:
    async def main(clock: VirtualClock) -> None:
        values = {"eol_ohm": 4700.0, "pullup_ohm": 10_000.0, "supply_v": 3.3, "poll_s": 0.02} | wrong
        with pytest.raises(OutOfRange, match=next(iter(wrong))):
            await SupervisedLoop.open("contact1", Voltmeter(1.0), 2, clock, **values)

    virtual_run(main)
