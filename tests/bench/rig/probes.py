"""What a rig's probe lines can do: be driven, be let go, be read, and tell when they change.

`LineProbe` has GPIO lines of this machine; `remote.py` those of a second one; `relay_board.py` closes contacts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import gpiod

from hal.buses.gpiod_lines import GpiodLines, open_chip
from hal.buses.pins import InputWish, OutputWish
from hal.buses.readiness import Readiness
from hal.errors import BusError
from hal.types import Edge, Pull

# Whoever asks the kernel who has these lines reads this.
OWNER = "rig"
Changed = Callable[[int, int, bool], None]  # probe line, kernel time in ns, level


class Probe(Protocol):
    """The lines of one probe, by number. All are let go at first, and again by `close`."""

    @property
    def pushes(self) -> bool:
        """Whether it can drive a line high, not only close it to ground."""

    def hold(self, line: int, level: bool) -> None:
        """Drive a line, through the resistor of its wire. Raises BusError."""

    def release(self, line: int, pull: Pull = Pull.NONE) -> None:
        """Let a line go. Raises BusError."""

    async def levels(self, lines: Sequence[int]) -> tuple[bool, ...]:
        """What is on these lines now; everything asked before has happened. Raises BusError."""

    def watch(self, lines: Iterable[int], changed: Changed | None) -> None:
        """Call `changed` for every change of lines that are let go; None stops it. Raises BusError."""

    async def open(self) -> None:
        """Take the lines. Raises BusError, LineInUse."""

    async def close(self) -> None:
        """Let all lines go."""


class LineProbe:
    """Lines of a GPIO chip of this machine; implements Probe. One request for each, since each has its own way."""

    def __init__(self, chip: str, lines: Iterable[int], reads: Readiness) -> None:
        self._path = chip
        self._wanted = tuple(lines)
        self._reads = reads
        self._chip: gpiod.Chip | None = None
        self._lines: dict[int, GpiodLines] = {}
        self._held: set[int] = set()

    @property
    def pushes(self) -> bool:
        return True

    async def open(self) -> None:
        self._chip = open_chip(self._path, "rig")
        try:
            for line in self._wanted:
                self._lines[line] = GpiodLines(
                    self._chip, Path(self._path).name, [line], InputWish(edges=None), owner=OWNER, reads=self._reads
                )
        except BaseException:
            await self.close()
            raise

    def _line(self, line: int) -> GpiodLines:
        if line not in self._lines:
            raise BusError(f"{self._path}:{line}", "is no line of this probe, or was given back")
        return self._lines[line]

    def hold(self, line: int, level: bool) -> None:
        if line in self._held:
            self._line(line).set(level)
        else:
            self._line(line).reconfigure(OutputWish((level,)))
            self._held.add(line)

    def release(self, line: int, pull: Pull = Pull.NONE) -> None:
        self._line(line).reconfigure(InputWish(pull=pull))
        self._held.discard(line)

    async def levels(self, lines: Sequence[int]) -> tuple[bool, ...]:
        return tuple(self._line(line).sense()[0] for line in lines)

    def watch(self, lines: Iterable[int], changed: Changed | None) -> None:
        for line in lines:
            self._watch(line, changed)

    def _watch(self, line: int, changed: Changed | None) -> None:
        if changed is None:
            self._line(line).watch(None)
            return

        def edge(found: Edge) -> None:
            changed(line, found.t_ns, found.level)

        self._line(line).watch(edge)

    async def close(self) -> None:
        for lines in self._lines.values():
            lines.reconfigure(InputWish(edges=None))
            lines.close()
        self._lines.clear()
        self._held.clear()
        if self._chip is not None:
            self._chip.close()
            self._chip = None
