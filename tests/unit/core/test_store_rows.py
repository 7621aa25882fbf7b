"""Hardening rows 17 to 21 and 23 at the store: full, read-only, failing, slow and rotten disks, and kill -9."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from firmware.core.errors import Unavailable
from firmware.core.store import CLOSE_S, QUEUE, Damaged, Store
from firmware.core.store_file import unframe
from firmware.core.vocabulary.station import StorageProblem
from hal.sim.time import VirtualClock, virtual_run
from tests.unit.ending import while_ending


def test_row_21_every_flipped_byte_of_a_file_is_noticed(tmp_path, alarms):
    async def main(clock: VirtualClock) -> None:
        store = Store(tmp_path, clock, alarm=alarms)
        await store.start()
        await store.save("entries", b"old list")
        await store.save("entries", b"new list")
        good, main_file = (tmp_path / "entries.good").read_bytes(), (tmp_path / "entries").read_bytes()
        for place in range(len(main_file)):
            for bit in (0x01, 0x20):
                raw = bytearray(main_file)
                raw[place] ^= bit
                (tmp_path / "entries").write_bytes(bytes(raw))
                (tmp_path / "entries.good").write_bytes(good)
                assert await store.load("entries") == b"old list", f"byte {place}"
        for length in range(len(main_file)):
            (tmp_path / "entries").write_bytes(main_file[:length])
            assert await store.load("entries") == b"old list", f"cut at {length}"
        await store.close()

    virtual_run(main)
    assert alarms.standing() == {"entries": StorageProblem.DAMAGED}


def test_row_21_both_copies_damaged_is_neither_empty_nor_first_boot(tmp_path, alarms, flip):
    async def main(clock: VirtualClock) -> None:
        store = Store(tmp_path, clock, alarm=alarms)
        await store.start()
        await store.save("accounts", b"admin")
        flip(tmp_path / "accounts", -1)
        flip(tmp_path / "accounts.good", 3)
        for _ in range(2):
            with pytest.raises(Damaged, match="no good copy"):
                await store.load("accounts")
        (tmp_path / "accounts.good").unlink()
        (tmp_path / "accounts").rename(tmp_path / "accounts.damaged")
        with pytest.raises(Damaged):
            await store.load("accounts")
        await store.close()

    virtual_run(main)
    assert alarms.said == [("accounts", StorageProblem.DAMAGED)]


def test_row_21_a_file_that_vanished_falls_back_with_an_alarm(tmp_path, alarms):
    async def main(clock: VirtualClock) -> None:
        store = Store(tmp_path, clock, alarm=alarms)
        await store.start()
        await store.save("accounts", b"admin")
        (tmp_path / "accounts").unlink()
        assert await store.load("accounts") == b"admin"
        assert alarms.standing() == {"accounts": StorageProblem.DAMAGED}
        await store.close()

    virtual_run(main)


def test_row_21_a_damaged_file_never_becomes_the_good_copy(tmp_path, alarms, flip):
    async def main(clock: VirtualClock) -> None:
        store = Store(tmp_path, clock, alarm=alarms)
        await store.start()
        await store.save("entries", b"1")
        await store.save("entries", b"2")
        flip(tmp_path / "entries", -1)
        await store.save("entries", b"3")
        assert unframe((tmp_path / "entries.good").read_bytes()) == b"1"
        assert await store.load("entries") == b"3"
        await store.close()

    virtual_run(main)


def test_row_19_a_sector_that_cannot_be_read_falls_back(tmp_path, alarms, disk):
    async def main(clock: VirtualClock) -> None:
        store = Store(tmp_path, clock, alarm=alarms, disk=disk)
        await store.start()
        await store.save("entries", b"1")
        await store.save("entries", b"2")
        disk.unreadable = {"entries"}
        assert await store.load("entries") == b"1"
        assert alarms.standing() == {"entries": StorageProblem.DAMAGED}
        disk.unreadable = {"other", "other.good"}
        with pytest.raises(Unavailable, match="Input/output error"):
            await store.load("other")
        assert alarms.standing()["other"] is StorageProblem.IO
        await store.close()

    virtual_run(main)


@pytest.mark.parametrize(
    ("number", "problem", "words"),
    [
        ("ENOSPC", StorageProblem.FULL, "storage is full"),
        ("EDQUOT", StorageProblem.FULL, "storage is full"),
        ("EROFS", StorageProblem.READ_ONLY, "storage is read-only"),
        ("EIO", StorageProblem.IO, "storage fails"),
        ("EACCES", StorageProblem.IO, "storage fails"),
    ],
)
def test_rows_18_and_19_a_failing_disk_answers_clearly_and_changes_nothing(
    tmp_path, alarms, disk, number, problem, words
):
    import errno

    async def main(clock: VirtualClock) -> None:
        store = Store(tmp_path, clock, alarm=alarms, disk=disk)
        await store.start()
        await store.save("entries", b"old")
        disk.error = getattr(errno, number)
        for _ in range(3):
            with pytest.raises(Unavailable, match=words):
                await store.save("entries", b"new")
        assert alarms.said == [("entries", problem)]
        assert await store.load("entries") == b"old"
        disk.error = None
        await store.save("other", b"fine")
        assert alarms.said == [("entries", problem), ("entries", None)]
        await store.close()

    virtual_run(main)


@pytest.mark.parametrize("room", range(0, 300, 23))
def test_row_18_a_disk_that_fills_in_the_middle_never_truncates(tmp_path, alarms, disk, room):
    async def main(clock: VirtualClock) -> None:
        store = Store(tmp_path, clock, alarm=alarms, disk=disk)
        await store.start()
        await store.save("entries", b"old" * 20)
        await store.save("entries", b"older" * 20)
        disk.room_bytes = room
        saved = b"older" * 20
        for n in range(4):
            wanted = f"new {n}".encode() * 10
            try:
                await store.save("entries", wanted)
                saved = wanted
            except Unavailable:
                assert alarms.standing() == {"entries": StorageProblem.FULL}
            assert await store.load("entries") == saved
        await store.close()

    virtual_run(main)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a tmpfs needs root")
def test_row_18_a_file_system_that_is_really_full(tmp_path, alarms):
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.strip()}")

    async def main(clock: VirtualClock) -> None:
        store = Store(tmp_path, clock, alarm=alarms)
        await store.start()
        await store.save("settings", b"precious" * 100)
        (tmp_path / "clip").write_bytes(b"x" * 40_000)
        with pytest.raises(Unavailable, match="storage is full"):
            await store.save("settings", b"too long" * 4000)
        assert await store.load("settings") == b"precious" * 100
        assert alarms.standing() == {"settings": StorageProblem.FULL}
        (tmp_path / "clip").unlink()
        await store.save("settings", b"shorter")
        assert await store.load("settings") == b"shorter"
        assert alarms.standing() == {}
        await store.run(lambda: subprocess.run(["mount", "-o", "remount,ro", str(tmp_path)], check=True))
        with pytest.raises(Unavailable, match="storage is read-only"):
            await store.save("settings", b"never")
        assert await store.load("settings") == b"shorter"
        await store.close()

    try:
        virtual_run(main)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_row_20_who_saves_while_its_task_ends_hears_of_a_stalled_disk_in_time(tmp_path, alarms, disk):
    async def main(clock: VirtualClock) -> None:
        disk.loop = clock.loop
        store = Store(tmp_path, clock, alarm=alarms, disk=disk)
        await store.start()
        disk.stall_s = 0.4
        with pytest.raises(Unavailable, match=r"storage is slow \(no answer in 0.5 s\)"):
            await while_ending(store.save("entries", b"uses 4", within_s=0.5))
        assert alarms.said == [("entries", StorageProblem.SLOW)]
        await store.close()

    virtual_run(main)


def test_row_20_a_store_that_is_closed_while_its_task_ends_gives_up_what_a_stalled_disk_does_not_do(
    tmp_path, alarms, disk, caplog
):
    async def main(clock: VirtualClock) -> None:
        disk.loop = clock.loop
        store = Store(tmp_path, clock, alarm=alarms, disk=disk)
        await store.start()
        disk.stall_s = 2 * CLOSE_S
        assert store.post(lambda: disk.append(tmp_path / "log", b"x", sync=False), what="log")
        waiting = asyncio.ensure_future(store.load("entries"))
        await while_ending(store.close())
        with pytest.raises(Unavailable, match="the store was closed before the disk answered"):
            await waiting
        disk.stall_s = 0.0
        await clock.sleep(2 * CLOSE_S)  # the disk is back, and the thread ends

    virtual_run(main)
    assert f"2 disk jobs were not finished in {CLOSE_S:g} s" in caplog.text


def test_row_20_a_stalled_disk_is_refused_in_time_and_finishes_later(tmp_path, alarms, disk):
    async def main(clock: VirtualClock) -> None:
        disk.loop = clock.loop
        store = Store(tmp_path, clock, alarm=alarms, disk=disk)
        await store.start()
        disk.stall_s = 0.4
        began = clock.now_ns()
        with pytest.raises(Unavailable, match=r"storage is slow \(no answer in 0.5 s\)"):
            await store.save("entries", b"uses 4", within_s=0.5)
        assert clock.now_ns() - began == 500_000_000
        assert alarms.said == [("entries", StorageProblem.SLOW)]
        disk.stall_s = 0.0
        assert await store.load("entries") == b"uses 4"  # in order behind the job that went on
        assert alarms.standing() == {}
        await store.close()

    virtual_run(main)


def test_row_20_a_stall_nobody_waits_for_is_an_alarm_too(tmp_path, alarms, disk):
    async def main(clock: VirtualClock) -> None:
        disk.loop = clock.loop
        store = Store(tmp_path, clock, alarm=alarms, disk=disk)
        await store.start()
        disk.stall_s = 3.0
        assert store.post(lambda: disk.append(tmp_path / "log", b"x", sync=False), what="log")
        await clock.sleep(2.5)
        assert alarms.standing() == {"log": StorageProblem.SLOW}
        await clock.sleep(1.0)
        assert alarms.standing() == {}
        await store.close()

    virtual_run(main)


def test_row_20_waiting_jobs_are_bounded_and_the_dropped_are_counted(tmp_path, alarms, disk):
    async def main(clock: VirtualClock) -> None:
        disk.loop = clock.loop
        store = Store(tmp_path, clock, alarm=alarms, disk=disk)
        await store.start()
        disk.stall_s = 1.0
        done: list[int] = []
        store.post(lambda: disk.append(tmp_path / "log", b"x", sync=False))
        taken = [store.post(lambda n=n: done.append(n)) for n in range(QUEUE + 10)]
        assert taken.count(False) == store.dropped == 11
        with pytest.raises(Unavailable, match="storage is slow"):
            await store.save("entries", b"1")
        await clock.sleep(2.0)
        assert done == list(range(QUEUE - 1))
        disk.stall_s = 0.0
        await store.save("entries", b"1")
        assert alarms.standing() == {}
        await store.close()

    virtual_run(main)


WRITER = """
import asyncio, sys
from pathlib import Path
from firmware.core.store import Store
from hal.clock import SystemClock

async def main():
    store = Store(Path(sys.argv[1]), SystemClock(), alarm=lambda *said: print(*said, file=sys.stderr))
    await store.start()
    n = int((await store.load("counter")) or b"0")
    while True:
        n += 1
        await store.save("counter", b"%d" % n + b" " * (n % 7))
        print(n, flush=True)

asyncio.run(main())
"""


def test_rows_17_and_23_what_was_acknowledged_survives_kill_9(tmp_path, alarms):
    last = 0
    for cut in range(12):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
        )
        assert writer.stdout is not None
        for _ in range(1 + cut * 3):
            line = writer.stdout.readline()
            assert line.strip().isdigit(), line
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read().splitlines()
        writer.wait()
        writer.stdout.close()
        acknowledged = int(rest[-1] if rest else line)

        async def main(clock: VirtualClock) -> int:
            store = Store(tmp_path, clock, alarm=alarms)
            await store.start()
            data = await store.load("counter")
            await store.close()
            assert data is not None
            return int(data)

        found = virtual_run(main)
        assert acknowledged <= found <= acknowledged + 1
        assert found > last
        last = found
    assert alarms.said == []
