"""What a door station does while its storage is full, read-only, failing or stalled: the door comes first."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
from typing import Any

import pytest

from tests.bench.sim import SimBench

CARD = "H10301:42:1234"
LIMITED = "H10301:42:77"
STALL_S = 30.0


def alarms(bench: SimBench, role: str = "control") -> dict[str, str]:
    """What stands of storage alarms of a role: what, and the problem."""
    states: list[Any] = [state for state in bench.states("station/storage") if state.role == role]
    return {state.what: str(state.problem) for state in states}


async def opens(bench: SimBench, card: str) -> None:
    """A card opens the door for seven seconds, decided at the moment it was read."""
    before, read = bench.relay("door").edges(), len(bench.events("access/card"))
    granted = len(bench.events("access/granted"))
    await bench.reader("front").swipe(card)
    await bench.until(lambda: len(bench.events("access/card")) > read, 1.0)
    await bench.until(lambda: len(bench.events("access/granted")) > granted, 1.0)
    walk = bench.events("access/card")[-1], bench.events("access/granted")[-1], bench.events("door/released")[-1]
    assert walk[1].cause == walk[0].id
    assert walk[2].cause == walk[1].id
    bench.measure("decision_s", (walk[2].at - walk[0].at).total_seconds(), 0.0)
    await bench.advance(8.0)
    assert bench.relay("door").edges() == before + 2
    bench.measure("door.release_s", bench.relay("door").pulses()[-1].width_s, 7.0)


async def refuses(bench: SimBench, card: str, reason: str) -> Any:
    """A card is denied for a reason, within the half second a use may wait."""
    before, denied = bench.relay("door").edges(), len(bench.events("access/denied"))
    await bench.reader("front").swipe(card)
    await bench.until(lambda: len(bench.events("access/denied")) > denied, 1.0)
    assert bench.events("access/denied")[-1].reason == reason
    assert bench.relay("door").edges() == before


async def keys_are_refused(bench: SimBench) -> None:
    """Five wrong PINs close the keypad, though nothing can be written."""
    for _ in range(5):
        await bench.reader("front").keys("9999#")
        await bench.advance(1.0)
    before = bench.relay("door").edges()
    await bench.reader("front").keys("4711#")
    await bench.advance(1.0)
    assert bench.events("access/denied")[-1].reason == "too many failures"
    assert bench.relay("door").edges() == before


async def enrolled(bench: SimBench) -> None:
    await bench.enrol(card=CARD)
    await bench.enrol(card=LIMITED, uses=2)
    await bench.enrol(pin="4711")


async def test_row_10_20_decisions_are_not_delayed_by_storage_that_stalls_for_half_a_minute(bench: SimBench) -> None:
    await enrolled(bench)
    bench.disk.stall_s = STALL_S
    writing = asyncio.ensure_future(bench.api("PATCH", "/params/access", {"pin_timeout_s": 7.0}))
    await bench.settle()
    for _ in range(3):
        await opens(bench, CARD)
    assert not writing.done(), "the storage was meant to stall all the while"
    assert "slow" in alarms(bench).values()
    await refuses(bench, LIMITED, "use could not be recorded")
    await keys_are_refused(bench)
    bench.loop("input:rex").set("closed")
    before = len(bench.events("door/released"))
    await bench.until(lambda: len(bench.events("door/released")) > before, 1.0)
    bench.loop("input:rex").set("open")
    bench.disk.stall_s = 0.0
    assert (await writing).status_code == 200
    await bench.advance(STALL_S * 4)
    assert alarms(bench) == {}
    # What was refused was not spent, and nothing of what happened meanwhile is missing in the journal.
    await bench.advance(10.0)
    for _ in range(2):
        await bench.reader("front").swipe(LIMITED)
        await bench.advance(8.0)
    await refuses(bench, LIMITED, "no uses left")
    lines = (await bench.api("GET", "/journal?limit=1000")).json()["lines"]
    assert {event.id for event in bench.events("access/granted")} <= {line["id"] for line in lines}


@pytest.mark.parametrize(
    ("error", "rows", "problem"),
    [
        pytest.param(errno.ENOSPC, sqlite3.SQLITE_FULL, "full", id="row_18"),
        pytest.param(errno.EROFS, sqlite3.SQLITE_READONLY, "read_only", id="row_19_read_only"),
        pytest.param(errno.EIO, sqlite3.SQLITE_IOERR_FSYNC, "io", id="row_19_failing"),
    ],
)
async def test_row_10_18_19_the_door_works_from_memory_and_nothing_is_half_written(
    bench: SimBench, error: int, rows: int, problem: str
) -> None:
    await enrolled(bench)
    assert (await bench.api("PATCH", "/params/access", {"pin_timeout_s": 7.0})).status_code == 200
    bench.disk.error = error
    bench.rows_refuse(rows)
    await opens(bench, CARD)
    await refuses(bench, LIMITED, "use could not be recorded")
    await keys_are_refused(bench)
    # Whoever writes is told so, by name of the trouble, and nothing has changed.
    answer = await bench.api("PATCH", "/params/access", {"pin_timeout_s": 9.0})
    assert answer.status_code == 503
    assert "nothing was changed" in answer.json()["error"]["message"]
    answer = await bench.api("POST", "/entries", {"name": "late", "card": "H10301:1:1"})
    assert answer.status_code == 503
    assert "nothing was changed" in answer.json()["error"]["message"]
    assert (await bench.api("GET", "/params/access")).json()["pin_timeout_s"] == 7.0
    assert problem in alarms(bench).values()
    # A minute of retries does not withdraw what is still so, not even for a moment.
    said = len(bench.events("station/storage"))
    await bench.advance(60.0)
    assert alarms(bench) == {
        "params-access": problem,
        "entries.db": problem,
        "journal": problem,
        "access-throttle": problem,
    }
    assert len(bench.events("station/storage")) == said
    # It can be written again: all of it is said to be over, and the use that was refused was not spent.
    bench.disk.error = None
    bench.rows_refuse(None)
    assert (await bench.api("PATCH", "/params/access", {"pin_timeout_s": 8.0})).status_code == 200
    await bench.advance(60.0)
    assert alarms(bench) == {}
    await bench.restart()
    assert (await bench.api("GET", "/params/access")).json()["pin_timeout_s"] == 8.0
    for _ in range(2):
        await bench.reader("front").swipe(LIMITED)
        await bench.event("access/granted")
        await bench.advance(8.0)
    assert len(bench.events("access/granted")) == 2


async def test_row_19_a_device_started_on_storage_that_cannot_be_written_opens_its_door(bench: SimBench) -> None:
    await enrolled(bench)
    await bench.stop()
    bench.disk.error = errno.EROFS
    await bench.start()
    await opens(bench, CARD)
    await bench.advance(5.0)
    assert "read_only" in alarms(bench).values()
    bench.disk.error = None
    await bench.advance(60.0)
