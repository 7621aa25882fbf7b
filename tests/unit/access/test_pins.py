"""PINs at a keypad: alone with #, after a card, of a set length, in every mode of a reader; and numbers to call."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.access.keypad import MAX_DIGITS, NS, Keypad
from firmware.core.cards.credential import encode, parse
from firmware.core.vocabulary.access import (
    AccessDenied,
    AccessGranted,
    CardRead,
    PinEntered,
    PinWanted,
    ReaderThrottle,
    Reason,
    SpeedDialled,
)

CARD = "H10301:42:1234"
BITS = encode(parse(CARD))
OTHER = encode(parse("H10301:9:9999"))


def test_card_and_pin_open_together_only(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=CARD, pin="4711")
            reader = station.readers["reader1"]
            reader.swipe(BITS)
            await station.wait(0.1)
            wanted = station.last(PinWanted)
            assert (wanted.reader, wanted.within_s, wanted.cause) == ("reader1", 10.0, station.last(CardRead).id)
            assert station.all(AccessGranted) == station.all(AccessDenied) == []
            reader.keys("4711#")
            await station.wait(0.1)
            granted = station.last(AccessGranted)
            assert (granted.holder, granted.credential) == ("Ada", CARD)
            assert granted.cause == station.last(PinEntered).id
            assert station.last(PinEntered).cause == station.last(CardRead).id
            reader.keys("4711#")
            await station.wait(0.1)
            assert station.last(AccessDenied).reason is Reason.UNKNOWN
            assert len(station.all(AccessGranted)) == 1

    on_station(body)


def test_the_last_digit_of_a_pin_after_a_card_needs_no_hash_where_the_length_is_set(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.patch("access", pin_length=4)
            await station.enrol("Ada", card=CARD, pin="4711")
            await station.enrol("Bo", pin="2718")
            reader = station.readers["reader1"]
            reader.swipe(BITS)
            await station.wait(0.1)
            reader.keys("4711")
            await station.wait(0.1)
            assert station.last(AccessGranted).holder == "Ada"
            reader.keys("#2718")
            await station.wait(0.1)
            assert len(station.all(PinEntered)) == 1, "a PIN alone is finished by # (manual 001, Use the keypad)"
            reader.keys("#")
            await station.wait(0.1)
            assert station.last(AccessGranted).holder == "Bo"

    on_station(body)


def test_a_wrong_pin_after_a_card_counts_as_guessing_and_tells_nothing(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=CARD, pin="4711")
            await station.enrol("Bo", card="H10301:9:9999")
            reader = station.readers["reader1"]
            for _ in range(5):
                reader.swipe(BITS)
                await station.wait(0.5)
                reader.keys("0000#")
                await station.wait(0.5)
                assert station.last(AccessDenied).reason is Reason.WRONG_PIN
            assert station.last(ReaderThrottle).closed
            reader.swipe(BITS)
            await station.wait(0.5)
            assert station.last(AccessDenied).reason is Reason.THROTTLED
            reader.swipe(OTHER)
            await station.wait(0.5)
            assert station.last(AccessGranted).holder == "Bo"

    on_station(body)


def test_a_card_whose_pin_does_not_come_is_denied_after_the_timeout(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.patch("access", pin_timeout_s=3)
            await station.enrol("Ada", card=CARD, pin="4711")
            reader = station.readers["reader1"]
            reader.swipe(BITS)
            await station.wait(2.9)
            reader.keys("47")
            await station.wait(2.9)
            assert station.all(AccessDenied) == []
            await station.wait(0.2)
            denied = station.last(AccessDenied)
            assert (denied.reason, denied.holder, denied.cause) == (Reason.NO_PIN, "Ada", station.last(CardRead).id)
            reader.keys("11#")
            await station.wait(0.1)
            assert station.all(AccessGranted) == []

    on_station(body)


def test_another_card_takes_the_place_of_one_that_waits(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=CARD, pin="4711")
            await station.enrol("Bo", card="H10301:9:9999")
            reader = station.readers["reader1"]
            reader.swipe(BITS)
            await station.wait(0.1)
            reader.swipe(OTHER)
            await station.wait(0.1)
            assert (station.last(AccessDenied).holder, station.last(AccessDenied).reason) == ("Ada", Reason.NO_PIN)
            assert station.last(AccessGranted).holder == "Bo"
            reader.keys("4711#")
            await station.wait(0.1)
            assert station.last(AccessDenied).reason is Reason.UNKNOWN

    on_station(body)


def test_an_entry_removed_while_its_card_waits_opens_nothing(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            view = await station.enrol("Ada", card=CARD, pin="4711")
            station.readers["reader1"].swipe(BITS)
            await station.wait(0.1)
            await station.act("entries.remove", id=view.id)
            station.readers["reader1"].keys("4711#")
            await station.wait(0.1)
            assert station.last(AccessDenied).reason is Reason.UNKNOWN
            assert station.all(AccessGranted) == []

    on_station(body)


def test_a_reader_without_a_keypad_never_opens_for_card_and_pin(on_station: Any) -> None:
    async def body(station: Any) -> None:
        config = {"doors": {"door": {"relay": "relay1", "readers": ["reader1"]}}, "keypads": []}
        async with station.boot(config):
            await station.enrol("Ada", card=CARD, pin="4711")
            station.readers["reader1"].swipe(BITS)
            await station.wait(0.1)
            assert station.last(AccessDenied).reason is Reason.NO_PIN

    on_station(body)


@pytest.mark.parametrize(
    ("mode", "card", "pin", "both"),
    [
        ("card or PIN", "granted", "granted", "granted"),
        ("card", "granted", None, Reason.NO_PIN),
        ("PIN", Reason.MODE, "granted", "granted"),
        ("card and PIN", Reason.MODE, Reason.MODE, "granted"),
    ],
)
def test_a_mode_says_what_is_enough(on_station: Any, mode: str, card: Any, pin: Any, both: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.patch("access", mode="card", reader_modes={"reader1": mode})
            await station.enrol("Ada", card=CARD)
            await station.enrol("Bo", pin="2718")
            await station.enrol("Cy", card="H10301:9:9999", pin="4711")
            reader = station.readers["reader1"]

            async def outcome(bits: str, keys: str) -> Any:
                station.facts.clear()
                if bits:
                    reader.swipe(bits)
                    await station.wait(0.5)
                reader.keys(keys)
                await station.wait(0.5)
                ends = [fact for fact in station.facts if isinstance(fact, AccessGranted | AccessDenied)]
                return None if not ends else "granted" if isinstance(ends[0], AccessGranted) else ends[0].reason

            assert await outcome(BITS, "*") == card
            assert await outcome("", "2718#") == pin
            assert await outcome(OTHER, "4711#") == both

    on_station(body)


def test_where_no_pins_are_used_keys_do_nothing(on_station: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", pin="4711")
            await station.patch("access", pin_length=0)
            station.facts.clear()
            station.readers["reader1"].keys("4711#")
            await station.wait(0.1)
            assert station.facts == []

    on_station(body)


# numbers to call


def test_digits_and_the_call_key_are_a_number_to_call(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            station.readers["reader1"].keys("9*102")
            await station.wait(1)
            assert (await station.act("keypad.dial")).number == "102"
            dialled = station.last(SpeedDialled)
            assert (dialled.reader, dialled.number) == ("reader1", "102")
            assert (await station.act("keypad.dial", reader="front")).number == ""
            station.readers["reader1"].keys("102")
            await station.wait(10)
            assert (await station.act("keypad.dial")).number == ""
            assert len(station.all(SpeedDialled)) == 1

    on_station(body)


def test_row_47_a_pin_is_never_a_number_to_call(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", pin="31415926")
            await station.enrol("Bo", card=CARD, pin="27182818")
            reader = station.readers["reader1"]
            for digits in ("31415926", "27182818", "531415926", "314159265"):  # also with a stray key before or behind
                reader.keys(digits)
                await station.wait(0.1)
                assert (await station.act("keypad.dial")).number == ""
            reader.swipe(BITS)
            await station.wait(0.1)
            reader.keys("1234")  # perhaps a slip of the finger, but meant for the card
            await station.wait(0.1)
            assert (await station.act("keypad.dial")).number == ""
            assert station.all(SpeedDialled) == []

    on_station(body)


@given(
    st.lists(st.tuples(st.sampled_from("0123456789*#"), st.integers(0, 4 * NS)), max_size=80),
    st.none() | st.integers(0, 32),
)
def test_what_a_keypad_finishes_is_what_was_typed_since_the_last_end(
    keys: list[tuple[str, int]], complete_at: int | None
) -> None:
    keypad, t_ns, typed = Keypad(), NS * 10, ""
    for key, wait_ns in keys:
        t_ns += wait_ns
        if wait_ns >= 3 * NS:
            typed = ""
        finished = keypad.press(key, t_ns, timeout_s=3.0, complete_at=complete_at)
        typed = "" if key == "*" else typed if key == "#" else typed + key
        ends = key == "#" or (key != "*" and bool(complete_at) and len(typed) == complete_at)
        if ends and typed:
            assert finished is not None
            assert finished.digits == len(typed)
            assert finished.pin == (typed if len(typed) <= MAX_DIGITS else None)
            assert typed not in repr(finished) or len(typed) < 3
        else:
            assert finished is None
        if ends:
            typed = ""
