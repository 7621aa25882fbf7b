"""What is presented from afar goes the way of what is presented at the reader; and the card read last."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.access.latest import bytes_of, reversed_bytes
from firmware.core.actions import SYSTEM, Caller, Level
from firmware.core.cards.credential import encode, parse
from firmware.core.errors import Forbidden, Invalid, NotFound, StationError
from firmware.core.vocabulary.access import AccessDenied, AccessGranted, By, CardRead, PinEntered, QrPresented, Reason
from firmware.core.vocabulary.entries import Outcome

CARD = "H10301:42:1234"
BITS = encode(parse(CARD))
UID = "04A1B2C3"
UID_BITS = "00000100101000011011001011000011"
OPERATOR = Caller("op", Level.OPERATOR, "api")
ONE_DOOR = {"doors": {"door": {"relay": "relay1", "readers": ["reader1"]}}}


def test_a_checked_card_is_granted_as_at_the_reader_and_marked(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot(ONE_DOOR):
            view = await station.enrol("Ada", card=CARD, uses=2)
            answer = await station.act("access.check", card=CARD)
            assert (answer.outcome, answer.entry, answer.holder) == (Outcome.GRANTED, view.id, "Ada")
            granted = station.last(AccessGranted)
            assert (granted.by, granted.door, granted.reader) == (By.CHECK, "door", "reader1")
            assert granted.cause == station.last(CardRead).id
            assert station.last(CardRead).by is By.CHECK
            assert station.entries.book.get(view.id).uses_left == 1
            answer = await station.act("access.check", card="H10301:9:9999", reader="front")
            assert (answer.outcome, answer.reason) == (Outcome.DENIED, Reason.UNKNOWN)
            with pytest.raises(NotFound, match="no card was read"):
                await station.act("access.latest")

    on_station(body)


def test_where_both_are_needed_the_uid_is_entered_first_and_then_the_pin(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot(ONE_DOOR):
            await station.enrol("Ada", card=f"UID:{UID}", pin="4711")
            answer = await station.act("access.check", uid="04:a1:b2:c3")
            assert answer.outcome is Outcome.PIN_WANTED
            answer = await station.act("access.check", pin="4711")
            assert (answer.outcome, answer.holder) == (Outcome.GRANTED, "Ada")
            assert station.last(AccessGranted).by is By.CHECK
            assert station.last(PinEntered).by is By.CHECK
            answer = await station.act("access.check", pin="4711")
            assert (answer.outcome, answer.reason) == (Outcome.DENIED, Reason.UNKNOWN)

    on_station(body)


def test_a_check_without_a_controller_waits_for_nobody_and_a_forwarded_one_says_so(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot(ONE_DOOR):
            await station.patch("access", use_controller=True)
            answer = await station.act("access.check", card="H10301:9:9999")
            assert (answer.outcome, answer.reason) == (Outcome.DENIED, Reason.CONTROLLER_AWAY)
            assert station.last(AccessDenied).by is By.CHECK

    on_station(body)


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        ({}, Invalid, "exactly one of card, uid, pin and qr, not 0"),
        ({"card": CARD, "pin": "1"}, Invalid, "not 2"),
        ({"card": "H1301:1:2"}, Invalid, "did you mean 'H10301'"),
        ({"uid": "04A"}, Invalid, "uid"),
        ({"pin": "12x4"}, Invalid, "pin"),
        ({"card": CARD, "reader": "frnt"}, NotFound, "did you mean 'front'"),
        ({"card": CARD, "reader": "reader3"}, Invalid, "serves no door"),
    ],
)
def test_a_wrong_check_is_one_clear_error_and_presents_nothing(
    on_station: Any, data: dict[str, Any], error: type[StationError], words: str
) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            station.facts.clear()
            with pytest.raises(error, match=words) as caught:
                await station.act("access.check", **data)
            assert "12x4" not in str(caught.value)
            assert station.facts == []

    on_station(body)


def test_a_check_is_for_administrators_and_a_sight_for_the_device_itself(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot(ONE_DOOR):
            with pytest.raises(Forbidden):
                await station.act("access.check", OPERATOR, card=CARD)
            with pytest.raises(Forbidden):
                await station.act("access.present", card=CARD)

    on_station(body)


def test_a_qr_text_the_camera_saw_opens_and_is_never_told(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot(ONE_DOOR):
            await station.enrol("Ada", qr="canary-text")
            answer = await station.act("access.present", SYSTEM, qr="canary-text")
            assert (answer.outcome, answer.holder) == (Outcome.GRANTED, "Ada")
            granted = station.last(AccessGranted)
            assert (granted.credential, granted.by) == ("QR", By.ENTRIES)
            assert granted.cause == station.last(QrPresented).id
            for number in range(6):
                await station.act("access.present", SYSTEM, qr=f"canary-{number}")
            assert station.last(AccessDenied).reason is Reason.THROTTLED
            answer = await station.act("access.present", SYSTEM, qr="canary-text")
            assert answer.outcome is Outcome.GRANTED
            assert "canary" not in repr(station.facts)

    on_station(body)


# the card read last


def test_the_latest_card_is_what_enrolment_takes(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            station.readers["reader1"].swipe(BITS)
            await station.wait(1)
            station.readers["reader2"].swipe(UID_BITS)
            await station.wait(1)
            latest = await station.act("access.latest", OPERATOR, reader="front")
            assert (latest.reader, latest.card, latest.fitting, latest.entry) == ("reader1", CARD, (CARD,), "")
            assert latest.uid == ""  # 26 bits are no whole bytes
            view = await station.enrol("Ada", card=latest.card)
            station.readers["reader1"].swipe(BITS)
            await station.wait(1)
            assert station.last(AccessGranted).holder == "Ada"
            latest = await station.act("access.latest")
            assert (latest.reader, latest.entry, latest.holder) == ("reader1", view.id, "Ada")
            with pytest.raises(NotFound, match="did you mean 'front'"):
                await station.act("access.latest", reader="frnt")
            with pytest.raises(NotFound, match="no card was read"):
                await station.act("access.latest", reader="reader3")

    on_station(body)


def test_a_uid_is_turned_round_and_back(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            station.readers["reader1"].swipe(UID_BITS)
            await station.wait(1)
            straight = await station.act("access.latest")
            turned = await station.act("access.latest", reverse=True)
            assert (straight.uid, straight.reversed) == (UID, False)
            assert (turned.uid, turned.reversed, turned.card) == ("C3B2A104", True, "UID:C3B2A104")
            assert parse(straight.card) == parse(UID_BITS)
            assert (await station.act("access.latest", reverse=False)).uid == UID

    on_station(body)


def test_a_card_with_a_wrong_parity_is_the_latest_too(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            wrong = ("1" if BITS[0] == "0" else "0") + BITS[1:]
            station.readers["reader1"].swipe(wrong)
            await station.wait(1)
            assert (await station.act("access.latest")).card == f"RAW:26:{wrong}"

    on_station(body)


@given(st.binary(max_size=64))
def test_turning_bytes_round_twice_gives_them_back(data: bytes) -> None:
    assert reversed_bytes(reversed_bytes(data)) == data
    bits = "".join(f"{byte:08b}" for byte in data)
    assert bytes_of(bits) == data
