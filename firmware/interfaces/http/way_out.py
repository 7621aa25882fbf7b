"""The way out of one answer: its head and body in one write, or its connection in the hands of whoever answers."""

from __future__ import annotations

import asyncio
import socket
from asyncio.trsock import TransportSocket
from collections.abc import Callable
from contextlib import suppress

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

# "Go on" to a client that asked before it sent its body.
INTERIM = b"HTTP/1.1 100 "
END_OF_LINE = b"\r\n"
# Up to here a copy costs less than a second write to the kernel.
JOINED_BYTES = 64 * 1024


class Cork:
    """The way out of one answer: its head goes with the first piece of its body when that comes at once.

    uvicorn writes both by themselves, and two writes to the kernel are half of what a short answer costs. A head whose
    body takes its time goes out with the next turn of the loop.
    """

    def __init__(self, transport: asyncio.Transport, later: Callable[[Callable[[], None]], object]) -> None:
        self._transport = transport
        self._later = later
        self._head: bytes | None = None
        self._begun = False
        self._lines = b""

    def append(self, lines: bytes) -> None:
        """Whole header lines, each with its end, for the head that is about to be written."""
        self._lines = lines

    def write(self, data: bytes) -> None:
        """The head first, then the body."""
        if data.startswith(INTERIM) and not self._begun:
            self._transport.write(data)  # the client waits for it, and the answer is still to come
        elif not self._begun:
            self._begun = True
            self._head = data[:-2] + self._lines + END_OF_LINE if self._lines else data
            self._later(self._flush)
        elif self._head is not None and len(data) <= JOINED_BYTES:
            head, self._head = self._head, None
            self._transport.write(head + data)
        else:
            self._flush()
            self._transport.write(data)

    def is_closing(self) -> bool:
        """Whether the connection closes."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Close the connection behind what was written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        head, self._head = self._head, None
        if head is not None:
            self._transport.write(head)


# The keys of a connection's `Takeover`, and of its `Cork.append`, among the extensions of a request.
HEAD_LINES = "lintel.head_lines"
STREAM = "lintel.stream"
STREAM_SOCKET_BYTES = 256 * 1024


class Takeover:
    """For an answer that writes to its connection itself: all of it at once, or its body once its head is out."""

    def __init__(self, transport: asyncio.Transport, cycle: RequestResponseCycle, stall_s: float) -> None:
        """A client may take `stall_s` seconds to take what was written."""
        self._transport = transport
        self._cycle = cycle
        self.stall_s = stall_s

    @property
    def plain(self) -> TransportSocket | None:
        """The connection, when what is written to it is what its client reads: without TLS."""
        if self._transport.get_extra_info("sslcontext") is not None:
            return None
        found: TransportSocket | None = self._transport.get_extra_info("socket")
        return found

    def shut(self) -> None:
        """Let nobody write to the connection any more, not even another process that has it as well."""
        connection = self._transport.get_extra_info("socket")
        if connection is not None:
            with suppress(OSError):  # it is closed already
                connection.shutdown(socket.SHUT_RDWR)

    def whole(self, status: int, lines: bytes, body: bytes) -> bool:
        """Write a short answer as uvicorn would, but at once; answers whether this was the time for it.

        `lines` are the lines of its head, its length among them. Nothing in them is looked at.
        """
        cycle = self._cycle
        if cycle.response_started or cycle.disconnected or cycle.flow.write_paused or cycle.access_log:
            return False
        if cycle.scope["method"] == "HEAD" or len(body) > JOINED_BYTES:
            return False
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        own = [b"%b: %b\r\n" % pair for pair in cycle.default_headers]
        ending = END_OF_LINE if cycle.keep_alive else b"connection: close\r\n\r\n"
        self._transport.write(b"".join((STATUS_LINE[status], *own, lines, ending, body)))
        cycle.message_event.set()
        if not cycle.keep_alive:
            self._transport.close()
        cycle.on_response()
        return True

    def begin(self) -> asyncio.Transport:
        """Called before the head is sent: the body has no length and no chunks, the connection ends with it.

        A write that does not go out whole pauses the connection, so a client that takes nothing meets its deadline.
        """
        self._cycle.transport = self._transport  # whose writes and ours stay in order
        self._cycle.scope["extensions"].pop(HEAD_LINES)
        self._cycle.chunked_encoding = False
        self._cycle.keep_alive = False
        self._transport.set_write_buffer_limits(high=1)
        connection = self._transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, STREAM_SOCKET_BYTES)
        return self._transport
