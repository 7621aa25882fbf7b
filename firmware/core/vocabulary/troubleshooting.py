"""Words of troubleshooting: where to send echo requests, which port to try, what came of it, and reports."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field

LONGEST_HOST = 253
Host = Annotated[str, Field(min_length=1, max_length=LONGEST_HOST)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PingParams:
    """Whom to send echo requests to: an address or a name."""

    host: Host


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoAnswer:
    """One echo request: its time, null without an answer; `trouble` is what the system said."""

    took_ms: float | None
    trouble: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PingAnswer:
    """What came of a ping; `address` is the one that the name had."""

    host: str
    address: str
    sent: int
    received: int
    echoes: tuple[EchoAnswer, ...]


class Transport(StrEnum):
    """What carries a port."""

    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortParams:
    """Which port to try, and of which transport."""

    host: Host
    port: Annotated[int, Field(ge=1, le=65535)]
    protocol: Transport = Transport.TCP


@dataclass(frozen=True, slots=True, kw_only=True)
class PortAnswer:
    """What came of a port check: `open`, or why not in words; null where nobody can tell (UDP without an answer)."""

    host: str
    address: str
    port: int
    protocol: Transport
    open: bool | None
    found: str


class ReportKind(StrEnum):
    """Which report: one to read, one to keep (with logs and a picture), one for whoever looks for a fault."""

    TEXT = "text"
    ZIP = "zip"
    CRASH = "crash"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportParams:
    """Make a report, and leave it in the spool."""

    kind: ReportKind = ReportKind.TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLeft:
    """Where it lies in the spool, until somebody takes it or the network role starts again, and its usual name."""

    spool: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    name: str
