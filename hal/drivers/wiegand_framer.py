"""Wiegand frames out of falling edges: pure, no clock and no line.

```
D0 ‾‾\\_/‾‾‾‾‾‾‾‾‾‾\\_/‾‾‾‾   a low pulse of 20 to 100 us is a bit; pulses are 200 us to 20 ms apart
D1 ‾‾‾‾‾‾‾‾\\_/‾‾‾‾‾‾‾‾‾‾‾   silence ends a frame            (SIA AC-01: 26-bit reader interface)
```
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from hal.errors import OutOfRange
from hal.types import CardBits, Edge, Key, ReaderFact, ReaderFault, ReaderTrouble

KEYS = "0123456789*#"

OVERLAP_NS = 20_000  # shorter than any pulse: both lines were low together
SHORTEST_GAP_NS = 200_000
LONGEST_GAP_NS = 20_000_000
# Noise without a pause is reported every so many edges.
NOISE_EDGES = 4096

IDLE_RANGE_S = (0.020, 0.100)

# When a frame has several troubles, the first of these is told.
RANK = (
    ReaderTrouble.OVERLAP,
    ReaderTrouble.LOST,
    ReaderTrouble.STUCK,
    ReaderTrouble.TIMING,
    ReaderTrouble.LONG,
    ReaderTrouble.SHORT,
)


def key_of(bits: str) -> str | None:
    """The key in a frame of 4 bits, or of 8 whose high half is the low one inverted; None when it is none."""
    value = int(bits, 2)
    if len(bits) == 8 and (value >> 4) ^ (value & 0xF) != 0xF:
        return None
    number = value & 0xF
    return KEYS[number] if number < len(KEYS) else None


class WiegandFramer:
    """Collects edges of D0 (line 0) and D1 (line 1) into frames.

    A frame with anything wrong is counted and discarded as a whole, up to the next silence (hardening rows 8, 9).
    At most `max_bits` bits are kept, whatever comes in.
    """

    def __init__(
        self, reader: str, *, idle_s: float = 0.025, min_bits: int = 24, max_bits: int = 256, keypad: bool = True
    ) -> None:
        shortest, longest = IDLE_RANGE_S
        if not shortest <= idle_s <= longest:
            raise OutOfRange(reader, f"idle time {idle_s} s is not between {shortest} and {longest} s")
        if not 1 <= min_bits <= max_bits < NOISE_EDGES:
            raise OutOfRange(reader, f"frames of {min_bits} to {max_bits} bits are not within 1 to {NOISE_EDGES - 1}")
        self._reader = reader
        self._idle_ns = round(idle_s * 1e9)
        self._min_bits = min_bits
        self._max_bits = max_bits
        self._keypad = keypad
        self._bits = bytearray()
        self._count = 0
        self._trouble: ReaderTrouble | None = None
        self._last_ns: int | None = None  # the last edge of the frame that is open
        self._last_line = 0
        self._ended_ns: int | None = None  # the last edge of the frame before
        self._seq = 0
        self._discarded: Counter[ReaderTrouble] = Counter()

    @property
    def deadline_ns(self) -> int | None:
        """When the open frame ends if no edge comes; None between frames."""
        return None if self._last_ns is None else self._last_ns + self._idle_ns

    @property
    def discarded(self) -> Mapping[ReaderTrouble, int]:
        """How many frames were discarded, by reason."""
        return self._discarded

    def feed(self, edge: Edge) -> tuple[ReaderFact, ...]:
        """Take one edge; returns the frame it shows to be over, if any."""
        lost = edge.seq != self._seq + 1
        self._seq = edge.seq
        if edge.level:  # not asked for; it only keeps the count
            return ()
        facts: tuple[ReaderFact, ...] = ()
        if self._last_ns is not None and edge.t_ns - self._last_ns >= self._idle_ns:
            if lost:  # nobody knows whether the end of this frame or the beginning of the next is missing
                self._spoil(ReaderTrouble.LOST)
            facts = self._finish()
        self._judge(edge)
        if lost:
            self._spoil(ReaderTrouble.LOST)
        self._last_ns = edge.t_ns if self._last_ns is None else max(self._last_ns, edge.t_ns)
        self._last_line = edge.line
        self._count += 1
        if len(self._bits) < self._max_bits:
            self._bits.append(ord("1") if edge.line else ord("0"))
        else:
            self._spoil(ReaderTrouble.LONG)
        if self._count < NOISE_EDGES:
            return facts
        self._count = 0
        return (*facts, self._fault(self._trouble or ReaderTrouble.LONG, NOISE_EDGES, edge.t_ns))

    def silence(self, now_ns: int) -> tuple[ReaderFact, ...]:
        """Say that no edge came until `now_ns`; returns the frame that is over by that, if any."""
        deadline_ns = self.deadline_ns
        if deadline_ns is None or now_ns < deadline_ns:
            return ()
        return self._finish()

    def stuck(self, t_ns: int) -> tuple[ReaderFact, ...]:
        """Say that a line stays low: the open frame lacks bits and is discarded."""
        if self._last_ns is None:
            return (self._fault(ReaderTrouble.STUCK, 0, t_ns),)
        self._spoil(ReaderTrouble.STUCK)
        return self._finish()

    def _judge(self, edge: Edge) -> None:
        """Compare an edge's time with the one before."""
        if self._last_ns is None:
            # The tail of a frame that was over too early cannot be a frame of its own.
            if self._ended_ns is not None and edge.t_ns - self._ended_ns < self._idle_ns:
                self._spoil(ReaderTrouble.LOST)
            return
        gap_ns = edge.t_ns - self._last_ns
        if edge.line != self._last_line and 0 <= gap_ns < OVERLAP_NS:
            self._spoil(ReaderTrouble.OVERLAP)
        elif not SHORTEST_GAP_NS <= gap_ns <= LONGEST_GAP_NS:
            self._spoil(ReaderTrouble.TIMING)

    def _spoil(self, trouble: ReaderTrouble) -> None:
        if self._trouble is None or RANK.index(trouble) < RANK.index(self._trouble):
            self._trouble = trouble

    def _finish(self) -> tuple[ReaderFact, ...]:
        """Close the open frame and say what it was."""
        assert self._last_ns is not None
        bits, count, trouble, t_ns = self._bits.decode(), self._count, self._trouble, self._last_ns
        self._bits.clear()
        self._count = 0
        self._trouble = None
        self._ended_ns, self._last_ns = t_ns, None
        if count == 0:  # the rest was reported as noise
            return ()
        if trouble is not None:
            return (self._fault(trouble, count, t_ns),)
        key = key_of(bits) if self._keypad and count in (4, 8) else None
        if key is not None:
            return (Key(t_ns, self._reader, key),)
        # A frame of 8 bits that is no key is a damaged key, whatever `min_bits` allows.
        if count < self._min_bits or (self._keypad and count in (4, 8)):
            return (self._fault(ReaderTrouble.SHORT, count, t_ns),)
        return (CardBits(t_ns, self._reader, bits),)

    def _fault(self, trouble: ReaderTrouble, count: int, t_ns: int) -> ReaderFault:
        self._discarded[trouble] += 1
        return ReaderFault(t_ns, self._reader, trouble, count)
