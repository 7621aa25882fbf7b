"""The revocation journal: who was deleted, so that a rollback to older settings brings nobody back.

Lines are only ever added, each with its own checksum, and flushed before the journal goes on. It belongs to no
slot; a factory default deletes it with everything else. Whoever runs with older settings applies what was added
since these were left (`SlotInfo.revoked_at`), in order, and each of it is harmless when done twice.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

LONGEST = 400


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
    return b"%08x %s\n" % (zlib.crc32(text), text)


def parse_line(line: bytes) -> Revocation | None:
    """The deletion of a line without its end; None for what the power cut off or the medium damaged."""
    crc, _, text = line.partition(b" ")
    try:
        if len(crc) != 8 or int(crc, 16) != zlib.crc32(text):
            return None
        kind, id = json.loads(text)
        return Revocation(RevokedKind(kind), str(id))
    except (ValueError, TypeError):
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
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def length(self) -> int:
        """How many whole lines there are, damaged ones counted. Raises OSError."""
        return len(self._lines())

    def since(self, position: int) -> tuple[Revocation, ...]:
        """The deletions from that line on; all of them when the journal is shorter than it was. Raises OSError."""
        lines = self._lines()
        found = (parse_line(line) for line in lines[position if position <= len(lines) else 0 :])
        return tuple(revocation for revocation in found if revocation is not None)

    def _lines(self) -> list[bytes]:
        try:
            return self._path.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
