"""Sound through pyalsaaudio and libasound into the simulated room, measured from what was heard there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hal.errors import OutOfRange
from hal.sim.sound import level_db, pitch_hz, tone
from tests.live.sound.studio import BOARD, RATE_HZ, Studio, in_the_studio, pcm

pytestmark = pytest.mark.live

TONES_HZ = (500.0, 1000.0, 2000.0, 4000.0)


def test_a_tone_is_heard_with_its_pitch_and_the_level_of_the_room(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        for hz in TONES_HZ:
            heard = await studio.hear(hz, db=-12.0)
            assert pitch_hz(heard, RATE_HZ) == pytest.approx(hz, rel=0.0005)
            assert level_db(heard, RATE_HZ, hz) == pytest.approx(-12.0 + studio.room.response_db(hz), abs=0.2)

    in_the_studio(tmp_path, test)


def test_the_card_paces_whoever_plays(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        begun = studio.room.heard.count
        await studio.speaker.play(pcm(tone(RATE_HZ, 1000, 1.0)))
        # Queue, card and pipe hold the last few periods; the rest has been in the room.
        assert 0.8 * RATE_HZ <= studio.room.heard.count - begun <= 1.5 * RATE_HZ

    in_the_studio(tmp_path, test)


def test_gain_changes_what_is_heard_by_as_much(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        plain = level_db(await studio.hear(1000), RATE_HZ, 1000)
        for db in (-20.0, 6.0):
            studio.speaker.set_gain(db)
            assert level_db(await studio.hear(1000), RATE_HZ, 1000) - plain == pytest.approx(db, abs=0.2)
        assert studio.speaker.clipped == 0

    in_the_studio(tmp_path, test)


def test_a_gain_beyond_the_board_is_refused_with_its_limits_and_nothing_changes(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        with pytest.raises(OutOfRange, match=r"horn: gain 12\.5 dB is not between -40 and 12 dB"):
            studio.speaker.set_gain(12.5)
        with pytest.raises(OutOfRange, match=r"horn: 3 bytes are not whole frames of 1 16-bit samples"):
            await studio.speaker.play(b"abc")
        assert studio.speaker.gain_db == 0.0
        assert level_db(await studio.hear(1000), RATE_HZ, 1000) > -30

    in_the_studio(tmp_path, test)


def test_a_muted_speaker_is_not_heard_and_sounds_again_as_before(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        plain = level_db(await studio.hear(1000), RATE_HZ, 1000)
        studio.speaker.mute(True)
        muted = await studio.hear(1000)
        assert level_db(muted, RATE_HZ, 1000) < plain - 50
        assert np.sqrt(np.mean(muted**2)) == pytest.approx(10 ** (studio.room.noise_dbfs / 20), rel=0.1)
        studio.speaker.mute(False)
        assert level_db(await studio.hear(1000), RATE_HZ, 1000) == pytest.approx(plain, abs=0.2)

    in_the_studio(tmp_path, test)


def test_a_speaker_muted_while_it_is_silent_lets_no_rest_of_the_old_gain_out(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        await studio.hear(1000)
        studio.speaker.mute(True)
        await studio.passes(0.3)
        before = studio.room.heard.count
        await studio.speaker.play(pcm(tone(RATE_HZ, 1000, 0.3)))
        await studio.speaker.drain()
        await studio.passes(0.2)
        heard = studio.room.heard.last(studio.room.heard.count - before)
        assert np.abs(heard).max() < 10 ** ((studio.room.noise_dbfs + 20) / 20)  # nothing but noise, at any moment

    in_the_studio(tmp_path, test)


def test_a_quieter_speaker_is_heard_to_be_quieter_by_what_it_lost(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        plain = level_db(await studio.hear(2000), RATE_HZ, 2000)
        again = level_db(await studio.hear(2000), RATE_HZ, 2000)
        assert again == pytest.approx(plain, abs=0.1)
        studio.horn.loss_db = 3.0
        assert level_db(await studio.hear(2000), RATE_HZ, 2000) - plain == pytest.approx(-3.0, abs=0.2)

    in_the_studio(tmp_path, test)


def test_a_muffled_speaker_loses_more_the_higher_the_tone(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        plain = [level_db(await studio.hear(hz), RATE_HZ, hz) for hz in TONES_HZ]
        studio.world.fault("speaker:horn", "muffled")
        muffled = [level_db(await studio.hear(hz), RATE_HZ, hz) for hz in TONES_HZ]
        losses = [before - after for before, after in zip(plain, muffled, strict=True)]
        assert losses == sorted(losses)
        assert 1 < losses[0] < 5
        assert 12 < losses[-1] < 20
        studio.world.clear("speaker:horn")
        assert level_db(await studio.hear(4000), RATE_HZ, 4000) == pytest.approx(plain[-1], abs=0.2)

    in_the_studio(tmp_path, test)


def test_a_dead_speaker_leaves_the_noise_of_the_room_alone(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        studio.world.fault("speaker:horn", "dead")
        heard = await studio.hear(1000, db=0.0)
        assert level_db(heard, RATE_HZ, 1000) < -80
        assert 20 * np.log10(np.sqrt(np.mean(heard**2))) == pytest.approx(studio.room.noise_dbfs, abs=1)

    in_the_studio(tmp_path, test)


def test_a_distorted_speaker_adds_a_third_harmonic(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        clean = await studio.hear(1000)
        studio.world.fault("speaker:horn", "distorted")
        torn = await studio.hear(1000)
        harmonic = [level_db(heard, RATE_HZ, 3000) - level_db(heard, RATE_HZ, 1000) for heard in (clean, torn)]
        assert harmonic[0] < -60
        assert harmonic[1] > -15

    in_the_studio(tmp_path, test)


def test_a_drifting_clock_is_heard_as_another_pitch(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        for ppm in (0.0, 3000.0, -3000.0):
            studio.horn.drift_ppm = ppm
            heard = await studio.hear(1000, s=1.0)
            assert pitch_hz(heard, RATE_HZ) == pytest.approx(1000 * (1 + ppm / 1e6), abs=0.3)

    in_the_studio(tmp_path, test)


def test_a_stereo_speaker_at_another_rate_is_heard_at_the_same_pitch(tmp_path: Path) -> None:
    board = BOARD.replace('device = "plughw:CARD=codec"', 'device = "plughw:CARD=codec"\nrate_hz = 16000\nchannels = 2')

    async def test(studio: Studio) -> None:
        heard = await studio.hear(1000)
        assert pitch_hz(heard, 16000) == pytest.approx(1000, rel=0.0005)
        assert level_db(heard, 16000, 1000) == pytest.approx(-12 + studio.room.response_db(1000), abs=0.2)

    in_the_studio(tmp_path, test, board)
