"""The light around a board, which its light sensor and its cameras see alike."""

from __future__ import annotations

from collections.abc import Callable

from hal.errors import OutOfRange

DAY_LUX = 500.0
BRIGHTEST_LUX = 120_000.0


class Daylight:
    """So many lux, everywhere before the board; a well lit room at first."""

    def __init__(self) -> None:
        self._lux = DAY_LUX
        self._before: list[Callable[[], None]] = []
        self._after: list[Callable[[], None]] = []

    @property
    def lux(self) -> float:
        """The light now."""
        return self._lux

    def become(self, lux: float) -> None:
        """Change the light. Raises OutOfRange beyond bright sun."""
        if not 0 <= lux <= BRIGHTEST_LUX:
            raise OutOfRange("light", f"light is 0 to {BRIGHTEST_LUX:g} lx (got {lux:g})")
        for tell in self._before:
            tell()
        self._lux = lux
        for tell in self._after:
            tell()

    def before_change(self, tell: Callable[[], None]) -> None:
        """Have `tell` called while the old light still shines."""
        self._before.append(tell)

    def on_change(self, tell: Callable[[], None]) -> None:
        """Have `tell` called in the new light."""
        self._after.append(tell)
