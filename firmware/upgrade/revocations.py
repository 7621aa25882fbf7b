"""The revocation journal: who was deleted, so that a rollback to older settings brings nobody back.

Lines are added, each with its own checksum, and flushed before the journal goes on. It belongs to no slot; a
factory default deletes it with everything else. Whoever runs with older settings applies what was added since
these were left (`SlotInfo.revoked_at`), in order, and each of it is harmless when done twice. Once it is
`LARGEST` long, lines that no slot needs are dropped; its first line then says how many those were.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

LONGEST = 400
# Of the file, in bytes: some 20,000 deletions.
LARGEST = 1024 * 1024
DROPPED = "dropped"


class RevokedKind(StrEnum):
    """What was deleted."""

    ENTRY = "entry"
    ACCOUNT = "account"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True)
class Revocation:
    """One deletion: the kind and the id (of an account its name)."""

    kind: RevokedKind
    id: str


def line_of(revocation: Revocation) -> bytes:
    """A line of the journal. Raises ValueError for an id that is too long."""
    text = json.dumps([revocation.kind.value, revocation.id]).encode()
    if len(text) > LONGEST:
        raise ValueError(f"the id is longer than {LONGEST} bytes")
    return _sealed(text)


def _sealed(text: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _opened(line: bytes) -> list[object] | None:
    """The two values of a line without its end; None for what the power cut off or the medium damaged."""
    crc, _, text = line.partition(b" ")
    try:
        if len(crc) != 8 or int(crc, 16) != zlib.crc32(text):
            return None
        values = json.loads(text)
    except ValueError:
        return None
    return values if isinstance(values, list) and len(values) == 2 else None


def _dropped(line: bytes) -> int | None:
    """The number in a first line that says how many were dropped."""
    match _opened(line):
        case [str(word), int(count)] if word == DROPPED and count >= 0:
            return count
    return None


def parse_line(line: bytes) -> Revocation | None:
    """The deletion of a line without its end; None for what the power cut off or the medium damaged."""
    values = _opened(line)
    try:
        return None if values is None else Revocation(RevokedKind(str(values[0])), str(values[1]))
    except ValueError:
        return None


class RevocationJournal:
    """The file. Blocking; one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, revocation: Revocation) -> None:
        """Add one deletion; returns when it survives a loss of power. Raises OSError."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._path, flags, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            # The power may have cut the last line off: that one ends here, and this one stands by itself.
            ended = size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"
            os.write(descriptor, line_of(revocation) if ended else b"\n" + line_of(revocation))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if size == 0:
            self._sync_folder()

    def length(self) -> int:
        """How many whole lines there ever were, damaged and dropped ones counted. Raises OSError."""
        dropped, lines = self._lines()
        return dropped + len(lines)

    def since(self, position: int) -> tuple[Revocation, ...]:
        """The deletions from that line on; all of them when the journal is not as it was. Raises OSError."""
        dropped, lines = self._lines()
        at = position - dropped
        found = (parse_line(line) for line in lines[at if 0 <= at <= len(lines) else 0 :])
        return tuple(revocation for revocation in found if revocation is not None)

    def size(self) -> int:
        """Of the file, in bytes. Raises OSError."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def drop(self, before: int) -> None:
        """Forget the lines before that one; whole at every moment. Raises OSError."""
        dropped, lines = self._lines()
        keep = lines[max(0, before - dropped) :]
        head = _sealed(json.dumps([DROPPED, dropped + len(lines) - len(keep)]).encode())
        waiting = self._path.with_name(self._path.name + ".new")
        descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(head + b"".join(line + b"\n" for line in keep))
            file.flush()
            os.fsync(file.fileno())
        os.replace(waiting, self._path)
        self._sync_folder()

    def _sync_folder(self) -> None:
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _lines(self) -> tuple[int, list[bytes]]:
        """How many were dropped, and the whole lines that are there."""
        try:
            lines = self._path.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return 0, []
        dropped = _dropped(lines[0]) if lines else None
        return (0, lines) if dropped is None else (dropped, lines[1:])
