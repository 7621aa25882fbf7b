"""A card that waits for its PIN, and for how long."""

from __future__ import annotations

from collections.abc import Callable

from firmware.access.visit import Visit
from hal.clock import Clock, Timer


class Patience:
    """The one card of a reader that waits; `over` is called when its PIN does not come in time."""

    def __init__(self, clock: Clock, over: Callable[[], None]) -> None:
        self._clock = clock
        self._over = over
        self._timer: Timer | None = None
        self.visit: Visit | None = None

    def wait(self, visit: Visit, for_s: float) -> None:
        """Let a card wait."""
        self.visit = visit
        self._renew(for_s)

    def more(self, for_s: float) -> None:
        """A key was pressed: whoever waits, waits anew."""
        if self.visit is not None:
            self._renew(for_s)

    def end(self) -> Visit | None:
        """Wait no more; returns what waited."""
        self._stop()
        visit, self.visit = self.visit, None
        return visit

    def _renew(self, for_s: float) -> None:
        self._stop()
        self._timer = self._clock.call_later(for_s, self._over)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
