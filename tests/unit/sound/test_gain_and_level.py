"""Gain, ramp, mute and level meter as pure functions of the sound."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from hal.drivers.sound import FULL_SCALE, Gain, Samples, block_of, bytes_of, level_of
from hal.errors import OutOfRange
from hal.sounds import SILENCE_DBFS

RATE_HZ = 8000
RAMP = 80
LIMITS = (-60.0, 20.0)

blocks = npst.arrays(np.int16, st.tuples(st.integers(0, 200), st.integers(1, 2)))
gains = st.floats(*LIMITS)


def gain(db: float = 0.0) -> Gain:
    return Gain("horn", RATE_HZ, LIMITS, db)


def flat(frames: int, value: int = 10_000) -> Samples:
    return np.full((frames, 1), value, np.int16)


@given(blocks)
def test_0_db_changes_no_sample(block: Samples) -> None:
    assert np.array_equal(gain().apply(block), block)


@given(blocks, gains)
def test_a_steady_gain_multiplies_every_sample_and_stops_at_full_scale(block: Samples, db: float) -> None:
    found = gain(db)
    result = found.apply(block)
    exact = block.astype(float) * 10 ** (db / 20)
    within = (exact > -FULL_SCALE - 0.5) & (exact < FULL_SCALE - 0.5)
    assert np.all(np.abs(result[within] - exact[within]) <= 0.5 + 1e-9)
    assert np.all(np.isin(result[~within], [-FULL_SCALE, FULL_SCALE - 1]))
    assert found.clipped == np.count_nonzero(~within & (np.rint(exact) != result))


@given(gains, gains, st.lists(st.integers(1, 50), min_size=1, max_size=12), st.booleans())
def test_a_change_is_the_same_however_the_sound_is_cut_into_blocks(
    first: float, second: float, cuts: list[int], mute: bool
) -> None:
    whole, cut = gain(first), gain(first)
    for one in (whole, cut):
        one.set(second)
        one.mute(mute)
    sound = flat(sum(cuts), 1000)
    pieces = np.split(sound, np.cumsum(cuts)[:-1])
    assert np.array_equal(whole.apply(sound), np.concatenate([cut.apply(piece) for piece in pieces]))


@given(gains, st.booleans())
def test_a_change_goes_in_equal_small_steps_and_ends_exactly(db: float, mute: bool) -> None:
    found = gain()
    found.set(db)
    found.mute(mute)
    target = 0.0 if mute else 10_000 * 10 ** (db / 20)
    target = min(target, FULL_SCALE - 1)
    result = found.apply(flat(RAMP + 20)).astype(float)[:, 0]
    assert np.all(np.abs(result[RAMP - 1 :] - target) <= 0.5 + 1e-9)
    full_way = abs((0.0 if mute else 10 ** (db / 20)) - 1) * 10_000
    steps = np.diff(np.concatenate([[10_000.0], result]))
    assert np.all(np.abs(steps) <= full_way / RAMP + 1)
    assert np.all(steps * np.sign(target - 10_000) >= -1e-9)


@given(st.lists(st.tuples(gains, st.booleans(), st.integers(0, 100)), max_size=8))
def test_many_changes_one_upon_the_other_never_jump(changes: list[tuple[float, bool, int]]) -> None:
    found = gain()
    heard = [np.array([1000.0])]
    for db, mute, frames in changes:
        found.set(db)
        found.mute(mute)
        heard.append(found.apply(flat(frames, 1000)).astype(float)[:, 0])
    highest = 1000 * 10 ** (LIMITS[1] / 20)
    assert np.all(np.abs(np.diff(np.concatenate(heard))) <= highest / RAMP + 1)


@given(blocks, gains)
def test_muted_is_digital_silence_after_the_ramp_and_keeps_the_gain(block: Samples, db: float) -> None:
    found = gain(db)
    found.mute(True)
    found.apply(flat(RAMP))
    assert not found.apply(block).any()
    assert found.db == db


def test_a_switch_silences_without_a_ramp_and_stronger_than_the_mute() -> None:
    found = gain()
    found.silence(True)
    found.mute(False)
    found.set(20.0)
    assert not found.apply(flat(5)).any()


@pytest.mark.parametrize("db", [-60.1, 20.1, math.inf, -math.inf, math.nan])
def test_a_gain_out_of_range_is_refused_and_changes_nothing(db: float) -> None:
    found = gain(-6.0)
    with pytest.raises(OutOfRange, match=r"horn: gain \S+ dB is not between -60 and 20 dB"):
        found.set(db)
    assert found.db == -6.0
    assert found.apply(flat(1))[0, 0] == round(10_000 * 10 ** (-6 / 20))


@given(blocks)
def test_bytes_and_blocks_are_the_same_sound(block: Samples) -> None:
    assert np.array_equal(block_of(bytes_of(block), block.shape[1]), block)


@given(st.binary(max_size=41), st.integers(1, 2))
def test_half_a_frame_is_never_taken_for_sound(data: bytes, channels: int) -> None:
    if len(data) % (2 * channels):
        with pytest.raises(ValueError):
            block_of(data, channels)
    else:
        assert bytes_of(block_of(data, channels)) == data


@given(blocks)
def test_the_level_is_between_silence_and_full_scale(block: Samples) -> None:
    level = level_of(block)
    assert SILENCE_DBFS <= level.peak_dbfs <= 0.0
    assert SILENCE_DBFS <= level.rms_dbfs <= 20 * math.log10(math.sqrt(2)) + 1e-9  # a full-scale square
    assert level.rms_dbfs <= level.peak_dbfs + 20 * math.log10(math.sqrt(2)) + 1e-9
    assert (level.peak_dbfs == SILENCE_DBFS) == (not block.any())


@pytest.mark.parametrize("db", [0.0, -6.0, -40.0])
def test_a_sine_reads_its_own_level_in_both_figures(db: float) -> None:
    sine = 32767 * 10 ** (db / 20) * np.sin(2 * np.pi * 100 * np.arange(RATE_HZ) / RATE_HZ)
    level = level_of(np.rint(sine).astype(np.int16)[:, np.newaxis])
    assert level.rms_dbfs == pytest.approx(db, abs=0.02)
    assert level.peak_dbfs == pytest.approx(db, abs=0.02)
