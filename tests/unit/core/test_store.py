"""The store: durable, checked, bounded, and honest about a disk that fails."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.core.errors import Invalid, Unavailable
from firmware.core.store import Store
from firmware.core.store_file import checked_name, frame, unframe
from firmware.core.vocabulary.station import StorageProblem
from hal.sim.time import VirtualClock, virtual_run


def test_what_was_saved_is_there_after_a_restart(tmp_path, alarms):
    async def main(clock: VirtualClock) -> None:
        store = Store(tmp_path / "new" / "store", clock, alarm=alarms)
        await store.start()
        await store.save("entries", b"one\0two\n")
        await store.close()
        again = Store(tmp_path / "new" / "store", clock, alarm=alarms)
        await again.start()
        assert await again.load("entries") == b"one\0two\n"
        await again.close()

    virtual_run(main)
    assert alarms.said == []
    assert (tmp_path / "new" / "store").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "new" / "store" / "entries").stat().st_mode & 0o777 == 0o600


def test_never_saved_is_none_and_removed_is_none_again(tmp_path, alarms):
    async def main(clock: VirtualClock) -> None:
        store = Store(tmp_path, clock, alarm=alarms)
        await store.start()
        assert await store.load("entries") is None
        await store.save("entries", b"1")
        await store.save("entries", b"2")
        await store.remove("entries")
        assert await store.load("entries") is None
        await store.remove("entries")
        await store.close()

    virtual_run(main)
    assert list(tmp_path.iterdir()) == []


def test_the_copy_before_is_kept_as_the_good_one(tmp_path, alarms):
    async def main(clock: VirtualClock) -> None:
        store = Store(tmp_path, clock, alarm=alarms)
        await store.start()
        for data in (b"1", b"2", b"3"):
            await store.save("entries", data)
        await store.close()

    virtual_run(main)
    assert unframe((tmp_path / "entries").read_bytes()) == b"3"
    assert unframe((tmp_path / "entries.good").read_bytes()) == b"2"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["entries", "entries.good"]


def test_a_damaged_file_falls_back_once_and_is_kept_aside(tmp_path, alarms, flip):
    async def main(clock: VirtualClock) -> None:
        store = Store(tmp_path, clock, alarm=alarms)
        await store.start()
        await store.save("entries", b"before")
        await store.save("entries", b"after")
        flip(tmp_path / "entries", -1)
        assert await store.load("entries") == b"before"
        assert alarms.said == [("entries", StorageProblem.DAMAGED)]
        assert await store.load("entries") == b"before"
        # The alarm stands until the role starts again, however well the next writes go.
        await store.save("entries", b"later")
        assert alarms.said == [("entries", StorageProblem.DAMAGED)]
        await store.close()
        quiet = Store(tmp_path, clock, alarm=alarms)
        await quiet.start()
        assert await quiet.load("entries") == b"later"
        await quiet.close()

    virtual_run(main)
    assert len(alarms.said) == 1
    assert "checksum" in alarms.details[0]
    assert (tmp_path / "entries.damaged").read_bytes()[-5:] != b"after"


def test_a_disk_that_never_answers_does_not_keep_the_role_from_ending(tmp_path, alarms, disk):
    async def main(clock: VirtualClock) -> None:
        disk.loop = clock.loop
        store = Store(tmp_path, clock, alarm=alarms, disk=disk)
        await store.start()
        disk.stall_s = 4.0
        store.post(lambda: disk.append(tmp_path / "log", b"x", sync=False))
        store.post(lambda: disk.append(tmp_path / "log", b"y", sync=False))
        began = clock.now_ns()
        await store.close()
        assert clock.now_ns() - began == 5_000_000_000
        await clock.sleep(4.0)

    virtual_run(main)


def test_jobs_run_in_order_on_one_other_thread(tmp_path, alarms):
    async def main(clock: VirtualClock) -> None:
        store = Store(tmp_path, clock, alarm=alarms)
        await store.start()
        threads: list[str] = []
        store.post(lambda: threads.append(threading.current_thread().name))
        assert await store.run(lambda: len(threads)) == 1
        assert threads[0] != threading.current_thread().name
        with pytest.raises(ZeroDivisionError):
            await store.run(lambda: 1 // 0)
        await store.close()
        with pytest.raises(Unavailable, match="closed"):
            await store.save("entries", b"1")
        assert not store.post(lambda: None)

    virtual_run(main)


def test_a_full_database_is_told_like_a_full_file(tmp_path, alarms):
    import sqlite3

    async def main(clock: VirtualClock) -> None:
        store = Store(tmp_path, clock, alarm=alarms)
        await store.start()
        rows = await store.run(lambda: sqlite3.connect(tmp_path / "rows.db", check_same_thread=False))

        def fill() -> None:
            rows.execute("pragma max_page_count = 2")
            rows.execute("create table t (x)")
            rows.execute("insert into t values (zeroblob(100000))")

        with pytest.raises(Unavailable, match="storage is full"):
            await store.run(fill, what="rows")
        assert alarms.standing() == {"rows": StorageProblem.FULL}
        await store.run(rows.close, what="rows")
        await store.close()

    virtual_run(main)


def test_a_place_that_cannot_be_used_is_an_alarm_and_not_a_first_boot(tmp_path, alarms):
    (tmp_path / "file").write_text("in the way")

    async def main(clock: VirtualClock) -> None:
        store = Store(tmp_path / "file" / "store", clock, alarm=alarms)
        await store.start()
        with pytest.raises(Unavailable):
            await store.load("accounts")
        with pytest.raises(Unavailable):
            await store.save("accounts", b"1")
        await store.close()

    virtual_run(main)
    assert alarms.standing()["directory"] is StorageProblem.IO


@pytest.mark.parametrize(
    "name", ["", "../etc", "a/b", ".hidden", "UP", "x.good", "x.new", "x.damaged", "a\0b", "a" * 65]
)
def test_a_name_is_an_id_and_never_a_path(name):
    with pytest.raises(Invalid):
        checked_name(name)


@given(st.binary(max_size=300))
def test_a_frame_gives_back_what_was_framed(data):
    assert unframe(frame(data)) == data


@given(st.binary(max_size=300))
def test_no_other_bytes_are_taken_for_a_frame(raw):
    assert unframe(raw) is None or frame(unframe(raw) or b"") == raw
