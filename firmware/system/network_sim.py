"""A simulated device has no network of its own: wishes are followed, tried, kept and taken back all the same."""

from __future__ import annotations

from firmware.core.vocabulary.system import SIMULATION
from firmware.system.network_port import DEFAULT, NetworkFault, Wanted
from hal.clock import Clock, Timer

ADAPTER = "eth0"


class SimNetwork:
    """Port `NetworkPort` without a network: what would be told, and the time after which it comes back by itself."""

    name = SIMULATION

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.now = DEFAULT
        self._saved: Wanted | None = None
        self._before: tuple[str, Wanted] | None = None
        self._timer: Timer | None = None
        self._number = 0

    async def adapter(self) -> str:
        return ADAPTER

    async def recover(self) -> None:
        self._return()

    async def follows(self, wanted: Wanted) -> bool:
        return self.now == wanted and self._saved in (None, wanted)

    async def begin(self, within_s: float) -> str:
        self._number += 1
        self._before = (f"simulated/{self._number}", self.now)
        await self.extend(self._before[0], within_s)
        return self._before[0]

    async def extend(self, token: str, within_s: float) -> None:
        self._known(token)
        self._stop_timer()
        self._timer = self._clock.call_later(within_s, self._return)

    async def apply(self, wanted: Wanted) -> None:
        self.now = wanted

    async def keep(self, token: str | None) -> None:
        if token is not None:
            self._known(token)
        self._saved = self.now
        self._before = None
        self._stop_timer()

    async def go_back(self, token: str, before: Wanted) -> None:
        if self._before is not None and self._before[0] == token:
            self._return()

    async def close(self) -> None:
        """Forget what would come back."""
        self._stop_timer()

    def _known(self, token: str) -> Wanted:
        if self._before is None or self._before[0] != token:
            raise NetworkFault("the state before is not remembered any more")
        return self._before[1]

    def _return(self) -> None:
        self._stop_timer()
        if self._before is not None:
            self.now = self._before[1]
            self._before = None

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
