"""The carrier service told by the kernel alone: on a network of its own, where links and addresses come and go.

Run as `python -m tests.live.plugging FOLDER` on a stage (`tests.live.two_ends`); prints one line of JSON. By its clock
nobody looks because a time is over: what is noticed has been told.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from firmware.core.actions import ActionTable
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.link.local import LocalLink
from firmware.core.params import Params
from firmware.core.store import Store
from firmware.core.vocabulary.device import NetworkState
from firmware.interfaces.carrier import EVERY_S, CarrierService
from firmware.interfaces.net.changes import Changes, Watch
from hal.clock import SystemClock, Timer
from tests.live.device import PATIENCE_S
from tests.live.two_ends import ip

MANY = 200


class Patient(SystemClock):
    """A clock by which nothing happens that is as far away as a look."""

    def call_later(self, delay_s: float, fn: Callable[..., None], *args: object) -> Timer:
        return super().call_later(delay_s if delay_s < EVERY_S else 100 * PATIENCE_S, fn, *args)


def core_in(folder: Path, clock: Patient) -> Core:
    """What a service of the network role is handed."""
    bus = Bus(clock, role="network", boot="b1")
    store, actions = Store(folder, clock, alarm=lambda *_: None), ActionTable()
    params = Params(store, bus, lambda *_: None)
    return Core(
        role="network", clock=clock, bus=bus, actions=actions, link=LocalLink(actions, params), params=params,
        store=store, shared=store,
    )  # fmt: skip


class Told:
    """Another who wants to know; counts how often it was told."""

    def __init__(self, watch: Watch) -> None:
        self.times = 0
        self._watch = watch

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._watch.next(EVERY_S)
            self.times += 1

    async def again(self, after: int) -> None:
        """Until it has been told once more."""
        while self.times <= after:
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def beside(*work: asyncio.Task[None]) -> AsyncIterator[None]:
    """Tasks that run for the length of a block."""
    try:
        yield
    finally:
        for task in work:
            task.cancel()
        await asyncio.wait(work)


async def play(folder: Path) -> dict[str, object]:
    """A cable is plugged in, pulled, and gone; and addresses come. Whatever is not noticed is waited for in vain."""
    clock = Patient()
    core, changes = core_in(folder, clock), Changes(clock)
    carrier = CarrierService(core, changes=changes)

    async def linked(names: str) -> None:
        while True:
            state = core.bus.state(NetworkState)
            if state is not None and state.detail == names:
                break
            await asyncio.sleep(0.01)
        assert state.up == bool(names)

    await carrier.start()
    with changes.watching() as watch:
        told = Told(watch)
        async with beside(asyncio.ensure_future(carrier.run()), asyncio.ensure_future(told.run())):
            await linked("")
            ip("link", "add", "cable", "type", "veth", "peer", "name", "far")
            ip("link", "set", "cable", "up")
            ip("link", "set", "far", "up")
            await linked("cable, far")
            ip("link", "set", "far", "down")
            await linked("")
            ip("link", "set", "far", "up")
            await linked("cable, far")
            before = told.times
            ip("address", "add", "10.9.0.1/24", "dev", "cable")
            await told.again(before)
            before = told.times
            many = "".join(f"address add 10.9.1.{number}/32 dev cable\n" for number in range(1, MANY + 1))
            subprocess.run(["ip", "-batch", "-"], input=many.encode(), check=True)
            await told.again(before)
            ip("link", "delete", "cable")
            await linked("")
            return {"told": changes.told, "times": told.times - before}


async def main(folder: Path) -> None:
    """The play, in its time."""
    async with asyncio.timeout(PATIENCE_S):
        print(json.dumps(await play(folder)), flush=True)


if __name__ == "__main__":
    subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=True)  # the adapters of this namespace
    asyncio.run(main(Path(sys.argv[1])))
