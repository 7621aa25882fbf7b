"""How long to wait before the dispatcher is called again: doubling, with jitter, so that a fleet comes one by one."""

from __future__ import annotations

from random import Random

FIRST_S = 1.0
LONGEST_S = 300.0
# A connection that stood this long was a good one: the next wait is the first again.
GOOD_S = 60.0


class Patience:
    """The waits of one dispatcher. `chance` decides the jitter: between a half and the whole of a wait."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._failures = 0

    def next_s(self) -> float:
        """Seconds to wait after one more failure."""
        whole = min(LONGEST_S, FIRST_S * float(1 << min(self._failures, 16)))
        self._failures += 1
        return whole * (0.5 + self._chance.random() / 2)

    def forget(self) -> None:
        """Begin anew."""
        self._failures = 0
