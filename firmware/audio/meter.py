"""A level meter that is read now and then: the highest peak, and the mean power, since it was read last."""

from __future__ import annotations

import math

from hal.sounds import SILENCE_DBFS, SoundLevel


class Meter:
    """Levels of blocks in, a level of all of them out."""

    def __init__(self) -> None:
        self._peak_dbfs = SILENCE_DBFS
        self._power = 0.0
        self._blocks = 0

    def add(self, level: SoundLevel) -> None:
        """The level of one more block; blocks are of equal length."""
        self._peak_dbfs = max(self._peak_dbfs, level.peak_dbfs)
        self._power += 10 ** (level.rms_dbfs / 10)
        self._blocks += 1

    def take(self) -> SoundLevel:
        """The level since it was asked last; silence when there was no sound."""
        mean = self._power / self._blocks if self._blocks else 0.0
        rms_dbfs = max(SILENCE_DBFS, 10 * math.log10(mean)) if mean > 0 else SILENCE_DBFS
        level = SoundLevel(self._peak_dbfs, rms_dbfs)
        self._peak_dbfs, self._power, self._blocks = SILENCE_DBFS, 0.0, 0
        return level
