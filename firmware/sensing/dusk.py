"""When day becomes night: pure decisions from the light and its time.

Day comes back only in clearly brighter light than that in which it went, and both only after a while: a cloud, a
passing car or the lamp of the device itself do not make the picture change to and fro.
"""

from __future__ import annotations

from firmware.core.vocabulary.watch import DayNight

BRIGHTER = 2.5


class Dusk:
    """Day or night by the light; nothing is known before the first reading."""

    def __init__(self) -> None:
        self.mode: DayNight | None = None
        self._since_ns: int | None = None

    def feed(self, t_ns: int, lux: float, *, below_lux: float, delay_s: float) -> DayNight:
        """Take a reading; night below `below_lux`, day above `BRIGHTER` times that, each after `delay_s`."""
        if self.mode is None:
            self.mode = DayNight.NIGHT if lux < below_lux else DayNight.DAY
            return self.mode
        other = DayNight.NIGHT if self.mode is DayNight.DAY else DayNight.DAY
        wanted = lux < below_lux if other is DayNight.NIGHT else lux > below_lux * BRIGHTER
        if not wanted:
            self._since_ns = None
            return self.mode
        if self._since_ns is None:
            self._since_ns = t_ns
        if t_ns - self._since_ns >= round(delay_s * 1e9):
            self.mode, self._since_ns = other, None
        return self.mode

    def interrupted(self) -> None:
        """There are no readings for now: a delay that runs begins anew."""
        self._since_ns = None
