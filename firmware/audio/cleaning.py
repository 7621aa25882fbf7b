"""The sound of a microphone made fit for speech: 16 kHz, without echo, noise and loudness that jumps.

The canceller is a library; here is what lies around it: rates, frames of 20 ms, and how much of the echo it takes away.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from firmware.audio.decimate import Decimator

Samples = npt.NDArray[np.int16]

RATE_HZ = 16_000
FRAME = RATE_HZ // 50
# The longest way of an echo: through the buffers of the sound card, and the reflections of the room.
TAIL_MS = 256
# The echo's loss is measured over frames in which the far end speaks; its mean forgets within seconds.
FAR_SPEAKS_DBFS = -50.0
FORGET = 1 / 40


class VoiceFilter(Protocol):
    """What cleans frames of speech; `hal.buses.speexdsp` has one."""

    def set(self, *, echo: bool, noise: bool, gain: bool) -> None:
        """Switch its three parts."""

    def process(self, near: bytes, far: bytes) -> bytes:
        """A frame of the microphone, cleaned, given what was played; 16-bit samples."""

    def close(self) -> None:
        """Give its memory back."""


# Makes a filter for (rate in Hz, samples of a frame, longest echo in ms). Raises HalError where it cannot.
MakeFilter = Callable[[int, int, int], VoiceFilter]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be done with the sound of the microphone (manual 001, Audio, Device settings)."""

    echo_cancellation: bool = False
    noise_cancellation: bool = False
    automatic_gain: bool = False

    @property
    def any(self) -> bool:
        """Whether anything is."""
        return self.echo_cancellation or self.noise_cancellation or self.automatic_gain


class Cleaner:
    """One microphone's stream. What nobody asked for is not done: with no wish the sound is only brought to 16 kHz."""

    def __init__(self, voice_filter: VoiceFilter | None = None) -> None:
        self._filter = voice_filter
        self._wishes = Wishes()
        self._near, self._far = Decimator(), Decimator()
        self._waiting: list[tuple[Samples, Samples]] = []
        self._before = self._after = 0.0

    def set(self, wishes: Wishes) -> None:
        """Change what is done, from the next frame on."""
        if self._filter is not None and wishes != self._wishes:
            self._filter.set(echo=wishes.echo_cancellation, noise=wishes.noise_cancellation, gain=wishes.automatic_gain)
            self._before = self._after = 0.0
        self._wishes = wishes

    @property
    def echo_loss_db(self) -> float | None:
        """How much quieter the microphone has become while the far end spoke, over the last seconds; None: unknown.

        Somebody who speaks at the microphone meanwhile makes it smaller.
        """
        if not self._wishes.echo_cancellation or self._filter is None or self._before <= 0:
            return None
        return 10 * math.log10(self._before / max(self._after, 1e-3))

    def put(self, near: Samples, far: Samples) -> list[Samples]:
        """10 ms of the microphone and of what was played, at 48 kHz; returns the frames of 20 ms that are ready."""
        self._waiting.append((self._near(near), self._far(far)))
        if sum(len(part) for part, _ in self._waiting) < FRAME:
            return []
        heard = np.concatenate([part for part, _ in self._waiting])
        played = np.concatenate([part for _, part in self._waiting])
        self._waiting = [(heard[FRAME:], played[FRAME:])] if len(heard) > FRAME else []
        return [self._frame(heard[:FRAME], played[:FRAME])]

    def _frame(self, heard: Samples, played: Samples) -> Samples:
        if self._filter is None or not self._wishes.any:
            return heard
        clean = np.frombuffer(self._filter.process(heard.tobytes(), played.tobytes()), np.int16)
        if _power(played) > 2**30 * 10 ** (FAR_SPEAKS_DBFS / 10):
            self._before += FORGET * (_power(heard) - self._before)
            self._after += FORGET * (_power(clean) - self._after)
        return clean

    def close(self) -> None:
        """Give the filter back; closing twice is harmless."""
        if self._filter is not None:
            self._filter.close()


def _power(frame: Samples) -> float:
    wide = frame.astype(np.float64)
    return float(np.mean(wide * wide))
