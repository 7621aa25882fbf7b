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
from firmware.core.values import decode
from firmware.core.vocabulary.troubleshooting import PingAnswer, PingParams, PortAnswer, PortParams, ReportKind
from firmware.interfaces.api.routes import Routes, answer_value, caller_of, json_of, query_of
from firmware.interfaces.net.capture import KIND, LONGEST_S
from firmware.interfaces.net.clients import Client
from firmware.interfaces.net.looking import Looking
from firmware.interfaces.report.making import Kept, report_of, traced
from firmware.interfaces.video.views import Views


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
        add("POST", "/ping", self.ping, level=admin, takes=PingParams, gives=PingAnswer,
            summary="Send four echo requests")  # fmt: skip
        add("POST", "/port-check", self.port, level=admin, takes=PortParams, gives=PortAnswer,
            summary="Try a port: one TCP connection, or datagrams of UDP")  # fmt: skip
        add("GET", "/trace", self.trace, level=admin, query=TraceQuery, gives=bytes, kind=KIND,
            summary="What goes over a network adapter, as a file for analysers")  # fmt: skip
        add("GET", "/clients", self.clients, level=admin, gives=ClientList,
            summary="Who is connected to this device, and whom it calls")  # fmt: skip

    async def report(self, request: Request) -> Response:
        """A report. Raises Invalid, Busy."""
        query = query_of(request, ReportQuery)
        kept = await self._kept(request, ReportKind(query.format.value))
        return Response(kept.data, media_type=kept.kind) if query.format is Form.TEXT else kept.answer()

    async def crash(self, request: Request) -> Response:
        """A crash report. Raises Busy."""
        return (await self._kept(request, ReportKind.CRASH)).answer()

    async def _kept(self, request: Request, kind: ReportKind) -> Kept:
        picture = None if self._views is None else self._views.first
        return await report_of(self._core, self._looking, caller_of(request), kind, picture)

    async def ping(self, request: Request) -> Response:
        """Echo requests. Raises Invalid, Refused, Busy, Unsupported."""
        return answer_value(await self._looking.pinged(decode(PingParams, await json_of(request), where="ping")))

    async def port(self, request: Request) -> Response:
        """A port check. Raises Invalid, Refused, Busy."""
        body = decode(PortParams, await json_of(request), where="port_check")
        return answer_value(await self._looking.knocked(body))

    async def trace(self, request: Request) -> Response:
        """A trace; it ends with its time, or when the client hangs up. Raises Invalid, Busy, Unsupported."""
        query = query_of(request, TraceQuery)
        adapter = self._looking.adapter("query.adapter", query.adapter)
        kept = await traced(self._core, self._looking, adapter, query.duration_s, request.receive)
        return kept.answer()

    async def clients(self, _: Request) -> Response:
        """Who is connected."""
        return answer_value(ClientList(clients=await self._looking.clients()))
