"""Entries of every kind: card and PIN together, QR texts, blocked ones, and changing them."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from firmware.core.cards.credential import parse
from firmware.core.errors import Invalid, NotFound
from firmware.core.vocabulary.access import EntriesChanged
from firmware.core.vocabulary.entries import EntryEvent, EntryKind

CARD = "H10301:42:1234"


def test_an_entry_of_every_kind_survives_a_restart(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            both = await station.enrol("Ada", last_name="Lovelace", card=CARD, pin="4711")
            qr = await station.enrol("Bo", qr="https://example.org/\N{SNOWMAN}")
            blocked = await station.enrol("Cy", card="UID:04:A1:B2:C3", event="denied")
            assert (both.kind, qr.kind, blocked.kind) == (EntryKind.CARD_AND_PIN, EntryKind.QR, EntryKind.CARD)
            assert blocked.card == "RAW:32:00000100101000011011001011000011"
            assert blocked.event is EntryEvent.DENIED
        async with station.boot():
            assert (await station.act("entries.list")).entries == (both, qr, blocked)

    on_station(body)


def test_a_pin_that_needs_its_card_may_be_like_another_and_opens_nothing_alone(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=CARD, pin="4711")
            await station.enrol("Bo", card="H10301:9:9999", pin="4711")
            assert not station.entries.index.pins
            await station.enrol("Cy", pin="4711")
            assert len(station.entries.index.pins) == 1

    on_station(body)


def test_row_47_a_qr_text_is_never_shown_nor_stored_in_the_clear(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            view = await station.enrol("Ada", qr="canary-qr-text")
            with pytest.raises(Invalid) as caught:
                await station.enrol("Bo", qr="canary-qr-text")
            file = await station.act("entries.export")
            told = repr(view) + repr(station.facts) + str(caught.value) + file.text
            assert "canary" not in told
        assert b"canary" not in b"".join(path.read_bytes() for path in station.root.iterdir())

    on_station(body)


def test_row_43_hostile_texts_are_data_and_never_commands(on_station: Any) -> None:
    async def body(station: Any) -> None:
        hostile = "x'); DROP TABLE entries; --"
        async with station.boot():
            view = await station.enrol(hostile, last_name="\"'`;%_", qr=hostile)
            with pytest.raises(NotFound):
                await station.act("entries.remove", id="' OR 1=1 --")
        async with station.boot():
            assert (await station.act("entries.list")).entries == (view,)
            db = sqlite3.connect(station.root / "entries.db")
            assert db.execute("SELECT name, last_name FROM entries").fetchall() == [(hostile, "\"'`;%_")]
            db.close()

    on_station(body)


def test_a_change_keeps_what_is_not_named(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            first = await station.enrol("Ada", card=CARD, pin="4711", uses=5, valid_to="2030-01-01T00:00:00Z")
            view = await station.act(
                "entries.change", id=first.id, name="Ada B.", card="H10301:9:9999", clear=["valid_to"]
            )
            assert (view.name, view.card, view.uses_left, view.valid_to) == ("Ada B.", "H10301:9:9999", 5, None)
            assert view.kind is EntryKind.CARD_AND_PIN
            assert list(station.entries.index.cards) == [parse("H10301:9:9999")]
            assert station.last(EntriesChanged).change == "changed"
            without = await station.act("entries.change", id=first.id, clear=["card"])
            assert without.kind is EntryKind.PIN
            assert station.entries.pin_hash("4711") in station.entries.index.pins
        async with station.boot():
            assert (await station.act("entries.list")).entries == (without,)

    on_station(body)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"card": "H10301:9:9999"}, "is the card of entry"),
        ({"clear": ["card"]}, "give a card"),
        ({"uses": 3, "clear": ["uses"]}, "uses is given and taken away at once"),
        ({"doors": ["dor"]}, "did you mean 'door'"),
        ({"nme": "x"}, "did you mean 'name'"),
        ({"clear": ["name"]}, "clear"),
        ({"valid_to": "2020-01-01T00:00:00"}, "no time zone"),
    ],
)
def test_a_wrong_change_changes_nothing(on_station: Any, change: dict[str, Any], words: str) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            view = await station.enrol("Ada", card=CARD)
            await station.enrol("Bo", card="H10301:9:9999")
            jobs = station.gate.jobs
            with pytest.raises(Invalid, match=words):
                await station.act("entries.change", id=view.id, **change)
            assert station.gate.jobs == jobs
            assert (await station.act("entries.list")).entries[0] == view

    on_station(body)


def test_an_unknown_id_is_answered_with_the_nearest(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            view = await station.enrol("Ada", card=CARD)
            wrong = view.id[:-1] + ("0" if view.id[-1] != "0" else "1")
            with pytest.raises(NotFound, match=f"did you mean '{view.id}'"):
                await station.act("entries.change", id=wrong, name="Eve")

    on_station(body)


def test_a_first_name_is_unique_where_that_is_asked_for(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            first = await station.enrol("Ada", card=CARD)
            await station.patch("access", unique_names=True)
            with pytest.raises(Invalid, match=first.id):
                await station.enrol("ADA", pin="2222")
            await station.enrol("Adam", pin="2222")

    on_station(body)


def test_a_pin_of_another_length_is_refused_where_the_length_is_set(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.patch("access", pin_length=4)
            await station.enrol("Ada", pin="4711")
            with pytest.raises(Invalid, match="has 6 digits; a PIN has 4") as caught:
                await station.enrol("Bo", pin="271828")
            assert "271828" not in str(caught.value)
            await station.patch("access", pin_length=0)
            with pytest.raises(Invalid, match="no PINs are used here"):
                await station.enrol("Bo", pin="2718")

    on_station(body)


def test_row_23_a_change_beside_a_use_gives_no_use_back(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            view = await station.enrol("Ada", card=CARD, uses=5)
            # Two uses have left memory: one is at the disk when the change comes, one waits behind it.
            station.gate.stalled = True
            async with station.group() as tasks:
                for _ in range(2):
                    entry = station.entries.book.get(view.id)
                    tasks.create_task(station.entries.spend(entry, cause=None))
                    await station.wait(0.1)
                change = tasks.create_task(station.act("entries.change", id=view.id, name="Ada B."))
                await station.wait(0.1)
                station.gate.stalled = False
            assert change.result().uses_left == 3
        async with station.boot():
            assert (await station.act("entries.list")).entries[0].uses_left == 3

    on_station(body)
