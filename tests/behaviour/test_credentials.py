"""What a door station does with cards, PINs and lists of holders, from the API to the strike."""

from __future__ import annotations

from tests.bench.sim import SimBench

CARD = "H10301:42:1234"
STRANGE = "H10301:9:9999"


async def test_a_card_and_its_pin_open_the_door_together_only(bench: SimBench) -> None:
    await bench.enrol(card=CARD, pin="4711")
    reader, door = bench.reader("front"), bench.relay("door")
    await reader.swipe(CARD)
    await bench.event("access/pin/wanted")
    await bench.advance(12.0)
    assert bench.events("access/denied")[-1].reason == "PIN is missing"
    await reader.keys("4711#")
    await bench.settle()
    assert bench.events("access/denied")[-1].reason == "unknown credential"
    assert door.edges() == 0
    await reader.swipe(CARD)
    await reader.keys("4711#")
    pulse = await door.pulse()
    bench.measure("door.release_s", pulse.width_s, 7.0)
    relay_on = next(event for event in bench.events("io/relay") if event.alias == "door" and event.on)
    assert bench.chain(relay_on) == ["access/card", "access/pin", "access/granted", "door/released", "io/relay"]


async def test_a_blocked_card_shows_red_and_names_its_holder(bench: SimBench) -> None:
    await bench.enrol(card=CARD, event="denied")
    await bench.reader("front").swipe(CARD)
    denied = await bench.event("access/denied")
    assert (denied.reason, denied.holder) == ("entry is blocked", f"holder {CARD}")
    await bench.advance(3.0)
    assert len(bench.reader("front").led.shown("red")) == 1
    assert bench.relay("door").edges() == 0


async def test_the_latest_card_is_enrolled_and_opens(bench: SimBench) -> None:
    assert (await bench.api("GET", "/readers/latest")).status_code == 404
    await bench.reader("front").swipe(CARD)
    await bench.settle()
    latest = await bench.api("GET", "/readers/latest?reader=front")
    assert latest.status_code == 200
    assert (latest.json()["card"], latest.json()["entry"]) == (CARD, "")
    await bench.enrol(card=latest.json()["card"])
    await bench.reader("front").swipe(CARD)
    bench.measure("door.release_s", (await bench.relay("door").pulse()).width_s, 7.0)


async def test_a_list_carried_from_one_start_to_another_opens_and_holds_no_pin(bench: SimBench) -> None:
    text = f"name,last_name,card,pin\nAda,Lovelace,{CARD},\nBo,,,31415926\n"
    looked = await bench.api("POST", "/entries/import", {"text": text, "dry_run": True})
    assert (looked.status_code, looked.json()["added"]) == (200, 2)
    assert (await bench.api("GET", "/entries")).json()["total"] == 0
    wrong = await bench.api("POST", "/entries/import", {"text": text + "Cy,,H1301:1:1,\n"})
    assert (wrong.status_code, wrong.json()["error"]["where"]) == (400, "entries.import.line 4.card")
    assert "did you mean 'H10301'" in wrong.text
    assert (await bench.api("GET", "/entries")).json()["total"] == 0
    done = await bench.api("POST", "/entries/import", {"text": text})
    assert (done.status_code, done.json()["added"]) == (200, 2)
    await bench.restart()
    file = await bench.api("GET", "/entries/export")
    assert "Lovelace" in file.text
    assert "31415926" not in file.text
    await bench.reader("front").swipe(CARD)
    await bench.relay("door").pulse()
    assert bench.events("access/granted")[-1].holder == "Ada Lovelace"
    again = await bench.api("POST", "/entries/import", {"text": file.text})
    assert (again.json()["added"], again.json()["changed"], again.json()["unchanged"]) == (0, 0, 2)


async def test_credentials_are_checked_from_afar_as_at_the_door(bench: SimBench) -> None:
    entry = await bench.enrol(card="UID:04A1B2C3", pin="4711")
    first = await bench.api("POST", "/readers/check", {"uid": "04:A1:B2:C3"})
    assert (first.status_code, first.json()["outcome"]) == (200, "PIN wanted")
    second = await bench.api("POST", "/readers/check", {"pin": "4711"})
    assert (second.json()["outcome"], second.json()["entry"]) == ("granted", entry)
    bench.measure("door.release_s", (await bench.relay("door").pulse()).width_s, 7.0)
    assert bench.events("access/granted")[-1].by == "check"


async def test_row_10_guessing_is_slowed_over_a_restart_and_cards_still_open(bench: SimBench) -> None:
    await bench.enrol(card=CARD)
    await bench.enrol(pin="4711")
    for guess in range(5):
        await bench.reader("front").keys(f"{guess}#")
        await bench.advance(1.0)
    assert bench.states("access/throttle")[0].closed is True
    await bench.restart()
    await bench.reader("front").keys("4711#")
    await bench.event("access/denied", reason="too many failures")
    await bench.reader("front").swipe(CARD)
    await bench.relay("door").pulse()
    await bench.advance(30.0)
    before = bench.relay("door").edges()
    await bench.reader("front").keys("4711#")
    await bench.advance(8.0)
    assert bench.relay("door").edges() == before + 2


async def test_a_card_the_list_does_not_know_goes_to_the_controller_bit_by_bit(bench: SimBench) -> None:
    bench.needs("controller:controller")
    await bench.enrol(card=CARD)
    await bench.params("controller", protocol="wiegand")
    await bench.params("access", use_controller=True)
    await bench.reader("front").swipe(STRANGE)
    await bench.event("access/forwarded")
    await bench.reader("front").swipe(CARD)
    await bench.relay("door").pulse()
    assert bench.controller().frames == (bench.events("access/card")[0].bits,)
    assert bench.controller().spoilt == 0
    assert bench.events("access/denied") == []


async def test_a_number_typed_before_the_call_key_is_told_and_a_pin_never(bench: SimBench) -> None:
    await bench.enrol(pin="4711")
    await bench.reader("front").keys("102")
    await bench.settle()
    assert (await bench.action("keypad.dial")).json() == {"number": "102"}
    assert (await bench.event("access/dial")).number == "102"
    await bench.reader("front").keys("4711")
    await bench.settle()
    assert (await bench.action("keypad.dial")).json() == {"number": ""}
    assert len(bench.events("access/dial")) == 1


async def test_the_mode_of_a_reader_counts_by_the_name_that_people_call_it(bench: SimBench) -> None:
    await bench.enrol(card=CARD)
    answer = await bench.params("access", reader_modes={"front": "card and PIN"})
    assert answer.status_code == 200, answer.text
    await bench.reader("front").swipe(CARD)
    denied = await bench.event("access/denied")
    assert denied.reason == "not enough at this reader"
    assert bench.relay("door").edges() == 0
    await bench.restart()
    await bench.reader("front").swipe(CARD)
    await bench.advance(2.0)
    assert bench.relay("door").edges() == 0


async def test_the_mode_of_a_reader_that_is_not_there_is_refused_with_the_nearest_name(bench: SimBench) -> None:
    answer = await bench.params("access", reader_modes={"frnt": "card and PIN"})
    assert answer.status_code == 400
    assert "no reader 'frnt' on this board; did you mean 'front'?" in answer.text
    answer = await bench.params("access", reader_modes={"front": "card", "reader1": "PIN"})
    assert answer.status_code == 400
    assert "named twice" in answer.text
