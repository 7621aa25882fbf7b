"""A client of the RTSP server in one process: the real connection, house and accounts; only the socket is stood in for.

Bytes the server writes lie in memory until the client takes them; one that takes nothing makes the server wait, as a
full socket would.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import struct
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from firmware.interfaces.rtsp.carriage import Udp
from firmware.interfaces.rtsp.connection import Connection
from firmware.interfaces.rtsp.house import House

HOST = "192.0.2.1"
URL = f"rtsp://{HOST}/axis-media/media.amp"
EVENTS = f"{URL}?video=0&audio=0&event=on"
TCP = "RTP/AVP/TCP;unicast;interleaved=0-1"
Account = tuple[str, str]
WSNT, TT = "{http://docs.oasis-open.org/wsn/b-2}", "{http://www.onvif.org/ver10/schema}"


@dataclass(frozen=True)
class Reply:
    """One answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def session(self) -> str:
        return self.headers["session"].partition(";")[0]


@dataclass(frozen=True)
class Heard:
    """One event of a stream."""

    topic: str
    change: str
    source: Mapping[str, str]
    data: Mapping[str, str]


def read_event(document: bytes) -> Heard:
    """An event out of its document."""
    root = ET.fromstring(document)
    assert root.tag == f"{TT}MetadataStream"
    topic = root.find(f".//{WSNT}Topic")
    message = root.find(f".//{WSNT}Message/{TT}Message")
    assert topic is not None
    assert message is not None

    def items(part: str) -> dict[str, str]:
        return {each.get("Name", ""): each.get("Value", "") for each in message.iterfind(f"{TT}{part}/{TT}SimpleItem")}

    return Heard(topic.text or "", message.get("PropertyOperation", ""), items("Source"), items("Data"))


class Documents:
    """Puts documents together out of RTP packets, and checks what the standard says of the packets."""

    def __init__(self) -> None:
        self.whole: list[bytes] = []
        self.packets: list[bytes] = []
        self._pieces: list[bytes] = []
        self._last: tuple[int, int] | None = None

    def feed(self, packet: bytes) -> None:
        """Take a packet."""
        first, second, sequence, time, _ = struct.unpack_from(">BBHII", packet)
        assert (first, second & 0x7F) == (0x80, 98)
        if self._last is not None:
            assert sequence == (self._last[0] + 1) & 0xFFFF
            assert time == self._last[1] or not self._pieces, "one document has one time"
        self._last = (sequence, time)
        self.packets.append(packet)
        self._pieces.append(packet[12:])
        if second & 0x80:
            self.whole.append(b"".join(self._pieces))
            self._pieces = []


class Transport(asyncio.Transport):
    """The server's end of a connection in memory."""

    def __init__(self, protocol: Connection, local: Any, peer: Any) -> None:
        super().__init__({"sockname": local, "peername": peer})
        self._protocol = protocol
        self._high = 1 << 16
        self._closing = False
        self.gone = False
        self.out = bytearray()
        self.takes = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = high or self._high

    def write(self, data: Any) -> None:
        assert not self._closing, "written after it was closed"
        self.out += data
        if not self.takes and len(self.out) > self._high:
            self._protocol.pause_writing()

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """Everything written is taken first: a client that takes nothing keeps it open."""
        self._closing = True
        if self.takes or not self.out:
            self._lose()

    def abort(self) -> None:
        self._closing = True
        self._lose()

    def _lose(self) -> None:
        if not self.gone:
            self.gone = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


@dataclass
class UdpWay:
    """What a stream over UDP was opened with, and what went over it."""

    local: Any
    peer: Any
    ports: Udp
    heard: Callable[[], None]
    packets: list[bytes] = field(default_factory=list)
    reports: list[bytes] = field(default_factory=list)
    closed: bool = False
    spec: str = "RTP/AVP;unicast"

    async def send(self, packet: bytes) -> None:
        self.packets.append(packet)

    def report(self, packet: bytes) -> None:
        self.reports.append(packet)

    def close(self) -> None:
        self.closed = True


class Server:
    """The house of one face, and whoever is connected."""

    def __init__(self, face: Any, group: asyncio.TaskGroup, **how: Any) -> None:
        self._group = group
        self.ways: list[UdpWay] = []
        self.house = House(face.core, open_udp=self._open, **how)
        self._tasks: list[asyncio.Task[None]] = []

    async def _open(self, local: Any, peer: Any, ports: Udp, heard: Callable[[], None]) -> UdpWay:
        self.ways.append(UdpWay(local, peer, ports, heard))
        return self.ways[-1]

    def connect(self, address: str = "192.0.2.7", port: int = 40000) -> Client:
        """A client at an address."""
        connection = Connection(self.house, self._begin)
        transport = Transport(connection, (HOST, 554), (address, port))
        connection.connection_made(transport)
        return Client(connection, transport)

    def _begin(self, connection: Connection) -> None:
        self._tasks.append(self._group.create_task(connection.run()))

    def close(self) -> None:
        """End everybody."""
        for task in self._tasks:
            task.cancel()


class Client:
    """One connection, seen from its far end."""

    def __init__(self, connection: Connection, transport: Transport) -> None:
        self._connection = connection
        self.transport = transport
        self.documents = Documents()
        self.reports: list[bytes] = []
        self.account: Account | None = None
        self._challenge = ""
        self._cseq = 0

    @property
    def open(self) -> bool:
        return not self.transport.gone

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._connection.data_received(data)

    async def settle(self, turns: int = 200) -> None:
        """Let the server work until it has nothing to do."""
        for _ in range(turns):
            await _turn()

    async def once(self, method: str, target: str = EVENTS, body: bytes = b"", **headers: str) -> Reply:
        """One request as it is, and its answer."""
        self._cseq += 1
        lines = [f"{method} {target} RTSP/1.0", f"CSeq: {self._cseq}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(body)}"] if body else []
        self.send("\r\n".join((*lines, "", "")).encode() + body)
        reply = await self.reply()
        assert reply.headers["cseq"] == str(self._cseq)
        return reply

    async def ask(self, method: str, target: str = EVENTS, **headers: str) -> Reply:
        """A request of the client's account: asked back once, as clients do."""
        reply = await self.once(method, target, **headers, **self._authorization(method, target))
        if reply.status == 401 and self.account is not None:
            self._challenge = reply.headers["www-authenticate"]
            reply = await self.once(method, target, **headers, **self._authorization(method, target))
        return reply

    def _authorization(self, method: str, target: str) -> dict[str, str]:
        """As the older clients: no count, and the address of the stream also for its track."""
        if self.account is None or not self._challenge:
            return {}
        return {"Authorization": digest(self.account, method, target.replace("/trackID=1", ""), self._challenge)}

    async def reply(self) -> Reply:
        """The next answer; packets before it go where they belong."""
        for turn in range(10_000):
            self.read_packets()
            end = self.transport.out.find(b"\r\n\r\n")
            if end >= 0 and self.transport.out[:1] == b"R":
                head, *lines = bytes(self.transport.out[:end]).decode().split("\r\n")
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in reversed(lines))}
                size = int(headers.get("content-length", "0"))
                body = bytes(self.transport.out[end + 4 : end + 4 + size])
                assert len(body) == size, "an answer came in pieces"
                del self.transport.out[: end + 4 + size]
                return Reply(int(head.split()[1]), headers, body)
            await _turn(0.0 if turn < 200 else 0.001)  # a password is judged outside virtual time
        raise AssertionError("no answer came")

    def read_packets(self) -> None:
        """Take the packets that have come."""
        out = self.transport.out
        while out[:1] == b"$":
            channel, length = out[1], int.from_bytes(out[2:4], "big")
            packet = bytes(out[4 : 4 + length])
            assert len(packet) == length
            del out[: 4 + length]
            if channel == 0:
                self.documents.feed(packet)
            else:
                self.reports.append(packet)

    async def play(self, target: str = EVENTS, transport: str = TCP) -> str:
        """Set a stream up and play it; its session."""
        setup = await self.ask("SETUP", target, Transport=transport)
        assert setup.status == 200, setup
        played = await self.ask("PLAY", target, Session=setup.session)
        assert played.status == 200, played
        return setup.session

    async def heard(self) -> list[Heard]:
        """Every event until now."""
        await self.settle()
        self.read_packets()
        return [read_event(document) for document in self.documents.whole]


async def _turn(delay_s: float = 0.0) -> None:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(delay_s, future.set_result, None)
    await future


def digest(account: Account, method: str, uri: str, challenge: str) -> str:
    """The Authorization header of RFC 2069."""
    realm, nonce = (re.search(f'{name}="([^"]*)"', challenge)[1] for name in ("realm", "nonce"))  # type: ignore[index]

    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    response = md5(f"{md5(f'{account[0]}:{realm}:{account[1]}')}:{nonce}:{md5(f'{method}:{uri}')}")
    return (
        f'Digest username="{account[0]}", realm="{realm}", algorithm="MD5", nonce="{nonce}", uri="{uri}", '
        f'response="{response}"'
    )
