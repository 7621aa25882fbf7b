"""One durable file with a checksum and a last good copy (hardening rows 17 and 21).

`NAME` is the content behind a header of version, length and SHA-256; `NAME.good` the copy before it;
`NAME.damaged` a copy that failed its checksum, kept for whoever looks into it. All of it blocks.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from firmware.core.errors import Invalid, Unavailable
from firmware.core.store_disk import Disk

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_HEADER = re.compile(rb"lintel 1 (0|[1-9][0-9]{0,11}) ([0-9a-f]{64})\n")
_HEADER_MAX = 128
NEW, GOOD, DAMAGED = ".new", ".good", ".damaged"


class Damaged(Unavailable):
    """Something was saved here and no copy of it can be read: neither "never saved" nor "empty"."""


def frame(data: bytes) -> bytes:
    """Content with its header."""
    return b"lintel 1 %d %s\n" % (len(data), hashlib.sha256(data).hexdigest().encode()) + data


def unframe(raw: bytes) -> bytes | None:
    """The content, or None when it is not exactly what was framed."""
    header = _HEADER.match(raw[:_HEADER_MAX])
    if header is None:
        return None
    data = raw[header.end() :]
    if len(data) != int(header[1]) or hashlib.sha256(data).hexdigest().encode() != header[2]:
        return None
    return data


def checked_name(name: str) -> str:
    """The name, when it can be a file of a store: an id, never a path. Raises Invalid."""
    if _NAME.fullmatch(name) is None or name.endswith((NEW, GOOD, DAMAGED)):
        raise Invalid("store", f"{name!r} is not a name: use up to 64 of a-z 0-9 - _ .")
    return name


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was found: the content (None: never saved) and, when a copy was damaged, what was done about it."""

    data: bytes | None
    damage: str | None = None


class DurableFiles:
    """The durable files of one directory."""

    def __init__(self, root: Path, disk: Disk) -> None:
        self._root = root
        self._disk = disk

    def save(self, name: str, data: bytes) -> None:
        """Replace the content; afterwards it survives a power cut. Raises OSError, and then nothing has changed."""
        path = self._root / checked_name(name)
        waiting, good = self._beside(path, NEW), self._beside(path, GOOD)
        framed = frame(data)
        self._disk.write(waiting, framed)
        before = self._copy(path)
        if isinstance(before, bytes):
            # A second name, not a rename: at no instant is the file missing.
            self._disk.link(path, good)
        elif before is not None:
            self._set_aside(path)
        self._disk.rename(waiting, path)
        self._disk.sync(self._root)
        if before is None and not isinstance(self._copy(good), bytes):
            # The very first content gets its second copy at once.
            self._disk.write(waiting, framed)
            self._disk.rename(waiting, good)
            self._disk.sync(self._root)

    def load(self, name: str) -> Loaded:
        """The content, or the last good copy of it. Raises Damaged when every copy is bad, OSError."""
        path = self._root / checked_name(name)
        first = self._copy(path)
        if isinstance(first, bytes):
            return Loaded(first)
        second = self._copy(self._beside(path, GOOD))
        if isinstance(second, bytes):
            return Loaded(second, f"{self._why(first)}; the last good copy is used{self._repair(path, first, second)}")
        if first is None and second is None and self._copy(self._beside(path, DAMAGED)) is None:
            self._disk.sizes(self._root)  # raises when the directory itself is missing: that is not "never saved"
            return Loaded(None)
        for trouble in (first, second):
            if isinstance(trouble, OSError):
                raise trouble
        raise Damaged(name, f"{self._why(first)} and there is no good copy of it")

    def remove(self, name: str) -> None:
        """Forget the content and every copy of it. Raises OSError."""
        path = self._root / checked_name(name)
        for suffix in (NEW, GOOD, DAMAGED, ""):  # the copies first: none may come back
            self._disk.remove(self._beside(path, suffix))
        self._disk.sync(self._root)

    def _copy(self, path: Path) -> bytes | ValueError | OSError | None:
        """The verified content of one file; None when it is not there, else what is wrong with it."""
        try:
            raw = self._disk.read(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            return error
        data = unframe(raw)
        return ValueError("the file does not match its checksum") if data is None else data

    def _repair(self, path: Path, first: ValueError | OSError | None, good: bytes) -> str:
        """Keep the damaged file aside and put the good copy in its place, where the disk allows."""
        try:
            if first is not None:
                self._set_aside(path)
            waiting = self._beside(path, NEW)
            self._disk.write(waiting, frame(good))
            self._disk.rename(waiting, path)
            self._disk.sync(self._root)
        except OSError as error:
            return f" (it could not be repaired: {error.strerror or error})"
        return ""

    def _set_aside(self, path: Path) -> None:
        self._disk.rename(path, self._beside(path, DAMAGED))

    @staticmethod
    def _beside(path: Path, suffix: str) -> Path:
        return path.with_name(path.name + suffix)

    @staticmethod
    def _why(first: ValueError | OSError | None) -> str:
        if first is None:
            return "the file is missing"
        if isinstance(first, OSError):
            return f"the file cannot be read ({first.strerror or first})"
        return str(first)
