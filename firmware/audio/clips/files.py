"""The files of clips: `ID.file` is what was uploaded, `ID.pcm` its sound (48 kHz, one channel, 16-bit little-endian).

Decoded once, when it comes: playing then reads a plain file, begins at once, and no decoder ever runs on foreign bytes
in the process that plays. All of it blocks; it runs on a worker thread.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Callable, Collection
from pathlib import Path

from firmware.core.errors import Exhausted, NotFound
from firmware.sound_files.decode import Decoded, decode

FILE, PCM, NEW = ".file", ".pcm", ".new"
# Room on the medium that clips leave for everything else.
SPARE_BYTES = 32 * 1024 * 1024
_ID = re.compile(r"[0-9a-f]{12}")
# How much is written before the medium is asked for its room again.
_PIECE = 1024 * 1024


class ClipFiles:
    """The folder of the clips, and the spool by which files come and go."""

    def __init__(self, folder: Path, spool: Path) -> None:
        self.folder = folder
        self._spool = spool

    def prepare(self) -> dict[str, int]:
        """Make the folder; what is in it, with sizes in bytes. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.scandir(self.folder) as entries:
            return {each.name: each.stat().st_size for each in entries if each.is_file(follow_symlinks=False)}

    def sweep(self, kept: Collection[str]) -> None:
        """Delete the files that belong to no clip: of an upload that was cut off, of a clip that was deleted."""
        for name in self.prepare():
            if name not in {id + suffix for id in kept for suffix in (FILE, PCM)}:
                (self.folder / name).unlink(missing_ok=True)
        self._sync()

    def ids(self) -> list[str]:
        """Every clip whose uploaded file is here."""
        return sorted(name[: -len(FILE)] for name in self.prepare() if name.endswith(FILE) and _ID.match(name))

    def receive(self, id: str, spooled: str, shown_name: str, allowance: int) -> tuple[Decoded, int]:
        """Make a clip of a file in the spool; what it is, and the size of the file.

        `allowance` is how many bytes file and sound may have together. Afterwards both survive a power cut, or nothing
        of them is left. Raises Invalid for what is no clip, NotFound, Exhausted, OSError.
        """
        source = self._spool / spooled
        size = self._size_of(source, spooled)
        try:
            found = self._sound(id, source, shown_name, allowance - size)
            os.rename(source, self.folder / (id + FILE))
            _flush(self.folder / (id + FILE))
            self._sync()
        except BaseException:
            self.remove(id)
            raise
        return found, size

    def again(self, id: str, shown_name: str, allowance: int) -> Decoded:
        """Make the sound of a clip anew from its file. Raises Invalid, Exhausted, OSError."""
        source = self.folder / (id + FILE)
        try:
            found = self._sound(id, source, shown_name, allowance)
        except BaseException:
            (self.folder / (id + PCM + NEW)).unlink(missing_ok=True)
            raise
        self._sync()
        return found

    def put(self, id: str, file: bytes, sound: bytes) -> None:
        """Keep a clip that was made here. Raises OSError."""
        for suffix, content in ((FILE, file), (PCM, sound)):
            (self.folder / (id + suffix)).write_bytes(content)
            _flush(self.folder / (id + suffix))
        self._sync()

    def remove(self, id: str) -> None:
        """Delete all that belongs to a clip; harmless when nothing does. Raises OSError."""
        for suffix in (FILE, PCM, PCM + NEW):
            (self.folder / (id + suffix)).unlink(missing_ok=True)
        self._sync()

    def lend(self, id: str, spooled: str) -> None:
        """Give the uploaded file a second name in the spool: no copy, and it stays when the clip is deleted."""
        self._spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.link(self.folder / (id + FILE), self._spool / spooled)

    def source(self, id: str) -> Source:
        """The sound of a clip, for reading."""
        return Source(self.folder / (id + PCM))

    def _size_of(self, source: Path, spooled: str) -> int:
        try:
            about = source.lstat()
        except FileNotFoundError:
            raise NotFound("clip.add.spool", f"there is no {spooled} in the spool") from None
        if not stat.S_ISREG(about.st_mode):
            raise NotFound("clip.add.spool", f"{spooled} in the spool is no file")
        return about.st_size

    def _sound(self, id: str, source: Path, shown_name: str, allowance: int) -> Decoded:
        waiting = self.folder / (id + PCM + NEW)
        with waiting.open("wb", buffering=0) as out:
            found = decode(source, shown_name, self._bounded(out.write, allowance))
            os.fsync(out.fileno())
        os.rename(waiting, self.folder / (id + PCM))
        return found

    def _bounded(self, write: Callable[[memoryview], int | None], allowance: int) -> Callable[[bytes], None]:
        """Write within the quota and the room of the medium; nothing is decoded for which there is none."""
        left, until_asked = allowance, 0

        def sink(piece: bytes) -> None:
            nonlocal left, until_asked
            left -= len(piece)
            if left < 0:
                raise Exhausted("clips", "the space for clips is full; delete some")
            until_asked -= len(piece)
            if until_asked <= 0:
                until_asked = _PIECE
                if self.room() < _PIECE:
                    raise Exhausted("clips", "there is no room on the storage for it")
            rest = memoryview(piece)
            while rest:
                rest = rest[write(rest) or 0 :]

        return sink

    def room(self) -> int:
        """How many bytes of the medium clips may still take. Raises OSError."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize - SPARE_BYTES

    def _sync(self) -> None:
        _flush(self.folder)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system without it
            raise
    finally:
        os.close(descriptor)


class Source:
    """The sound of one clip, read piece by piece. Only one thread may use it: whoever gives it up while it is read must
    not close a number that is being read from."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def read(self, at: int, size: int) -> bytes:
        """Some bytes from a place on; none at the end. Opens the file at first. Raises OSError."""
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        return os.pread(self._descriptor, size, at)

    def close(self) -> None:
        """Close it, when it is open; a medium that fails has nothing to lose by it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)
