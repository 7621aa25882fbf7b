"""One source of sound at a mixer: what waits to be mixed, its gain, and how it comes to its end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum

import numpy as np

from firmware.audio.pcm import PERIOD, RATE_HZ, Mono, Pcm, factor, mono
from firmware.core.errors import Invalid, Refused, Unavailable

LOUDEST_DB = 20.0
# A cancelled voice fades over what is left of it, at most so long: no click, and gone at once.
FADE_FRAMES = PERIOD
# How fast a voice gives way to a more important one, and comes back: change of the factor in a period.
DUCK_DOWN, DUCK_UP = 1 / 3, 1 / 30


class Stage(Enum):
    """How far a voice has come."""

    OPEN = "more may come"
    ENDING = "what waits is the rest"
    FADING = "what waits is the rest, and fades"
    MIXED = "the card has all of it, or soon"
    OUT = "the last sample has left the card"
    FAILED = "the card has gone"


class Voice:
    """A source of sound that plays now; made by `Mixer.voice`."""

    def __init__(
        self,
        name: str,
        priority: int,
        *,
        gain_db: float,
        duck_db: float,
        depth_s: float,
        wake: Callable[[], None],
    ) -> None:
        """`wake` tells the mixer that there is something to do. Raises Invalid for a gain above `LOUDEST_DB`."""
        self.name = name
        self.priority = priority
        self.duck_db = duck_db
        self.stage = Stage.OPEN
        self.starved = 0  # periods for which the source was too late
        self.out_at = 0  # the period after which its last sample is out; the mixer's own
        self._wake = wake
        self._depth = round(depth_s * RATE_HZ)
        self._waiting: deque[Mono] = deque()
        self._waits = 0  # frames
        self._begun = False
        self._moved = asyncio.Event()
        self._why = ""
        self._duck = 1.0
        self._factor = self._wanted = self._checked(gain_db)

    @property
    def sounding(self) -> bool:
        """From its first sample until all of it is mixed: then it lowers the others, and the card goes on."""
        return self._begun and self.stage in (Stage.OPEN, Stage.ENDING, Stage.FADING)

    @property
    def ended(self) -> bool:
        """Whether nothing more of it comes."""
        return self.stage not in (Stage.OPEN, Stage.ENDING)

    async def play(self, sound: Pcm) -> None:
        """Play samples after those before: 48 kHz, one channel, int16 or float32 (full scale 1), any number.

        Suspends while more than the voice's depth waits to be mixed, so the card paces the source. A source that is
        late is heard as silence. Raises Invalid for another format, Refused once the voice was ended or cancelled,
        Unavailable when the card is gone.
        """
        samples = mono(sound)
        for start in range(0, len(samples), PERIOD):
            await self._until(lambda: self._waits < self._depth or self.stage is not Stage.OPEN)
            if self.stage is not Stage.OPEN:
                raise Refused(self.name, "this voice has ended")
            part = samples[start : start + PERIOD]
            self._waiting.append(part)
            self._waits += len(part)
            self._begun = True
            self._wake()

    async def finished(self) -> None:
        """End the voice, and suspend until its last sample is out of the card, not just handed on.

        Raises Unavailable when the card goes before that.
        """
        if self.stage is Stage.OPEN:
            self.stage = Stage.ENDING if self._begun else Stage.OUT
            self._moved.set()
            self._wake()
        await self._until(lambda: self.stage is Stage.OUT)

    def cancel(self) -> None:
        """End the voice at once, with a fade of 10 ms over what would have come; harmless at any time, and twice."""
        if self.ended:
            return
        self.stage = Stage.FADING if self._begun else Stage.OUT
        self._moved.set()
        self._wake()

    def set_gain(self, db: float) -> None:
        """Change the gain of this voice, by a ramp of 10 ms. Raises Invalid above `LOUDEST_DB`."""
        self._wanted = self._checked(db)

    def fail(self, why: str) -> None:
        """The card has gone: whoever waits here is told so."""
        if self.stage is not Stage.OUT:
            self.stage, self._why = Stage.FAILED, why
            self._waiting.clear()
            self._moved.set()

    def out(self) -> None:
        """The last sample has left the card."""
        self.stage = Stage.OUT
        self._moved.set()

    def pull(self, duck_db: float) -> Mono | None:
        """The next period for the mixer, with gain, while `duck_db` is how far it has to give way; None for silence."""
        if not self.sounding:
            return None
        block = self._fade() if self.stage is Stage.FADING else self._take(PERIOD)
        if len(block) < PERIOD:
            if self.stage is Stage.OPEN:
                self.starved += 1
            block = np.pad(block, (0, PERIOD - len(block)))
        self._moved.set()
        if not self._waits and self.stage is not Stage.OPEN:
            self.stage = Stage.MIXED
        return self._shaped(block, factor(-duck_db))

    def _shaped(self, block: Mono, duck: float) -> Mono:
        before = self._factor * self._duck
        self._factor = self._wanted
        self._duck = max(duck, self._duck - DUCK_DOWN) if duck < self._duck else min(duck, self._duck + DUCK_UP)
        after = self._factor * self._duck
        if before == after:
            return block if after == 1.0 else block * np.float32(after)
        return block * np.linspace(before, after, PERIOD, dtype=np.float32)

    def _fade(self) -> Mono:
        block = self._take(FADE_FRAMES)
        self._waiting.clear()
        self._waits = 0
        return block * np.linspace(1, 0, len(block), dtype=np.float32)

    def _take(self, frames: int) -> Mono:
        parts: list[Mono] = []
        while frames and self._waiting:
            part = self._waiting.popleft()
            if len(part) > frames:
                self._waiting.appendleft(part[frames:])
                part = part[:frames]
            parts.append(part)
            frames -= len(part)
            self._waits -= len(part)
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    async def _until(self, so: Callable[[], bool]) -> None:
        while self.stage is not Stage.FAILED and not so():
            self._moved.clear()
            await self._moved.wait()
        if self.stage is Stage.FAILED:
            raise Unavailable(self.name, self._why)

    def _checked(self, db: float) -> float:
        if not db <= LOUDEST_DB:
            raise Invalid(f"{self.name}.gain_db", f"{db:g} dB is above {LOUDEST_DB:g} dB")
        return factor(db)
