"""Packets between two roles that may carry an open file: a Unix socket of kind SEQPACKET.

Nothing is queued here and nothing waits: a far end that does not take its packets is cut off. A packet carries one file
at most; what else comes is closed by the kernel (recvmsg in unix(7), MSG_CTRUNC) and ends the connection.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable

LONGEST = 256
_CREDENTIALS = struct.Struct("iII")  # struct ucred of unix(7): pid, uid, gid


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
    `ended` is told what was wrong: nothing, when the far end has closed it or died.
    """

    def __init__(
        self, connection: socket.socket, take: Callable[[bytes, int | None], None], ended: Callable[[str], None]
    ) -> None:
        self._connection = connection
        self._take = take
        self._ended = ended
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

    def close(self) -> None:
        """End the connection; closing twice is harmless."""
        if not self.closed:
            self.closed = True
            self._loop.remove_reader(self._connection)
            self._connection.close()

    def _end(self, why: str) -> None:
        self.close()
        # Not from within a call that may be in the middle of something.
        self._loop.call_soon(self._ended, why)

    def _readable(self) -> None:
        try:
            data, files, flags, _ = socket.recv_fds(self._connection, LONGEST, 1, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except OSError as error:
            self._end("" if isinstance(error, ConnectionError) else str(error.strerror or error))
            return
        file = files[0] if files else None
        if not data or flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC) or len(files) > 1:
            for each in files:
                os.close(each)
            self._end("more came than a packet may hold" if data else "")
            return
        try:
            self._take(data, file)
        except ValueError as error:
            self._end(str(error))
