"""A small client of RTSP over real sockets: reads the event stream of a running device over UDP or TCP.

with RtspClient(port) as client:
    client.play("&eventtopic=tns1:Door//.")
    event = client.next_event()
"""

from __future__ import annotations

import re
import socket
from types import TracebackType
from typing import Self

from tests.live.device import PASSWORD, PATIENCE_S, USER
from tests.unit.face.rtsp_client import TCP, Documents, Heard, Reply, digest, read_event


class RtspClient:
    """One connection."""

    def __init__(self, port: int, account: tuple[str, str] = (USER, PASSWORD)) -> None:
        self._account = account
        self._url = f"rtsp://127.0.0.1:{port}/axis-media/media.amp?event=on"
        self._connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self._data = b""
        self._cseq = 0
        self._challenge = ""
        self._udp: socket.socket | None = None
        self.documents = Documents()
        self.reports: list[bytes] = []
        self.session = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()
        if self._udp is not None:
            self._udp.close()

    def ask(self, method: str, more: str = "", **headers: str) -> Reply:
        """A request, asked back once."""
        reply = self._once(method, more, headers)
        if reply.status == 401:
            self._challenge = reply.headers["www-authenticate"]
            reply = self._once(method, more, headers)
        return reply

    def _once(self, method: str, more: str, headers: dict[str, str]) -> Reply:
        self._cseq += 1
        url = self._url + more
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self._cseq}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if self._challenge:
            lines.append(f"Authorization: {digest(self._account, method, url, self._challenge)}")
        self._connection.sendall("\r\n".join((*lines, "", "")).encode())
        while (reply := self._reply()) is None:
            self._read()
        return reply

    def _read(self) -> None:
        piece = self._connection.recv(65536)
        if not piece:
            raise ConnectionError("the device closed the connection")
        self._data += piece

    def _reply(self) -> Reply | None:
        """The next answer, after the packets before it."""
        self._packets()
        head, mark, rest = self._data.partition(b"\r\n\r\n")
        if not mark or not head.startswith(b"RTSP/1.0 "):
            return None
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in reversed(lines))}
        size = int(headers.get("content-length", "0"))
        if len(rest) < size:
            return None
        self._data = rest[size:]
        return Reply(int(first.split()[1]), headers, rest[:size])

    def _packets(self) -> None:
        while self._data[:1] == b"$" and len(self._data) >= 4:
            end = 4 + int.from_bytes(self._data[2:4], "big")
            if len(self._data) < end:
                return
            channel, packet = self._data[1], self._data[4:end]
            self._data = self._data[end:]
            if channel == 0:
                self.documents.feed(packet)
            else:
                self.reports.append(packet)

    def play(self, more: str = "", *, udp: bool = False) -> None:
        """Set up and play."""
        assert self.ask("DESCRIBE", more, Accept="application/sdp").status == 200
        transport = TCP
        if udp:
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._udp.bind(("127.0.0.1", 0))
            self._udp.settimeout(PATIENCE_S)
            port = self._udp.getsockname()[1]
            transport = f"RTP/AVP;unicast;client_port={port}-{port + 1}"
        setup = self.ask("SETUP", more, Transport=transport)
        assert setup.status == 200, setup
        self.session = setup.session
        if self._udp is not None:
            server = re.search(r"server_port=(\d+)-", setup.headers["transport"])
            assert server is not None
            self._udp.connect(("127.0.0.1", int(server[1])))
        assert self.ask("PLAY", more, Session=self.session).status == 200

    def next_event(self) -> Heard:
        """The next event; waits for it."""
        while not self.documents.whole:
            if self._udp is not None:
                self.documents.feed(self._udp.recv(2048))
            else:
                self._packets()
                if not self.documents.whole:
                    self._read()
        return read_event(self.documents.whole.pop(0))

    def closed(self) -> bool:
        """Read until the device ends the connection."""
        while self._connection.recv(65536):
            pass
        return True
