"""Words of the cloud connection: how it stands, and what is asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from firmware.core.events import State, topic


class CloudPhase(StrEnum):
    """OFF: not wanted, or nobody to connect to; FAILED: wanted, and waiting for the next attempt."""

    OFF = "off"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    FAILED = "failed"


@topic("cloud/connection")
@dataclass(frozen=True, slots=True, kw_only=True)
class CloudConnection(State):
    """The connection to the dispatcher now, why, and `since` when.

    `until` is when it ends by itself because it was asked for by one press and the dispatcher registers nobody;
    None when it has no such end.
    """

    phase: CloudPhase
    reason: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudAsked:
    """The answer to `cloud.connect`: until when the device tries and stays; None: for good."""

    until: datetime | None = None
