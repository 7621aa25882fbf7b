"""The handful of file operations that upgrades, resets and settings per slot are made of, and the real ones.

Everything that must survive a power cut here goes through a `Medium`, so that the model checker can put a
simulated one in its place and try every moment at which the power can go. A path is relative to the state
directory, with `/` between its names. What an operation does is visible at once; it is on the medium after
`flush` of the file (its content) and `sync` of the folder (its name), except for `overwrite`, which waits.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

CHUNK_BYTES = 1024 * 1024


class Medium(Protocol):
    """Blocking file operations below one directory. Each raises OSError (FileNotFoundError for what is not there)."""

    def read(self, path: str) -> bytes:
        """The whole content of a small file."""

    def chunks(self, path: str) -> Iterator[bytes]:
        """The content of a file, piece by piece."""

    def names(self, path: str) -> dict[str, bool]:
        """What lies in a folder: name, and whether that is a folder itself."""

    def write(self, path: str, chunks: Iterable[bytes]) -> None:
        """Make a file, or replace its content."""

    def overwrite(self, path: str, data: bytes) -> None:
        """Write over the beginning of a file in place, and wait until that is on the medium."""

    def flush(self, path: str) -> None:
        """Wait until the content of a file is on the medium."""

    def rename(self, path: str, to: str) -> None:
        """Give a file or folder another name in the same folder, replacing a file that had it."""

    def remove(self, path: str) -> None:
        """Delete a file."""

    def make_folder(self, path: str) -> None:
        """Make a folder, private to this user; its parent is there. Harmless when it exists."""

    def remove_folder(self, path: str) -> None:
        """Delete an empty folder."""

    def sync(self, path: str) -> None:
        """Wait until the names in a folder are on the medium."""


class FileMedium:
    """The file system of this machine, below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def chunks(self, path: str) -> Iterator[bytes]:
        with open(self.root / path, "rb", buffering=0) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def names(self, path: str) -> dict[str, bool]:
        with os.scandir(self.root / path) as entries:
            return {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}

    def write(self, path: str, chunks: Iterable[bytes]) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.root / path, flags, 0o600)
        try:
            for chunk in chunks:
                _write_all(descriptor, chunk)
        finally:
            os.close(descriptor)

    def overwrite(self, path: str, data: bytes) -> None:
        descriptor = os.open(self.root / path, os.O_WRONLY | os.O_DSYNC | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _write_all(descriptor, data)
        finally:
            os.close(descriptor)

    def flush(self, path: str) -> None:
        self._sync(path, os.O_RDONLY | os.O_NOFOLLOW)

    def rename(self, path: str, to: str) -> None:
        os.replace(self.root / path, self.root / to)

    def remove(self, path: str) -> None:
        os.unlink(self.root / path)

    def make_folder(self, path: str) -> None:
        try:
            os.mkdir(self.root / path, 0o700)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(self.root / path).st_mode):
                raise

    def remove_folder(self, path: str) -> None:
        os.rmdir(self.root / path)

    def sync(self, path: str) -> None:
        self._sync(path, os.O_RDONLY | os.O_DIRECTORY)

    def _sync(self, path: str, flags: int) -> None:
        descriptor = os.open(self.root / path, flags | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        written = os.write(descriptor, rest)
        if written == 0:
            raise OSError(errno.EIO, "nothing was written")
        rest = rest[written:]


def replace_file(medium: Medium, path: str, data: bytes) -> None:
    """Replace a small file so that afterwards, and at every moment before, it is whole. Raises OSError."""
    folder, _, _ = path.rpartition("/")
    waiting = f"{path}.new"
    medium.write(waiting, (data,))
    medium.flush(waiting)
    medium.rename(waiting, path)
    medium.sync(folder)


def make_folders(medium: Medium, path: str) -> None:
    """Make a folder with its parents, each on the medium before what lies in it. Raises OSError."""
    made = ""
    for name in path.split("/"):
        parent, made = made, f"{made}/{name}" if made else name
        if not exists(medium, made):
            medium.make_folder(made)
            medium.sync(parent)


def exists(medium: Medium, path: str) -> bool:
    """Whether there is a file or folder of that name. Raises OSError other than that it is missing."""
    folder, _, name = path.rpartition("/")
    try:
        return name in medium.names(folder)
    except FileNotFoundError:
        return False
