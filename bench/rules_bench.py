"""Event to action: from publishing AccessGranted to the owner of door.release, with 1 rule and with 256.

The floor is what asyncio itself costs to hand something from one task to another and back, in the same run.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from bench.table import Row, percentile, show
from firmware.core.actions import NOTHING, SYSTEM, ActionTable, Invocation, Nothing
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.link.local import LocalLink
from firmware.core.params import Params
from firmware.core.store import Store
from firmware.core.vocabulary.access import AccessGranted, IndicateParams, ReleaseParams
from firmware.core.vocabulary.io import RelaySetParams
from firmware.rules import RulesService
from hal.clock import SystemClock

FIRINGS = 1000
LOCKED = 3


class Station:
    """The rules service with owners that note when they are called."""

    def __init__(self, core: Core, bus: Bus) -> None:
        self.core = core
        self.bus = bus
        self.called = asyncio.Event()
        self.called_ns = 0

    async def release(self, _: Invocation) -> Nothing:
        """The owner of the door."""
        self.called_ns = time.perf_counter_ns()
        self.called.set()
        return NOTHING

    async def other(self, _: Invocation) -> Nothing:
        """Owners that do not matter here."""
        return NOTHING


async def measure(more_rules: int, *, alone: bool = False) -> list[float]:
    """Microseconds of every firing, with the locked rules and `more_rules` on the same topic that do not match.

    `alone` leaves the only locked rule that releases on a card: a device without lights has no other on this topic.
    """
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), clock, alarm=lambda *_: None)
        await store.start()
        bus = Bus(clock, role="control", boot="bench")
        actions = ActionTable()
        params = Params(store, bus, lambda *_: None)
        link = LocalLink(actions, params)
        core = Core(
            role="control",
            clock=clock,
            bus=bus,
            actions=actions,
            link=link,
            params=params,
            store=store,
            shared=store,
        )
        station = Station(core, bus)
        actions.register("door.release", ReleaseParams, station.release, summary="Release.")
        if not alone:
            actions.register("reader.indicate", IndicateParams, station.other, summary="Show.")
            actions.register("relay.set", RelaySetParams, station.other, summary="Switch.")
        rules = RulesService(core)
        await rules.start()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(rules.run())
            await asyncio.sleep(0)
            if more_rules:
                await params.change("rules", {"rules": [rule(number) for number in range(more_rules)]}, SYSTEM)
                await asyncio.sleep(0.2)
            times = [await fire(station) for _ in range(FIRINGS)]
            task.cancel()
        await rules.stop()
        await store.close()
    return times


def rule(number: int) -> dict[str, object]:
    """A rule that waits for another holder."""
    return {
        "name": f"rule {number}",
        "trigger": "access/granted",
        "conditions": [{"field": "holder", "equals": f"nobody {number}"}],
        "actions": [{"action": "relay.set", "params": {"relay": "aux", "on": True}}],
    }


async def fire(station: Station) -> float:
    """One event; microseconds until its action."""
    station.called.clear()
    event = AccessGranted(door="door", reader="reader1", credential="H10301:1:1", entry="e", holder="Ada")
    began_ns = time.perf_counter_ns()
    station.bus.publish(event)
    await station.called.wait()
    return (station.called_ns - began_ns) / 1e3


async def floor() -> list[float]:
    """Microseconds for a task to wake another one that waits on an asyncio.Event."""
    asked, answered = asyncio.Event(), asyncio.Event()

    async def answer() -> None:
        while True:
            await asked.wait()
            asked.clear()
            answered.set()

    times = []
    async with asyncio.TaskGroup() as group:
        task = group.create_task(answer())
        for _ in range(FIRINGS):
            began_ns = time.perf_counter_ns()
            asked.set()
            await answered.wait()
            answered.clear()
            times.append((time.perf_counter_ns() - began_ns) / 1e3)
        task.cancel()
    return times


def main() -> None:
    """Print the table; blocks alternate so that a drifting machine does not favour either."""
    few: list[float] = []
    many: list[float] = []
    bare: list[float] = []
    for _ in range(3):
        bare += asyncio.run(floor())
        few += asyncio.run(measure(0, alone=True))
        many += asyncio.run(measure(256 - LOCKED))
    base = percentile(bare, 0.5) / 1e3
    rows = []
    for name, values in (("1 rule", few), ("256 rules", many)):
        for share, word in ((0.5, "p50"), (0.99, "p99")):
            figure = percentile(values, share) / 1e3
            rows.append(Row(f"event to action, {name}, {word}", figure, "ms", base, "asyncio task to task and back"))
        rows.append(Row(f"event to action, {name}, most", max(values) / 1e3, "ms", None, ""))
    show("rules", rows)


if __name__ == "__main__":
    main()
