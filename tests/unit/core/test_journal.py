"""The journal: every fact with its cause, on disk, whatever the disk does."""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.core.actions import ActionTable, Caller, Level
from firmware.core.bus import Bus
from firmware.core.errors import Forbidden, NotFound
from firmware.core.events import Operation
from firmware.core.journal import Journal
from firmware.core.journal_lines import packed, sound, unpacked
from firmware.core.link.local import LocalLink
from firmware.core.params import Params
from firmware.core.store import Store
from firmware.core.vocabulary.access import AccessGranted, CardRead, DoorReleased
from firmware.core.vocabulary.io import RelayChanged, VirtualInputState
from firmware.core.vocabulary.station import JournalLine, JournalLost, JournalPage, StorageProblem
from hal.sim.time import VirtualClock, virtual_run

OPERATOR = Caller("otto", Level.OPERATOR, "api")


def card(number: int) -> CardRead:
    return CardRead(reader="front", door="door", bits="01", credential=f"H10301:42:{number}")


class Role:
    """A role whose storage outlives its boots."""

    def __init__(self, clock: VirtualClock, root, alarms, disk) -> None:
        self.clock, self.root, self.alarms, self.disk = clock, root, alarms, disk
        self.boots = 0
        self.bus: Bus
        self.journal: Journal
        self.store: Store
        self.link: LocalLink

    @asynccontextmanager
    async def boot(self, *, cut: bool = False, **limits: int):
        """One run of the journal; with `cut` it ends without a stop, as by a power cut."""
        self.boots += 1
        self.store = Store(self.root, self.clock, alarm=self.alarms, disk=self.disk)
        await self.store.start()
        self.bus = Bus(self.clock, role="control", boot=f"b{self.boots}")
        actions = ActionTable()
        self.journal = Journal(self.bus, self.store, self.clock, actions=actions, **limits)
        self.link = LocalLink(actions, Params(self.store, self.bus, print))
        await self.journal.start()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.journal.run())
            yield
            task.cancel()
        if not cut:
            await self.journal.stop()
        self.journal._no_timer()
        await self.store.close()

    def files(self) -> list[str]:
        return sorted(path.name for path in (self.root / "journal").iterdir())

    def on_disk(self) -> list[JournalLine]:
        raw = b"".join((self.root / "journal" / name).read_bytes() for name in self.files())
        return [line for text in raw.splitlines() if (line := unpacked(text)) is not None]


@pytest.fixture
def play(tmp_path, alarms, disk):
    def run(body: Callable[[Role], Awaitable[None]]) -> None:
        async def main(clock: VirtualClock) -> None:
            disk.loop = clock.loop
            await body(Role(clock, tmp_path, alarms, disk))

        virtual_run(main)

    return run


def test_a_line_leads_back_to_its_first_cause(play):
    async def body(role: Role) -> None:
        async with role.boot():
            read = role.bus.publish(card(1))
            role.bus.publish(card(2))
            granted = role.bus.publish(
                AccessGranted(door="door", reader="front", credential="x", entry="e", holder="Ada"), cause=read
            )
            released = role.bus.publish(DoorReleased(door="door", hold_s=7.0, by="rule"), cause=granted)
            relay = role.bus.publish(RelayChanged(relay="relay1", alias="door", on=True, why="command"), cause=released)
            chain = role.journal.chain(relay.id)
            assert [line.topic for line in chain] == ["access/card", "access/granted", "door/released", "io/relay"]
            assert chain[0].fields["credential"] == "H10301:42:1"
            assert role.journal.chain("nothing") == ()
        assert [line.topic for line in role.on_disk()] == [
            "access/card", "access/card", "access/granted", "door/released", "io/relay"
        ]  # fmt: skip

    play(body)


def test_the_newest_lines_of_former_boots_are_there_again(play):
    async def body(role: Role) -> None:
        async with role.boot():
            for number in range(3):
                role.bus.publish(card(number))
        async with role.boot():
            assert [line.id for line in role.journal.tail()] == [f"b1-control-{n}" for n in (1, 2, 3)]
            role.bus.publish(card(9))
            assert [line.id for line in role.journal.tail(2)] == ["b1-control-3", "b2-control-1"]
            caused = role.bus.publish(card(10), cause="b1-control-2")
            assert [line.id for line in role.journal.chain(caused.id)] == ["b1-control-2", caused.id]
            assert role.journal.tail(0) == ()
        async with role.boot(ring=2):
            assert [line.id for line in role.journal.tail()] == ["b2-control-1", "b2-control-2"]

    play(body)


def test_retained_states_are_not_written_again_and_deletions_are(play):
    async def body(role: Role) -> None:
        async with role.boot():
            role.bus.publish(VirtualInputState(input=1, active=True))
            role.bus.publish(VirtualInputState(input=1, active=True))
            role.bus.subscribe().close()
            role.bus.forget(VirtualInputState, "1")
        assert [(line.operation, line.fields["active"]) for line in role.on_disk()] == [
            (Operation.CHANGED, True),
            (Operation.DELETED, True),
        ]

    play(body)


def test_lines_are_written_soon_and_the_medium_is_waited_for_once_a_second(play, disk):
    async def body(role: Role) -> None:
        async with role.boot(cut=True):
            for number in range(40):
                role.bus.publish(card(number))
                await role.clock.sleep(0.1)
            assert len(role.on_disk()) == 40
            assert 4 <= disk.syncs <= 5
            await role.clock.sleep(1.5)
            synced = disk.syncs
            await role.clock.sleep(60)
            assert disk.syncs == synced == 5

    play(body)


def test_a_line_torn_by_a_power_cut_is_passed_over_and_takes_no_other_with_it(play):
    async def body(role: Role) -> None:
        async with role.boot():
            role.bus.publish(card(1))
            role.bus.publish(card(2))
        path = role.root / "journal" / "00000001.jsonl"
        path.write_bytes(path.read_bytes()[:-30])
        async with role.boot():
            assert [line.id for line in role.journal.tail()] == ["b1-control-1"]
            role.bus.publish(card(3))
        assert [line.id for line in role.on_disk()] == ["b1-control-1", "b2-control-1"]

    play(body)


def test_segments_are_limited_and_the_oldest_go(play):
    async def body(role: Role) -> None:
        async with role.boot(segment_bytes=2000, quota_bytes=6000):
            for number in range(100):
                role.bus.publish(card(number))
                await role.clock.sleep(0.1)
        sizes = [path.stat().st_size for path in (role.root / "journal").iterdir()]
        assert max(sizes) <= 2000
        assert sum(sizes) <= 6000 + 2000
        lines = role.on_disk()
        assert lines[-1].fields["credential"] == "H10301:42:99"
        assert [int(line.id.split("-")[2]) for line in lines] == list(range(101 - len(lines), 101))
        assert role.files()[0] != "00000001.jsonl"

    play(body)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_rows_18_and_19_a_failing_disk_loses_counted_lines_and_says_so(play, disk, alarms, number):
    async def body(role: Role) -> None:
        async with role.boot(buffer=10):
            role.bus.publish(card(0))
            await role.clock.sleep(1)
            disk.error = number
            for n in range(1, 31):
                role.bus.publish(card(n))
                await role.clock.sleep(0.1)
            assert alarms.standing().keys() == {"journal"}
            assert len(role.journal.tail()) == 31  # memory goes on
            lost = role.journal.lost
            assert lost > 0
            disk.error = None
            with role.bus.subscribe(JournalLost) as seen:
                assert (await seen.get()).event.lines == lost
            assert alarms.standing() == {}
        written = role.on_disk()
        cards = [line for line in written if line.topic == "access/card"]
        assert len(cards) == 31 - lost
        assert cards[-1].fields["credential"] == "H10301:42:30"
        assert [line.fields["lines"] for line in written if line.topic == "station/journal/lost"] == [lost]

    play(body)


def test_row_20_a_stalled_disk_never_holds_up_the_bus(play, disk, alarms):
    async def body(role: Role) -> None:
        async with role.boot():
            disk.stall_s = 5.0
            began = role.clock.now_ns()
            for n in range(2000):
                role.bus.publish(card(n))
            assert role.clock.now_ns() == began
            await role.clock.sleep(3)
            assert alarms.standing() == {"journal": StorageProblem.SLOW}
            disk.stall_s = 0
            await role.clock.sleep(10)
            assert len(role.on_disk()) == 2000
            assert role.journal.lost == 0
            assert alarms.standing() == {}

    play(body)


def test_a_stop_in_the_middle_of_writing_writes_every_line_once(play, disk):
    async def body(role: Role) -> None:
        async with role.boot():
            disk.stall_s = 0.5
            for n in range(5):
                role.bus.publish(card(n))
            await role.clock.sleep(0.2)  # the batch is on its way
            role.bus.publish(card(5))
        assert [line.fields["credential"][-1] for line in role.on_disk()] == list("012345")

    play(body)


def test_a_journal_that_cannot_be_read_starts_from_memory(play, disk, alarms):
    async def body(role: Role) -> None:
        async with role.boot():
            role.bus.publish(card(1))
        disk.unreadable = {"00000001.jsonl"}
        async with role.boot():
            assert role.journal.tail() == ()
            role.bus.publish(card(2))
            assert len(role.journal.tail()) == 1
        assert len(role.on_disk()) == 2

    play(body)


def test_the_action_pages_backwards(play):
    async def body(role: Role) -> None:
        async with role.boot():
            for n in range(10):
                role.bus.publish(card(n))
            newest = await role.link.command("journal.read", {"limit": 3}, OPERATOR)
            assert [line["id"] for line in newest["lines"]] == [f"b1-control-{n}" for n in (8, 9, 10)]
            assert newest["more"] is True
            older = await role.link.command("journal.read", {"limit": 100, "before": "b1-control-8"}, OPERATOR)
            assert len(older["lines"]) == 7
            assert older["more"] is False
            with pytest.raises(NotFound, match="no line 'b7-x-1'"):
                await role.link.command("journal.read", {"before": "b7-x-1"}, OPERATOR)
            with pytest.raises(Forbidden):
                await role.link.command("journal.read", {}, Caller("vera", Level.VIEWER, "api"))
            assert isinstance(role.journal.page(1), JournalPage)
        async with role.boot():
            role.bus.publish(card(11))
            page = role.journal.page(2, before="b2-control-1")
            assert [line.id for line in page.lines] == ["b1-control-9", "b1-control-10"]
            assert [line.id for line in role.journal.page(5, before="b1-control-2").lines] == ["b1-control-1"]

    play(body)


def test_an_evil_value_breaks_no_line(play):
    async def body(role: Role) -> None:
        evil = 'x"\n2026-01-01 access/granted\r\x1b[31m\u2028\x00'
        async with role.boot():
            role.bus.publish(CardRead(reader=evil, door="door", bits="01", credential=None))
            text = role.journal.tail(1)[0].text()
            assert text.isprintable()
            assert text.startswith("2026-06-01T12:00:00.000Z access/card reader=")
        raw = (role.root / "journal" / "00000001.jsonl").read_bytes()
        assert raw.count(b"\n") == 1
        assert all(byte >= 0x20 for byte in raw[:-1])
        assert json.loads(raw)["fields"]["reader"] == evil
        assert role.on_disk()[0].fields["reader"] == evil

    play(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
lines = st.builds(
    JournalLine,
    id=st.text(max_size=30),
    at=st.datetimes(timezones=st.just(__import__("datetime").UTC)),
    topic=st.text(max_size=20),
    operation=st.sampled_from(Operation),
    cause=st.none() | st.text(max_size=30),
    fields=st.dictionaries(st.text(max_size=10), json_values, max_size=4),
)


@given(lines)
def test_a_line_comes_back_as_it_was_packed(line):
    raw = packed(line)
    assert raw.endswith(b"\n")
    assert raw.count(b"\n") == 1
    assert unpacked(raw[:-1]) == line


@given(lines, st.data())
def test_row_21_a_flipped_byte_of_a_line_is_noticed(line, data):
    raw = bytearray(packed(line)[:-1])
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert not sound(bytes(raw))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_no_line_and_no_crash(raw):
    assert unpacked(raw) is None
