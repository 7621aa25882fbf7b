"""What the clock service sees of whoever sets the clock of the machine, and the one of a simulated device."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from firmware.core.vocabulary.system import SIMULATION


class TimeFault(Exception):
    """The clock could not be set up as wished; the message says why, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeNow:
    """What the system says: whether NTP is on, whether a server has set the clock (None: unknown), and which one."""

    ntp: bool
    synced: bool | None = None
    server: str = ""


class TimePort(Protocol):
    """Whoever sets clock and time zone. Every call raises TimeFault, and returns within a minute.

    `watched`: what it says changes by itself, so it is asked again and again.
    """

    name: str
    watched: bool

    async def follow(self, zone: str, ntp: bool, servers: tuple[str, ...]) -> None:
        """Use this zone and these servers, also after a restart; nothing is done where that is so."""

    async def set(self, now: datetime) -> None:
        """Set the clock to an aware instant."""

    async def told(self) -> TimeNow:
        """How it is now."""

    async def close(self) -> None:
        """Give back what it holds."""


class SimTime:
    """A simulated device has the clock of the computer it runs on, which is not for it to set."""

    name = SIMULATION
    watched = False

    def __init__(self) -> None:
        self._ntp = True

    async def follow(self, zone: str, ntp: bool, servers: tuple[str, ...]) -> None:
        self._ntp = ntp

    async def set(self, now: datetime) -> None:
        raise TimeFault("a simulated device has the clock of its computer, and does not set it")

    async def told(self) -> TimeNow:
        return TimeNow(ntp=self._ntp)

    async def close(self) -> None:
        """It holds nothing."""
