"""How patient the RTSP server is, and how much it takes (hardening row 32)."""

from __future__ import annotations

from dataclasses import dataclass

from firmware.interfaces.http.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a client may take, in seconds.

    `request_s` from the first byte of a request to its last; `idle_s` between requests while it has no stream;
    `session_s` between signs of life of one that has; `stall_s` without taking what was written. A stream reports
    every `report_s`.
    """

    request_s: float = 10.0
    idle_s: float = 15.0
    session_s: float = 60.0
    stall_s: float = 20.0
    report_s: float = 5.0


CONNECTIONS = Limits(per_address=16, connections=64)
MOST_STREAMS = 32
STREAMS_OF_A_CONNECTION = 2
STREAMS_OF_A_PLACE = 8
# What waits of one client's bytes before no more is read, and of ours before a stream waits.
MOST_UNREAD_BYTES = 64 * 1024
MOST_UNSENT_BYTES = 16 * 1024
