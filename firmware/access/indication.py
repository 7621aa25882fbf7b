"""What the light of one reader shows: the latest indication that still lasts, else the base, else the idle colour.

The base is what a door controller wants shown.

An indication that is asked for again lasts until the later of both ends, without a flicker. A shorter
one over a longer one (red over green) gives way to it when it ends. One that belongs to a release lasts until the door
is locked, whenever that is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from firmware.core.errors import Unavailable, Unsupported
from hal.clock import Clock, Timer
from hal.errors import HalError
from hal.ports import Led
from hal.types import OFF, Colour, Pattern

NS = 1_000_000_000
FLASH_MS = 250
# No release is longer: a light whose door never says that it is locked goes out as well.
LONGEST_S = 3600.0

log = logging.getLogger("firmware.access")


def pattern_of(colour: Colour, *, flash: bool) -> Pattern:
    """The pattern of a colour, steady or flashing twice a second."""
    return Pattern.flash(colour, on_ms=FLASH_MS) if flash and colour is not Colour.OFF else Pattern.steady(colour)


class Indication:
    """The light of one reader."""

    def __init__(self, led: Led, clock: Clock, idle: Callable[[], Colour]) -> None:
        self._led = led
        self._clock = clock
        self._idle = idle
        self._base: Pattern | None = None
        self._ends_ns: dict[tuple[Pattern, str], int] = {}  # by pattern and door, the latest asked for last
        self._timer: Timer | None = None

    def show(self, colour: Colour, for_s: float | None = None, *, door: str = "", flash: bool = False) -> None:
        """Show for `for_s` seconds; without them until `locked(door)`.

        Raises Unsupported for a colour the light lacks, Unavailable when it fails.
        """
        if colour not in self._led.colours:
            known = ", ".join(sorted(self._led.colours))
            raise Unsupported(
                "reader.indicate.colour", f"{self._led.name!r} cannot show {colour.value}; it has {known}"
            )
        pattern = pattern_of(colour, flash=flash)
        key = (pattern, door)
        end_ns = self._clock.now_ns() + round((LONGEST_S if for_s is None else for_s) * NS)
        self._ends_ns[key] = max(end_ns, self._ends_ns.pop(key, 0))
        try:
            self._refresh()
        except HalError as error:
            self._ends_ns.pop(key, None)
            raise Unavailable("reader.indicate", str(error)) from error

    def locked(self, door: str) -> None:
        """End what was shown for the release of this door. Raises HalError."""
        for key in [each for each in self._ends_ns if each[1] == door]:
            del self._ends_ns[key]
        self._refresh()

    def stand_on(self, base: Pattern | None) -> None:
        """Show `base` between indications from now on, or the idle colour again; a colour it lacks is dark.

        Raises Unavailable when the light fails.
        """
        self._base = base
        try:
            self._refresh()
        except HalError as error:
            raise Unavailable("reader.base", str(error)) from error

    def rest(self) -> None:
        """Show what stands now; the base or the idle colour when nothing does. Raises HalError."""
        self._refresh()

    def close(self) -> None:
        """Forget everything and go dark. Raises HalError."""
        self._stop_timer()
        self._ends_ns.clear()
        self._base = None
        self._led.show(OFF)

    def _refresh(self) -> None:
        now_ns = self._clock.now_ns()
        self._ends_ns = {key: end_ns for key, end_ns in self._ends_ns.items() if end_ns > now_ns}
        self._stop_timer()
        if self._ends_ns:
            latest = next(reversed(self._ends_ns))
            wanted = latest[0]
            self._timer = self._clock.call_at(self._ends_ns[latest], self._over)
        else:
            wanted = self._fitting(self._base or Pattern.steady(self._idle()))
        if self._led.shown() != wanted:
            self._led.show(wanted)

    def _fitting(self, pattern: Pattern) -> Pattern:
        colours = self._led.colours
        return Pattern(
            tuple(step if step.colour in colours else replace(step, colour=Colour.OFF) for step in pattern.steps)
        )

    def _over(self) -> None:
        self._timer = None
        try:
            self._refresh()
        except HalError as error:
            log.error("the light of reader %s does not obey: %s", self._led.name, error)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
