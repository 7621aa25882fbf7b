"""The mixer through pyalsaaudio into the simulated room: what was heard there of several voices at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from firmware.audio import Ear, Mixer, Priority
from hal.sim.sound import level_db, tone
from hal.sim.sound.witness import sounds_in
from tests.live.sound.studio import RATE_HZ, Studio, in_the_studio

pytestmark = pytest.mark.live

SPEAKERS_DB = -80.0


def floats(hz: float, s: float, db: float) -> np.ndarray:
    """A tone as a source hands it over."""
    return tone(RATE_HZ, hz, s, db=db).astype(np.float32)


async def playing(studio: Studio, mixer: Mixer, hz: float, s: float, db: float, priority: int, duck_db: float) -> None:
    """A voice from its first sample to its last."""
    async with mixer.voice(priority, gain_db=-6.0, name=f"{hz:g} Hz", duck_db=duck_db) as voice:
        await voice.play(floats(hz, s, db))


def test_voices_are_heard_with_pitch_level_and_length_and_the_important_one_before_the_others(tmp_path: Path) -> None:
    async def test(studio: Studio) -> None:
        mixer = Mixer("horn")
        async with asyncio.TaskGroup() as group:
            running = group.create_task(mixer.run(studio.speaker))
            await studio.clock.sleep(0)
            await playing(studio, mixer, 1000.0, 1.0, -6.0, Priority.CLIP, 0.0)
            # Its last sample is out: the room has it all already, with whatever pauses this machine has made.
            heard = sounds_in(studio.room.given.last(2 * RATE_HZ), RATE_HZ, SPEAKERS_DB)
            longest = max(heard, key=lambda sound: sound.length_s)
            assert longest.pitch_hz == pytest.approx(1000, abs=2)
            assert longest.rms_dbfs == pytest.approx(-12.0, abs=0.3)
            assert 0.998 <= sum(sound.length_s for sound in heard) <= 1.002 + 0.01 * studio.rig.hiccups

            long = group.create_task(playing(studio, mixer, 500.0, 3.0, -6.0, Priority.STREAM, 0.0))
            await studio.passes(1.0)
            begun = studio.room.given.count
            await playing(studio, mixer, 2000.0, 1.0, -6.0, Priority.CALL, 20.0)
            await long
            since = studio.room.given.last(studio.room.given.count - begun)
            call, music = levels(since, 2000.0), levels(since, 500.0)
            sounding = call > -20.0
            first, last = np.flatnonzero(sounding)[[0, -1]]
            assert np.median(call[first : last + 1]) == pytest.approx(-12.0, abs=0.1)
            assert np.median(music[first + 2 : last - 1]) == pytest.approx(-12.0 - 20.0, abs=0.3)
            assert np.median(music[last + 10 : last + 16]) == pytest.approx(-12.0, abs=0.1)
            running.cancel()

    in_the_studio(tmp_path, test)


def levels(sound: np.ndarray, hz: float) -> np.ndarray:
    """The level of a tone in every 50 ms: their median knows nothing of a pause that this machine made."""
    size = RATE_HZ // 20
    return np.array([level_db(sound[at : at + size], RATE_HZ, hz) for at in range(0, len(sound) - size, size)])


def test_what_is_tapped_from_the_speaker_comes_back_through_the_room_with_a_steady_delay(tmp_path: Path) -> None:
    """Echo cancellation needs the far end in the time of the microphone: the delay may not wander within one sound."""

    async def test(studio: Studio) -> None:
        mixer, ear = Mixer("horn"), Ear("mic")
        ear.open(studio.microphone)
        chance = np.random.default_rng(3)
        noise = (0.2 * chance.standard_normal(3 * RATE_HZ)).astype(np.float32)
        far, near, hiccups = [], [], []

        async def hear() -> None:
            with ear.listen() as blocks, mixer.tap() as tap:
                async for block in blocks:
                    near.append(block.samples)
                    far.append(tap.take())

        async def play() -> None:
            async with mixer.voice(Priority.CALL) as voice:
                await voice.play(noise)
                hiccups.append(studio.rig.hiccups)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(mixer.run(studio.speaker)), group.create_task(hear())]
            await studio.clock.sleep(0)
            await play()
            for task in tasks:
                task.cancel()
        ear.close()
        delays = _delays(np.concatenate(far) / 32768, np.concatenate(near) / 32768)
        assert len(delays) >= 3
        # In samples; and a period for every time that this machine kept a card waiting.
        assert max(delays) - min(delays) <= 2 + RATE_HZ // 100 * hiccups[0]
        assert 0 <= delays[0] < 0.2 * RATE_HZ

    in_the_studio(tmp_path, test)


def _delays(far: np.ndarray, near: np.ndarray) -> list[int]:
    """How much later each half second of the far end is heard, in samples."""
    begun = int(np.flatnonzero(far)[0])
    size = RATE_HZ // 2
    found = []
    for start in range(begun + size, begun + 4 * size, size):
        part, heard = far[start : start + size], near[start : start + 2 * size]
        if len(heard) < 2 * size:
            break
        long = 4 * size
        match = np.fft.irfft(np.fft.rfft(heard, long) * np.conj(np.fft.rfft(part, long)), long)
        found.append(int(np.argmax(match[: RATE_HZ // 4])))
    return found
