"""Packets between two roles that may carry an open file: a Unix socket of kind SEQPACKET.

Nothing is queued here and nothing waits: a far end that does not take its packets is cut off. A packet carries one file
at most; what else comes is closed by the kernel (recvmsg in unix(7), MSG_CTRUNC) and ends the connection. The same flag
says that this process can open no more files: the packet is complete then, and came alone.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Callable

LONGEST = 256
_FILE = struct.Struct("i")
_CREDENTIALS = struct.Struct("iII")  # struct ucred of unix(7): pid, uid, gid

log = logging.getLogger("lintel.stream")


def connected(path: str) -> socket.socket:
    """A connection to whoever listens at a path. Raises OSError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.setblocking(False)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def peer_uid(connection: socket.socket) -> int:
    """The user of the process at the far end, as the kernel knows it (SO_PEERCRED)."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[1])


class Packets:
    """One end of a connection; `take` is called with each packet and its file, `ended` once at the end, unless closed.

    `take` owns the file and closes it; it may raise ValueError for what is no packet of its language: that ends it.
    `ended` is told what was wrong: nothing, when the far end has closed it or died. The far end sees the end of ours
    only behind it. `lost` is called with a packet whose file found no room in this process; else that ends it.
    """

    def __init__(
        self,
        connection: socket.socket,
        take: Callable[[bytes, int | None], None],
        ended: Callable[[str], None],
        lost: Callable[[bytes], None] | None = None,
    ) -> None:
        self._connection = connection
        self._take = take
        self._ended = ended
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self.closed = False
        connection.setblocking(False)
        self._loop.add_reader(connection, self._readable)

    def send(self, data: bytes, file: int | None = None) -> None:
        """Send a packet; one that does not go ends the connection, as one that comes can."""
        if self.closed:
            return
        try:
            socket.send_fds(self._connection, [data], [] if file is None else [file])
        except ConnectionError:
            self._end("")
        except OSError as error:
            self._end(f"a packet cannot be sent ({error.strerror or error})")

    def hush(self) -> None:
        """Say and hear nothing more; the far end does not see it yet."""
        if not self.closed:
            self.closed = True
            self._loop.remove_reader(self._connection)

    def close(self) -> None:
        """End the connection; closing twice is harmless."""
        self.hush()
        self._connection.close()

    def _end(self, why: str) -> None:
        self.hush()
        # Not from within a call that may be in the middle of something.
        self._loop.call_soon(self._finish, why)

    def _finish(self, why: str) -> None:
        try:
            self._ended(why)
        finally:
            self.close()

    def _readable(self) -> None:
        try:
            data, files, flags = _received(self._connection)
        except BlockingIOError:
            return
        except OSError as error:
            self._end("" if isinstance(error, ConnectionError) else str(error.strerror or error))
            return
        short = flags & socket.MSG_CTRUNC and not files and not flags & socket.MSG_TRUNC
        if not data or (flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC) and not (short and self._lost)):
            for each in files:
                os.close(each)
            self._end("more came than a packet may hold" if data else "")
            return
        try:
            if short and self._lost is not None:
                self._lost(data)
            else:
                self._take(data, files[0] if files else None)
        except ValueError as error:
            self._end(str(error))
        except Exception:
            log.exception("a packet could not be dealt with")
            self._end("it said something that we could not deal with")


def _received(connection: socket.socket) -> tuple[bytes, list[int], int]:
    """A packet, its files, which no child inherits, and the flags of recvmsg; room for one file. Raises OSError."""
    room = socket.CMSG_LEN(_FILE.size)
    data, about, flags, _ = connection.recvmsg(LONGEST, room, socket.MSG_CMSG_CLOEXEC)
    files: list[int] = []
    for level, kind, value in about:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            files += (number for (number,) in _FILE.iter_unpack(value[: len(value) - len(value) % _FILE.size]))
    return data, files, flags
