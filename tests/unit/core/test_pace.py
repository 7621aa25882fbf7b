"""Floods become their newest values; nothing slower is touched."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from firmware.core.pace import Pace
from hal.sim.time import VirtualClock, virtual_run


def played(steps: list[tuple[float, str, int]]) -> list[tuple[float, int]]:
    """What comes out, and when, of values that go in after these pauses."""
    out: list[tuple[float, int]] = []

    async def whole(clock: VirtualClock) -> None:
        began_ns = clock.now_ns()
        pace: Pace[int] = Pace(
            clock, lambda value: out.append(((clock.now_ns() - began_ns) / 1e9, value)), burst=3, every_s=1.0
        )
        for pause_s, name, value in steps:
            await clock.sleep(pause_s)
            pace.put(name, value)
        await clock.sleep(len(steps) + 5.0)
        pace.close()

    virtual_run(whole)
    return out


def test_what_comes_slowly_goes_through_at_once() -> None:
    assert [value for _, value in played([(2.0, "a", n) for n in range(10)])] == list(range(10))


def test_a_flood_of_one_thing_ends_as_its_newest_value_once_a_second() -> None:
    out = played([(0.01, "a", n) for n in range(300)])
    assert [value for _, value in out[:3]] == [0, 1, 2]
    assert out[-1][1] == 299
    assert len(out) <= 3 + 3 + 1


@given(st.lists(st.tuples(st.floats(0, 2), st.sampled_from("abc"), st.integers()), max_size=40))
def test_the_newest_value_of_every_thing_comes_out_and_never_too_many(steps: list[tuple[float, str, int]]) -> None:
    marked = [(pause_s, name, index) for index, (pause_s, name, _) in enumerate(steps)]
    out = played(marked)
    for name in "abc":
        last = [index for _, each, index in marked if each == name][-1:]
        assert set(last) <= {value for _, value in out}
    for start_s, _ in out:
        assert sum(start_s <= t_s < start_s + 1.0 for t_s, _ in out) <= 3 + 1
