"""The parts of the simulated room: filters, drift and memory do what one long calculation does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.sim.sound.filters import Drift, Fir, Ring
from hal.sim.sound.measure import level_db, pitch_hz, tone
from hal.sim.sound.room import Cone, Room

cuts = st.lists(st.integers(0, 70), min_size=1, max_size=10)


def luck(seed: int, frames: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(frames)


@given(cuts, st.integers(1, 100), st.integers(1, 60), st.integers(0, 1000))
def test_a_filter_fed_in_blocks_gives_one_long_convolution(sizes: list[int], taps: int, block: int, seed: int) -> None:
    sound, impulse = luck(seed, sum(sizes)), luck(seed + 1, taps)
    fir = Fir(impulse, block)
    pieces = [fir(piece) for piece in np.split(sound, np.cumsum(sizes)[:-1])]
    whole = np.convolve(sound, impulse)[: len(sound)] if len(sound) else sound
    assert np.allclose(np.concatenate(pieces), whole)


@given(st.lists(st.integers(0, 70), max_size=12), st.integers(1, 50), st.integers(0, 120))
def test_a_ring_remembers_exactly_the_last_frames(sizes: list[int], capacity: int, asked: int) -> None:
    ring, everything = Ring(capacity), np.zeros(0)
    for seed, size in enumerate(sizes):
        block = luck(seed, size)
        ring.put(block)
        everything = np.concatenate([everything, block])
    expected = everything[max(0, len(everything) - min(asked, capacity)) :]
    assert np.array_equal(ring.last(asked), expected)
    assert ring.count == len(everything)


@given(st.floats(-50_000, 50_000), st.integers(1, 200))
def test_a_drifting_clock_takes_what_its_rate_says_however_long_it_runs(ppm: float, periods: int) -> None:
    drift, taken = Drift(), 0
    for _ in range(periods):
        wanted = drift.need(100, ppm)
        assert len(drift.give(np.zeros(wanted), 100, ppm)) == 100
        taken += wanted
    assert taken == pytest.approx(periods * 100 * (1 + ppm / 1e6), abs=1.001)


@pytest.mark.parametrize("ppm", [0.0, 5000.0, -5000.0])
def test_a_drifting_clock_moves_the_pitch_by_its_rate(ppm: float) -> None:
    drift, source, given_, at = Drift(), tone(8000, 500, 2.2), [], 0
    for _ in range(200):
        wanted = drift.need(80, ppm)
        given_.append(drift.give(source[at : at + wanted], 80, ppm))
        at += wanted
    assert pitch_hz(np.concatenate(given_), 8000) == pytest.approx(500 * (1 + ppm / 1e6), abs=0.05)


@given(st.floats(300, 3500), st.floats(-60, 0))
def test_the_instruments_read_what_was_made(hz: float, db: float) -> None:
    sound = tone(8000, hz, 0.5, db=db)
    assert pitch_hz(sound, 8000) == pytest.approx(hz, abs=0.2)
    assert level_db(sound, 8000, hz) == pytest.approx(db, abs=0.05)


def test_the_room_is_the_same_in_every_run_and_forgets_a_sound_after_its_tail() -> None:
    rooms = [Room(8000, noise_dbfs=-200), Room(8000, noise_dbfs=-200)]
    blocks = [tone(8000, 500, 0.5), np.zeros(1600)]
    heard = [np.concatenate([room.carry(block) for block in blocks]) for room in rooms]
    assert np.array_equal(*heard)
    assert np.abs(heard[0][4000 + 1100 :]).max() < 1e-6


def test_a_cloth_takes_more_of_a_high_tone_than_of_a_low_one() -> None:
    losses = []
    for hz in (500.0, 1000.0, 2000.0, 4000.0):
        cone, sound = Cone(48000, 480), tone(48000, hz, 0.5)
        losses.append(level_db(sound, 48000, hz) - level_db(cone.move(sound, {"muffled"}, 0.0)[960:], 48000, hz))
    assert losses == sorted(losses)
    assert 1 < losses[0] < 5
    assert 12 < losses[-1] < 20
