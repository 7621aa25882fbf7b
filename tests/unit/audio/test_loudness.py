"""Sound detection without a service: the scale, the time weighting, and when it rises and falls."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.audio.loudness import FALL_S, HYSTERESIS, Crossing, Crossings, Loudness, scale_of

BLOCK_S = 0.010
BLOCK_NS = 10_000_000


def crossings(levels: list[float], alarm_level: int) -> list[tuple[int, Crossing]]:
    """At which block each crossing was."""
    watch = Crossings(alarm_level)
    found = [(number, watch.hear(level, number * BLOCK_NS)) for number, level in enumerate(levels)]
    return [(number, crossing) for number, crossing in found if crossing is not None]


def test_the_scale_goes_from_silence_to_a_full_scale_sine():
    assert [scale_of(dbfs) for dbfs in (-120, -70, -35, 0, 3)] == [0, 0, 50, 100, 100]


def test_a_steady_sound_has_its_own_loudness_after_half_a_second():
    loudness = Loudness()
    heard = [loudness.hear(-20.0, BLOCK_S) for _ in range(50)]
    assert heard[-1] == pytest.approx(scale_of(-20), abs=0.2)
    assert heard == sorted(heard)


def test_a_click_of_one_block_is_eleven_decibels_less_loud_than_a_sound_that_stays():
    loudness = Loudness()
    assert scale_of(-20) - loudness.hear(-20.0, BLOCK_S) == pytest.approx(11.1 * 100 / 70, abs=0.3)


def test_loudness_falls_by_35_decibels_a_second_as_time_weighting_f_does():
    loudness = Loudness()
    for _ in range(200):
        loudness.hear(0.0, BLOCK_S)
    before = loudness.hear(0.0, BLOCK_S)
    for _ in range(100):
        after = loudness.hear(-120.0, BLOCK_S)
    assert (before - after) * 0.7 == pytest.approx(34.7, abs=0.3)


def test_it_rises_at_once_and_falls_after_half_a_second_of_quiet():
    levels = [10.0] * 5 + [60.0] * 20 + [10.0] * 100
    assert crossings(levels, 50) == [(5, Crossing.RISE), (25 + round(FALL_S / BLOCK_S), Crossing.FALL)]


def test_a_pause_between_words_is_no_fall():
    levels = ([60.0] * 20 + [10.0] * 40) * 5
    assert crossings(levels, 50) == [(0, Crossing.RISE)]


def test_a_sound_that_hovers_around_the_level_rises_once():
    levels = [50.0, 50 - HYSTERESIS + 0.1] * 200
    assert crossings(levels, 50) == [(0, Crossing.RISE)]


@given(st.lists(st.floats(0, 100), max_size=400), st.integers(0, 100))
def test_rise_and_fall_take_turns_and_each_is_true_of_the_sound(levels, alarm_level):
    found = crossings(levels, alarm_level)
    kinds = [crossing for _, crossing in found]
    assert kinds == [Crossing.RISE, Crossing.FALL][:2] * (len(kinds) // 2) + [Crossing.RISE] * (len(kinds) % 2)
    for number, crossing in found:
        if crossing is Crossing.RISE:
            assert levels[number] >= alarm_level
        else:
            quiet = levels[number - round(FALL_S / BLOCK_S) : number + 1]
            assert all(level < alarm_level - HYSTERESIS for level in quiet)


@given(st.lists(st.floats(-130, 0), min_size=1, max_size=100))
def test_loudness_stays_on_its_scale_and_below_the_loudest_block(blocks):
    loudness = Loudness()
    for dbfs in blocks:
        heard = loudness.hear(dbfs, BLOCK_S)
        assert 0 <= heard <= scale_of(max(blocks)) + 1e-6


# A sound of so many blocks, another alarm level (None: nothing can be heard any more).
happenings = st.lists(
    st.tuples(st.floats(0, 100), st.integers(1, 80), st.none() | st.integers(0, 100), st.booleans()), max_size=30
)


@given(st.integers(0, 100), happenings)
def test_rises_and_falls_come_by_turns_whatever_level_is_set_and_whenever_nothing_is_heard(
    alarm_level: int, story: list[tuple[float, int, int | None, bool]]
) -> None:
    watch, found, t_ns = Crossings(alarm_level), [], 0
    for loudness, blocks, level, heard in story:
        for _ in range(blocks):
            t_ns += BLOCK_NS
            found.append(watch.hear(loudness, t_ns))
            if found[-1] is Crossing.RISE:
                assert loudness >= watch.alarm_level
            if loudness >= watch.alarm_level:
                assert watch.above
        if not heard:
            found.append(watch.deafen(t_ns))
            assert not watch.above
        elif level is not None:
            watch.set_level(level)
    turns = [crossing for crossing in found if crossing is not None]
    assert turns == [Crossing.RISE, Crossing.FALL] * (len(turns) // 2) + [Crossing.RISE] * (len(turns) % 2)
    assert watch.above is bool(len(turns) % 2)


@given(st.integers(0, 100), st.integers(0, 100), st.floats(0, 100))
def test_half_a_second_after_a_level_was_set_only_what_is_loud_beside_it_is_above(
    before: int, after: int, loudness: float
) -> None:
    watch = Crossings(before)
    watch.hear(loudness, 0)
    watch.set_level(after)
    for number in range(1, 2 + round(FALL_S / BLOCK_S)):
        watch.hear(loudness, number * BLOCK_NS)
    assert watch.above is (loudness >= after)
