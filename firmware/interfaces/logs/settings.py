"""Parameters of remote system logs: the group `syslog`. Manual 001, System, Logs: Remote system log."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from firmware.core.actions import Level
from firmware.core.params import Group, param
from firmware.core.vocabulary.logs import LogKind


class Protocol(StrEnum):
    """How lines travel."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


class Format(StrEnum):
    """How lines are written."""

    RFC3164 = "rfc3164"
    RFC5424 = "rfc5424"


class Lowest(StrEnum):
    """The least grave severity that is sent."""

    EMERGENCY = "emergency"
    ALERT = "alert"
    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"
    INFO = "info"
    DEBUG = "debug"


PORTS = {Protocol.UDP: 514, Protocol.TCP: 601, Protocol.TLS: 6514}


class SyslogServer(BaseModel):
    """One server."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9._:%-]+$")]
    protocol: Protocol = Protocol.UDP
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    format: Format = Format.RFC5424
    severity: Lowest = Lowest.INFO
    logs: tuple[LogKind, ...] = tuple(LogKind)
    authority: Annotated[str, Field(max_length=64)] = ""
    local: bool = False

    @property
    def at(self) -> int:
        """The port, or the usual one of the protocol."""
        return self.port or PORTS[self.protocol]

    @property
    def name(self) -> str:
        """The server as states name it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol.value}://{host}:{self.at}"


class SyslogSettings(Group):
    """Where log lines are sent besides the device's own files."""

    group: ClassVar[str] = "syslog"
    level: ClassVar[Level] = Level.ADMIN

    servers: tuple[SyslogServer, ...] = param(
        (), "Remote system logs: host, protocol, port, format, severity, logs, authority of TLS.", max_length=4
    )
