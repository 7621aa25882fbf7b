"""The file system with faults on order: full, read-only, failing, unreadable, stalled."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

from firmware.core.store_disk import FileDisk
from hal.sim.time import VirtualLoop


class FaultyDisk(FileDisk):
    """The real file system, until a fault is set; a stall takes virtual time while the writer thread waits."""

    def __init__(self) -> None:
        self.error: int | None = None
        self.unreadable: set[str] = set()
        self.room_bytes: int | None = None
        self.stall_s = 0.0
        self.syncs = 0
        self.loop: VirtualLoop | None = None

    def read(self, path: Path) -> bytes:
        self._wait()
        if path.name in self.unreadable:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return super().read(path)

    def write(self, path: Path, data: bytes) -> None:
        self._write(len(data))
        self.syncs += 1
        super().write(path, data)

    def append(self, path: Path, data: bytes, *, sync: bool) -> None:
        self._write(len(data))
        self.syncs += sync
        super().append(path, data, sync=sync)

    def link(self, path: Path, second: Path) -> None:
        self._write(0)
        super().link(path, second)

    def rename(self, path: Path, to: Path) -> None:
        self._write(0)
        super().rename(path, to)

    def remove(self, path: Path) -> None:
        self._write(0)
        super().remove(path)

    def folder(self, path: Path) -> None:
        self._write(0)
        super().folder(path)

    def _write(self, size: int) -> None:
        self._wait()
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        if self.room_bytes is not None:
            if size > self.room_bytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.room_bytes -= size

    def _wait(self) -> None:
        """Block this thread for `stall_s` of virtual time: the loop may jump meanwhile, as real time would pass."""
        if not self.stall_s or self.loop is None:
            return
        loop, seconds, over = self.loop, self.stall_s, threading.Event()

        def held(by: int) -> None:
            with loop._lock:
                loop._outside += by

        def wake() -> None:
            held(+1)
            over.set()

        def sleep() -> None:
            loop.call_later(seconds, wake)
            held(-1)

        loop.call_soon_threadsafe(sleep)
        over.wait()
