"""Words of what the operating system does for the device: its network settings, its clock and time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime

from firmware.core.events import Pulse, State, topic

SIMULATION = "simulation"  # who applies the settings of a simulated device


class NetworkPhase(StrEnum):
    """How the wishes of the parameter group `network` stand.

    KEPT: the system follows them. APPLYING: it is being told. TRYING: it follows them, and goes back unless an
    administrator reaches the device. UNAVAILABLE: nothing of this system can follow them.
    """

    KEPT = "kept"
    APPLYING = "applying"
    TRYING = "trying"
    UNAVAILABLE = "unavailable"


@topic("network/setup")
@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSetup(State):
    """Whether the network follows its settings, at which adapter, and what became of the last change (`reason`).

    `by` is the one who applies them: `NetworkManager` or `simulation`. `until` is when a change that is tried is taken
    back, None otherwise.
    """

    phase: NetworkPhase
    by: str
    adapter: str = ""
    reason: str = ""
    until: datetime | None = None


class NetworkVerdict(StrEnum):
    """What an administrator said of a change of the network: stay with it, or go back."""

    CONFIRMED = "confirmed"
    UNDONE = "undone"


@topic("network/verdict")
@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkJudged(Pulse):
    """An administrator (`name`, who came over `via`) ended the trial of network settings."""

    name: str
    via: str
    verdict: NetworkVerdict


@topic("clock/setup")
@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSetup(State):
    """The time zone of the place, and whether the system keeps the time by NTP; `by` is who sets the clock.

    `synced` is None where nobody says whether the clock was set by a server; `trouble` is empty while the system
    follows the settings.
    """

    zone: str
    by: str
    ntp: bool
    synced: bool | None = None
    server: str = ""
    trouble: str = ""


@topic("clock/set")
@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSet(Pulse):
    """Somebody set the clock by hand: what it said, and what it says now."""

    name: str
    was: datetime
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SetClock:
    """The instant that it is now, with its offset from UTC."""

    now: AwareDatetime
