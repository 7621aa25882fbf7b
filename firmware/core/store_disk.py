"""The seam between the store and the file system: a handful of durable file operations.

`FileDisk` is the real one. Faults (full, read-only, failing, stalled) are classified here, once, so
that everybody who writes says the same words about them (hardening rows 18 to 21).
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from pathlib import Path
from typing import Protocol

from firmware.core.errors import Unavailable
from firmware.core.vocabulary.station import StorageProblem


class Disk(Protocol):
    """Blocking file operations, each whole or an OSError; called on a writer thread only."""

    def folder(self, path: Path) -> None:
        """Make a directory, with its parents, private to this user."""

    def read(self, path: Path) -> bytes:
        """The whole file. Raises FileNotFoundError."""

    def write(self, path: Path, data: bytes) -> None:
        """Make or replace a file's content and wait until it is on the medium."""

    def append(self, path: Path, data: bytes, *, sync: bool) -> None:
        """Add to the end of a file, all or nothing; with `sync` wait until it is on the medium."""

    def link(self, path: Path, second: Path) -> None:
        """Give a file a second name, replacing what had it."""

    def rename(self, path: Path, to: Path) -> None:
        """Give a file another name, replacing what had it."""

    def remove(self, path: Path) -> None:
        """Delete a file; harmless when it is not there."""

    def sync(self, folder: Path) -> None:
        """Wait until renames and deletions in a directory are on the medium."""

    def sizes(self, folder: Path) -> dict[str, int]:
        """The plain files of a directory with their sizes in bytes. Raises FileNotFoundError."""


class FileDisk:
    """The file system of this machine."""

    def folder(self, path: Path) -> None:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def write(self, path: Path, data: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def append(self, path: Path, data: bytes, *, sync: bool) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            before = os.fstat(descriptor).st_size
            try:
                _write_all(descriptor, data)
            except OSError:
                with contextlib.suppress(OSError):  # the first error is the one to tell; readers check every line
                    os.ftruncate(descriptor, before)
                raise
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def link(self, path: Path, second: Path) -> None:
        waiting = second.with_name(second.name + ".new")
        self.remove(waiting)
        os.link(path, waiting)
        # rename(2) does nothing when both are already the same file: the waiting name would stay
        if second.exists() and second.samefile(path):
            self.remove(waiting)
        else:
            os.replace(waiting, second)

    def rename(self, path: Path, to: Path) -> None:
        os.replace(path, to)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def sync(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def sizes(self, folder: Path) -> dict[str, int]:
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if entry.is_file(follow_symlinks=False)}


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


_BY_ERRNO = {
    errno.ENOSPC: StorageProblem.FULL,
    errno.EDQUOT: StorageProblem.FULL,
    errno.EROFS: StorageProblem.READ_ONLY,
    errno.EIO: StorageProblem.IO,
    errno.ENODEV: StorageProblem.IO,
    errno.ENXIO: StorageProblem.IO,
    errno.EREMOTEIO: StorageProblem.IO,
    errno.ETIMEDOUT: StorageProblem.IO,
    errno.ESTALE: StorageProblem.IO,
    errno.EUCLEAN: StorageProblem.DAMAGED,
}
_BY_SQLITE = {
    sqlite3.SQLITE_FULL: StorageProblem.FULL,
    sqlite3.SQLITE_READONLY: StorageProblem.READ_ONLY,
    sqlite3.SQLITE_IOERR: StorageProblem.IO,
    sqlite3.SQLITE_CANTOPEN: StorageProblem.IO,
    sqlite3.SQLITE_CORRUPT: StorageProblem.DAMAGED,
    sqlite3.SQLITE_NOTADB: StorageProblem.DAMAGED,
}
_WORDS = {
    StorageProblem.FULL: "storage is full",
    StorageProblem.READ_ONLY: "storage is read-only",
    StorageProblem.IO: "storage fails",
    StorageProblem.SLOW: "storage is slow",
    StorageProblem.DAMAGED: "is damaged",
}


def problem_of(error: BaseException) -> StorageProblem | None:
    """Which storage trouble an exception tells of; None when it is something else (a missing file, a bug)."""
    if isinstance(error, OSError) and error.errno is not None:
        return _BY_ERRNO.get(error.errno)
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)  # extended codes carry the kind in the low byte
        return None if code is None else _BY_SQLITE.get(code & 0xFF)
    return None


def unavailable(what: str, problem: StorageProblem, error: BaseException | None = None) -> Unavailable:
    """The one message callers get for a storage trouble."""
    detail = "" if error is None else f" ({getattr(error, 'strerror', None) or error})"
    return Unavailable(what, f"{_WORDS[problem]}{detail}; nothing was changed")
