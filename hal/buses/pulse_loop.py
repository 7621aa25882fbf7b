"""The pulse code: sends one train of pulses on two data lines, in a process that does nothing else.

Sleep to the start of a bit, then spin the pulse: sleeping is exact to 50 us at best, spinning to less than one.
The garbage collector stands still meanwhile. What drives the lines is given: gpiod on hardware, a log in a
simulated world; nothing here knows which.
"""

from __future__ import annotations

import gc
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from hal.clock import SystemClock, block_until
from hal.pulse import LONGEST_PULSE_NS, SHORTEST_PULSE_NS, Instant, PulseMeter, spoilers
from hal.types import PulseTrain, WiegandTiming

CALLS_TIMED = 15
# What a call may take longer than the median one; no receiver minds a pulse of 85 us where 100 were asked for.
MARGIN_NS = 15_000

now_ns = SystemClock().now_ns


class DataLines(Protocol):
    """D0 and D1 as the pulse code drives them; each call moves the lines at once."""

    def pull(self, bit: int) -> None:
        """Begin a pulse on D0 or D1."""

    def rest(self) -> None:
        """Let both lines go; harmless when they rest already."""

    def close(self) -> None:
        """Give the lines back without moving them."""


def cost_of_a_call_ns(lines: DataLines) -> int:
    """How long moving the lines takes, told by calls that leave them at rest."""
    costs = []
    for _ in range(CALLS_TIMED):
        before_ns = now_ns()
        lines.rest()
        costs.append(now_ns() - before_ns)
    return round(statistics.median(costs))


def send_train(lines: DataLines, bits: str, timing: WiegandTiming, *, cost_ns: int) -> PulseTrain:
    """Send a frame, or break it off and spoil it, measuring every pulse; the lines rest afterwards, come what may.

    A pulse of 100 us is aimed short, by twice `cost_ns` (what a call takes) and `MARGIN_NS`: it must not be wider
    for certain.
    """
    wanted_ns = min(timing.pulse_us * 1000, LONGEST_PULSE_NS - MARGIN_NS - 2 * cost_ns)
    # Lines move near the end of the call: the one that ends the pulse is begun earlier by what it takes.
    spin_ns = max(wanted_ns - cost_ns, SHORTEST_PULSE_NS)
    pulses = tuple(int(bit) for bit in bits)
    meter = PulseMeter(timing, now_ns())
    with _undisturbed(lines):
        for bit in pulses:
            block_until(meter.due_ns)
            if not meter.may_begin(now_ns()) or not meter.ended(*_pulse(lines, bit, spin_ns)):
                break
        train = meter.train()
        if meter.broken:
            for _ in range(spoilers(meter.sent, len(pulses))):
                block_until(meter.due_ns)
                meter.ended(*_pulse(lines, 0, spin_ns))
    return train


def _pulse(lines: DataLines, bit: int, spin_ns: int) -> tuple[Instant, Instant]:
    """One pulse: its beginning and its end, each before and after the call that made it."""
    began_ns = now_ns()
    lines.pull(bit)
    pulled_ns = now_ns()
    until_ns = pulled_ns + spin_ns
    while (ending_ns := now_ns()) < until_ns:
        pass
    lines.rest()
    return (began_ns, pulled_ns), (ending_ns, now_ns())


@contextmanager
def _undisturbed(lines: DataLines) -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        lines.rest()
        gc.enable()
