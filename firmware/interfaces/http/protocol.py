"""One HTTP connection with deadlines, and the WebSocket it may become: uvicorn's protocols, made strict.

A connection is in one phase at a time: waiting for headers, for a body, for the application, for the
next request. The first, second and last have a deadline of their own; writing has one in every phase.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from email.utils import format_datetime
from enum import Enum
from http import HTTPStatus
from typing import Any, cast

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from uvicorn.server import ServerState

from firmware.interfaces.http.limits import Deadlines, Gauge, Limits, place_of
from firmware.interfaces.http.way_out import HEAD_LINES, STREAM, Cork, Takeover
from hal.clock import Clock, Timer

DATE_NS = 1_000_000_000  # a date has seconds


class Phase(Enum):
    """What a connection waits for."""

    HEADERS = "headers"
    BODY = "body"
    ANSWER = "answer"
    NEXT = "next request"


class Standing(list[tuple[bytes, bytes]]):
    """The header lines of every answer: the date, made when an answer asks for it, and not by a clock that ticks.

    It is right to the second before. A device that does not know the time says none (RFC 9110, 6.6.1).
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._again_ns = 0

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        self._look()
        return super().__iter__()

    def __add__(self, others: list[Any]) -> list[Any]:
        self._look()
        return super().__add__(others)

    def _look(self) -> None:
        now_ns = self._clock.now_ns()
        if now_ns < self._again_ns:
            return
        self._again_ns = now_ns + DATE_NS
        date = format_datetime(self._clock.utc(), usegmt=True) if self._clock.trusted() else ""
        self[:] = [(b"date", date.encode())] if date else []


class Shared(ServerState):
    """What all connections of one server share; uvicorn hands it to each."""

    def __init__(self, clock: Clock, deadlines: Deadlines, limits: Limits) -> None:
        super().__init__()
        self.clock = clock
        self.deadlines = deadlines
        self.limits = limits
        self.gauge = Gauge(limits)
        self.transports: dict[asyncio.Transport, int] = {}
        self.handshakes: set[asyncio.Task[None]] = set()
        self.default_headers = Standing(clock)
        self._someone = asyncio.Event()

    def enter(self, transport: asyncio.Transport) -> None:
        """A connection has come."""
        self.transports[transport] = 0
        self._someone.set()

    async def somebody(self) -> None:
        """Until there is a connection, which may be so now."""
        if not self.transports:
            self._someone.clear()
        await self._someone.wait()

    def reap(self) -> None:
        """End connections that are closing and whose client does not take what is left for it."""
        now_ns = self.clock.now_ns()
        for transport, since_ns in tuple(self.transports.items()):
            if not transport.is_closing():
                continue
            if not since_ns:
                self.transports[transport] = now_ns
            elif now_ns - since_ns >= self.deadlines.write_stall_s * 1e9:
                transport.abort()


class Alarm:
    """One deadline that can be set anew; at its end it calls `ring`.

    Every request moves its deadlines several times and hardly one is met, so a timer that would ring too early is left
    running and looks at its end whether it is time: timers set and cancelled by the thousand are a tenth of a request.
    """

    def __init__(self, clock: Clock, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._timer: Timer | None = None
        self._rings_ns = 0
        self._due_ns: int | None = None

    def set(self, delay_s: float) -> None:
        """Ring in `delay_s`, whatever was set before."""
        self._due_ns = self._clock.now_ns() + int(delay_s * 1e9)
        if self._timer is None or self._rings_ns > self._due_ns:
            self._drop()
            self._start(self._due_ns)

    def clear(self) -> None:
        """Do not ring, but be ready to be set again."""
        self._due_ns = None

    def stop(self) -> None:
        """Do not ring, and hold nothing: what it belongs to has ended."""
        self.clear()
        self._drop()

    def _drop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def is_set(self) -> bool:
        """Whether it will ring."""
        return self._due_ns is not None

    def _start(self, due_ns: int) -> None:
        self._rings_ns = due_ns
        self._timer = self._clock.call_at(due_ns, self._end)

    def _end(self) -> None:
        self._timer = None
        due_ns = self._due_ns
        if due_ns is None:
            return
        if due_ns > self._clock.now_ns():
            self._start(due_ns)
            return
        self._due_ns = None
        self._ring()


def refusal(status: int, code: str, where: str, message: str) -> bytes:
    """A whole answer that says no and ends the connection."""
    body = json.dumps({"error": {"code": code, "where": where, "message": message}}).encode()
    lines = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "connection: close",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class StrictHttp(HttpToolsProtocol):
    """An HTTP/1.1 connection that nobody can keep by doing nothing."""

    server_state: Shared

    def __init__(self, config: Config, server_state: Shared, app_state: dict[str, Any]) -> None:
        super().__init__(config, server_state, app_state)
        self._deadlines = server_state.deadlines
        self._limits = server_state.limits
        self._clock = server_state.clock
        self._phase = Phase.HEADERS
        self._reading = Alarm(self._clock, self._too_slow)
        self._writing = Alarm(self._clock, self._stalled)
        self._address = ""
        self.place = ""
        self._counted = False
        self._refused = False
        self._active: RequestResponseCycle | None = None
        self._header_bytes = 0
        self._header_size = 0
        self._body_bytes = 0
        self._body_limit = self._limits.body_bytes
        self._body_since_ns = 0
        self._body_counted = 0

    # the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self.place = place_of(self._address)
        transport.set_write_buffer_limits(high=self._limits.write_buffer_bytes)
        self.server_state.enter(transport)
        if not self.server_state.gauge.enter(self._address):
            self._refuse(503, "unavailable", "connection", "too many connections")
            return
        self._counted = True
        self._reading.set(self._deadlines.headers_s)
        self.server_state.gauge.waits(self)

    def give_way(self) -> None:
        """End at once: the house is full, and this client has not asked for anything yet."""
        self._refused = True
        self._reading.clear()
        self._uncount()
        self.transport.abort()

    def _uncount(self) -> None:
        if self._counted:
            self._counted = False
            self.server_state.gauge.leave(self._address)

    def connection_lost(self, exc: Exception | None) -> None:
        self._reading.stop()
        self._writing.stop()
        self.server_state.gauge.works(self)
        self.server_state.transports.pop(self.transport, None)
        self._uncount()
        self._tell_gone()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused or self.parser is None:
            return
        if self._phase is Phase.NEXT or (self._phase is Phase.ANSWER and not self._reading.is_set()):
            # Any byte begins a request, so that nobody can wait for ever by sending empty lines.
            self._await_headers()
        if self._phase is not Phase.BODY:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._phase is Phase.HEADERS and self._header_bytes > self._limits.header_bytes:
            self._refuse_headers()

    def handle_websocket_upgrade(self) -> None:
        if self._refused:
            return  # what was turned away as a request becomes nothing else
        self._reading.stop()
        self._writing.stop()
        self.server_state.gauge.works(self)
        super().handle_websocket_upgrade()

    # the request

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._active = cycle
        extensions = cast(dict[str, Any], cycle.scope.setdefault("extensions", {}))
        cork = Cork(self.transport, self.loop.call_soon)
        extensions[STREAM] = Takeover(self.transport, cycle, self._deadlines.write_stall_s)
        extensions[HEAD_LINES] = cork.append
        cycle.transport = cast(asyncio.Transport, cork)
        super()._start_asgi_task(cycle, app)

    def _tell_gone(self) -> None:
        """Tell the application that its client is gone; uvicorn would tell only the last request sent ahead."""
        if self._active is not None and not self._active.response_complete:
            self._active.disconnected = True
            self._active.message_event.set()

    def _await_headers(self) -> None:
        self._phase = Phase.HEADERS
        self._header_bytes = 0
        self._reading.set(self._deadlines.headers_s)

    def on_message_begin(self) -> None:
        if self._refused:
            return
        super().on_message_begin()
        self._header_size = 0
        if self._phase is not Phase.HEADERS:
            self._await_headers()

    def on_url(self, url: bytes) -> None:
        if not self._refused:
            super().on_url(url)
            self._header_size += len(url)
            if self._header_size > self._limits.header_bytes:
                self._refuse_headers()

    def _refuse_headers(self) -> None:
        self._refuse(431, "too_large", "headers", f"more than {self._limits.header_bytes} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._refused:
            return
        super().on_header(name, value)
        self._header_size += len(name) + len(value)
        if self._header_size > self._limits.header_bytes:
            self._refuse_headers()
        elif len(self.headers) > self._limits.header_count:
            self._refuse(431, "too_large", "headers", f"more than {self._limits.header_count} headers")

    def on_headers_complete(self) -> None:
        if self._refused:
            return
        if len(self.pipeline) >= self._limits.pipelined:
            self.transport.abort()
            self._refused = True
            return
        self._body_limit = self._limits.body_of(self.url)
        if self._announced() > self._body_limit:
            self._refuse(413, "too_large", "body", f"more than {self._body_limit} bytes")
            return
        self._phase = Phase.BODY
        self._body_bytes = 0
        self._count_body_from_now()
        self._reading.set(self._deadlines.body_grace_s)
        super().on_headers_complete()

    def _announced(self) -> int:
        """Bytes of body the client says it will send; the parser has checked that it is a number."""
        sizes = [int(value) for name, value in self.headers if name == b"content-length"]
        return max(sizes, default=0)

    def on_body(self, body: bytes) -> None:
        if self._refused:
            return
        self._body_bytes += len(body)
        self._body_counted += len(body)
        if self._body_bytes > self._body_limit:
            self._refuse(413, "too_large", "body", f"more than {self._body_limit} bytes")
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._refused:
            return
        self._reading.clear()
        self._phase = Phase.ANSWER
        self.server_state.gauge.works(self)
        super().on_message_complete()
        if self.cycle is not None and self.cycle.response_complete:
            self._await_next()

    def on_response_complete(self) -> None:
        """As uvicorn's, without the timer that it sets for the next request: any byte would end that, ours is kept."""
        self.server_state.total_requests += 1
        if self._active is not None:
            # It knows the request and is known by it: nothing is left for the collector.
            cast(dict[str, Any], self._active.scope["extensions"]).pop(STREAM, None)
        if self.transport.is_closing():
            self._reading.clear()
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._phase is Phase.ANSWER and self.cycle.response_complete:
            self._await_next()

    def _await_next(self) -> None:
        self._phase = Phase.NEXT
        self._reading.set(self._deadlines.idle_s)
        self.server_state.gauge.waits(self)

    # deadlines

    def _count_body_from_now(self) -> None:
        self._body_since_ns = self._clock.now_ns()
        self._body_counted = 0

    def _too_slow(self) -> None:
        if self._phase is Phase.BODY:
            if self.flow.read_paused:
                # The application is the slow one: the client cannot send.
                self._count_body_from_now()
                self._reading.set(self._deadlines.body_grace_s)
                return
            passed_s = (self._clock.now_ns() - self._body_since_ns) / 1e9
            allowed_s = self._deadlines.body_grace_s + self._body_counted / self._deadlines.body_floor_bytes_s
            if passed_s < allowed_s:
                self._reading.set(allowed_s - passed_s)
                return
            self._refuse(408, "timeout", "body", "comes too slowly")
        elif self._phase is Phase.HEADERS and self._header_bytes:
            self._refuse(408, "timeout", "headers", "come too slowly")
        else:
            self._refused = True
            self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._writing.set(self._deadlines.write_stall_s)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._writing.clear()

    def _stalled(self) -> None:
        self._refused = True
        self.transport.abort()

    # saying no

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "invalid", "request", "is not HTTP")

    def _refuse(self, status: int, code: str, where: str, message: str) -> None:
        """Answer once and close; an application that still works on the request finds its client gone."""
        if self._refused:
            return
        self._refused = True
        self._reading.clear()
        if self._may_answer():
            self.transport.write(refusal(status, code, where, message))
        self._tell_gone()
        self.transport.close()

    def _may_answer(self) -> bool:
        """Whether an answer written now would be taken for that of the request it is about."""
        if self._active is None:
            return True
        if not self._active.response_complete:
            return not self._active.response_started
        return self._phase is not Phase.BODY or bool(self.pipeline)


class StrictWebSocket(WSProtocol):
    """A WebSocket that is dropped when it does not read; uvicorn's pings find those that are gone."""

    def __init__(self, config: Config, server_state: Shared, app_state: dict[str, Any]) -> None:
        super().__init__(config, server_state, app_state)
        self._shared = server_state
        self._writing = Alarm(server_state.clock, self._stalled)

    def data_received(self, data: bytes) -> None:
        try:
            super().data_received(data)
        except UnicodeError:  # a Host that is no name: wsproto decodes it without a care
            self.transport.write(refusal(400, "invalid", "host", "is no name of a host"))
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._writing.stop()
        self._shared.transports.pop(self.transport, None)
        self._shared.gauge.leave(self.client[0] if self.client else "")
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._writing.set(self._shared.deadlines.write_stall_s)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._writing.clear()

    def _stalled(self) -> None:
        self.transport.abort()
