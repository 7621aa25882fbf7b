"""What the entry list does not know is asked of the door controller, and nobody at a reader waits for that.

The controller here is a second service on the same action table: it answers when the test lets it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from firmware.core.actions import Invocation, Level
from firmware.core.cards.credential import encode, parse
from firmware.core.errors import Unavailable
from firmware.core.vocabulary.access import (
    AccessDenied,
    AccessForwarded,
    AccessGranted,
    By,
    CardRead,
    Oddity,
    PinEntered,
    ReaderThrottle,
    Reason,
    Suspicious,
)
from firmware.core.vocabulary.controller import ForwardAnswer, ForwardParams, Verdict

CARD = "H10301:42:1234"
BITS = encode(parse(CARD))
LONG = encode(parse("H10304:118:1603"))


def strange(number: int) -> str:
    return encode(parse(f"H10301:9:{number}"))


class Controller:
    """A door controller behind a slow line."""

    def __init__(self, station: Any) -> None:
        self.asked: list[ForwardParams] = []
        self.causes: list[str | None] = []
        self.answer: ForwardAnswer | Exception = ForwardAnswer(verdict=Verdict.GRANTED, granted=True)
        self.after_s = 0.0
        self._station = station
        station.core.actions.register(
            "controller.forward",
            ForwardParams,
            self._forward,
            summary="Ask the controller.",
            level=Level.SYSTEM,
            answer=ForwardAnswer,
            private=True,
        )

    async def _forward(self, invocation: Invocation) -> ForwardAnswer:
        assert isinstance(invocation.params, ForwardParams)
        self.asked.append(invocation.params)
        self.causes.append(invocation.cause)
        await self._station.clock.sleep(self.after_s)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def in_use(station: Any, **params: object) -> Controller:
    controller = Controller(station)
    await station.patch("access", use_controller=True, **params)
    return controller


def test_an_unknown_card_is_asked_of_the_controller_and_granted_by_it(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            controller = await in_use(station)
            station.readers["reader1"].swipe(LONG)
            await station.wait(0.1)
            asked = controller.asked[0]
            assert (asked.reader, asked.door, asked.bits, asked.pin) == ("reader1", "door", LONG, "")
            assert asked.fitting == ("H10302:0:61867587", "H10304:118:1603")
            granted = station.last(AccessGranted)
            assert (granted.entry, granted.holder, granted.by) == ("", "controller", By.CONTROLLER)
            assert granted.cause == controller.causes[0] == station.last(CardRead).id

    on_station(body)


def test_the_entry_list_goes_first_also_where_it_denies(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            controller = await in_use(station)
            await station.enrol("Ada", card=CARD)
            await station.enrol("Bo", card="H10301:9:1", event="denied")
            station.readers["reader1"].swipe(BITS)
            await station.wait(1)
            assert station.last(AccessGranted).holder == "Ada"
            station.readers["reader1"].swipe(strange(1))
            await station.wait(1)
            assert (station.last(AccessDenied).holder, station.last(AccessDenied).reason) == ("Bo", Reason.BLOCKED)
            assert controller.asked == []

    on_station(body)


def test_without_the_list_everything_is_asked_of_the_controller(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            controller = await in_use(station, use_entry_list=False)
            await station.enrol("Ada", card=CARD)
            station.readers["reader1"].swipe(BITS)
            await station.wait(0.1)
            assert len(controller.asked) == 1

    on_station(body)


def test_an_unreadable_card_is_still_the_controllers_to_judge(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            controller = await in_use(station)
            wrong = ("1" if BITS[0] == "0" else "0") + BITS[1:]
            station.readers["reader1"].swipe(wrong)
            await station.wait(0.1)
            assert (controller.asked[0].bits, controller.asked[0].fitting) == (wrong, ())

    on_station(body)


def test_a_controller_not_in_use_is_not_asked(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            controller = Controller(station)
            station.readers["reader1"].swipe(strange(1))
            await station.wait(0.1)
            assert controller.asked == []
            assert station.last(AccessDenied).reason is Reason.UNKNOWN

    on_station(body)


def test_a_slow_controller_delays_no_card_at_the_same_or_another_reader(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            controller = await in_use(station)
            await station.enrol("Ada", card=CARD)
            controller.after_s = 8.0
            station.readers["reader1"].swipe(strange(1))
            await station.wait(0.001)
            station.readers["reader1"].swipe(BITS)
            await station.wait(0.001)
            assert station.last(AccessGranted).holder == "Ada"
            await station.wait(2)
            station.readers["reader2"].swipe(BITS)
            await station.wait(0.001)
            assert [each.reader for each in station.all(AccessGranted)] == ["reader1", "reader2"]
            station.readers["reader1"].swipe(strange(2))
            await station.wait(6)
            assert station.last(AccessGranted).holder == "controller"
            await station.wait(3)
            assert [each.holder for each in station.all(AccessGranted)] == ["Ada", "Ada", "controller", "controller"]

    on_station(body)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ForwardAnswer(verdict=Verdict.DENIED, reason="unknown there"), Reason.CONTROLLER),
        (ForwardAnswer(verdict=Verdict.LOST), Reason.CONTROLLER_AWAY),
        (ForwardAnswer(verdict=Verdict.OFF), Reason.UNKNOWN),
        (Unavailable("controller", "its role restarts"), Reason.CONTROLLER_AWAY),
        (RuntimeError("a fault inside"), Reason.CONTROLLER_AWAY),
        (ForwardAnswer(verdict=Verdict.DENIED, granted=True), Reason.CONTROLLER),
    ],
)
def test_whatever_is_not_a_yes_is_denied(on_station: Any, answer: Any, reason: Reason) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            controller = await in_use(station)
            controller.answer = answer
            station.readers["reader1"].swipe(strange(1))
            await station.wait(0.1)
            denied = station.last(AccessDenied)
            assert (denied.reason, denied.holder, denied.entry) == (reason, "controller", "")
            controller.answer = ForwardAnswer(verdict=Verdict.GRANTED, granted=True)
            station.readers["reader1"].swipe(strange(1))
            await station.wait(0.2)
            station.readers["reader1"].swipe(strange(1))
            await station.wait(0.1)
            assert station.last(AccessGranted).holder == "controller"

    on_station(body)


def test_a_controller_that_is_absent_or_never_answers_denies(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.patch("access", use_controller=True)
            station.readers["reader1"].swipe(strange(1))
            await station.wait(0.1)
            assert station.last(AccessDenied).reason is Reason.CONTROLLER_AWAY
            controller = Controller(station)
            controller.after_s = 3600.0
            station.facts.clear()
            station.readers["reader1"].swipe(strange(2))
            await station.wait(9.9)
            assert station.all(AccessDenied) == []
            await station.wait(0.2)
            assert station.last(AccessDenied).reason is Reason.CONTROLLER_AWAY

    on_station(body)


def test_a_lost_controller_grants_where_its_room_says_so(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            controller = await in_use(station)
            controller.answer = ForwardAnswer(verdict=Verdict.LOST, granted=True, reason="by parameter")
            station.readers["reader1"].swipe(strange(1))
            await station.wait(0.1)
            assert station.last(AccessGranted).by is By.CONTROLLER

    on_station(body)


def test_what_went_over_a_wire_is_told_and_neither_granted_nor_denied(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            controller = await in_use(station)
            controller.answer = ForwardAnswer(verdict=Verdict.SENT)
            for number in range(8):
                station.readers["reader1"].swipe(strange(number))
                await station.wait(1)
            sent = station.last(AccessForwarded)
            assert (sent.door, sent.reader, sent.credential) == ("door", "reader1", "H10301:9:7")
            assert len(station.all(AccessForwarded)) == 8
            assert station.all(AccessGranted) == station.all(AccessDenied) == station.all(Suspicious) == []

    on_station(body)


def test_row_11_a_walk_is_told_also_with_a_controller_and_its_cards_still_pass(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            controller = await in_use(station)
            controller.answer = ForwardAnswer(verdict=Verdict.DENIED)
            for number in range(6):
                station.readers["reader1"].swipe(strange(number))
                await station.wait(1)
            assert station.all(Suspicious)[0].oddity is Oddity.WALKING
            controller.answer = ForwardAnswer(verdict=Verdict.GRANTED, granted=True)
            station.readers["reader1"].swipe(LONG)
            await station.wait(1)
            assert station.last(AccessGranted).holder == "controller"

    on_station(body)


def test_row_8_no_more_than_a_few_questions_of_one_reader_are_under_way(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            controller = await in_use(station)
            controller.after_s = 5.0
            for number in range(8):
                station.readers["reader1"].swipe(strange(number))
                await station.wait(0.01)
            station.readers["reader2"].swipe(strange(20))
            await station.wait(0.01)
            assert [each.reason for each in station.all(AccessDenied)] == [Reason.BUSY] * 4
            assert [each.reader for each in controller.asked] == ["reader1"] * 4 + ["reader2"]
            await station.wait(6)
            assert len(station.all(AccessGranted)) == 5

    on_station(body)


def test_row_10_an_unknown_pin_is_asked_and_guessing_through_us_is_throttled(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            controller = await in_use(station)
            station.readers["reader1"].keys("27182818#")
            await station.wait(0.1)
            assert (controller.asked[0].pin, controller.asked[0].bits) == ("27182818", "")
            assert station.last(AccessGranted).credential == "PIN"
            controller.answer = ForwardAnswer(verdict=Verdict.DENIED)
            for _ in range(7):
                station.readers["reader1"].keys("27182819#")
                await station.wait(0.1)
            assert len(controller.asked) == 6
            assert station.last(AccessDenied).reason is Reason.THROTTLED
            assert station.last(ReaderThrottle).closed
            assert "2718281" not in repr(station.facts)

    on_station(body)


def test_card_and_pin_are_asked_together_where_the_reader_wants_both(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            controller = await in_use(station, mode="card and PIN", pin_length=4)
            station.readers["reader1"].swipe(LONG)
            await station.wait(0.1)
            assert controller.asked == []
            station.readers["reader1"].keys("2718")
            await station.wait(0.1)
            assert (controller.asked[0].bits, controller.asked[0].pin) == (LONG, "2718")
            assert station.last(AccessGranted).credential == "H10302:0:61867587"

    on_station(body)


def test_keys_go_on_singly_and_in_order_where_no_pins_are_used(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            controller = await in_use(station, pin_length=0)
            controller.answer = ForwardAnswer(verdict=Verdict.SENT)
            controller.after_s = 0.3
            station.readers["reader1"].keys("2718#*")
            await station.wait(5)
            assert [each.key for each in controller.asked] == list("2718#*")
            assert station.all(PinEntered) == station.all(AccessForwarded) == []

    on_station(body)


def test_a_stop_while_a_question_is_under_way_leaves_nothing_behind(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            controller = await in_use(station)
            controller.after_s = 3600.0
            station.readers["reader1"].swipe(strange(1))
            await station.wait(0.1)
        assert len(asyncio.all_tasks()) == 1

    on_station(body)
