"""Words of the logs: lines of the access, audit and system log, and the servers they are sent to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field

from firmware.core.events import Pulse, State, topic


class LogKind(StrEnum):
    """The three logs (manual 001, System, Logs)."""

    ACCESS = "access"
    AUDIT = "audit"
    SYSTEM = "system"


class Severity(IntEnum):
    """Severities of syslog (RFC 5424, 6.2.1), the gravest first."""

    EMERGENCY = 0
    ALERT = 1
    CRITICAL = 2
    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6
    DEBUG = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line: what happened, to whom, as the JSON-ready fields of its fact. `at` is ISO 8601 in UTC."""

    id: str
    at: str
    log: LogKind
    severity: Severity
    topic: str
    text: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """The newest `limit` lines of a log, with `before` those older than the line of that id, with `text` those that
    hold it.
    """

    log: LogKind
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    before: Annotated[str, Field(max_length=100)] = ""
    text: Annotated[str, Field(max_length=100)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Lines in order, the oldest first; `more` when there are older ones."""

    lines: tuple[LogLine, ...]
    more: bool


@topic("station/message")
@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramMessage(Pulse):
    """What the program of a role has to say of itself: a warning or an error of its own log, bounded."""

    role: str
    severity: Severity
    source: str
    text: str


@topic("station/syslog")
@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogState(State):
    """One remote system log: whether lines reach it, why not, and how many were dropped since the start."""

    keys: ClassVar[tuple[str, ...]] = ("server",)
    server: str
    reachable: bool
    reason: str = ""
    dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SyslogTest:
    """How a test message went, by server."""

    results: dict[str, str]
