"""Maintenance and troubleshooting over the native API: reports, ping, port check, network trace, connected clients.

Manual 001, Maintenance and Troubleshooting. For administrators; where tests may reach: hardening row 38.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.stream.wire import Cut
from firmware.core.values import decode
from firmware.interfaces.api.routes import Routes, answer_value, caller_of, json_of, query_of
from firmware.interfaces.net.capture import KIND, LONGEST_S
from firmware.interfaces.net.clients import Client
from firmware.interfaces.net.looking import LONGEST_HOST, REPORT, Looking
from firmware.interfaces.report.making import crash_files, packed, report_files, report_text, traced
from firmware.interfaces.video.views import Views

TEXT_KIND = "text/plain; charset=utf-8"
Host = Annotated[str, Field(min_length=1, max_length=LONGEST_HOST)]


class Form(StrEnum):
    """How a report comes."""

    TEXT = "text"
    ZIP = "zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportQuery:
    """A report to read (`text`), or to keep: with the logs and a picture of the first camera (`zip`)."""

    format: Form = Form.TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceQuery:
    """How long to listen, in seconds, and at which adapter; empty: the first that leads somewhere."""

    duration_s: Annotated[int, Field(ge=1, le=int(LONGEST_S))] = 30
    adapter: Annotated[str, Field(max_length=15)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PingBody:
    """Whom to send echo requests to: an address or a name."""

    host: Host


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoBody:
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
    echoes: tuple[EchoBody, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PortBody:
    """Which TCP port to try."""

    host: Host
    port: Annotated[int, Field(ge=1, le=65535)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PortAnswer:
    """What came of a port check: `open`, or why not in words."""

    host: str
    address: str
    port: int
    open: bool
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientList:
    """Who is connected: first who came in, then whom the device calls; at most a thousand."""

    clients: tuple[Client, ...]


class Troubleshooting:
    """The endpoints; one report, one trace, one test at a time, whichever interface asks."""

    def __init__(self, core: Core, looking: Looking, views: Views | None) -> None:
        self._core = core
        self._looking = looking
        self._views = views

    def add_to(self, routes: Routes) -> None:
        """Add the routes."""
        admin, add = Level.ADMIN, routes.add
        add("GET", "/report", self.report, level=admin, query=ReportQuery, gives=str, kind="text/plain",
            summary="The server report: as text, or as a zip with logs and a picture")  # fmt: skip
        add("GET", "/report/crash", self.crash, level=admin, gives=bytes, kind="application/gzip",
            summary="The crash report: report, logs, processes and connections in one file")  # fmt: skip
        add("POST", "/ping", self.ping, level=admin, takes=PingBody, gives=PingAnswer,
            summary="Send four echo requests")  # fmt: skip
        add("POST", "/port-check", self.port, level=admin, takes=PortBody, gives=PortAnswer,
            summary="Try one TCP connection")  # fmt: skip
        add("GET", "/trace", self.trace, level=admin, query=TraceQuery, gives=bytes, kind=KIND,
            summary="What goes over a network adapter, as a file for analysers")  # fmt: skip
        add("GET", "/clients", self.clients, level=admin, gives=ClientList,
            summary="Who is connected to this device, and whom it calls")  # fmt: skip

    async def report(self, request: Request) -> Response:
        """A report. Raises Invalid, Busy."""
        query, caller = query_of(request, ReportQuery), caller_of(request)
        with self._looking.turn(REPORT):
            if query.format is Form.TEXT:
                return Response(await report_text(self._core, caller), media_type=TEXT_KIND)
            files = await report_files(self._core, caller, picture=self._picture)
            return (await packed(self._core, files, "server_report")).answer()

    async def crash(self, request: Request) -> Response:
        """A crash report. Raises Busy."""
        with self._looking.turn(REPORT):
            files = await crash_files(self._core, caller_of(request), self._looking, self._picture)
            return (await packed(self._core, files, "crash_report", tar=True)).answer()

    async def _picture(self) -> bytes | None:
        place = next(iter(self._views.places.values()), None) if self._views is not None else None
        return None if self._views is None or place is None else (await self._views.snapshot(place, Cut())).data

    async def ping(self, request: Request) -> Response:
        """Echo requests. Raises Invalid, Refused, Busy, Unsupported."""
        body = decode(PingBody, await json_of(request), where="ping")
        found = await self._looking.ping("ping.host", body.host)
        echoes = tuple(EchoBody(took_ms=each.took_ms, trouble=each.trouble) for each in found.echoes)
        received = sum(each.took_ms is not None for each in echoes)
        return answer_value(
            PingAnswer(host=body.host, address=found.address, sent=len(echoes), received=received, echoes=echoes)
        )

    async def port(self, request: Request) -> Response:
        """A port check. Raises Invalid, Refused, Busy."""
        body = decode(PortBody, await json_of(request), where="port_check")
        found = await self._looking.knock("port_check.host", body.host, body.port)
        is_open = found.found == "open"
        return answer_value(
            PortAnswer(host=body.host, address=found.address, port=body.port, open=is_open, found=found.found)
        )

    async def trace(self, request: Request) -> Response:
        """A trace; it ends with its time, or when the client hangs up. Raises Invalid, Busy, Unsupported."""
        query = query_of(request, TraceQuery)
        adapter = self._looking.adapter("query.adapter", query.adapter)
        kept = await traced(self._core, self._looking, adapter, query.duration_s, request.receive)
        return kept.answer()

    async def clients(self, _: Request) -> Response:
        """Who is connected."""
        return answer_value(ClientList(clients=await self._looking.clients()))
