"""Guessing, walking, replaying and flooding at a reader: hardening rows 8, 10 and 11. Whoever is known still passes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.access.oddity import BURST, PER_S, RateLimit
from firmware.access.throttle import FREE_FAILURES, LONGEST_PAUSE_S, NS, Throttle
from firmware.core.cards.credential import encode, parse
from firmware.core.vocabulary.access import (
    AccessDenied,
    AccessGranted,
    CardRead,
    Guess,
    Oddity,
    ReaderState,
    ReaderThrottle,
    Reason,
    Suspicious,
)

CARD = "H10301:42:1234"
BITS = encode(parse(CARD))


def card(number: int) -> str:
    return encode(parse(f"H10301:9:{number}"))


# PINs


def test_row_10_five_unknown_pins_close_the_keypad_longer_each_time_and_cards_still_work(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", pin="4711")
            await station.enrol("Bo", card=CARD)
            reader = station.readers["reader1"]

            async def type_in(pin: str) -> Any:
                reader.keys(pin + "#")
                await station.wait(0.01)
                return station.facts[-1]

            for guess in range(5):
                assert (await type_in(f"{guess}")).reason is Reason.UNKNOWN
            for pause_s in (30, 60, 120, 240, 480, 900, 900):
                await station.wait(pause_s - 1)
                assert (await type_in("4711")).reason is Reason.THROTTLED
                reader.swipe(BITS)
                await station.wait(0.01)
                assert station.facts[-1].holder == "Bo"
                await station.wait(1)
                assert (await type_in("0")).reason is Reason.UNKNOWN
            station.readers["reader2"].keys("4711#")  # the other reader is not concerned
            await station.wait(0.01)
            assert station.facts[-1].holder == "Ada"
            await station.wait(900)
            assert (await type_in("4711")).holder == "Ada"
            for guess in range(4):
                await type_in(f"{guess}")
            assert (await type_in("4711")).holder == "Ada"

    on_station(body)


def test_row_10_each_step_is_told_and_the_end_of_a_pause_too(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            for guess in range(5):
                station.readers["reader1"].keys(f"{guess}#")
                await station.wait(0.01)
            steps = [(each.failures, each.closed, each.pause_s) for each in station.all(ReaderThrottle)]
            assert steps == [(1, False, 0), (2, False, 0), (3, False, 0), (4, False, 0), (5, True, 30)]
            odd = station.last(Suspicious)
            assert (odd.oddity, odd.reader, odd.door) == (Oddity.GUESSING, "reader1", "door")
            closed = station.all(ReaderThrottle)[-1]
            await station.wait(31)
            opened = station.last(ReaderThrottle)
            assert (opened.closed, opened.failures) == (False, 5)
            assert (opened.at - closed.at).total_seconds() == pytest.approx(30, abs=1e-3)

    on_station(body)


async def guesses(station: Any, count: int) -> None:
    for guess in range(count):
        station.readers["reader1"].keys(f"{guess}#")
        await station.wait(0.01)


def test_row_10_a_restart_gives_neither_the_count_nor_the_pause_back(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", pin="4711")
            await guesses(station, 4)
        async with station.boot():
            await guesses(station, 1)
            assert station.last(ReaderThrottle).closed
            await station.wait(10)
        async with station.boot():
            state = station.core.bus.state(ReaderThrottle, "reader1", Guess.PIN.value)
            assert (state.closed, state.failures) == (True, 5)
            station.readers["reader1"].keys("4711#")
            await station.wait(0.01)
            assert station.last(AccessDenied).reason is Reason.THROTTLED
            await station.wait(30)
            station.readers["reader1"].keys("4711#")
            await station.wait(0.01)
            assert station.last(AccessGranted).holder == "Ada"

    on_station(body)


@pytest.mark.parametrize("step_s", [-3600.0, 0.0, 3600.0])
def test_row_10_a_clock_nobody_trusts_neither_shortens_nor_lengthens_a_pause(on_station: Any, step_s: float) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", pin="4711")
            await guesses(station, 5)
        station.clock.set_trusted(False)
        station.clock.step_utc(step_s)
        async with station.boot():
            for wait_s, reason in ((29.5, Reason.THROTTLED), (1.0, None)):
                await station.wait(wait_s)
                station.readers["reader1"].keys("4711#")
                await station.wait(0.01)
                if reason is not None:
                    assert station.last(AccessDenied).reason is reason
            assert station.last(AccessGranted).holder == "Ada"

    on_station(body)


def test_row_10_time_without_power_counts_where_the_clock_is_trusted(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", pin="4711")
            await guesses(station, 5)
        await station.wait(60)
        async with station.boot():
            station.readers["reader1"].keys("4711#")
            await station.wait(0.01)
            assert station.last(AccessGranted).holder == "Ada"

    on_station(body)


def test_row_10_damaged_counts_are_told_and_nothing_else(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", pin="4711")
            await guesses(station, 1)
        for path in station.root.glob("access-throttle*"):
            path.write_bytes(b"rubbish")
        async with station.boot():
            assert any("access-throttle" in alarm for alarm in station.alarms)
            station.readers["reader1"].keys("4711#")
            await station.wait(0.01)
            assert station.last(AccessGranted).holder == "Ada"

    on_station(body)


def test_row_47_the_file_of_the_counts_holds_no_guess(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            station.readers["reader1"].keys("31415926#")
            await station.wait(1)
        stored = b"".join(path.read_bytes() for path in station.root.glob("access-throttle*"))
        assert b"failures" in stored
        assert b"31415926" not in stored
        assert json.loads(stored.split(b"\n", 1)[1].split(b"lintel", 1)[0])["reader1 PIN"]["failures"] == 1

    on_station(body)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2_000 * NS)), max_size=40))
def test_row_10_no_rhythm_of_guesses_beats_the_throttle(moves: list[tuple[bool, int]]) -> None:
    throttle, now_ns, tried, since = Throttle(), 0, 0, 0
    for success, wait_ns in moves:
        now_ns += wait_ns
        if throttle.closed(now_ns):
            continue
        if success:
            throttle.succeeded()
            tried = 0
            continue
        tried += 1
        pause_s = throttle.failed(now_ns)
        assert (pause_s > 0) is (tried >= FREE_FAILURES)
        assert pause_s <= LONGEST_PAUSE_S
        if tried > FREE_FAILURES:
            assert now_ns - since >= 30 * NS
        since = now_ns


# cards


def test_row_11_walking_through_card_numbers_is_told_and_refused_and_entries_still_pass(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=CARD)
            reader = station.readers["reader1"]
            for number in range(5):
                reader.swipe(card(number))
                await station.wait(1)
                assert station.last(AccessDenied).reason is Reason.UNKNOWN
            odd = station.last(Suspicious)
            assert (odd.oddity, odd.reader) == (Oddity.WALKING, "reader1")
            assert station.last(ReaderThrottle).guess is Guess.CARD
            reader.swipe(card(6))
            await station.wait(1)
            assert station.last(AccessDenied).reason is Reason.THROTTLED
            reader.swipe(BITS)
            await station.wait(1)
            assert station.last(AccessGranted).holder == "Ada"

    on_station(body)


def test_row_11_one_strange_card_again_and_again_is_no_walk(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            for _ in range(20):
                station.readers["reader1"].swipe(card(1))
                await station.wait(1)
            assert station.last(ReaderThrottle).failures == 1
            assert station.all(Suspicious) == []

    on_station(body)


def test_row_11_a_walk_survives_a_restart(on_station: Any) -> None:
    async def body(station: Any) -> None:
        for boot in range(5):
            async with station.boot():
                station.readers["reader1"].swipe(card(boot))
                await station.wait(1)
        async with station.boot():
            station.readers["reader1"].swipe(card(9))
            await station.wait(1)
            assert station.last(AccessDenied).reason is Reason.THROTTLED

    on_station(body)


def test_row_8_a_frame_replayed_at_once_is_one_card(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            view = await station.enrol("Ada", card=CARD, uses=5)
            for _ in range(10):
                station.readers["reader1"].swipe(BITS)
                await station.wait(0.03)
            await station.wait(1)
            assert len(station.all(AccessGranted)) == len(station.all(CardRead)) == 1
            assert station.entries.book.get(view.id).uses_left == 4
            assert [each.oddity for each in station.all(Suspicious)] == [Oddity.REPEATED]
            assert station.last(ReaderState).discarded == 9

    on_station(body)


def test_row_8_a_flood_of_strange_cards_is_cut_off_and_an_entry_passes_through_it(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            await station.enrol("Ada", card=CARD)
            for number in range(200):
                station.readers["reader1"].swipe(card(number))
                await station.wait(0.02)
            station.readers["reader1"].swipe(BITS)
            await station.wait(0.02)
            assert station.last(AccessGranted).holder == "Ada"
            strange = len(station.all(CardRead)) - 1
            assert strange <= BURST + PER_S * 200 * 0.02 + 1
            assert station.last(Suspicious).oddity is Oddity.FLOOD
            assert len([each for each in station.all(Suspicious) if each.oddity is Oddity.FLOOD]) <= 5

    on_station(body)


@pytest.mark.parametrize(("policy", "granted"), [("flag", 2), ("deny", 1)])
def test_row_8_one_card_at_two_readers_at_once_is_told_or_denied(on_station: Any, policy: str, granted: int) -> None:
    async def body(station: Any) -> None:
        async with station.boot():
            view = await station.enrol("Ada", card=CARD)
            await station.patch("access", double_use=policy)
            station.readers["reader1"].swipe(BITS)
            await station.wait(0.3)
            station.readers["reader2"].swipe(BITS)
            await station.wait(0.3)
            odd = station.last(Suspicious)
            assert (odd.oddity, odd.reader, odd.entry) == (Oddity.TWO_PLACES, "reader2", view.id)
            assert "reader1" in odd.detail
            assert len(station.all(AccessGranted)) == granted
            if policy == "deny":
                assert station.last(AccessDenied).reason is Reason.DOUBLE_USE
            await station.wait(2)
            station.readers["reader1"].swipe(BITS)
            await station.wait(0.3)
            assert len(station.all(AccessGranted)) == granted + 1

    on_station(body)


@given(st.lists(st.integers(0, NS), max_size=200))
def test_row_8_the_rate_of_cards_is_bounded_whatever_their_rhythm(gaps_ns: list[int]) -> None:
    limit, t_ns, taken = RateLimit(), 0, 0
    for gap_ns in gaps_ns:
        t_ns += gap_ns
        taken += limit.take(t_ns)
    assert taken <= BURST + PER_S * t_ns / NS + 1
