"""Runs a target on one input and judges what it took: processor time against that of fixed work, memory by a limit.

The fixed work is done in the same run, so a slow or busy machine moves both.
"""

from __future__ import annotations

import hashlib
import resource
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.targets import Target

# How often the fixed work (some ten milliseconds) one input may cost, and how much memory all together.
MOST_UNITS = 25.0
MEMORY = 128 * 1024 * 1024
TRIES = 3


@dataclass(slots=True)
class Judge:
    """Holds a target to its bounds: `most` times the fixed work, of which one takes `unit_s` here."""

    most: float = MOST_UNITS
    unit_s: float = field(default_factory=lambda: min(_fixed_work() for _ in range(5)))
    slowest: float = 0.0

    def look(self, target: Target, data: bytes, which: str) -> None:
        """Fails for an input that costs too much, and with whatever the target raises."""
        took = self._units(target, data)
        # A bad moment of the machine is no finding: what is slow is slow again.
        for _ in range(TRIES - 1):
            if took <= self.most:
                break
            took = min(took, self._units(target, data))
        self.slowest = max(self.slowest, took)
        assert took <= self.most, f"{which}: {len(data)} bytes cost {took:.0f} times the fixed work: {data[:200]!r}"

    def _units(self, target: Target, data: bytes) -> float:
        began = _cpu_s()
        target(data)
        return (_cpu_s() - began) / self.unit_s


def _fixed_work() -> float:
    """Processor time of work that is always the same."""
    began = _cpu_s()
    for number in range(20_000):
        hashlib.sha256(b"%d" % number).hexdigest()
    return _cpu_s() - began


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def bound_memory() -> None:
    """From here on this process gets so much more, and no more: a MemoryError is a finding."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
