"""A disk with faults under a real store, and small roles of a device for the link."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from firmware.core.store_disk import FileDisk
from firmware.core.vocabulary.station import StorageProblem
from hal.sim.time import VirtualClock, VirtualLoop, virtual_run
from tests.unit.core.device import Device


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


class Alarms:
    """What a store has said of its troubles."""

    def __init__(self) -> None:
        self.said: list[tuple[str, StorageProblem | None]] = []
        self.details: list[str] = []

    def __call__(self, what: str, problem: StorageProblem | None, detail: str) -> None:
        assert asyncio.get_running_loop()  # never on the writer thread
        self.said.append((what, problem))
        self.details.append(detail)

    def standing(self) -> dict[str, StorageProblem]:
        """The alarms that have not been withdrawn."""
        now: dict[str, StorageProblem] = {}
        for what, problem in self.said:
            now.pop(what, None)
            if problem is not None:
                now[what] = problem
        return now


@pytest.fixture
def disk() -> FaultyDisk:
    return FaultyDisk()


@pytest.fixture
def alarms() -> Alarms:
    return Alarms()


@pytest.fixture
def flip() -> Callable[[Path, int], None]:
    """Change one byte of a file."""

    def change(path: Path, place: int) -> None:
        raw = bytearray(path.read_bytes())
        raw[place] ^= 0x01
        path.write_bytes(bytes(raw))

    return change


@pytest.fixture(params=["memory", "unix"])
def play(request, tmp_path_factory):
    """Run a body on a device in virtual time."""

    def run(body: Callable[[Device], Awaitable[None]]) -> None:
        async def main(clock: VirtualClock) -> None:
            path = tmp_path_factory.mktemp("run") / "link" if request.param == "unix" else None
            async with asyncio.TaskGroup() as group:
                device = Device(clock, path, group)
                await device.start()
                try:
                    await body(device)
                finally:
                    device.hub_task.cancel()
                    await device.hub.stop()
                await device.settle()

        virtual_run(main)

    return run
