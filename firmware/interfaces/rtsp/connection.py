"""One RTSP connection: bytes in and out, deadlines, and the tasks of its streams.

A connection is ended when a request takes too long, when nothing is heard for too long, when its client does not take
what it asked for, and when its account changes. Its streams end with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from email.utils import format_datetime
from typing import Any, cast

from firmware.interfaces.http.limits import place_of
from firmware.interfaces.http.protocol import Alarm
from firmware.interfaces.rtsp.conversation import Conversation
from firmware.interfaces.rtsp.house import House
from firmware.interfaces.rtsp.limits import MOST_UNREAD_BYTES, MOST_UNSENT_BYTES
from firmware.interfaces.rtsp.message import Malformed, Parser, Request, refused
from firmware.interfaces.rtsp.rtp import is_report
from firmware.interfaces.rtsp.stream import Stream

log = logging.getLogger("lintel.rtsp")


class Connection(asyncio.Protocol):
    """Made for each client; `begin` is called with it once it is there, for somebody to `run` it."""

    def __init__(self, house: House, begin: Callable[[Connection], None]) -> None:
        self.place = ""
        self._house = house
        self._begin = begin
        self._parser = Parser()
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._over = False
        self._counted = False
        self._address = ""
        self._conversation: Conversation | None = None
        self._tasks: dict[Stream, asyncio.Task[None]] = {}
        clock = house.core.clock
        self._slow = Alarm(clock, self._too_slow)  # a request that has begun
        self._quiet = Alarm(clock, self._end)
        self._stalled = Alarm(clock, self._abort)

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it; one too many is told so and ended."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=MOST_UNSENT_BYTES)
        local, peer = (plain(transport.get_extra_info(end)) for end in ("sockname", "peername"))
        self._address = str(peer[0])
        self.place = place_of(self._address)
        if not self._house.gauge.enter(self._address):
            self._over = True
            self._transport.write(refused(503, "too many connections").packed(""))
            self._transport.close()
            return
        self._counted = True
        self._house.gauge.waits(self)
        self._conversation = Conversation(self._house, self, local, peer, self._alive)
        self._alive()
        self._begin(self)

    def data_received(self, data: bytes) -> None:
        """Keep it for `run`; read no more while much is kept."""
        if self._over:
            return
        self._parser.feed(data)
        if self._parser.size > MOST_UNREAD_BYTES:
            self._transport.pause_reading()
        self._arrived.set()

    def pause_writing(self) -> None:
        """The client does not take what is sent."""
        self._room.clear()
        self._stalled.set(self._house.patience.stall_s)

    def resume_writing(self) -> None:
        """It does again."""
        self._stalled.clear()
        self._room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._over = True
        for alarm in (self._slow, self._quiet, self._stalled):
            alarm.stop()
        self._house.gauge.works(self)
        self._uncount()
        self._room.set()
        self._arrived.set()

    # deadlines

    def give_way(self) -> None:
        """End at once: there are too many, and this client has no stream."""
        self._uncount()
        self._abort()

    def _uncount(self) -> None:
        if self._counted:
            self._counted = False
            self._house.gauge.leave(self._address)

    def _alive(self) -> None:
        """A sign of life."""
        if not self._over:
            has_stream = self._conversation is not None and bool(self._conversation.streams)
            patience = self._house.patience
            self._quiet.set(patience.session_s if has_stream else patience.idle_s)

    def _too_slow(self) -> None:
        self._write(refused(400, "the request comes too slowly").packed(""))
        self._end()

    def _end(self) -> None:
        """No more is heard; what was written may still go, for as long as a stalled client has."""
        self._over = True
        self._arrived.set()
        self._slow.clear()
        self._quiet.clear()
        if not self._transport.is_closing():
            self._transport.close()
            self._stalled.set(self._house.patience.stall_s)

    def _abort(self) -> None:
        self._over = True
        self._arrived.set()
        self._transport.abort()

    def shut(self) -> None:
        """The server stops."""
        self._end()

    # the wire of streams within the connection

    def write(self, data: bytes) -> None:
        """Send bytes, unless it is over."""
        if not self._over:
            self._write(data)

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def has_room(self) -> bool:
        """Whether the client takes what is sent."""
        return self._room.is_set() and not self._over

    async def room(self) -> None:
        """Wait until it does."""
        await self._room.wait()

    # the work

    async def run(self) -> None:
        """Answer one request after the other until it is over, then end its streams."""
        assert self._conversation is not None, "nobody runs a connection before it is there"
        try:
            async with asyncio.TaskGroup() as group:
                await self._converse(self._conversation, group)
                for task in self._tasks.values():
                    task.cancel()
        except ExceptionGroup:  # a fault of ours ends one connection, with its trace
            log.exception("a connection of %s failed", self._address)
        finally:
            for stream in tuple(self._conversation.streams.values()):
                self._conversation.forget(stream)
                stream.carrier.close()
            self._end()

    async def _converse(self, conversation: Conversation, group: asyncio.TaskGroup) -> None:
        while not self._over:
            try:
                message = self._parser.take()
            except Malformed as error:
                self._write(refused(error.status, error.why).packed(""))
                return
            if message is None:
                await self._more()
                continue
            self._slow.clear()
            if isinstance(message, Request):
                answer = await conversation.answer(message)
                self._alive()
                await self.room()
                self._write(answer.packed(message.cseq, self._date()))
                self._follow(conversation, group)
                if answer.ends:
                    return
            elif conversation.is_report(message.channel) and is_report(message.data):
                self._alive()

    async def _more(self) -> None:
        """Wait for more bytes; a request that has begun has its deadline."""
        self._arrived.clear()
        if self._over:
            return
        self._transport.resume_reading()
        if self._parser.size and not self._slow.is_set():
            self._slow.set(self._house.patience.request_s)
        await self._arrived.wait()

    def _date(self) -> str:
        clock = self._house.core.clock
        return format_datetime(clock.utc(), usegmt=True) if clock.trusted() else ""

    def _follow(self, conversation: Conversation, group: asyncio.TaskGroup) -> None:
        """Begin and end streams as was asked."""
        for stream in conversation.begins:
            task = self._tasks[stream] = group.create_task(self._stream(stream), name="RTSP stream")
            # Also of one that is cancelled before it began.
            task.add_done_callback(lambda _, carrier=stream.carrier: carrier.close())  # type: ignore[misc]
        for stream in conversation.ended:
            if (playing := self._tasks.pop(stream, None)) is not None:
                playing.cancel()
            else:
                stream.carrier.close()
        conversation.begins, conversation.ended = [], []
        if not self._over:
            gauge = self._house.gauge
            (gauge.works if conversation.streams else gauge.waits)(self)

    async def _stream(self, stream: Stream) -> None:
        await stream.run(self._house.patience.report_s)
        self._end()  # its account has changed


def plain(end: Any) -> Any:
    """An end of a connection as its socket names it; IPv4 within IPv6 as what it is."""
    host = str(end[0])
    return (host.removeprefix("::ffff:"), end[1]) if host.startswith("::ffff:") and "." in host else end
