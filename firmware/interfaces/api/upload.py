"""Uploads: a form with one file goes to the spool piece by piece, bounded before it is parsed.

The parser sees each piece once and keeps none; the file is written on the writer thread of the role's shared store.
What does not end well leaves nothing behind.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from firmware.core.context import Core
from firmware.core.errors import Busy, Exhausted, Invalid
from firmware.core.vocabulary.upgrade import LARGEST_BUNDLE, SPARE_BYTES
from hal.errors import nearest

PATH = b"/api/v1/upgrade"
LARGEST = LARGEST_BUNDLE
# Around the file: boundaries, headers and the other fields.
AROUND = 16 * 1024
FIELD_BYTES = 256
KIND_BYTES = 4 * 1024  # a field that is a document of its own
HEADER_BYTES = 2 * 1024
LONGEST_FILENAME = 255
PIECE_BYTES = 1024 * 1024


@dataclass(slots=True)
class Form:
    """What came: the name of the file in the spool, what the sender calls it, and the other fields as text."""

    file: str
    filename: str = ""
    fields: dict[str, str] = field(default_factory=dict)


class Spool:
    """A folder of uploads; one at a time."""

    def __init__(self, folder: Path, core: Core, largest: int = LARGEST, *, what: str = "bundle") -> None:
        """`what` an upload is called in errors."""
        self.folder = folder
        self._what = what
        self.largest = largest + AROUND
        self._core = core
        self._busy = False

    async def clear(self) -> None:
        """Delete what a former start left behind. A medium that refuses is an alarm, not a failure."""
        self._core.shared.post(self._clear, what="spool")

    def _clear(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    (self.folder / entry.name).unlink()

    def begin(self) -> None:
        """Take the spool. Raises Busy when another upload has it."""
        if self._busy:
            raise Busy(self._what, "another upload is under way")
        self._busy = True

    async def receive(
        self, request: Request, file_field: str, fields: Collection[str], kinds: Mapping[bytes, str] | None = None
    ) -> Form:
        """Read the whole form. Raises Invalid, Exhausted (no room), Unavailable (storage fails).

        With `kinds` a part is known by its content type, whatever it is called; what is none of them is the file.
        """
        reader = _Reader(_boundary(request), file_field, fields, kinds)
        await self._check_room(request)
        name = secrets.token_hex(16)
        sink = _Sink(self.folder / name)
        try:
            await self._core.shared.run(sink.open, what="spool")
            async for piece in request.stream():
                reader.feed(piece)
                if len(reader.waiting) >= PIECE_BYTES:
                    await self._write(sink, reader.take())
            await self._write(sink, reader.take())
            fields_found = reader.end()
            await self._core.shared.run(sink.close, what="spool")
        except Exception:
            await self._core.shared.run(sink.discard, what="spool")
            raise
        except BaseException:  # nobody is left to wait
            self._core.shared.post(sink.discard, what="spool")
            raise
        return Form(file=name, filename=reader.filename, fields=fields_found)

    @asynccontextmanager
    async def taken(
        self, request: Request, file_field: str, fields: Collection[str], kinds: Mapping[bytes, str] | None = None
    ) -> AsyncIterator[Form]:
        """The form, whose file lies in the spool as long as the block lasts. Raises Busy, and what `receive` raises."""
        self.begin()
        file: str | None = None
        try:
            form = await self.receive(request, file_field, fields, kinds)
            file = form.file
            yield form
        finally:
            await self.end(file)

    async def end(self, name: str | None) -> None:
        """Give the spool back, without the file."""
        self._busy = False
        if name is not None:
            await self._core.shared.run(lambda: self._remove(name), what="spool")

    async def _check_room(self, request: Request) -> None:
        announced = int(request.headers.get("content-length", "0"))
        room = await self._core.shared.run(self._room, what="spool", writes=False)
        if announced > room:
            raise Exhausted(self._what, f"{announced} bytes do not fit; there is room for {max(0, room)}")

    def _room(self) -> int:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize - SPARE_BYTES

    async def _write(self, sink: _Sink, data: bytes) -> None:
        await self._core.shared.run(lambda: self._put(sink, data), what="spool")

    def _put(self, sink: _Sink, data: bytes) -> None:
        # Asked each time: not every form says its size, and others write meanwhile.
        if len(data) > self._room():
            raise Exhausted(self._what, "there is no room for the rest of it")
        sink.write(data)

    def _remove(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)


class _Sink:
    """The file of one upload. The writer thread alone opens, writes and closes it: whoever gives an upload up must
    not close a number that a piece is still being written to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def open(self) -> None:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, data: bytes) -> None:
        assert self._descriptor is not None, "opened first"
        _write_all(self._descriptor, data)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def discard(self) -> None:
        self.close()
        self._path.unlink(missing_ok=True)


def _write_all(sink: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(sink, rest) :]


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 0 < len(boundary) <= 70:
        raise Invalid("content-type", "is not multipart/form-data with a boundary")
    return boundary


class _Reader:
    """One form: text fields in memory, the bytes of its file to be taken away."""

    def __init__(
        self, boundary: bytes, file_field: str, fields: Collection[str], kinds: Mapping[bytes, str] | None = None
    ) -> None:
        self.waiting = bytearray()
        self._kinds = kinds
        self._longest = FIELD_BYTES if kinds is None else KIND_BYTES
        self._kind = b""
        self.filename = ""
        self._file_field = file_field
        self._known = (file_field, *fields)
        self._values: dict[str, bytearray] = {}
        self._header = (bytearray(), bytearray())
        self._disposition = b""
        self._name: str | None = None
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._part_data,
                "on_end": self._end,
            },
        )

    def feed(self, piece: bytes) -> None:
        """The next bytes. Raises Invalid."""
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise Invalid("body", f"is not a form with a file: {error}") from None

    def take(self) -> bytes:
        """The bytes of the file since the last time."""
        data = bytes(self.waiting)
        self.waiting.clear()
        return data

    def end(self) -> dict[str, str]:
        """The fields, once everything came. Raises Invalid."""
        if not self._ended:
            raise Invalid("body", "ends before the form does")
        if self._file_field not in self._values:
            raise Invalid(self._file_field, "is missing; send the file under this name")
        texts = {name: value for name, value in self._values.items() if name != self._file_field}
        return {name: value.decode(errors="replace") for name, value in texts.items()}

    def _part_begin(self) -> None:
        self._name = None
        self._disposition = self._kind = b""
        self._header = (bytearray(), bytearray())

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])
        self._bound_header()

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])
        self._bound_header()

    def _bound_header(self) -> None:
        if len(self._header[0]) + len(self._header[1]) > HEADER_BYTES:
            raise Invalid("body", f"a header of the form is longer than {HEADER_BYTES} bytes")

    def _header_end(self) -> None:
        if self._header[0].lower() == b"content-disposition":
            self._disposition = bytes(self._header[1])
        elif self._header[0].lower() == b"content-type":
            self._kind = parse_options_header(bytes(self._header[1]))[0]
        self._header = (bytearray(), bytearray())

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode(errors="replace")
        if self._kinds is not None:
            name = self._kinds.get(self._kind, self._file_field)
        if name not in self._known:
            raise Invalid("body", f"unknown field {name[:40]!r}{nearest(name, self._known)}")
        if name in self._values:
            raise Invalid(name, "is there twice")
        self._name = name
        self._values[name] = bytearray()
        if name == self._file_field:
            self.filename = options.get(b"filename", b"").decode(errors="replace")[:LONGEST_FILENAME]

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        assert self._name is not None
        if self._name == self._file_field:
            self.waiting.extend(data[start:end])
            return
        value = self._values[self._name]
        value.extend(data[start:end])
        if len(value) > self._longest:
            raise Invalid(self._name, f"is longer than {self._longest} bytes")

    def _end(self) -> None:
        self._ended = True
