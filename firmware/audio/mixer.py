"""The mixer of one speaker: several voices at once, the important ones before the others, and nothing cut off.

Whoever plays opens a voice and hands it sound; the card paces them. While a voice sounds, those of lower priority are
lowered by its `duck_db`. The mixer alone knows the speaker, and its gain.

    async with mixer.voice(Priority.CLIP, gain_db=-6, name="clip bell", duck_db=12) as voice:
        await voice.play(block)             # 48 kHz, one channel, int16 or float32, as much at a time as there is
        await voice.finished()              # the last sample is out of the card
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from firmware.audio.meter import Meter
from firmware.audio.pcm import PERIOD, RATE_HZ, Mono, factor, int16_of, to_card
from firmware.audio.tap import Tap
from firmware.audio.voice import Stage, Voice
from firmware.core.errors import Busy, Exhausted, Invalid, Unavailable
from hal.errors import HalError, OutOfRange
from hal.ports import Speaker

MOST_VOICES = 16
DEPTH_S = 0.2
# When so many more periods have been handed on, a sample has left the card: 4 periods of its own buffer and 2 that wait
# before it (`hal.buses.alsa`). Behind a simulated card are a pipe of 4 to 5, and what the room has fetched from it.
PERIODS_TO_OUT = 16


class Priority(IntEnum):
    """How important a voice is; any number between is allowed."""

    STREAM = 10  # what somebody sends to be played
    CLIP = 20
    RING = 40  # ring and ringback tones
    CALL = 50
    LOCATE = 70
    TEST = 90  # the speaker test: nothing may be heard beside it


@dataclass(slots=True)
class _Override:
    """Settings of the speaker that somebody needs for a while; `until` is the period at which they end, once known."""

    gain_db: float
    muted: bool
    until: int | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Mixer:
    """The voices of one speaker. There all the time; its speaker comes with `run`, and may go."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.taps: set[Tap] = set()
        self.meter = Meter()
        self._speaker: Speaker | None = None
        self._voices: list[Voice] = []
        self._work = asyncio.Event()
        self._handed = 0  # periods, since the speaker is here
        self._gain_db, self._muted = 0.0, False
        self._override: _Override | None = None

    @property
    def present(self) -> bool:
        """Whether there is a speaker now."""
        return self._speaker is not None

    @property
    def playing(self) -> tuple[str, ...]:
        """The voices that sound now, the most important first."""
        sounding = [voice for voice in self._voices if voice.sounding or voice.stage is Stage.MIXED]
        return tuple(voice.name for voice in sorted(sounding, key=lambda voice: -voice.priority))

    @property
    def most_important(self) -> Voice | None:
        """The voice that sounds with the highest priority; None while none does."""
        sounding = [voice for voice in self._voices if voice.sounding or voice.stage is Stage.MIXED]
        return max(sounding, key=lambda voice: voice.priority, default=None)

    @asynccontextmanager
    async def voice(
        self,
        priority: int,
        gain_db: float = 0.0,
        name: str = "voice",
        duck_db: float = 0.0,
        *,
        depth_s: float = DEPTH_S,
    ) -> AsyncIterator[Voice]:
        """Play something, as long as the context lasts; its end waits until the last sample is out of the card.

        `gain_db` is this voice's own (at most 20), before that of the speaker. `duck_db` is how far voices of lower
        priority are lowered while this one sounds; `math.inf` silences them. At most `depth_s` of sound waits. When the
        context ends by an exception or a cancellation, the voice fades within 10 ms and nobody waits.
        Raises Unavailable without a speaker, Exhausted when `MOST_VOICES` play, Invalid for a gain out of range.
        """
        self._here()
        if len(self._voices) >= MOST_VOICES:
            raise Exhausted(self.name, f"{MOST_VOICES} voices play already")
        if not duck_db >= 0:
            raise Invalid(f"{name}.duck_db", f"{duck_db:g} dB is below 0")
        voice = Voice(name, priority, gain_db=gain_db, duck_db=duck_db, depth_s=depth_s, wake=self._work.set)
        self._voices.append(voice)
        try:
            yield voice
            await voice.finished()
        finally:
            voice.cancel()
            self._work.set()

    @asynccontextmanager
    async def override(self, gain_db: float, *, muted: bool = False) -> AsyncIterator[None]:
        """A gain and mute of the speaker for a while, whatever people have set: for tests and alarms.

        What people set meanwhile is kept for afterwards. Their settings come back when the last sample of all that was
        handed on is out of the card, and only then does the context end (hardening row 53).
        Raises Busy while somebody else does, Invalid for a gain that the board does not allow, Unavailable.
        """
        self._here()
        if self._override is not None:
            raise Busy(self.name, "its volume is being overridden already")
        mine = self._override = _Override(gain_db, muted)
        try:
            self._apply()
        except HalError as error:
            self._override = None
            if isinstance(error, OutOfRange):
                raise Invalid(f"{self.name}.gain_db", error.message) from None
            raise Unavailable(self.name, error.message) from error
        try:
            yield
        finally:
            # A voice that was cancelled just now still has its fade to come.
            mine.until = self._handed + 2 + PERIODS_TO_OUT
            self._work.set()
            await mine.over.wait()

    def tap(self) -> Tap:
        """What the speaker plays, block by block, for echo cancellation: `with mixer.tap() as far: far.take()`."""
        return Tap(self)

    # for the service that opens the speaker

    def set(self, gain_db: float, muted: bool) -> None:
        """Gain and mute as people want them, for now and for every speaker that comes. Raises OutOfRange, BusError."""
        self._gain_db, self._muted = gain_db, muted
        if self._speaker is not None and self._override is None:
            self._apply()

    async def run(self, speaker: Speaker) -> None:
        """Play on this speaker until cancelled. Raises BusError when its card goes; every voice is told so."""
        self._speaker, self._handed = speaker, 0
        why = "the speaker was closed"
        try:
            self._apply()
            while True:
                while not self._busy():
                    self._work.clear()
                    await self._work.wait()
                while self._busy():
                    await self._period(speaker)
                await speaker.drain()
        except HalError as error:
            why = error.message
            raise
        finally:
            self._speaker = None
            self._leave(why)

    def _here(self) -> Speaker:
        if self._speaker is None:
            raise Unavailable(self.name, "there is no speaker now")
        return self._speaker

    def _apply(self) -> None:
        speaker = self._here()
        over = self._override
        speaker.set_gain(self._gain_db if over is None else over.gain_db)
        speaker.mute(self._muted if over is None else over.muted)

    def _busy(self) -> bool:
        self._voices = [voice for voice in self._voices if voice.stage is not Stage.OUT]
        ending = self._override is not None and self._override.until is not None
        return ending or any(voice.sounding or voice.stage is Stage.MIXED for voice in self._voices)

    async def _period(self, speaker: Speaker) -> None:
        """Mix 10 ms and hand them on; then look who has ended."""
        block = int16_of(self._mix())
        gain = 0.0 if speaker.muted else factor(speaker.gain_db)
        for voice in self._voices:
            if voice.stage is Stage.MIXED and not voice.out_at:
                voice.out_at = self._handed + PERIODS_TO_OUT
        await speaker.play(to_card(block, speaker.channels))
        self._handed += 1
        self.meter.add(speaker.level)
        if self.taps:
            played = int16_of(block * np.float32(gain / 32768))
            for tap in self.taps:
                tap.put(played)
        for voice in self._voices:
            if voice.stage is Stage.MIXED and self._handed > voice.out_at:
                voice.out()
        if self._override is not None and self._override.until is not None and self._handed >= self._override.until:
            self._restore()

    def _mix(self) -> Mono:
        total = np.zeros(PERIOD, np.float32)
        sounding = [voice for voice in self._voices if voice.sounding]
        for voice in sounding:
            duck_db = max((each.duck_db for each in sounding if each.priority > voice.priority), default=0.0)
            block = voice.pull(duck_db)
            if block is not None:
                total += block
        return total

    def _restore(self) -> None:
        over, self._override = self._override, None
        try:
            if self._speaker is not None:
                self._apply()
        finally:
            if over is not None:
                over.over.set()

    def _leave(self, why: str) -> None:
        voices, self._voices = self._voices, []
        for voice in voices:
            voice.fail(why)
        self._restore()


__all__ = ["PERIOD", "RATE_HZ", "Mixer", "Priority", "Voice"]
