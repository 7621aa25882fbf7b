"""Readers at work: from card bits and keys to granted and denied, with causes, and without ever waiting for storage."""

from __future__ import annotations

import errno
import logging
from pathlib import Path
from typing import Any

import pytest

from firmware.access.throttle import Throttles
from firmware.core.cards.credential import encode, parse
from firmware.core.vocabulary.access import (
    AccessDenied,
    AccessGranted,
    CardRead,
    EntriesChanged,
    PinEntered,
    ReaderNoise,
    ReaderState,
    Reason,
)

CARD = "H10301:42:1234"
BITS = encode(parse(CARD))
OTHER = encode(parse("H10301:9:9999"))
LONG = encode(parse("H10304:118:1603"))


def open_files(name: str) -> list[Path]:
    """What this process has open of that name."""
    files = [each.readlink() for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return [each for each in files if each.name == name]


def test_a_known_card_is_granted_and_names_its_cause(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            view = await station.enrol("Ada", card=CARD)
            station.readers["reader1"].swipe(BITS)
            await station.wait()
            card, granted = station.last(CardRead), station.last(AccessGranted)
            assert (card.reader, card.door, card.bits) == ("reader1", "door", BITS)
            assert (card.credential, card.fitting) == (CARD, (CARD,))
            assert granted.cause == card.id
            assert (granted.door, granted.reader, granted.credential) == ("door", "reader1", CARD)
            assert (granted.entry, granted.holder) == (view.id, "Ada")

    on_station(body)


def test_an_unknown_card_is_denied(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            station.readers["reader1"].swipe(OTHER)
            await station.wait()
            denied = station.last(AccessDenied)
            assert (denied.reason, denied.entry, denied.credential) == (Reason.UNKNOWN, "", "H10301:9:9999")
            assert denied.cause == station.last(CardRead).id
            assert station.all(AccessGranted) == []

    on_station(body)


@pytest.mark.parametrize(
    "enrolled", ["H10302:0:61867587", "H10304:118:1603", "RAW:37:" + encode(parse("H10304:118:1603"))]
)
def test_a_37_bit_card_is_granted_whichever_way_it_was_enrolled(on_station: Any, enrolled: str) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=enrolled)
            station.readers["reader1"].swipe(LONG)
            await station.wait()
            assert station.last(CardRead).fitting == ("H10302:0:61867587", "H10304:118:1603")
            assert station.last(AccessGranted).holder == "Ada"

    on_station(body)


def test_the_preferred_format_names_the_card(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.patch("access", card_formats=["H10304", "H10302"])
            station.readers["reader1"].swipe(LONG)
            await station.wait()
            assert station.last(CardRead).credential == "H10304:118:1603"

    on_station(body)


def test_a_card_of_no_known_format_is_known_by_its_bits(on_station: Any) -> None:
    async def body(station: Any) -> None:
        bits = "0110" * 8
        async with station.boot():
            await station.enrol("Ada", card=bits)
            station.readers["reader1"].swipe(bits)
            await station.wait()
            assert station.last(AccessGranted).credential == f"RAW:32:{bits}"

    on_station(body)


def test_a_wrong_parity_is_unreadable(on_station: Any) -> None:
    async def body(station: Any) -> None:
        wrong = ("1" if BITS[0] == "0" else "0") + BITS[1:]
        async with station.boot():
            await station.enrol("Ada", card=CARD)
            station.readers["reader1"].swipe(wrong)
            await station.wait()
            assert station.last(CardRead).credential is None
            assert "parity" in station.last(CardRead).reason
            assert station.last(AccessDenied).reason is Reason.UNREADABLE

    on_station(body)


def test_a_reader_without_a_door_reports_and_decides_nothing(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=CARD)
            station.readers["reader3"].swipe(BITS)
            await station.wait()
            assert station.last(CardRead).door == ""
            assert station.all(AccessGranted) == station.all(AccessDenied) == []

    on_station(body)


def test_an_entry_for_another_door_is_denied_by_name(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            view = await station.enrol("Ada", card=CARD, doors=["gate"])
            station.readers["reader1"].swipe(BITS)
            await station.wait()
            denied = station.last(AccessDenied)
            assert (denied.reason, denied.entry, denied.holder) == (Reason.DOOR, view.id, "Ada")

    on_station(body)


def test_a_list_that_is_off_grants_nobody(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=CARD)
            await station.patch("access", use_entry_list=False)
            station.readers["reader1"].swipe(BITS)
            await station.wait()
            assert station.last(AccessDenied).reason is Reason.DISABLED

    on_station(body)


def test_row_16_a_clock_that_is_not_trusted_denies_timed_entries_only(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=CARD)
            await station.enrol("Bo", card="H10301:9:9999", valid_to="2030-01-01T00:00:00Z")
            station.clock.set_trusted(False)
            station.readers["reader1"].swipe(BITS)
            station.readers["reader1"].swipe(OTHER)
            await station.wait()
            assert station.last(AccessGranted).holder == "Ada"
            assert (station.last(AccessDenied).holder, station.last(AccessDenied).reason) == ("Bo", Reason.CLOCK)
            await station.patch("access", untrusted_clock="grant")
            await station.wait(1)
            station.readers["reader1"].swipe(OTHER)
            await station.wait()
            assert station.last(AccessGranted).holder == "Bo"

    on_station(body)


def test_row_16_a_clock_stepped_ten_years_changes_no_running_hold(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.act("door.release", door="door", hold_s=7.0)
            await station.wait(1)
            station.clock.step_utc(10 * 365 * 86_400)
            await station.wait(2)
            station.clock.step_utc(-20 * 365 * 86_400)
            await station.wait(10)
            assert station.relays["relay1"].pulses() == [(0.0, 7.0)]

    on_station(body)


# limited uses and storage


def test_the_last_use_is_given_to_one_of_two_readers(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=CARD, uses=1)
            station.readers["reader1"].swipe(BITS)
            station.readers["reader2"].swipe(BITS)
            await station.wait(1)
            assert len(station.all(AccessGranted)) == 1
            assert [each.reason for each in station.all(AccessDenied)] == [Reason.USED_UP]

    on_station(body)


def test_row_23_uses_count_over_restarts(on_station: Any) -> None:
    async def body(station: Any) -> None:
        granted = 0
        async with station.boot():
            await station.enrol("Ada", card=CARD, uses=3)
        for _ in range(5):
            async with station.boot():
                station.readers["reader1"].swipe(BITS)
                await station.wait(1)
                granted += len(station.all(AccessGranted))
        assert granted == 3

    on_station(body)


def test_row_20_a_stalled_disk_delays_nobody_but_the_limited(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=CARD, uses=5)
            await station.enrol("Bo", card="H10301:9:9999")
            await station.enrol("Cy", pin="4711")
            station.gate.stalled = True
            station.facts.clear()
            station.readers["reader1"].swipe(BITS)
            station.readers["reader2"].swipe(OTHER)
            await station.wait(0)
            await station.wait(0)
            assert [each.holder for each in station.all(AccessGranted)] == ["Bo"]
            station.readers["reader2"].keys("4711#")
            await station.wait(0)
            await station.wait(0)
            assert [each.holder for each in station.all(AccessGranted)] == ["Bo", "Cy"]
            read = station.all(CardRead)[0]
            await station.wait(0.6)
            denied = station.last(AccessDenied)
            assert (denied.holder, denied.reason) == ("Ada", Reason.STORAGE)
            assert (denied.at - read.at).total_seconds() == pytest.approx(0.5, abs=1e-5)
            station.gate.stalled = False
            await station.wait(1)

    on_station(body)


def test_row_18_a_full_disk_refuses_limited_uses_only(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=CARD, uses=5)
            await station.enrol("Bo", card="H10301:9:9999")
            station.gate.error = OSError(errno.ENOSPC, "No space left on device")
            station.readers["reader1"].swipe(BITS)
            station.readers["reader1"].swipe(OTHER)
            await station.wait(1)
            assert station.last(AccessDenied).reason is Reason.STORAGE
            assert station.last(AccessGranted).holder == "Bo"

    on_station(body)


def test_a_recorded_use_names_the_card_as_its_cause(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=CARD, uses=2)
            station.readers["reader1"].swipe(BITS)
            await station.wait(1)
            used = station.last(EntriesChanged)
            assert (used.change, used.cause) == ("used", station.last(CardRead).id)

    on_station(body)


# keys


def test_a_pin_and_hash_is_granted_and_never_told(on_station: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", pin="31415926")
            station.readers["reader1"].keys("31415926#")
            await station.wait()
            granted = station.last(AccessGranted)
            assert (granted.credential, granted.holder) == ("PIN", "Ada")
            assert granted.cause == station.last(PinEntered).id
            assert station.last(PinEntered).digits == 8
            station.readers["reader1"].keys("31415927#")
            await station.wait()
            assert station.last(AccessDenied).reason is Reason.UNKNOWN
            assert "3141592" not in repr(station.facts) + caplog.text + " ".join(station.alarms)

    on_station(body)


def test_star_forgets_a_pause_forgets_and_hash_alone_is_nothing(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", pin="4711")
            reader = station.readers["reader1"]
            reader.keys("#99*4711#")
            await station.wait()
            assert len(station.all(AccessGranted)) == len(station.all(PinEntered)) == 1
            reader.keys("47")
            await station.wait(9.9)
            reader.keys("11#")
            await station.wait()
            assert len(station.all(AccessGranted)) == 2
            reader.keys("99")
            await station.wait(10)
            reader.keys("4711#")
            await station.wait()
            assert len(station.all(AccessGranted)) == 3
            assert station.all(AccessDenied) == []

    on_station(body)


def test_a_pin_longer_than_any_is_denied_and_not_cut(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", pin="1" * 32)
            station.readers["reader1"].keys("1" * 33 + "#")
            await station.wait()
            assert station.last(PinEntered).digits == 33
            assert station.last(AccessDenied).reason is Reason.UNKNOWN

    on_station(body)


def test_keys_of_two_readers_do_not_mix(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", pin="4711")
            station.readers["reader1"].keys("47")
            station.readers["reader2"].keys("11#")
            await station.wait()
            assert station.all(AccessGranted) == []

    on_station(body)


def test_keys_of_a_reader_without_a_keypad_count_for_nothing(on_station: Any) -> None:
    async def body(station: Any) -> None:
        config = {"doors": {"door": {"relay": "relay1", "readers": ["reader1"]}}, "keypads": []}
        async with station.boot(config):
            await station.enrol("Ada", pin="4711")
            station.readers["reader1"].keys("4711#")
            await station.wait()
            assert station.all(PinEntered) == []
            assert station.core.bus.state(ReaderState, "reader1").keypad is False

    on_station(body)


# state and noise


def test_a_reader_says_what_it_is(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            state = station.core.bus.state(ReaderState, "reader1")
            assert (state.alias, state.door, state.keypad, state.led) == ("front", "door", True, "green red")
            assert station.core.bus.state(ReaderState, "reader3").door == ""

    on_station(body)


def test_noise_is_counted_and_a_storm_is_told_once_a_second(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            reader = station.readers["reader1"]
            reader.noise()
            first = station.last(ReaderNoise)
            assert (first.reader, first.trouble, first.bits) == ("reader1", "frame too short", 13)
            assert station.last(ReaderState).discarded == 1
            for _ in range(1000):
                reader.noise()
                await station.wait(0.002)
            await station.wait(2)
            assert station.last(ReaderState).discarded == 1001
            assert len(station.all(ReaderNoise)) <= 5

    on_station(body)


def test_a_reader_faster_than_its_decisions_loses_and_counts(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.patch("access", holders=100)
            cards = [f"H10301:7:{number}" for number in range(100)]
            text = "name,card\n" + "".join(f"x,{card}\n" for card in cards)
            await station.act("entries.import", text=text)
            for card in cards:
                station.readers["reader1"].swipe(encode(parse(card)))
            await station.wait(2)
            assert len(station.all(AccessGranted)) == 64
            assert station.last(ReaderState).discarded == 36

    on_station(body)


def test_a_fault_in_saving_the_counts_leaves_no_entry_list_open(
    on_station: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(throttles: Throttles) -> None:
        raise RuntimeError("the counts are beyond saving")

    async def boot(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=CARD)
            assert open_files("entries.db")
            monkeypatch.setattr(Throttles, "stop", fails)

    async def body(station: Any) -> None:
        with pytest.raises(ExceptionGroup) as failed:
            await boot(station)
        assert failed.group_contains(RuntimeError, match="beyond saving")
        assert not open_files("entries.db")

    on_station(body)
