"""What crosses a picture stream: wishes as lines of JSON one way, pictures behind a fixed header the other way."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields

LONGEST_WISH = 256
MOST_BYTES = 16 << 20
MOST_PIXELS_ACROSS = 8192
FPS_MAX = 240

_HEADER = struct.Struct("!BxHHxxIIQ")  # kind, width, height, length, number, time
_JPEG, _NO_SIGNAL = 1, 2


class StreamError(Exception):
    """The far end does not speak this language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Which pictures are wanted: size (0 x 0: the source's own), compression (None: the source's), rate (0: all)."""

    width: int = 0
    height: int = 0
    compression: int | None = None
    fps: int = 0

    def __post_init__(self) -> None:
        sized = 0 < self.width <= MOST_PIXELS_ACROSS and 0 < self.height <= MOST_PIXELS_ACROSS
        if not sized and (self.width, self.height) != (0, 0):
            raise ValueError(f"no picture has {self.width} x {self.height} samples")
        if self.compression is not None and not 0 <= self.compression <= 100:
            raise ValueError(f"compression is 0 to 100 (got {self.compression})")
        if not 0 <= self.fps <= FPS_MAX:
            raise ValueError(f"fps is 0 to {FPS_MAX} (got {self.fps})")


@dataclass(frozen=True, slots=True)
class Jpeg:
    """One picture as a whole JPEG file: its number since the camera started, and its monotonic time."""

    data: bytes
    width: int
    height: int
    number: int
    t_ns: int


@dataclass(frozen=True, slots=True)
class NoSignal:
    """There are no pictures now, and why."""

    reason: str


def pack_cut(cut: Cut) -> bytes:
    """A wish as a line."""
    return json.dumps(asdict(cut)).encode() + b"\n"


def read_cut(line: bytes) -> Cut:
    """The wish in a line. Raises StreamError for anything else."""
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise StreamError(f"a wish is a line of JSON: {error}") from None
    names = {each.name for each in fields(Cut)}
    if not isinstance(raw, dict) or set(raw) != names:
        raise StreamError(f"a wish names {', '.join(sorted(names))}")
    for name, value in raw.items():
        if type(value) is not int and not (name == "compression" and value is None):
            raise StreamError(f"{name} is a whole number")
    try:
        return Cut(**raw)
    except ValueError as error:
        raise StreamError(str(error)) from None


def pack(message: Jpeg | NoSignal) -> bytes:
    """A picture, or that there is none, with its header."""
    if isinstance(message, NoSignal):
        text = message.reason.encode()[:1000]
        return _HEADER.pack(_NO_SIGNAL, 0, 0, len(text), 0, 0) + text
    head = _HEADER.pack(
        _JPEG, message.width, message.height, len(message.data), message.number & 0xFFFFFFFF, message.t_ns
    )
    return head + message.data


class Unpacker:
    """Bytes in, messages out."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[Jpeg | NoSignal]:
        """The messages that these bytes complete. Raises StreamError for what is none, or is too long."""
        if not self._data and len(data) >= _HEADER.size:
            kind, width, height, length, number, t_ns = _HEADER.unpack_from(data)
            if kind == _JPEG and len(data) == _HEADER.size + length:
                # The usual case, one whole picture, is copied once only.
                yield Jpeg(data[_HEADER.size :], width, height, number, t_ns)
                return
        self._data += data
        while len(self._data) >= _HEADER.size:
            kind, width, height, length, number, t_ns = _HEADER.unpack_from(self._data)
            if kind not in (_JPEG, _NO_SIGNAL) or length > MOST_BYTES:
                raise StreamError(f"no message has kind {kind} and {length} bytes")
            end = _HEADER.size + length
            if len(self._data) < end:
                return
            body = bytes(memoryview(self._data)[_HEADER.size : end])
            del self._data[:end]
            if kind == _JPEG:
                yield Jpeg(body, width, height, number, t_ns)
            else:
                yield NoSignal(body.decode(errors="replace"))


class LineReader:
    """Bytes in, lines out."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that these bytes complete. Raises StreamError for one that is too long."""
        *lines, self._data = (self._data + data).split(b"\n")
        if len(self._data) > LONGEST_WISH or any(len(line) > LONGEST_WISH for line in lines):
            raise StreamError(f"a wish has at most {LONGEST_WISH} bytes")
        return lines
