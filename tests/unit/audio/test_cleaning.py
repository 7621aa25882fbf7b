"""Echo, noise and loudness of the microphone's sound, by the real library, in a room that is computed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.audio.cleaning import FRAME, RATE_HZ, TAIL_MS, Cleaner, Wishes
from firmware.audio.decimate import Decimator
from hal.buses import speexdsp
from hal.buses.speexdsp import SpeexVoice
from hal.errors import BusError
from tests.unit.audio.echo_room import BLOCK, CARD_HZ, Signal, echo_of, int16, speech, through

LENGTH_S = 8.0


def quiet(seed: int = 9, dbfs: float = -70.0) -> Signal:
    """Noise of a quiet room."""
    return np.random.default_rng(seed).standard_normal(round(LENGTH_S * CARD_HZ)) * 10 ** (dbfs / 20)


@pytest.fixture
def cleaner() -> Iterator[Cleaner]:
    made = Cleaner(SpeexVoice(RATE_HZ, FRAME, TAIL_MS))
    yield made
    made.close()
    made.close()


@pytest.fixture(scope="module")
def far() -> Signal:
    return speech(LENGTH_S, dbfs=-20, seed=1)


@pytest.mark.parametrize("delay_s", [0.012, 0.090], ids=["near", "behind-buffers"])
def test_echo_grows_quieter_while_the_canceller_learns_the_room(cleaner, far, delay_s):
    cleaner.set(Wishes(echo_cancellation=True))
    cleaned = through(cleaner, echo_of(far, delay_s=delay_s) + quiet(), far)
    first, second, later = cleaned.loss_db(0, 2), cleaned.loss_db(2, 4), cleaned.loss_db(4, 8)
    assert first > 3
    assert second > 15
    assert later > 28
    assert cleaner.echo_loss_db == pytest.approx(cleaned.loss_db(6, 8), abs=6)


def test_somebody_who_speaks_at_the_door_stays_as_loud_while_the_echo_goes(cleaner, far):
    near = speech(LENGTH_S, dbfs=-26, seed=7)
    near[: 5 * CARD_HZ] = 0  # the canceller has learned the room before
    cleaner.set(Wishes(echo_cancellation=True))
    cleaned = through(cleaner, echo_of(far) + quiet() + near, far)
    alone = through(Cleaner(), near, far)
    assert cleaned.level_db(cleaned.clean, 5.5, 8) == pytest.approx(alone.level_db(alone.clean, 5.5, 8), abs=1.5)
    assert cleaned.loss_db(3, 5) > 15


def test_steady_noise_is_taken_away_and_speech_is_not(cleaner):
    cleaner.set(Wishes(noise_cancellation=True))
    silence = np.zeros(round(LENGTH_S * CARD_HZ))
    assert through(cleaner, quiet(dbfs=-40), silence).loss_db(3, 8) > 10
    voice = through(cleaner, speech(LENGTH_S, dbfs=-30, seed=5) + quiet(dbfs=-60), silence)
    assert voice.loss_db(3, 8) == pytest.approx(0, abs=1.5)


def test_automatic_gain_brings_a_loud_and_a_quiet_voice_to_one_level():
    silence = np.zeros(round(LENGTH_S * CARD_HZ))
    levels = []
    for dbfs in (-15.0, -45.0):
        cleaner = Cleaner(SpeexVoice(RATE_HZ, FRAME, TAIL_MS))
        cleaner.set(Wishes(automatic_gain=True))
        cleaned = through(cleaner, speech(LENGTH_S, dbfs=dbfs, seed=5), silence)
        cleaner.close()
        levels.append(cleaned.level_db(cleaned.clean, 6, 8))
    assert levels[0] == pytest.approx(levels[1], abs=3)


def test_without_a_wish_and_without_a_library_the_sound_is_only_brought_to_16_kilohertz(cleaner, far):
    cleaned = through(cleaner, far, far)
    assert np.array_equal(cleaned.heard, cleaned.clean)
    assert cleaner.echo_loss_db is None
    alone = Cleaner(None)
    alone.set(Wishes(echo_cancellation=True))
    cleaned = through(alone, far, far)
    assert np.array_equal(cleaned.heard, cleaned.clean)
    assert alone.echo_loss_db is None


def test_a_canceller_that_was_switched_off_and_on_learns_anew(cleaner, far):
    cleaner.set(Wishes(echo_cancellation=True))
    through(cleaner, echo_of(far) + quiet(), far)
    cleaner.set(Wishes())
    cleaner.set(Wishes(echo_cancellation=True))
    again = through(cleaner, echo_of(far, seed=4) + quiet(), far)  # another room
    assert again.loss_db(0, 1) < again.loss_db(6, 8) - 10


def test_blocks_of_another_length_are_refused():
    voice = SpeexVoice(RATE_HZ, FRAME, TAIL_MS)
    with pytest.raises(ValueError, match="blocks of 640 and 638 bytes are not of 640"):
        voice.process(bytes(640), bytes(638))
    voice.close()
    with pytest.raises(ValueError, match="closed"):
        voice.process(bytes(640), bytes(640))


def test_a_system_without_the_library_says_which_package_is_missing(monkeypatch):
    monkeypatch.setattr(speexdsp, "LIBRARY", "libspeexdsp.so.none")
    speexdsp.load.cache_clear()
    try:
        with pytest.raises(BusError, match=r"speexdsp: libspeexdsp\.so\.none cannot be loaded .*package libspeexdsp1"):
            SpeexVoice(RATE_HZ, FRAME, TAIL_MS)
    finally:
        speexdsp.load.cache_clear()


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8))
def test_the_decimator_gives_the_same_however_the_sound_is_cut(lengths):
    sound = int16(np.random.default_rng(2).standard_normal(sum(lengths) * 48) * 0.1)
    whole, cut = Decimator()(sound), Decimator()
    parts, at = [], 0
    for length in lengths:
        parts.append(cut(sound[at : at + length * 48]))
        at += length * 48
    assert np.array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize(("hz", "least_db", "most_db"), [(300, -0.05, 0.05), (7000, -0.3, 0.05), (9000, -200, -60)])
def test_the_decimator_keeps_speech_and_drops_what_would_fold_onto_it(hz, least_db, most_db):
    sine = int16(0.5 * np.sin(2 * np.pi * hz * np.arange(CARD_HZ) / CARD_HZ))
    decimator = Decimator()
    heard = np.concatenate([decimator(sine[at : at + BLOCK]) for at in range(0, CARD_HZ, BLOCK)])[200:] / 32768
    assert least_db <= 10 * np.log10(2 * np.mean(heard**2) + 1e-12) - 20 * np.log10(0.5) <= most_db
