"""A disk with faults under a real store, and small roles of a device for the link."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from firmware.core.vocabulary.station import StorageProblem
from hal.sim.time import VirtualClock, virtual_run
from tests.bench.disk import FaultyDisk
from tests.unit.core.device import Device


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
