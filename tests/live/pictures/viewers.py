"""Many Motion JPEG clients in one process, each from a loopback address of its own, some of which stop reading."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.live.device import PASSWORD, USER

FRAME = re.compile(rb"x-frame: (\d+)\r\n")
TAIL_BYTES = 24
SMALL_BUFFER = 4096


def authorization(user: str = USER) -> str:
    """The header of an account, usually the administrator's; all have one password."""
    return "Basic " + base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()


@dataclass
class Viewer(asyncio.Protocol):
    """One client; `frames` are the numbers of the pictures that have come, 0 for no signal."""

    path: str
    user: str = USER
    frames: list[int] = field(default_factory=list)
    head: bytes = b""
    status: int = 0
    received: int = 0
    transport: asyncio.Transport | None = None
    closed: bool = False
    _tail: bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        who = f"authorization: {authorization(self.user)}\r\n" if self.user else ""
        transport.write(f"GET {self.path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{who}\r\n".encode())

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        if not self.status or self.status >= 400:  # a refusal is kept whole
            self.head += data
            if b"\r\n\r\n" not in self.head:
                return
            self.status = int(self.head.split(b" ", 2)[1])
        # a number that is cut off at the end is found whole with the next bytes
        seen = self._tail + data
        last = 0
        for found in FRAME.finditer(seen):
            self.frames.append(int(found[1]))
            last = found.end()
        self._tail = seen[max(last, len(seen) - TAIL_BYTES) :]

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True

    def stall(self) -> None:
        """Take no more."""
        assert self.transport is not None
        self.transport.pause_reading()

    def resume(self) -> None:
        """Take everything again."""
        assert self.transport is not None
        self.transport.resume_reading()


async def look(
    port: int, path: str, address: str, *, small: bool = False, user: str = USER, tls: bool = False
) -> Viewer:
    """Connect one viewer from an address, without a `user` as nobody.

    A `small` one has as little room for what it has not read as there can be.
    """
    connection = socket.socket()
    connection.setblocking(False)
    if small:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    connection.bind((address, 0))
    loop = asyncio.get_running_loop()
    await loop.sock_connect(connection, ("127.0.0.1", port))
    trust = ssl.create_default_context() if tls else None
    if trust is not None:
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    name = "door" if tls else None
    _, viewer = await loop.create_connection(
        lambda: Viewer(path, user), sock=connection, ssl=trust, server_hostname=name
    )
    return viewer


def shares(pid: int, port: int) -> bool:
    """Whether a process has the far end of the connection open that a client on this machine has from a port."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends = {f"socket:[{words[9]}]" for words in lines if words[2].endswith(f":{port:04X}")}
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            if os.readlink(file) in ends:
                return True
    return False
