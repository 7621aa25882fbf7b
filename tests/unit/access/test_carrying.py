"""The entry list carried out and in: nothing secret goes out, and what comes in comes whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.access.decision import Entry
from firmware.access.portable import Writer, rows
from firmware.core.cards.credential import Credential, encode, parse
from firmware.core.errors import Exhausted, Invalid, StationError
from firmware.core.vocabulary.access import AccessGranted
from firmware.core.vocabulary.entries import EntryEvent, FileFormat

CARD = "H10301:42:1234"
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "=cmd|' /C calc'!A0", "''+1")

names = st.text(min_size=1, max_size=64).filter(lambda text: "\x00" not in text) | st.sampled_from(FORMULAS)


def exported(some: list[Entry], format: FileFormat) -> str:
    writer = Writer(format)
    for entry in some:
        writer.add([entry])
    return writer.text()


entries = st.builds(
    Entry,
    id=st.from_regex(r"[0-9a-f]{12}", fullmatch=True),
    name=names,
    last_name=st.just("") | names,
    card=st.builds(Credential, st.just("H10301"), st.integers(0, 255), st.integers(0, 65535)),
    uses_left=st.none() | st.integers(1, 10**6),
    valid_from=st.none() | st.datetimes().map(lambda at: at.replace(tzinfo=UTC)),
    schedule=st.none() | names,
    doors=st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True), max_size=3).map(tuple),
    event=st.sampled_from(EntryEvent),
)


@given(st.lists(entries, max_size=4, unique_by=lambda entry: entry.id), st.sampled_from(FileFormat))
def test_row_41_what_is_carried_out_comes_back_the_same(some: list[Entry], format: FileFormat) -> None:
    found = list(rows(exported(some, format), format))
    assert [row.id for row in found] == [entry.id for entry in some]
    for row, entry in zip(found, some, strict=True):
        wish = row.wish
        assert (wish.name, wish.last_name, wish.card) == (entry.name, entry.last_name, str(entry.card))
        assert (wish.uses, wish.valid_from, wish.doors) == (entry.uses_left, entry.valid_from, entry.doors)
        assert (wish.schedule, wish.event) == (entry.schedule, entry.event)


@given(st.lists(entries, max_size=4))
def test_row_41_no_cell_of_an_export_is_a_formula(some: list[Entry]) -> None:
    for cells in csv.reader(io.StringIO(exported(some, FileFormat.CSV), newline=""), strict=True):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)


@given(
    st.text(max_size=300) | st.binary(max_size=300).map(lambda raw: raw.decode("latin-1")), st.sampled_from(FileFormat)
)
def test_any_text_is_read_or_refused(text: str, format: FileFormat) -> None:
    with contextlib.suppress(Invalid):
        assert all(row.wish.name for row in rows(text, format))


def test_row_47_pins_and_qr_texts_are_not_carried_out(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", pin="31415926")
            await station.enrol("Bo", qr="canary")
            for format in FileFormat:
                text = (await station.act("entries.export", format=format.value)).text
                assert "31415926" not in text
                assert "canary" not in text
                assert station.entries.pin_hash("31415926").hex() not in text

    on_station(body)


def test_a_spreadsheets_file_adds_and_changes(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            ada = await station.enrol("Ada", pin="4711", uses=5)
            text = (
                "\ufeffid;name;last_name;kind;card;pin;uses;valid_to;doors;event\r\n"
                f"{ada.id};Ada;Lovelace;pin;;;7;;door gate;\r\n"
                ";;;;;;;;;\r\n"
                ";Bo;;card;H10301:9:9999;;;2030-01-01T00:00:00+01:00;;denied\r\n"
                ";'=Cy;;;uid:04A1B2C3;1111\r\n"
            )
            report = await station.act("entries.import", text=text)
            assert (report.added, report.changed, report.unchanged) == (2, 1, 0)
            views = {view.name: view for view in (await station.act("entries.list")).entries}
            assert set(views) == {"Ada", "Bo", "=Cy"}
            assert (views["Ada"].id, views["Ada"].last_name, views["Ada"].uses_left) == (ada.id, "Lovelace", 7)
            assert views["Ada"].doors == ("door", "gate")
            assert views["Bo"].valid_to == datetime(2029, 12, 31, 23, tzinfo=UTC)
            assert views["Bo"].event is EntryEvent.DENIED
            station.readers["reader1"].keys("4711#")
            await station.wait(1)
            assert station.last(AccessGranted).holder == "Ada Lovelace"
            again = (await station.act("entries.export")).text
            report = await station.act("entries.import", text=again)
            assert (report.added, report.changed, report.unchanged) == (0, 0, 3)
        async with station.boot():
            assert (await station.act("entries.list")).total == 3

    on_station(body)


GOOD = "name,card\nBo,H10301:9:9999\n"


@pytest.mark.parametrize(
    ("format", "text", "error", "words"),
    [
        ("csv", "", Invalid, "is empty"),
        ("csv", "name,crad\nBo,H10301:9:9999\n", Invalid, r"line 1: unknown column 'crad'; did you mean 'card'\?"),
        ("csv", "name,name\n", Invalid, "line 1: column 'name' is there twice"),
        ("csv", GOOD + "Cy,H1301:1:2\n", Invalid, r"line 3\.card: no card format 'H1301'; did you mean 'H10301'\?"),
        ("csv", 'name,doors,pin\nCy,"door\ngate",1\nEve,,,2\n', Invalid, r"line 4: has 4 cells, .* names 3"),
        ("csv", GOOD + "Cy,H10301:9:9999\n", Invalid, r"line 3\.card: H10301:9:9999 is the card of entry"),
        ("csv", GOOD + ",H10301:1:1\n", Invalid, r"line 3\.name: is missing"),
        ("csv", GOOD + '"Cy,H10301:1:1\n', Invalid, "is not CSV"),
        ("csv", "name,kind,card\nBo,pin,\n", Invalid, r"line 2\.pin: is missing: a pin entry needs its PIN"),
        ("csv", "name,kind\nBo,qr\n", Invalid, r"line 2\.qr: is missing"),
        ("csv", "name,kind\nBo,crad\n", Invalid, r"line 2\.kind: no kind 'crad'; did you mean 'card'\?"),
        ("csv", "name,pin\nBo,12x4\n", Invalid, r"line 2\.pin"),
        ("csv", "name,card,uses\nBo,H10301:9:9999,many\n", Invalid, r"line 2\.uses: .*\(got 'many'\)"),
        ("csv", "id,name,card\nx,Bo,H10301:9:1\nx,Cy,H10301:9:2\n", Invalid, r"line 3\.id: 'x' is there twice"),
        ("json", "{", Invalid, "is not JSON"),
        ("json", "{}", Invalid, r"entries: is missing"),
        ("json", '[{"name": "Bo", "crad": 1}]', Invalid, r"entries\.0\.crad: .* did you mean 'card'\?"),
        ("json", '[{"name": "Bo", "card": "H10301:9:9999"}, 7]', Invalid, r"entries\.1: is not an object but int"),
        ("json", "[" * 100_000, Invalid, "is not JSON"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named_with_its_value_and_nothing_is_written(
    on_station: Any, format: str, text: str, error: type[StationError], words: str
) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            view = await station.enrol("Ada", card=CARD)
            jobs = station.gate.jobs
            with pytest.raises(error, match=words) as caught:
                await station.act("entries.import", text=text, format=format)
            assert "12x4" not in str(caught.value)
            assert station.gate.jobs == jobs
            assert (await station.act("entries.list")).entries == (view,)

    on_station(body)


def test_a_file_longer_than_the_list_is_refused_whole(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            text = "name,card\n" + "".join(f"holder {n},H10301:1:{n}\n" for n in range(51))
            with pytest.raises(Exhausted, match="50 of 50"):
                await station.act("entries.import", text=text)
            assert (await station.act("entries.list")).total == 0
            with pytest.raises(Invalid, match=r"entries\.import\.text"):
                await station.act("entries.import", text="x" * 900_001)

    on_station(body)


def test_a_dry_run_says_what_would_be_and_does_nothing(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            jobs = station.gate.jobs
            report = await station.act("entries.import", text=GOOD, dry_run=True)
            assert (report.added, report.changed, report.dry_run) == (1, 0, True)
            assert station.gate.jobs == jobs
            assert (await station.act("entries.list")).total == 0

    on_station(body)


def test_cards_are_served_while_a_long_file_is_read(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=CARD)
            await station.patch("access", holders=6000)
            table = [{"name": f"h{n}", "card": f"H10302:0:{n}"} for n in range(5000)]
            async with station.group() as tasks:
                carried = tasks.create_task(station.act("entries.import", text=json.dumps(table), format="json"))
                await station.wait(0)
                station.readers["reader1"].swipe(encode(parse(CARD)))
                for _ in range(20):
                    await station.wait(0)
                assert station.last(AccessGranted).holder == "Ada"
                assert not carried.done()
            assert carried.result().added == 5000
            first = await station.act("entries.export", limit=2000)
            assert (first.total, first.next, first.text.count("\r\n")) == (5001, 2000, 2001)

    on_station(body)
