"""A simulated device has no network of its own: wishes are followed, tried, kept and taken back all the same."""

from __future__ import annotations

from firmware.core.vocabulary.system import SIMULATION
from firmware.system.network_port import DEFAULT, NetworkFault, Wanted
from hal.clock import Clock, Timer

ADAPTER = "eth0"
# It comes back by itself this much later than it is brought back.
SPARE_S = 15.0


class SimNetwork:
    """Port `NetworkPort` without a network: what would be told, and the time after which it comes back by itself.

    `apply_s` is how long following a wish takes; `refuses` says why none is followed, empty: they are.
    """

    name = SIMULATION

    def __init__(self, clock: Clock, *, apply_s: float = 0.0) -> None:
        self._clock = clock
        self.apply_s = apply_s
        self.refuses = ""
        self.now = DEFAULT
        self._saved: Wanted | None = None
        self._before: tuple[str, Wanted] | None = None
        self._timer: Timer | None = None
        self._number = 0

    async def adapter(self) -> str:
        return ADAPTER

    async def recover(self, token: str, names: frozenset[str]) -> None:
        """What a process before this one began went with that process."""
        if token and self._before is not None and self._before[0] == token:
            self._return()

    async def told(self) -> Wanted:
        return DEFAULT if self._saved is None else self._saved

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
        self._timer = self._clock.call_later(within_s + self.apply_s + SPARE_S, self._return)

    async def apply(self, wanted: Wanted) -> None:
        if self.apply_s:
            await self._clock.sleep(self.apply_s)
        if self.refuses:
            raise NetworkFault(self.refuses)
        self.now = wanted

    async def keep(self, token: str | None) -> None:
        if token is not None:
            self._known(token)
        self._saved = self.now
        self._before = None
        self._stop_timer()

    async def go_back(self, token: str, before: Wanted) -> None:
        self._known(token)
        self._return()

    async def close(self) -> None:
        """Forget what would come back."""
        self._stop_timer()

    def forget(self) -> None:
        """As after a restart of whoever sets up the network: nothing of a state before is remembered any more."""
        self._stop_timer()
        self._before = None

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
