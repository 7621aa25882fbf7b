"""RTSP requests out of bytes, and answers into bytes (RFC 2326). Pure: no I/O, no time.

Between requests a client may send packets of its own, `$`, channel, length (clause 10.12): the reports of a stream.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MOST_HEAD_BYTES = 8 * 1024
MOST_HEADERS = 50
MOST_BODY_BYTES = 4 * 1024
MOST_FRAME_BYTES = 2 * 1024
VERSION = "RTSP/1.0"
FRAME = b"$"

STATUS: Mapping[int, str] = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    406: "Not Acceptable",
    413: "Request Entity Too Large",
    451: "Parameter Not Understood",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "RTSP Version Not Supported",
    551: "Option not supported",
}

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_LINE = re.compile(rf"({_TOKEN}{{1,32}}) ([!-~]{{1,2048}}) ([!-~]{{1,16}})")
_HEADER = re.compile(rf"({_TOKEN}{{1,64}})[ \t]*:[ \t]*([\t -~\x80-\xff]*)")
_ONCE = frozenset({"cseq", "content-length", "session", "authorization"})


class Malformed(Exception):
    """What came is no request: where the next one would begin is unknown, so the connection ends with the answer."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; names of headers in lower case. `cseq` is its number as sent, digits only."""

    method: str
    target: str
    cseq: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str) -> str:
        """The value of a header; empty when there is none."""
        return self.headers.get(name, "")


@dataclass(frozen=True, slots=True)
class Frame:
    """A packet within the connection."""

    channel: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer; `ends`: the connection ends with it."""

    status: int = 200
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    ends: bool = False

    def packed(self, cseq: str, date: str = "") -> bytes:
        """All of it in one piece: there are clients that take whatever one read gives for the whole answer."""
        lines = [f"{VERSION} {self.status} {STATUS[self.status]}"]
        lines += [f"CSeq: {cseq}"] if cseq else []
        lines += [f"Date: {date}"] if date else []
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines += [f"Content-Length: {len(self.body)}"] if self.body else []
        return "\r\n".join((*lines, "", "")).encode("latin-1") + self.body


def refused(status: int, why: str, headers: Sequence[tuple[str, str]] = (), *, ends: bool = False) -> Answer:
    """An answer that says no, with one line for people."""
    return Answer(
        status=status, headers=(*headers, ("Content-Type", "text/plain")), body=f"{why}\r\n".encode(), ends=ends
    )


def frame(channel: int, data: bytes) -> bytes:
    """A packet within the connection."""
    return FRAME + bytes((channel,)) + len(data).to_bytes(2, "big") + data


class Parser:
    """Takes bytes with `feed`, gives one message at a time with `take`."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._looked = 0

    @property
    def size(self) -> int:
        """Bytes that wait here."""
        return len(self._data)

    def feed(self, data: bytes) -> None:
        """Keep bytes until they are taken."""
        self._data += data

    def take(self) -> Request | Frame | None:
        """The next message; None while it is incomplete. Raises Malformed."""
        self._skip_empty_lines()
        if not self._data:
            return None
        return self._frame() if self._data[:1] == FRAME else self._request()

    def _skip_empty_lines(self) -> None:
        if self._data[:1].isspace():
            self._data, self._looked = self._data.lstrip(), 0

    def _frame(self) -> Frame | None:
        if len(self._data) < 4:
            return None
        length = int.from_bytes(self._data[2:4], "big")
        if length > MOST_FRAME_BYTES:
            raise Malformed(413, f"a packet has at most {MOST_FRAME_BYTES} bytes")
        if len(self._data) < 4 + length:
            return None
        found = Frame(self._data[1], bytes(self._data[4 : 4 + length]))
        self._drop(4 + length)
        return found

    def _request(self) -> Request | None:
        end = self._head_end()
        if end is None:
            return None
        length, width = end
        method, target, headers = read_head(bytes(self._data[:length]))
        body = body_length(headers)
        whole = length + width + body
        if len(self._data) < whole:
            return None
        found = Request(
            method=method,
            target=target,
            cseq=read_cseq(headers),
            headers=headers,
            body=bytes(self._data[length + width : whole]),
        )
        self._drop(whole)
        return found

    def _head_end(self) -> tuple[int, int] | None:
        """Where the head ends, and how wide its end is; None while it is not there. Raises Malformed for a long one."""
        begin, most = max(0, self._looked - 3), MOST_HEAD_BYTES + 4
        marks = (b"\r\n\r\n", b"\n\n")
        found = [(place, len(mark)) for mark in marks if (place := self._data.find(mark, begin, most)) >= 0]
        place, width = min(found, default=(len(self._data), 0))
        if place > MOST_HEAD_BYTES:
            raise Malformed(413, f"a request has at most {MOST_HEAD_BYTES} bytes before its body")
        self._looked = place
        return (place, width) if width else None

    def _drop(self, size: int) -> None:
        del self._data[:size]
        self._looked = 0


def read_head(head: bytes) -> tuple[str, str, Mapping[str, str]]:
    """Method, target and headers of a request. Raises Malformed."""
    first, *rest = head.decode("latin-1").replace("\r\n", "\n").split("\n")
    line = _LINE.fullmatch(first)
    if line is None:
        raise Malformed(400, "the first line is METHOD rtsp://HOST/PATH RTSP/1.0")
    method, target, version = line.groups()
    if version != VERSION:
        known = version.startswith("RTSP/")
        raise Malformed(505 if known else 400, f"this is {VERSION}, not {version}")
    if len(rest) > MOST_HEADERS:
        raise Malformed(413, f"a request has at most {MOST_HEADERS} headers")
    headers: dict[str, str] = {}
    for each in rest:
        name, value = read_header(each)
        if name in headers and name in _ONCE:
            raise Malformed(400, f"{name} comes twice")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return method, target, headers


def read_header(line: str) -> tuple[str, str]:
    """Name, in lower case, and value. Raises Malformed."""
    found = _HEADER.fullmatch(line)
    if found is None:
        raise Malformed(400, "a header is Name: value")
    return found[1].lower(), found[2].rstrip(" \t")


def body_length(headers: Mapping[str, str]) -> int:
    """How many bytes follow the head. Raises Malformed."""
    text = headers.get("content-length", "0")
    if not re.fullmatch("[0-9]{1,9}", text):
        raise Malformed(400, "content-length is a number")
    if int(text) > MOST_BODY_BYTES:
        raise Malformed(413, f"a body has at most {MOST_BODY_BYTES} bytes")
    return int(text)


def read_cseq(headers: Mapping[str, str]) -> str:
    """The number of a request. Raises Malformed (clause 12.17: every request has one)."""
    text = headers.get("cseq", "")
    if not re.fullmatch("[0-9]{1,10}", text):
        raise Malformed(400, "CSeq is a number")
    return text
