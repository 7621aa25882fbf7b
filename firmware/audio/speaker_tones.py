"""The test tones of the speaker test: which, how loud, when; and their sound. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Signal: TypeAlias = npt.NDArray[np.float64]

# The highest tone that a card can carry, as a part of its rate.
HIGHEST = 0.4


@dataclass(frozen=True, slots=True)
class TonePlan:
    """A silence, then every tone with a silence after it; levels in dB below a full-scale sine, times in seconds.

    The silences show the noise of the surroundings. `latest_s` is how late the sound may arrive at the microphone.
    No tone is an overtone of the mains, and in none is a block of 10 ms a whole number of periods: one that is lost
    shows in the phase.
    """

    hz: tuple[float, ...] = (530.0, 1070.0, 2130.0, 4270.0)
    level_dbfs: float = -12.0
    guard_s: float = 0.3
    tone_s: float = 0.36
    gap_s: float = 0.14
    fade_s: float = 0.010
    latest_s: float = 0.6

    def starts_s(self) -> tuple[float, ...]:
        """When each tone begins."""
        return tuple(self.guard_s + number * (self.tone_s + self.gap_s) for number in range(len(self.hz)))

    @property
    def length_s(self) -> float:
        """Length of the whole sound."""
        return self.guard_s + len(self.hz) * (self.tone_s + self.gap_s)

    def at(self, rate_hz: int) -> TonePlan:
        """The plan without the tones that a card of this rate cannot carry."""
        return TonePlan(
            tuple(hz for hz in self.hz if hz <= HIGHEST * rate_hz),
            self.level_dbfs,
            self.guard_s,
            self.tone_s,
            self.gap_s,
            self.fade_s,
            self.latest_s,
        )


def sound_of(plan: TonePlan, rate_hz: int) -> Signal:
    """The whole sound; tones fade in and out, or they would click."""
    sound = np.zeros(round(plan.length_s * rate_hz))
    frames = round(plan.tone_s * rate_hz)
    ramp = np.minimum(1.0, (np.arange(frames) + 1) / (plan.fade_s * rate_hz))
    shape = 10 ** (plan.level_dbfs / 20) * ramp * ramp[::-1]
    for hz, start_s in zip(plan.hz, plan.starts_s(), strict=True):
        start = round(start_s * rate_hz)
        sound[start : start + frames] = shape * np.sin(2 * math.pi * hz * np.arange(frames) / rate_hz)
    return sound
