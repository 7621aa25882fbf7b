"""The judge of a train of pulses: when the next one begins, and whether what was measured may count. Pure.

```
D0 ‾‾\\__/‾‾‾‾‾‾‾‾‾‾‾‾‾‾\\__/‾‾    a pulse is 20 to 100 us wide, the lines rest for 200 us or more after it,
D1 ‾‾‾‾‾‾‾‾‾‾\\__/‾‾‾‾‾‾‾‾‾‾‾‾    and the next begins 20 ms or less after it began   (SIA AC-01-1996.10)
```

Who drives the lines (a process of its own on hardware, virtual time in tests) asks here, so that all
keep the same limits. A measured instant is a pair, before and after the call that moved the line: a pulse counts
when it cannot have been out of bounds, whenever within the two calls the lines really moved.
"""

from __future__ import annotations

from itertools import pairwise

from hal.errors import OutOfRange
from hal.types import PulseTrain, WiegandTiming

Instant = tuple[int, int]

SHORTEST_PULSE_NS, LONGEST_PULSE_NS = 20_000, 100_000
SHORTEST_REST_NS = 200_000
LONGEST_INTERVAL_NS = 20_000_000
# Nobody wakes up to the nanosecond: what is asked for up to the limit is aimed a little short of it.
LONGEST_AIMED_NS = 19_000_000

LONGEST_FRAME = 512
# What a receiver may take for a key or a card. A frame that was broken off must not have such a length.
TELLING_LENGTHS = frozenset({4, 8, 24, 26, 32, 34, 35, 37, 40, 48, 56, 64})

RANGES = {"pulse_us": (20, 100), "interval_us": (200, 20_000), "frame_gap_us": (20_000, 1_000_000)}


def check_timing(where: str, timing: WiegandTiming) -> None:
    """Raises OutOfRange with the value and its valid range."""
    for what, (low, high) in RANGES.items():
        value = getattr(timing, what)
        if not low <= value <= high:
            raise OutOfRange(where, f"{what} {value} is not between {low} and {high}")


def check_frame(where: str, bits: str) -> None:
    """Raises OutOfRange for what is no frame of 1 to 512 bits."""
    if not 1 <= len(bits) <= LONGEST_FRAME:
        raise OutOfRange(where, f"a frame of {len(bits)} bits; valid: 1 to {LONGEST_FRAME}")
    if set(bits) - {"0", "1"}:
        raise OutOfRange(where, "a frame is text of 0 and 1")


def spoilers(sent: int, whole: int) -> int:
    """How many more pulses a frame of `whole` bits needs that broke off after `sent`, so that nobody takes it.

    The last pulse is among those that may go wrong, so the whole length is one that must not be left standing. This
    is in vain only when the sender stood still for longer than a receiver waits (25 ms and more): then the frame is
    over, and its parity must save it. Real-time priority is what keeps the sender from standing still.
    """
    more = 0
    while sent and (sent + more in TELLING_LENGTHS or sent + more == whole):
        more += 1
    return more


class PulseMeter:
    """Accompanies one train from its first pulse, which may begin at `first_ns`, to its last or to its break."""

    def __init__(self, timing: WiegandTiming, first_ns: int) -> None:
        self._interval_ns = min(timing.interval_us * 1000, LONGEST_AIMED_NS)
        self._due_ns = first_ns
        self._starts: list[Instant] = []
        self._widths: list[int] = []
        self._end_ns = first_ns
        self.broken = ""

    @property
    def due_ns(self) -> int:
        """When the next pulse begins: an interval after the last began, never before the lines have rested."""
        return self._due_ns

    @property
    def sent(self) -> int:
        """How many pulses went out."""
        return len(self._widths)

    def may_begin(self, now_ns: int) -> bool:
        """Whether the next pulse still comes in time; else the train is broken."""
        if not self._starts or now_ns - self._starts[-1][0] <= LONGEST_INTERVAL_NS:
            return True
        self._break(f"no pulse for {(now_ns - self._starts[-1][0]) / 1e6:.1f} ms")
        return False

    def ended(self, begin: Instant, end: Instant) -> bool:
        """Take a pulse as measured; whether the train goes on."""
        if self._starts:
            interval_ns = begin[1] - self._starts[-1][0]
            if interval_ns > LONGEST_INTERVAL_NS:
                self._break(f"no pulse for {interval_ns / 1e6:.1f} ms")
        widest_ns, narrowest_ns = end[1] - begin[0], end[0] - begin[1]
        if widest_ns > LONGEST_PULSE_NS:
            self._break(f"a pulse of {widest_ns / 1e3:.0f} us")
        elif narrowest_ns < SHORTEST_PULSE_NS:
            self._break(f"a pulse of {narrowest_ns / 1e3:.0f} us")
        self._starts.append(begin)
        self._widths.append(end[1] - begin[1])
        self._end_ns = end[1]
        self._due_ns = max(begin[0] + self._interval_ns, end[1] + SHORTEST_REST_NS)
        return not self.broken

    def _break(self, why: str) -> None:
        self.broken = self.broken or why

    def train(self) -> PulseTrain:
        """What was measured so far."""
        starts = [begin for begin, _ in self._starts]
        return PulseTrain(
            t_ns=starts[0] if starts else self._due_ns,
            ends_ns=self._end_ns,
            pulses_ns=tuple(self._widths),
            intervals_ns=tuple(late - early for early, late in pairwise(starts)),
            broken=self.broken,
        )
