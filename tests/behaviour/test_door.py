"""What a door station does at its door, from the card to the strike, in exact virtual time."""

from __future__ import annotations

from tests.bench.sim import SimBench

CARD = "H10301:42:1234"


async def test_a_known_card_opens_the_door_for_seven_seconds_with_green_light(bench: SimBench) -> None:
    bench.needs("reader:front", "relay:door")
    await bench.enrol(card=CARD)
    await bench.reader("front").swipe(CARD)
    pulse = await bench.relay("door").pulse()
    bench.measure("door.release_s", pulse.width_s, 7.0)
    await bench.settle()
    green = bench.reader("front").led.shown("green")
    assert len(green) == 1
    bench.measure("reader.green_s", green[0].width_s, 7.0)
    assert bench.relay("door").edges() == 2


async def test_the_journal_tells_the_whole_walk_of_a_card(bench: SimBench) -> None:
    await bench.enrol(card=CARD)
    await bench.reader("front").swipe(CARD)
    await bench.relay("door").pulse()
    walk = ["access/card", "access/granted", "door/released", "io/relay"]
    relay_on = next(event for event in bench.events("io/relay") if event.alias == "door" and event.on)
    assert bench.chain(relay_on) == walk
    relay_off = [event for event in bench.events("io/relay") if event.alias == "door" and not event.on][-1]
    assert bench.chain(relay_off) == walk
    answer = await bench.api("GET", "/journal?limit=50")
    assert answer.status_code == 200
    seen = [line["topic"] for line in answer.json()["lines"] if line["topic"] in walk and line["id"] != ""]
    assert [topic for topic in seen if topic != "io/relay"] == walk[:3]


async def test_an_unknown_card_is_denied_in_red_and_moves_no_relay(bench: SimBench) -> None:
    await bench.reader("front").swipe("H10301:9:9999")
    denied = await bench.event("access/denied")
    assert denied.reason == "unknown credential"
    await bench.advance(3.0)
    assert len(bench.reader("front").led.shown("red")) == 1
    assert bench.relay("door").edges() == 0


async def test_half_a_card_is_noise_and_not_a_card(bench: SimBench) -> None:
    await bench.enrol(card=CARD)
    bench.reader("front").fault("half")
    await bench.reader("front").swipe(CARD)
    await bench.event("access/reader/noise")
    await bench.advance(1.0)
    assert bench.events("access/card") == []
    assert bench.relay("door").edges() == 0


async def test_a_card_with_ten_uses_opens_ten_times(bench: SimBench) -> None:
    await bench.enrol(card=CARD, uses=2)
    for opened in (True, True, False):
        before = bench.relay("door").edges()
        await bench.reader("front").swipe(CARD)
        await bench.advance(8.0)
        assert (bench.relay("door").edges() > before) is opened
    assert bench.events("access/denied")[-1].reason == "no uses left"


async def test_a_pin_and_hash_opens_the_door(bench: SimBench) -> None:
    await bench.enrol(pin="48151623")  # longer than the six digits of a time's fraction, which are any digits
    await bench.reader("front").keys("48151623#")
    pulse = await bench.relay("door").pulse()
    bench.measure("door.release_s", pulse.width_s, 7.0)
    assert "48151623" not in repr(bench._events)


async def test_a_removed_card_opens_nothing(bench: SimBench) -> None:
    entry = await bench.enrol(card=CARD)
    assert (await bench.api("DELETE", f"/entries/{entry}")).status_code in (200, 204)
    await bench.reader("front").swipe(CARD)
    await bench.event("access/denied")
    assert bench.relay("door").edges() == 0


async def test_the_exit_button_releases_the_door(bench: SimBench) -> None:
    bench.needs("input:rex", "relay:door")
    bench.loop("input:rex").set("closed")
    await bench.event("door/exit")
    pulse = await bench.relay("door").pulse()
    bench.measure("door.release_s", pulse.width_s, 7.0)


async def test_row_12_a_stuck_exit_button_releases_once_and_is_reported(bench: SimBench) -> None:
    bench.loop("input:rex").set("closed")
    await bench.advance(120.0)
    assert bench.relay("door").edges() == 2
    alarm = await bench.event("door/alarm", kind="exit", active=True)
    assert alarm.door == "door"


async def test_row_12_a_cut_or_shorted_exit_loop_is_an_alarm_and_never_opens(bench: SimBench) -> None:
    for state in ("cut", "short"):
        bench.loop("input:rex").set(state)
        await bench.event("door/alarm", kind="exit", active=True)
        bench.loop("input:rex").set("open")
        await bench.advance(1.0)
    assert bench.relay("door").edges() == 0


async def test_row_12_a_cut_contact_is_tampering_not_an_open_door(bench: SimBench) -> None:
    bench.loop("contact:door").set("cut")
    await bench.event("door/alarm", kind="contact", active=True)
    state = bench.events("door/state")[-1]
    assert (state.position, state.tampered) == ("unknown", True)


async def test_a_door_opened_without_a_release_is_forced(bench: SimBench) -> None:
    bench.loop("contact:door").set("open")
    alarm = await bench.event("door/alarm", kind="forced", active=True)
    assert alarm.door == "door"
    bench.loop("contact:door").set("closed")
    await bench.event("door/alarm", kind="forced", active=False)


async def test_a_door_left_open_after_a_release_is_reported(bench: SimBench) -> None:
    await bench.enrol(card=CARD)
    await bench.reader("front").swipe(CARD)
    await bench.event("door/released")
    bench.loop("contact:door").set("open")
    await bench.event("door/alarm", kind="held_open", active=True, within_s=120.0)
    assert [event for event in bench.events("door/alarm") if event.kind == "forced" and event.active] == []


async def test_row_13_a_welded_relay_is_reported_within_two_seconds_without_a_retry_storm(bench: SimBench) -> None:
    await bench.enrol(card=CARD)
    bench.relay("door").fault("welded")
    await bench.event("io/relay/trouble", within_s=2.0, stuck=True)
    await bench.event("door/alarm", within_s=2.0, kind="strike", active=True)
    await bench.advance(60.0)
    assert bench.relay("door").edges() == 0
    assert len([event for event in bench.events("io/relay/trouble") if event.stuck]) == 1


async def test_row_15_a_hundred_opens_in_a_second_are_one_pulse(bench: SimBench) -> None:
    for _ in range(100):
        answer = await bench.action("door.release", door="door")
        assert answer.status_code == 200, answer.text
        await bench.advance(0.01)
    pulse = await bench.relay("door").pulse()
    bench.measure("door.extended_s", round(pulse.width_s, 2), round(7.0 + pulse_tail(bench), 2))
    assert bench.relay("door").edges() == 2


def pulse_tail(bench: SimBench) -> float:
    """From the first accepted release to the last."""
    released = bench.events("door/released")
    return float((released[-1].at - released[0].at).total_seconds())


async def test_row_16_a_clock_that_jumps_ten_years_moves_no_relay_and_shortens_no_release(bench: SimBench) -> None:
    await bench.enrol(card=CARD)
    await bench.reader("front").swipe(CARD)
    await bench.event("door/released")
    bench.clock.step_utc(10 * 365 * 86_400)
    await bench.advance(1.0)
    bench.clock.step_utc(-20 * 365 * 86_400)
    pulse = await bench.relay("door").pulse()
    bench.measure("door.release_s", pulse.width_s, 7.0)


async def test_row_16_before_the_time_is_known_unlimited_cards_work_and_limited_ones_do_not(bench: SimBench) -> None:
    await bench.enrol(card=CARD)
    await bench.enrol(card="H10301:1:2", valid_to="2099-01-01T00:00:00Z")
    bench.clock.set_trusted(False)
    await bench.reader("front").swipe("H10301:1:2")
    denied = await bench.event("access/denied")
    assert denied.reason == "time is not known"
    await bench.reader("front").swipe(CARD)
    await bench.relay("door").pulse()


async def test_row_14_a_restart_during_a_release_ends_it_with_one_edge(bench: SimBench) -> None:
    await bench.enrol(card=CARD)
    await bench.reader("front").swipe(CARD)
    await bench.event("door/released")
    await bench.restart()
    await bench.settle()
    assert not bench.relay("door").on
    assert bench.relay("door").edges() == 2
    # The entry is still there: the same card opens again.
    await bench.reader("front").swipe(CARD)
    await bench.event("door/released")


async def test_row_14_ten_restarts_move_no_relay(bench: SimBench) -> None:
    for _ in range(10):
        await bench.restart()
    assert bench.relay("door").edges() == 0
    assert bench.relay("aux").edges() == 0
