"""The heart: the supervisor's watchdog is fed while decisions are made, however slow they are, and only then.

The test is the supervisor: it hears the datagrams of sd_notify(3) on a socket of its own.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from firmware.access import ReadersService
from firmware.core.cards.credential import encode, parse
from firmware.core.vocabulary.access import AccessDenied, AccessGranted, ReaderState, Reason
from firmware.heart import BEATS, HeartService

CARD = "H10301:42:1234"
BITS = encode(parse(CARD))
# WatchdogSec of systemd/lintel-control.service.
PATIENCE_S = 8.0
LOOK_S = 0.05


class Supervisor:
    """Hears WATCHDOG=1; `fed_s` is when, in the station's seconds."""

    def __init__(self, address: Path) -> None:
        self.fed_s: list[float] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(address))

    def listen(self, now_s: float) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                assert self._socket.recv(100) == b"WATCHDOG=1"
                self.fed_s.append(now_s)

    def longest_s(self, now_s: float) -> float:
        """The longest time that it was not fed."""
        times = [*self.fed_s, now_s]
        return max(after - before for before, after in pairwise(times))

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    supervisor = Supervisor(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    yield supervisor
    supervisor.close()


@contextlib.contextmanager
def stalled(station: Any) -> Iterator[None]:
    """A disk that answers nothing."""
    station.gate.stalled = True
    try:
        yield
    finally:
        station.gate.stalled = False


def readers_of(station: Any) -> ReadersService:
    return next(service for service in station.services if isinstance(service, ReadersService))


@contextlib.asynccontextmanager
async def beating(station: Any, supervisor: Supervisor) -> AsyncIterator[None]:
    """A heart at work, and a supervisor that looks twenty times a second."""

    async def look() -> None:
        while True:
            supervisor.listen(station.t_s())
            await station.wait(LOOK_S)

    async with station.group() as tasks:
        heart = tasks.create_task(HeartService(station.clock, PATIENCE_S, readers_of(station).beat).run())
        looking = tasks.create_task(look())
        await station.wait(1)
        yield
        heart.cancel()
        looking.cancel()


def test_an_idle_device_feeds_its_watchdog_four_times_in_the_time_it_has(on_station: Any, supervisor: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot(), beating(station, supervisor):
            await station.wait(10 * PATIENCE_S)
            assert supervisor.longest_s(station.t_s()) <= PATIENCE_S / BEATS + LOOK_S
            assert len(supervisor.fed_s) >= 10 * BEATS

    on_station(body)


def test_forty_cards_that_wait_for_a_stalled_disk_starve_no_watchdog(on_station: Any, supervisor: Any) -> None:
    """Each takes the half second that a limited use may take: twenty seconds of work for one reader."""

    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=CARD, uses=100)
            async with beating(station, supervisor):
                with stalled(station):
                    for _ in range(40):
                        station.readers["reader1"].swipe(BITS)
                        await station.wait(0.11)
                    await station.wait(20)
                    denied = [fact.reason for fact in station.all(AccessDenied)]
                    assert denied == [Reason.STORAGE] * 40
                    assert supervisor.longest_s(station.t_s()) < PATIENCE_S / BEATS + 1
                await station.wait(1)
                station.readers["reader1"].swipe(BITS)
                await station.wait(1)
                assert station.last(AccessGranted).holder == "Ada"

    on_station(body)


def test_a_full_queue_is_life_as_long_as_it_is_served(on_station: Any, supervisor: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=CARD, uses=100)
            async with beating(station, supervisor):
                with stalled(station):
                    for _ in range(4):
                        station.readers["reader1"].swipe(BITS)
                        await station.wait(0.11)
                    station.readers["reader1"].keys("1" * 100)
                    assert station.last(ReaderState).discarded > 0
                    await station.wait(30)
                    assert supervisor.longest_s(station.t_s()) < PATIENCE_S / BEATS + 1

    on_station(body)


def test_readers_that_are_served_no_more_starve_the_watchdog(on_station: Any, supervisor: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            async with beating(station, supervisor):
                await station.wait(5)
                fed = len(supervisor.fed_s)
                await station.end_run(ReadersService)
                await station.wait(3 * PATIENCE_S)
                # One beat may have been under way.
                assert len(supervisor.fed_s) <= fed + 1

    on_station(body)


def test_a_heart_that_is_stopped_in_a_beat_harms_no_reader(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=CARD, uses=100)
            async with station.group() as tasks:
                with stalled(station):
                    for _ in range(20):
                        station.readers["reader1"].swipe(BITS)
                        await station.wait(0.11)
                    beat = tasks.create_task(readers_of(station).beat())
                    await station.wait(0.01)
                    assert not beat.done()  # a decision is being made
                    beat.cancel()
                    await station.wait(15)
                    assert len(station.all(AccessDenied)) == 20
                await station.wait(1)
                station.readers["reader1"].swipe(BITS)
                await station.wait(1)
                assert station.last(AccessGranted).holder == "Ada"

    on_station(body)
