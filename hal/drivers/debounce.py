"""Contact bounce removed by the times of the edges, for everything a finger or a contact moves.

A change counts when the line kept its new level for the quiet time; it is stamped with the first
edge of the burst that led to it. Nothing here depends on when the loop got round to an edge.
"""

from __future__ import annotations

from collections.abc import Callable

from hal.clock import Clock, Timer
from hal.types import Edge
from hal.wires import InputLines

S = 1_000_000_000


class DebouncedLine:
    """The settled level of the first line of a group; `report(t_ns, level)` is called for each settled change."""

    def __init__(self, lines: InputLines, clock: Clock, debounce_s: float, report: Callable[[int, bool], None]) -> None:
        self._lines = lines
        self._clock = clock
        self._quiet_ns = round(debounce_s * S)
        self._report = report
        self._level = self._raw = lines.levels()[0]
        self._burst_ns: int | None = None
        self._last_ns = 0
        self._timer: Timer | None = None
        lines.watch(self._edge)

    @property
    def level(self) -> bool:
        """The settled level."""
        return self._level

    def close(self) -> None:
        """Stop reporting and give the line back; closing twice is harmless."""
        self._lines.watch(None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._burst_ns = None
        self._lines.close()

    def _edge(self, edge: Edge) -> None:
        self._take(edge.t_ns, edge.level)

    def _take(self, t_ns: int, raw: bool) -> None:
        # An edge that comes after the quiet time proves the level before it was stable, however late both arrive.
        if self._burst_ns is not None and t_ns - self._last_ns >= self._quiet_ns:
            self._settle()
        if self._burst_ns is None:
            self._burst_ns = self._last_ns = t_ns
        self._last_ns = max(self._last_ns, t_ns)
        self._raw = raw
        if self._timer is None:
            self._timer = self._clock.call_at(self._last_ns + self._quiet_ns, self._quiet)

    def _quiet(self) -> None:
        """The quiet time since some edge is over: settle, unless later edges moved the end."""
        self._timer = None
        if self._burst_ns is None:
            return
        now_ns = self._clock.now_ns()
        level = self._lines.levels()[0]
        if level != self._raw:  # an edge was lost or is still on its way
            self._take(now_ns, level)
        due_ns = self._last_ns + self._quiet_ns
        if now_ns >= due_ns:
            self._settle()
        elif self._timer is None:
            self._timer = self._clock.call_at(due_ns, self._quiet)

    def _settle(self) -> None:
        burst_ns, self._burst_ns = self._burst_ns, None
        if burst_ns is not None and self._raw != self._level:
            self._level = self._raw
            self._report(burst_ns, self._level)
