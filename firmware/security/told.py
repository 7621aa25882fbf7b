"""What the log-in says on the bus, held within bounds: guessers must not push the rest of the journal out."""

from __future__ import annotations

from collections import OrderedDict

from firmware.core.bus import Bus
from firmware.core.vocabulary.security import LoginBlocked, LoginFailed, LoginGranted
from firmware.security.blocking import Reach
from hal.clock import Clock

# Failures told at once, and one more each EVERY_S: what is more is counted in the next one.
BURST = 100
EVERY_S = 1.0
# A log-in is told again after this long without one of the same kind.
QUIET_S = 900.0
# How exactly is known when a visit went on last.
NOTED_NS = 1_000_000_000
VISITS = 1024


class Teller:
    """Publishes log-ins and failures of one role."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._credit = float(BURST)
        self._credited_ns = clock.now_ns()
        self._unsaid = 0
        self._visits: OrderedDict[tuple[str, str, str, str], int] = OrderedDict()

    def failed(self, name: str, address: str, via: str, page: str) -> None:
        """A log-in failed."""
        now_ns = self._clock.now_ns()
        self._credit = min(float(BURST), self._credit + (now_ns - self._credited_ns) / (EVERY_S * 1e9))
        self._credited_ns = now_ns
        if self._credit < 1.0:
            self._unsaid += 1
            return
        self._credit -= 1.0
        unsaid, self._unsaid = self._unsaid, 0
        self._bus.publish(LoginFailed(name=name, address=address, via=via, page=page, unsaid=unsaid))

    def blocked(self, address: str, reach: Reach, period_s: float) -> None:
        """An address is blocked from now on."""
        self._bus.publish(LoginBlocked(address=address, reach=reach.value, period_s=period_s))

    def granted(self, name: str, address: str, via: str, scheme: str, now_ns: int) -> bool:
        """A log-in went well; told once a visit. Whether it is one of many in a row, and the visit goes on as noted."""
        visit = (name, address, via, scheme)
        last_ns = self._visits.get(visit)
        if last_ns is not None and now_ns - last_ns < NOTED_NS:
            return True
        self._visits.pop(visit, None)
        self._visits[visit] = now_ns
        while len(self._visits) > VISITS:
            self._visits.popitem(last=False)
        if last_ns is None or now_ns - last_ns > QUIET_S * 1e9:
            self._bus.publish(LoginGranted(name=name, address=address, via=via, scheme=scheme))
        return False
