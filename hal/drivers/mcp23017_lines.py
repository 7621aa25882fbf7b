"""Line groups of a port expander: what its owner holds after a request."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hal.errors import BusError
from hal.types import Edge, EdgeKind
from hal.wires import EdgeHandler


class ExpanderInputs:
    """Wire `InputLines`; its edges are found between two readings of the chip."""

    def __init__(
        self, offsets: tuple[int, ...], kind: EdgeKind, word: int, give_back: Callable[[ExpanderInputs], None]
    ) -> None:
        self.offsets = offsets
        self._kind = kind
        self._give_back = give_back
        self._levels = self._pick(word)
        self._seq = 0
        self._handler: EdgeHandler | None = None

    def levels(self) -> tuple[bool, ...]:
        return self._levels

    def watch(self, handler: EdgeHandler | None) -> None:
        self._handler = handler

    def close(self) -> None:
        self._handler = None
        self._give_back(self)

    def take(self, t_ns: int, word: int) -> None:
        """Report what changed since the last reading."""
        before, self._levels = self._levels, self._pick(word)
        for line, (was, level) in enumerate(zip(before, self._levels, strict=True)):
            if was != level and self._kind in (EdgeKind.BOTH, EdgeKind.RISING if level else EdgeKind.FALLING):
                self._seq += 1
                if self._handler is not None:
                    self._handler(Edge(t_ns, line, level, self._seq))

    def _pick(self, word: int) -> tuple[bool, ...]:
        return tuple(bool(word >> offset & 1) for offset in self.offsets)


class ExpanderOutputs:
    """Wire `OutputLines`; levels are carried to the chip in the order they were driven, the last one counts."""

    def __init__(
        self,
        chip: str,
        offsets: tuple[int, ...],
        initial: tuple[bool, ...],
        open_drain: bool,
        drive: Callable[[Sequence[int], Sequence[bool], bool], None],
        give_back: Callable[[Sequence[int]], None],
    ) -> None:
        self._chip = chip
        self._offsets = offsets
        self._levels = initial
        self._open_drain = open_drain
        self._drive = drive
        self._give_back = give_back
        self._closed = False

    def set(self, *levels: bool) -> None:
        if self._closed:
            raise BusError(self._chip, f"lines {list(self._offsets)} were driven after they were closed")
        if len(levels) != len(self._offsets):
            raise BusError(self._chip, f"{len(levels)} levels for {len(self._offsets)} lines")
        if levels != self._levels:
            self._levels = levels
            self._drive(self._offsets, levels, self._open_drain)

    def levels(self) -> tuple[bool, ...]:
        return self._levels

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._give_back(self._offsets)
