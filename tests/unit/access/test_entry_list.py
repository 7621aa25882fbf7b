"""The entry list in use: adding, removing, limits, uses, and a storage that fails."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firmware.access.decision import Entry
from firmware.access.entry_table import EntryTable
from firmware.core.actions import Caller, Level
from firmware.core.cards.credential import parse
from firmware.core.errors import Exhausted, Forbidden, Invalid, NotFound, StationError, Unavailable
from firmware.core.vocabulary.access import EntriesChanged
from firmware.core.vocabulary.entries import EntryPage
from firmware.core.vocabulary.station import StorageAlarm, StorageProblem

CARD = "H10301:42:1234"
OPERATOR = Caller("op", Level.OPERATOR, "api")


def test_an_added_card_is_listed_and_survives_a_restart(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            view = await station.enrol(
                "Bo", card="wiegand26:42:1234", uses=3, valid_to="2027-01-01T00:00:00+01:00", doors=["gate"]
            )
            assert view.card == CARD
            assert view.valid_to == datetime(2026, 12, 31, 23, tzinfo=UTC)
            assert station.last(EntriesChanged).change == "added"
        async with station.boot():
            page = await station.act("entries.list")
            assert page == EntryPage(total=1, entries=(view,))

    on_station(body)


def test_pages_are_by_name(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            for number, name in enumerate(["dora", "Ada", "Carl", "bo"]):
                await station.enrol(name, card=f"H10301:1:{number}")
            page = await station.act("entries.list", offset=1, limit=2)
            assert [view.name for view in page.entries] == ["bo", "Carl"]
            assert page.total == 4

    on_station(body)


def test_a_pin_is_never_shown_nor_stored_in_the_clear(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            view = await station.enrol("Ada", pin="27182818")
            assert view.card is None
            assert "27182818" not in repr(view) + repr(station.facts) + repr(station.entries.index)
        stored = b"".join(path.read_bytes() for path in station.root.iterdir())
        assert b"27182818" not in stored
        async with station.boot():
            assert station.entries.index.pins[station.entries.pin_hash("27182818")].name == "Ada"

    on_station(body)


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        ({}, Invalid, "give a card, a PIN, both, or a QR text"),
        ({"card": CARD, "qr": "hello"}, Invalid, "stands alone"),
        ({"card": CARD, "name": "Ada\x1b[2J"}, Invalid, "cannot be shown"),
        ({"card": "UID:04A1B"}, Invalid, "pairs of hex digits"),
        ({"card": "H1301:1:2"}, Invalid, "did you mean 'H10301'"),
        ({"card": CARD, "doors": ["dor"]}, Invalid, "did you mean 'door'"),
        ({"card": CARD, "schedule": "offise"}, Invalid, "did you mean 'office'"),
        ({"card": CARD, "valid_from": "2026-01-01T00:00:00"}, Invalid, "no time zone"),
        (
            {"card": CARD, "valid_from": "2026-02-01T00:00:00Z", "valid_to": "2026-01-01T00:00:00Z"},
            Invalid,
            "not after",
        ),
        ({"card": CARD, "valid_from": "0001-01-01T00:00:00+10:00"}, Invalid, "out of range"),
        ({"pin": "12a4"}, Invalid, "pin"),
        ({"card": CARD, "uses": 0}, Invalid, "uses"),
        ({"cart": CARD}, Invalid, "did you mean 'card'"),
    ],
)
def test_a_wrong_entry_names_its_fault_and_nothing_is_written(
    on_station: Any, data: dict[str, Any], error: type[StationError], words: str
) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.patch("access", schedules={"office": {"windows": []}})
            jobs = station.gate.jobs
            with pytest.raises(error, match=words):
                await station.enrol(**data)
            assert station.gate.jobs == jobs
            assert (await station.act("entries.list")).total == 0

    on_station(body)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (CARD, "Wiegand26:42:1234"),
        ("H10302:0:61867587", "RAW:37:1000000000111011000000000110010000110"),
        ("H10304:118:1603", "H10302:0:61867587"),
        ("RAW:37:1000000000111011000000000110010000110", "H10304:118:1603"),
    ],
)
def test_the_same_card_in_another_form_is_a_duplicate(on_station: Any, first: str, second: str) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            view = await station.enrol("Ada", card=first)
            with pytest.raises(Invalid, match=view.id):
                await station.enrol("Bo", card=second)

    on_station(body)


def test_the_same_pin_twice_is_refused(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            view = await station.enrol("Ada", pin="27182818")
            with pytest.raises(Invalid, match=view.id) as caught:
                await station.enrol("Bo", pin="27182818")
            assert "27182818" not in str(caught.value)

    on_station(body)


def test_the_list_has_fifty_places_unless_more_are_allowed(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            for number in range(50):
                await station.enrol(f"holder {number}", card=f"H10301:1:{number}")
            with pytest.raises(Exhausted, match="50 of 50"):
                await station.enrol("one more", card=CARD)
            await station.patch("access", holders=51)
            await station.enrol("one more", card=CARD)

    on_station(body)


def test_an_operator_may_look_and_not_change(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            view = await station.enrol(card=CARD)
            assert (await station.act("entries.list", OPERATOR)).total == 1
            with pytest.raises(Forbidden):
                await station.act("entries.remove", OPERATOR, id=view.id)

    on_station(body)


def test_a_removed_entry_is_gone_also_from_the_copy_at_once(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            view = await station.enrol(card=CARD)
            await station.wait(6)
            await station.act("entries.remove", id=view.id)
            with pytest.raises(NotFound):
                await station.act("entries.remove", id=view.id)
            assert not station.entries.index.cards
            await station.wait(0.5)
            copy = sqlite3.connect(f"{(station.root / 'entries.good').as_uri()}?immutable=1", uri=True)
            assert copy.execute("SELECT count(*) FROM entries").fetchone() == (0,)
            copy.close()

    on_station(body)


def test_changes_are_copied_together_after_five_seconds(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.wait(10)
            before = (station.root / "entries.good").stat().st_ino  # a copy is a new file
            await station.enrol("Ada", card=CARD)
            await station.enrol("Bo", pin="4711")
            await station.wait(4.5)
            assert (station.root / "entries.good").stat().st_ino == before
            await station.wait(6)
            assert (station.root / "entries.good").stat().st_ino != before

    on_station(body)


def test_a_clean_stop_leaves_a_fresh_copy(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol(card=CARD)
        assert (station.root / "entries.good").exists()
        (station.root / "entries.db").unlink()
        async with station.boot():
            assert (await station.act("entries.list")).total == 1
            assert station.last(StorageAlarm).problem is StorageProblem.DAMAGED

    on_station(body)


def test_row_18_a_full_disk_is_a_clear_answer_and_changes_nothing(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=CARD)
            station.gate.error = OSError(errno.ENOSPC, "No space left on device")
            with pytest.raises(Unavailable, match="full"):
                await station.enrol("Bo", pin="4711")
            ada = next(iter(station.entries.index.cards.values()))
            with pytest.raises(Unavailable, match="full"):
                await station.act("entries.remove", id=ada.id)
            assert (await station.act("entries.list")).total == 1
            assert any("full" in alarm for alarm in station.alarms)
            station.gate.error = None
            await station.enrol("Bo", pin="4711")
        async with station.boot():
            assert (await station.act("entries.list")).total == 2

    on_station(body)


def test_a_change_goes_on_when_whoever_asked_has_gone(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            station.gate.stalled = True
            async with asyncio.TaskGroup() as tasks:
                asking = tasks.create_task(station.enrol(card=CARD))
                await station.wait(1)
                asking.cancel()
            station.gate.stalled = False
            await station.wait(1)
            assert (await station.act("entries.list")).total == 1
        async with station.boot():
            assert (await station.act("entries.list")).total == 1

    on_station(body)


async def limited(station: Any, uses: int) -> Entry:
    view = await station.enrol(card=CARD, uses=uses)
    entry: Entry = station.entries.index.cards[next(iter(station.entries.index.cards))]
    assert entry.id == view.id
    return entry


def test_a_use_is_on_disk_before_it_counts(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            entry = await limited(station, 2)
            assert await station.entries.spend(entry, cause="card-1")
            db = sqlite3.connect(station.root / "entries.db")
            assert db.execute("SELECT uses_left FROM entries").fetchone() == (1,)
            db.close()
            used = station.last(EntriesChanged)
            assert (used.change, used.cause) == ("used", "card-1")

    on_station(body)


def test_a_stalled_disk_refuses_a_limited_use_after_half_a_second(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            entry = await limited(station, 5)
            station.gate.stalled = True
            began = station.t_s()
            assert not await station.entries.spend(entry, cause=None)
            assert station.t_s() - began == pytest.approx(0.5, abs=1e-6)
            # A second one waits behind it, is given up before the disk is asked, and comes back.
            again = station.entries.index.cards[entry.card]
            assert not await station.entries.spend(again, cause=None)
            station.gate.stalled = False
            await station.wait(1)
            assert station.entries.index.cards[entry.card].uses_left == 4  # the first was recorded too late: lost
        async with station.boot():
            assert station.entries.index.cards[entry.card].uses_left == 4

    on_station(body)


def test_a_use_that_the_disk_refused_is_not_lost(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            entry = await limited(station, 2)
            station.gate.error = OSError(errno.EIO, "Input/output error")
            assert not await station.entries.spend(entry, cause=None)
            assert station.entries.index.cards[entry.card].uses_left == 2

    on_station(body)


def test_row_21_damage_found_at_start_is_an_alarm_and_the_list_comes_back(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=CARD)
        (station.root / "entries.db").write_bytes(b"\xff" * 4096)
        async with station.boot():
            alarm = station.last(StorageAlarm)
            assert (alarm.what, alarm.problem) == ("entries", StorageProblem.DAMAGED)
            assert "restored" in alarm.detail
            assert (await station.act("entries.list")).total == 1

    on_station(body)


def test_row_21_a_vanished_list_is_empty_closed_and_an_alarm(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=CARD)
        for path in station.root.glob("entries.*"):
            path.unlink()
        async with station.boot():
            assert station.last(StorageAlarm).problem is StorageProblem.DAMAGED
            assert (await station.act("entries.list")).total == 0
            await station.enrol("Ada", card=CARD)  # and it can be used again

    on_station(body)


def test_row_21_a_damaged_key_leaves_pins_working_with_the_lists_own_copy_of_it(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", pin="4711")
        for path in station.root.glob("entries-key*"):
            path.write_bytes(b"rubbish")
        async with station.boot():
            assert station.entries.pin_hash("4711") in station.entries.index.pins
            assert any("damaged" in alarm for alarm in station.alarms)

    on_station(body)


def test_row_19_a_list_that_cannot_be_read_is_closed_and_tried_again(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=CARD)
        station.gate.error = OSError(errno.EIO, "Input/output error")
        async with station.boot():
            assert not station.entries.index.cards
            with pytest.raises(Unavailable, match="could not be read"):
                await station.enrol("Bo", pin="4711")
            station.gate.error = None
            await station.wait(11)
            assert (await station.act("entries.list")).total == 1

    on_station(body)


def test_row_19_a_disk_that_lets_nothing_be_opened_for_writing_still_gives_its_list(tmp_path: Path) -> None:
    table = EntryTable(tmp_path)
    table.open(None)
    ada = Entry(id="a1", name="Ada", card=parse(CARD))
    table.add(ada)
    table.back_up()
    table.close()
    # SQLite cannot make its shared memory beside the file, as on a file system that became read-only.
    (tmp_path / "entries.db-shm").mkdir()
    table = EntryTable(tmp_path)
    loaded = table.open(None)
    assert loaded.entries == (ada,)
    assert loaded.damage is None
    with pytest.raises(sqlite3.OperationalError):
        table.remove("a1")


def test_row_21_a_head_that_says_read_only_is_damage(tmp_path: Path) -> None:
    table = EntryTable(tmp_path)
    table.open(None)
    ada = Entry(id="a1", name="Ada", card=parse(CARD))
    table.add(ada)
    table.back_up()
    table.close()
    data = bytearray((tmp_path / "entries.db").read_bytes())
    data[18] = 3
    (tmp_path / "entries.db").write_bytes(data)
    table = EntryTable(tmp_path)
    loaded = table.open(None)
    assert loaded.entries == (ada,)
    assert loaded.damage is not None
    table.remove("a1")
    table.close()
