"""A light of one to three lamps: patterns are data, shown on the clock's timers without drift.

The lamps are one group of lines, so a mixed colour appears in one step. Amber is red with green,
white is red with green and blue, unless the board has a lamp of that very colour.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from hal.clock import Clock, Timer
from hal.errors import BusError, OutOfRange, nearest
from hal.types import OFF, Colour, Pattern
from hal.wires import Gpio, OutputLines

log = logging.getLogger("hal.drivers")

MS = 1_000_000

MIXTURES = {
    Colour.AMBER: frozenset({Colour.RED, Colour.GREEN}),
    Colour.WHITE: frozenset({Colour.RED, Colour.GREEN, Colour.BLUE}),
}


def palette(lamps: frozenset[Colour]) -> dict[Colour, frozenset[Colour]]:
    """What lamps can show, and which of them are lit for it; always with off."""
    shown: dict[Colour, frozenset[Colour]] = {Colour.OFF: frozenset()}
    shown.update((lamp, frozenset({lamp})) for lamp in lamps)
    shown.update((mix, parts) for mix, parts in MIXTURES.items() if parts <= lamps and mix not in lamps)
    return shown


def step_at(pattern: Pattern, start_ns: int, now_ns: int) -> tuple[Colour, int | None]:
    """The colour of a pattern at `now_ns` and when it changes next; None when it is steady."""
    if len(pattern.steps) == 1:
        return pattern.steps[0].colour, None
    round_ns = sum(step.for_ms for step in pattern.steps) * MS
    into_ns = (now_ns - start_ns) % round_ns
    begin_ns = now_ns - into_ns
    for step in pattern.steps[:-1]:
        if into_ns < step.for_ms * MS:
            return step.colour, begin_ns + step.for_ms * MS
        into_ns -= step.for_ms * MS
        begin_ns += step.for_ms * MS
    return pattern.steps[-1].colour, begin_ns + pattern.steps[-1].for_ms * MS


class Light:
    """Port `Led`; off when opened and when closed."""

    def __init__(
        self, name: str, lines: OutputLines, lamps: tuple[Colour, ...], clock: Clock, *, active_high: bool
    ) -> None:
        self._name = name
        self._lines = lines
        self._lamps = lamps
        self._palette = palette(frozenset(lamps))
        self._clock = clock
        self._active_high = active_high
        self._pattern = OFF
        self._start_ns = clock.now_ns()
        self._lit: frozenset[Colour] | None = frozenset()
        self._timer: Timer | None = None
        self._failing = False
        self._closed = False

    @classmethod
    async def open(
        cls, name: str, gpio: Gpio, channels: Mapping[Colour, int], clock: Clock, *, active_high: bool = True
    ) -> Light:
        """Request one line a lamp, all off in the same step. Raises OutOfRange without lamps, LineInUse, BusError."""
        if not channels or Colour.OFF in channels:
            raise OutOfRange(name, "a light needs at least one lamp, and each lamp a colour")
        offsets = list(channels.values())
        lines = await gpio.outputs(name, offsets, initial=[not active_high] * len(offsets))
        return cls(name, lines, tuple(channels), clock, active_high=active_high)

    @property
    def name(self) -> str:
        return self._name

    @property
    def colours(self) -> frozenset[Colour]:
        return frozenset(self._palette)

    def show(self, pattern: Pattern) -> None:
        """Start a pattern now; the one already shown goes on undisturbed.

        Raises OutOfRange for a colour the light lacks, or a pattern that cannot be shown.
        """
        self._check(pattern)
        if self._closed or pattern == self._pattern:
            return
        self._pattern = pattern
        self._start_ns = self._clock.now_ns()
        self._step()

    def shown(self) -> Pattern:
        return self._pattern

    def close(self) -> None:
        """Switch every lamp off, then give the lines back; closing twice is harmless."""
        if self._closed:
            return
        self._pattern = OFF
        self._step()
        self._closed = True
        self._lines.close()

    def _check(self, pattern: Pattern) -> None:
        if not pattern.steps:
            raise OutOfRange(self._name, "a pattern needs at least one step")
        for step in pattern.steps:
            if step.colour not in self._palette:
                hint = nearest(step.colour.value, [colour.value for colour in self._palette])
                raise OutOfRange(self._name, f"cannot show {step.colour.value!r}{hint}")
            if len(pattern.steps) > 1 and step.for_ms <= 0:
                raise OutOfRange(self._name, f"a step of {step.for_ms} ms in pattern {str(pattern)!r}; at least 1 ms")

    def _step(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        colour, next_ns = step_at(self._pattern, self._start_ns, self._clock.now_ns())
        self._drive(self._palette[colour])
        if next_ns is not None:
            self._timer = self._clock.call_at(next_ns, self._step)

    def _drive(self, lit: frozenset[Colour]) -> None:
        if lit == self._lit:
            return
        try:
            self._lines.set(*((lamp in lit) == self._active_high for lamp in self._lamps))
        except BusError as error:
            self._lit = None  # unknown: the next step drives the lines again
            if not self._failing:
                self._failing = True
                log.warning("%s: cannot be driven: %s", self._name, error)
            return
        self._lit = lit
        if self._failing:
            self._failing = False
            log.warning("%s: can be driven again", self._name)
