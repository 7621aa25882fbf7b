"""Blocking of an address that fails too often in a second, as the administrator has set it.

Two reaches: failures of one address on one page, and on the whole device. Both are counted over a sliding
second, and tries that were turned away count too; what is blocked stays so for the period and no longer.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from enum import StrEnum

KEPT = 4096
WINDOW_S = 1.0


class Reach(StrEnum):
    """What was failed at too often."""

    PAGE = "page"
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class BlockRules:
    """Whether to block, for how long, and how many failures a second are allowed."""

    on: bool = True
    period_s: float = 10.0
    page_per_s: int = 10
    device_per_s: int = 20


class Blocks:
    """Failures of the last second by address, and the addresses that are blocked; `place` is an address's origin."""

    def __init__(self) -> None:
        self.rules = BlockRules()
        self._failures: OrderedDict[tuple[str, str], deque[int]] = OrderedDict()
        self._until: OrderedDict[str, int] = OrderedDict()

    def is_empty(self) -> bool:
        """Whether no address is blocked."""
        return not self._until

    def wait_s(self, place: str, now_ns: int) -> float:
        """Seconds until a try from this place is looked at; 0 is now."""
        until_ns = self._until.get(place, 0)
        if until_ns <= now_ns or not self.rules.on:
            return 0.0
        return (until_ns - now_ns) / 1e9

    def failed(self, place: str, page: str, now_ns: int) -> Reach | None:
        """Count a failure; which reach was exceeded, when a block begins with it."""
        if not self.rules.on or self.wait_s(place, now_ns):
            return None
        for reach, key, allowed in (
            (Reach.PAGE, (place, f"page {page}"), self.rules.page_per_s),
            (Reach.DEVICE, (place, ""), self.rules.device_per_s),
        ):
            if self._count(key, allowed, now_ns) > allowed:
                self._block(place, now_ns)
                return reach
        return None

    def _count(self, key: tuple[str, str], allowed: int, now_ns: int) -> int:
        """Failures of the last second under a key, this one too; more than one above `allowed` is never kept."""
        times = self._failures.pop(key, None) or deque()
        while times and now_ns - times[0] >= WINDOW_S * 1e9:
            times.popleft()
        times.append(now_ns)
        while len(times) > allowed + 1:
            times.popleft()
        self._failures[key] = times
        while len(self._failures) > KEPT:
            self._failures.popitem(last=False)
        return len(times)

    def _block(self, place: str, now_ns: int) -> None:
        self._until.pop(place, None)
        self._until[place] = now_ns + int(self.rules.period_s * 1e9)
        while len(self._until) > KEPT:
            self._until.popitem(last=False)
        for key in [key for key in self._failures if key[0] == place]:
            del self._failures[key]
