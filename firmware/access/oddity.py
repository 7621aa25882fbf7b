"""What no honest holder does at a reader; pure: the caller says what time it is (hardening rows 8 and 11).

A tap on the two wires of a reader can send what a card sends, and nothing in the frame tells. What can be told:
the same frame again faster than a hand moves, more cards than hands can hold, one card at two readers at once,
and many unknown numbers one after the other.
"""

from __future__ import annotations

from collections import OrderedDict

NS = 1_000_000_000
REPEAT_NS = 100_000_000
BURST = 10
PER_S = 5.0
REMEMBERED = 64
HOLDERS_REMEMBERED = 4096


class RateLimit:
    """A bucket of `BURST` cards that fills up again at `PER_S`."""

    def __init__(self) -> None:
        self._left = float(BURST)
        self._last_ns = 0

    def take(self, t_ns: int) -> bool:
        """Take one; False when there is none left."""
        self._left = min(float(BURST), self._left + max(0, t_ns - self._last_ns) / NS * PER_S)
        self._last_ns = max(t_ns, self._last_ns)
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Strangers:
    """The unknown cards of one reader: the same one again is no walk through the numbers."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, None] = OrderedDict()

    def new(self, bits: str) -> bool:
        """Whether this unknown card was not here lately."""
        known = bits in self._seen
        self._seen[bits] = None
        self._seen.move_to_end(bits)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return not known

    def forget(self) -> None:
        """Somebody known came."""
        self._seen.clear()


class Repeats:
    """The last frame of one reader."""

    def __init__(self) -> None:
        self._bits = ""
        self._t_ns = -NS

    def again(self, bits: str, t_ns: int) -> bool:
        """Whether the same frame came less than `REPEAT_NS` ago."""
        repeated = bits == self._bits and t_ns - self._t_ns < REPEAT_NS
        self._bits, self._t_ns = bits, t_ns
        return repeated


class Whereabouts:
    """At which reader the card of each entry was last."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, tuple[str, int]] = OrderedDict()

    def elsewhere(self, entry: str, reader: str, t_ns: int, *, within_s: float) -> str:
        """The other reader where this entry's card was less than `within_s` ago; empty when there is none."""
        before = self._last.get(entry)
        self._last[entry] = (reader, t_ns)
        self._last.move_to_end(entry)
        if len(self._last) > HOLDERS_REMEMBERED:
            self._last.popitem(last=False)
        if before is None or before[0] == reader or t_ns - before[1] >= within_s * NS:
            return ""
        return before[0]
