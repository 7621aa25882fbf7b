"""A push button on one line: pressed or not, after debounce.

Short, long and stuck presses are gestures, made by the service from these changes and their times.
"""

from __future__ import annotations

from collections.abc import Callable

from hal.clock import Clock
from hal.drivers.debounce import DebouncedLine
from hal.ports import InputChange
from hal.types import Pull
from hal.wires import Gpio, InputLines


class PushButton:
    """Port `Button`."""

    def __init__(self, name: str, lines: InputLines, clock: Clock, *, active_high: bool, debounce_s: float) -> None:
        self._name = name
        self._active_high = active_high
        self._handler: Callable[[InputChange], None] | None = None
        self._line = DebouncedLine(lines, clock, debounce_s, self._settled)

    @classmethod
    async def open(
        cls,
        name: str,
        gpio: Gpio,
        offset: int,
        clock: Clock,
        *,
        active_high: bool = False,
        pull: Pull = Pull.UP,
        debounce_s: float = 0.020,
    ) -> PushButton:
        """Request the line as an input. Raises LineInUse, BusError."""
        lines = await gpio.inputs(name, [offset], pull=pull)
        return cls(name, lines, clock, active_high=active_high, debounce_s=debounce_s)

    @property
    def name(self) -> str:
        return self._name

    def pressed(self) -> bool:
        return self._line.level == self._active_high

    def watch(self, handler: Callable[[InputChange], None] | None) -> None:
        self._handler = handler

    def close(self) -> None:
        """Give the line back."""
        self._handler = None
        self._line.close()

    def _settled(self, t_ns: int, level: bool) -> None:
        if self._handler is not None:
            self._handler(InputChange(t_ns, level == self._active_high))
