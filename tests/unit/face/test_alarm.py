"""The deadline of a connection: it rings when it is due, however often it was moved, and costs one timer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from firmware.interfaces.http.protocol import Alarm
from hal.sim.time import VirtualClock, virtual_run

S = 1_000_000_000
# In seconds: how long nothing is done, and the deadline given then, or None to take it away. No deadline is at the very
# moment of a move: which of the two comes first is nobody's promise.
MOVES = st.lists(st.tuples(st.integers(0, 20), st.one_of(st.none(), st.integers(1, 40))), max_size=12)


HALF = 0.5


def rings(moves: list[tuple[int, int | None]]) -> list[float]:
    """When an alarm rang that was moved so, in seconds from the first move."""
    rang: list[float] = []

    async def moved(clock: VirtualClock) -> None:
        began_ns = clock.now_ns()
        alarm = Alarm(clock, lambda: rang.append((clock.now_ns() - began_ns) / S))
        for after, delay in moves:
            await clock.sleep(after)
            if delay is None:
                alarm.clear()
            else:
                alarm.set(delay + HALF)
        await clock.sleep(60)
        assert not alarm.is_set()

    virtual_run(moved)
    return rang


@given(MOVES)
def test_an_alarm_rings_once_at_the_last_deadline_it_was_given(moves: list[tuple[int, int | None]]) -> None:
    expected: list[float] = []
    now = 0
    due: float | None = None
    for after, delay in moves:
        if due is not None and due < now + after:
            expected.append(due)
            due = None
        now += after
        due = None if delay is None else now + delay + HALF
    assert rings(moves) == expected + ([] if due is None else [due])


def test_a_thousand_requests_of_one_connection_cost_a_timer_and_not_a_thousand() -> None:
    async def busy(clock: VirtualClock) -> None:
        alarm = Alarm(clock, lambda: None)
        before = len(clock.loop.timers())
        for _ in range(1000):
            alarm.set(10)
            alarm.clear()
            alarm.set(15)
            await clock.sleep(0.01)
        assert len(clock.loop.timers()) - before <= 1
        alarm.stop()
        assert len(clock.loop.timers()) == before
        assert not alarm.is_set()

    virtual_run(busy)
