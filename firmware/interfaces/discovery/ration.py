"""How much is heard and answered, so that nobody can make this device shout at others (hardening row 50). Pure.

A source gets back at most `FACTOR` times the bytes it sent, ever, counted with their headers; what it did not use is
forgotten after `KEEP_S`. A packet beyond the pace of its source, or of all together, is dropped before it is read.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

FACTOR = 2
OVERHEAD_BYTES = 28  # IPv4 and UDP without options
OVERHEAD6_BYTES = 48  # IPv6 and UDP
KEEP_S = 6.0
MOST_SOURCES = 256
SECOND_NS = 1_000_000_000


@dataclass(slots=True)
class Bucket:
    """`rate` takes a second on average, `burst` at once; full at first."""

    rate: float
    burst: float
    left: float = field(init=False)
    at_ns: int | None = None

    def __post_init__(self) -> None:
        self.left = self.burst

    def take(self, now_ns: int) -> bool:
        """Take one, when there is one."""
        if self.at_ns is not None:
            self.left = min(self.burst, self.left + (now_ns - self.at_ns) / SECOND_NS * self.rate)
        self.at_ns = now_ns
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass(slots=True)
class _Source:
    heard: Bucket
    credit: int = 0
    at_ns: int = 0


class Ration:
    """The accounts of one protocol at one adapter; times are monotonic nanoseconds."""

    def __init__(
        self,
        *,
        source_rate: float = 20.0,
        rate: float = 200.0,
        answer_rate: float = 25.0,
        say_rate: float = 25.0,
        overhead: int = OVERHEAD_BYTES,
    ) -> None:
        """`source_rate` and `rate`: packets read a second, of one source and of all; `answer_rate`: answers a second
        to all sources; `say_rate`: messages to everybody a second. Twice as many may come at once. `overhead`: bytes
        of the headers of one packet."""
        self._overhead = overhead
        self._source_rate = source_rate
        self._all = Bucket(rate, rate * 2)
        self._answers = Bucket(answer_rate, answer_rate * 2)
        self._said = Bucket(say_rate, say_rate * 2)
        self._sources: OrderedDict[str, _Source] = OrderedDict()

    def hear(self, source: str, size: int, now_ns: int) -> bool:
        """A packet of `size` bytes came; whether it is to be read."""
        account = self._sources.get(source)
        if account is None:
            account = self._sources[source] = _Source(Bucket(self._source_rate, self._source_rate * 2))
            if len(self._sources) > MOST_SOURCES:
                self._sources.popitem(last=False)  # whoever was silent for longest loses its credit
        self._sources.move_to_end(source)
        if not account.heard.take(now_ns) or not self._all.take(now_ns):
            return False
        if now_ns - account.at_ns > KEEP_S * SECOND_NS:
            account.credit = 0
        account.at_ns = now_ns
        account.credit += FACTOR * (size + self._overhead)
        return True

    def credit(self, source: str, now_ns: int) -> int:
        """How many bytes of data a source may be sent in one answer; less than 0: not even an empty one."""
        account = self._sources.get(source)
        if account is None or now_ns - account.at_ns > KEEP_S * SECOND_NS:
            return -1
        return account.credit - self._overhead

    def spend(self, source: str, size: int, now_ns: int) -> bool:
        """Answer with `size` bytes, when the source has the credit and answers are not too many altogether."""
        if self.credit(source, now_ns) < size or not self._answers.take(now_ns):
            return False
        self._sources[source].credit -= size + self._overhead
        return True

    def say(self, now_ns: int) -> bool:
        """Whether one more message may go to everybody."""
        return self._said.take(now_ns)
