"""How loud it is, from 0 to 100, and when it rises above or falls below a level. Pure; time comes with the sound.

Loudness is the effective level with time weighting F (IEC 61672-1): a single click is not loud, and speech has no gaps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

# The scale: 0 is silence for any microphone, 100 a full-scale sine.
QUIETEST_DBFS, LOUDEST_DBFS = -70.0, 0.0
FAST_S = 0.125
# It has fallen when it was so far below the level for so long: a pause between two words is none.
HYSTERESIS = 3.0
FALL_S = 0.5


class Crossing(StrEnum):
    """What the loudness did."""

    RISE = "rise"
    FALL = "fall"


def scale_of(dbfs: float) -> float:
    """A level in dB of a full-scale sine as loudness, 0 to 100."""
    part = (dbfs - QUIETEST_DBFS) / (LOUDEST_DBFS - QUIETEST_DBFS)
    return 100.0 * min(1.0, max(0.0, part))


@dataclass(slots=True)
class Loudness:
    """The loudness of a stream of blocks."""

    _power: float = 0.0

    def hear(self, rms_dbfs: float, length_s: float) -> float:
        """Add a block of this effective level and length; returns the loudness at its end, 0 to 100."""
        power = 10 ** (rms_dbfs / 10)
        self._power += (power - self._power) * -math.expm1(-length_s / FAST_S)
        return scale_of(10 * math.log10(self._power) if self._power > 0 else QUIETEST_DBFS)

    def forget(self) -> None:
        """Begin anew, with silence."""
        self._power = 0.0


@dataclass(slots=True)
class Crossings:
    """Watches loudness against an alarm level, 0 (always above) to 100 (a full-scale sine).

    Rises and falls come by turns, whatever happens to the level or to the sound.
    """

    alarm_level: int
    above: bool = False
    since_ns: int = 0  # when it last rose or fell
    _reached: bool = False  # whether it was as loud as that since the level was set
    _quiet_ns: int | None = None  # since when it is quiet enough to have fallen

    def hear(self, loudness: float, t_ns: int) -> Crossing | None:
        """What the loudness at `t_ns` means; times must not go back."""
        if loudness >= self.alarm_level:
            self._reached, self._quiet_ns = True, None
            return None if self.above else self._turn(Crossing.RISE, t_ns)
        if not self.above:
            return None
        if self._reached and loudness >= self.alarm_level - HYSTERESIS:
            self._quiet_ns = None
            return None
        if self._quiet_ns is None:
            self._quiet_ns = t_ns
        return self._turn(Crossing.FALL, t_ns) if t_ns - self._quiet_ns >= FALL_S * 1e9 else None

    def set_level(self, alarm_level: int) -> None:
        """Watch against another level. What is loud stays so where it is as loud as that, and else falls after the
        usual time; hysteresis holds only what has reached the new level.
        """
        self.alarm_level, self._reached = alarm_level, False

    def deafen(self, t_ns: int) -> Crossing | None:
        """Nothing can be heard from `t_ns` on: what was loud has fallen."""
        return self._turn(Crossing.FALL, t_ns) if self.above else None

    def _turn(self, crossing: Crossing, t_ns: int) -> Crossing:
        self.above = crossing is Crossing.RISE
        self.since_ns, self._quiet_ns = t_ns, None
        return crossing
