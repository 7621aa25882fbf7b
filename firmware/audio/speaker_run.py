"""The test tones on a real speaker: played above everything else, recorded from the microphone, measured.

Gain and mute are the test's own while it lasts, and people's again when the last sample is out (hardening row 53).
"""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from firmware.audio.ear import Ear, Listening
from firmware.audio.mixer import Mixer, Priority
from firmware.audio.pcm import FULL_SCALE, PERIODS_PER_S, RATE_HZ, Mono16
from firmware.audio.sound import Sound
from firmware.audio.speaker_measure import Heard, measure
from firmware.audio.speaker_tones import Signal, TonePlan, sound_of
from firmware.core.errors import Busy
from firmware.core.vocabulary.speaker_test import Finding
from hal.clock import Clock

VOICE = "speaker test"
# Room for all blocks of a test, so that nothing is lost while the loop is busy with other things.
BLOCKS_TO_SPARE = 500
# What may be spoilt by a machine that was busy is tried again, so often in all.
ATTEMPTS = 3


class TonePlayer:
    """Plays the tones of a plan on the first speaker of a device, and measures them by its first microphone."""

    def __init__(self, sound: Sound, clock: Clock, plan: TonePlan) -> None:
        self._sound = sound
        self._clock = clock
        self._plan = plan.at(RATE_HZ)
        self._tones = sound_of(self._plan, RATE_HZ).astype(np.float32)

    async def hear(self) -> Heard | Finding:
        """What is heard of the tones, or what kept it from being heard; a spoilt recording is tried again.

        Raises Busy while a call or something as important sounds, Unavailable without a card.
        """
        mixer, ear = self._sound.mixer(), self._sound.ear()
        heard = await self._once(mixer, ear)
        for _ in range(ATTEMPTS - 1):
            if not _spoilt(heard):
                break
            heard = await self._once(mixer, ear)
        return heard

    async def _once(self, mixer: Mixer, ear: Ear) -> Heard | Finding:
        if (other := mixer.most_important) is not None and other.priority > Priority.RING:
            raise Busy(VOICE, f"{other.name!r} is on the speaker")
        out_db = _nearest_to_zero(self._sound.outputs[mixer.name].gain_range_db)
        in_db = _nearest_to_zero(self._sound.inputs[ear.name].gain_range_db)
        frames = round((self._plan.length_s + self._plan.latest_s) * RATE_HZ)
        blocks = math.ceil(frames * PERIODS_PER_S / RATE_HZ)
        async with mixer.override(out_db):
            with ear.override(in_db), ear.listen(depth=blocks + BLOCKS_TO_SPARE) as listening:
                if _deaf(ear):
                    return Finding.MICROPHONE_DISABLED
                async with mixer.voice(Priority.TEST, name=VOICE, duck_db=math.inf) as voice:
                    await voice.play(self._tones)
                recording = await _record(listening, blocks)
                if _deaf(ear):
                    return Finding.MICROPHONE_DISABLED
                if recording is None or voice.starved:
                    return Finding.INTERRUPTED
        return await self._measured(recording[:frames])

    async def _measured(self, recording: Signal) -> Heard:
        """Off the loop: what plays and listens beside it has a deadline every 10 ms."""
        pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="speaker test")
        try:
            with self._clock.outside():
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(pool, measure, recording, RATE_HZ, self._plan)
        finally:
            pool.shutdown(wait=False)


def _deaf(ear: Ear) -> bool:
    """Whether the switch of the device disables the microphone; it may be thrown at any time."""
    return not ear.hears


def _spoilt(heard: Heard | Finding) -> bool:
    return heard is Finding.INTERRUPTED if isinstance(heard, Finding) else any(tone.spoilt for tone in heard.tones)


async def _record(listening: Listening, blocks: int) -> Signal | None:
    """So many blocks since listening began; None when one of them was lost. Raises Unavailable."""
    parts: list[Mono16] = []
    async for block in listening:
        if parts and block.lost:
            return None
        parts.append(block.samples)
        if len(parts) == blocks:
            break
    recording: Signal = np.concatenate(parts) / FULL_SCALE
    return recording


def _nearest_to_zero(limits: tuple[float, float]) -> float:
    low, high = limits
    return min(max(0.0, low), high)
