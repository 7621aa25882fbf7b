"""The watchdog is fed by whoever decides on cards, in virtual time on a whole simulated device."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware.access import ReadersService
from firmware.notify import watchdog_s
from tests.bench.sim import SimBench

CARD = "H10301:42:1234"
PATIENCE_S = 8.0


class Supervisor:
    """The end of sd_notify that listens."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(path))

    def fed(self) -> int:
        """How often the watchdog was fed since the last time."""
        count = 0
        while True:
            try:
                count += b"WATCHDOG=1" in self._socket.recv(4096)
            except BlockingIOError:
                return count

    def stop_reading(self) -> None:
        """Have as many datagrams wait as the kernel keeps: whoever sends one more must wait, or do without."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
            sender.connect(self._socket.getsockname())
            with contextlib.suppress(BlockingIOError):
                while True:
                    sender.send(b"STATUS=nobody reads")

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    listening = Supervisor(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", str(round(PATIENCE_S * 1e6)))
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    yield listening
    listening.close()


def on_device(tmp_path: Path, board: str, scene: Any) -> None:
    bench = SimBench(tmp_path / "state", board)

    async def play() -> None:
        await scene(bench)

    bench.play(play, {})


def test_it_is_fed_four_times_in_the_supervisors_patience_while_cards_are_decided(
    tmp_path: Path, supervisor: Supervisor
) -> None:
    async def scene(bench: SimBench) -> None:
        await bench.enrol(card=CARD)
        supervisor.fed()
        await bench.reader("front").swipe(CARD)
        fed = 0
        for _ in range(10):
            await bench.advance(PATIENCE_S)
            fed += supervisor.fed()
        assert fed == pytest.approx(40, abs=1)
        assert bench.relay("door").edges() == 2

    on_device(tmp_path, "door_station", scene)


def test_a_supervisor_that_does_not_read_holds_up_no_door(tmp_path: Path, supervisor: Supervisor) -> None:
    async def scene(bench: SimBench) -> None:
        await bench.enrol(card=CARD)
        supervisor.fed()
        supervisor.stop_reading()
        await bench.advance(5 * PATIENCE_S)
        await bench.reader("front").swipe(CARD)
        bench.measure("door.release_s", (await bench.relay("door").pulse()).width_s, 7.0)
        assert supervisor.fed() == 0

    on_device(tmp_path, "door_station", scene)


def test_it_starves_while_one_reader_of_two_decides_nothing_and_is_fed_again_afterwards(
    tmp_path: Path, supervisor: Supervisor
) -> None:
    async def scene(bench: SimBench) -> None:
        readers = next(service for service in bench._control.services if isinstance(service, ReadersService))
        desk = next(desk for desk in readers._desks.values() if desk.name == "reader1")
        hung = bench.clock.loop.create_future()

        async def hang(_fact: object) -> None:
            await hung

        vars(desk)["_card"] = hang
        await bench.reader("front").swipe(CARD)
        await bench.advance(PATIENCE_S)
        supervisor.fed()
        await bench.advance(2 * PATIENCE_S)
        assert supervisor.fed() == 0
        hung.set_result(None)
        await bench.advance(PATIENCE_S)
        assert supervisor.fed() >= 3

    on_device(tmp_path, "door_station", scene)


def test_a_product_without_readers_feeds_it_as_long_as_its_loop_turns(tmp_path: Path, supervisor: Supervisor) -> None:
    async def scene(bench: SimBench) -> None:
        supervisor.fed()
        await bench.advance(2 * PATIENCE_S)
        assert supervisor.fed() == pytest.approx(8, abs=1)

    on_device(tmp_path, "ptz_dome", scene)


@pytest.mark.parametrize(
    ("wanted", "whose", "every_s"),
    [("8000000", None, 8.0), ("8000000", "own", 8.0), ("8000000", "1", None), ("0", None, None), ("soon", None, None)],
)
def test_only_a_patience_that_is_meant_for_this_process_counts(
    monkeypatch: pytest.MonkeyPatch, wanted: str, whose: str | None, every_s: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", wanted)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if whose is not None:
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if whose == "own" else whose)
    assert watchdog_s() == every_s
