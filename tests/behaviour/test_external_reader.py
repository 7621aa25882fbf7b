"""An external reader on RS-485: keyed with somebody standing there, and never talked out of its security."""

from __future__ import annotations

import asyncio
import errno
import json
import re
from typing import Any

import pytest

from tests.bench.sim import SimBench

CARD = "H10301:42:1234"
SITE_KEY = "8F1C2E7A5B3D90C4E6F70812A3B5D94C"
INSTALL_KEY = "303132333435363738393A3B3C3D3E3F"


async def use(bench: SimBench, **wishes: Any) -> None:
    """Switch the external reader on."""
    answer = await bench.params("osdp", external={"use": True, **wishes})
    assert answer.status_code == 200, answer.text


def link(bench: SimBench) -> Any:
    """How its link stands."""
    return bench.states("reader/link")[0]


async def connected(bench: SimBench, *, secure: bool = True, within_s: float = 30.0) -> None:
    """Until the link stands."""
    await bench.until(lambda: link(bench).phase == "connected" and link(bench).secure is secure, within_s)


async def install(bench: SimBench) -> None:
    """Arm install mode and wait for the key that stays."""
    await use(bench)
    answer = await bench.action("reader.install", reader="external")
    assert answer.status_code == 200, answer.text
    await bench.event("reader/key", change="rotated")
    await connected(bench)


async def opens(bench: SimBench) -> bool:
    """Whether the card opens the door now."""
    before = bench.relay("door").edges()
    await bench.reader("external").swipe(CARD)
    await bench.advance(8.0)
    return bench.relay("door").edges() > before


async def test_a_reader_that_is_not_switched_on_says_so_and_its_bus_is_silent(bench: SimBench) -> None:
    bench.needs("reader:external", "relay:door")
    await bench.enrol(card=CARD)
    assert (link(bench).phase, link(bench).reason) == ("off", "it is switched off")
    assert not await opens(bench)


async def test_a_card_at_an_external_reader_opens_the_door_over_the_secure_channel(bench: SimBench) -> None:
    await bench.enrol(card=CARD)
    await install(bench)
    await bench.reader("external").swipe(CARD)
    pulse = await bench.relay("door").pulse()
    bench.measure("door.release_s", pulse.width_s, 7.0)
    await bench.advance(1.0)
    green = bench.reader("external").led.shown("green")
    assert len(green) == 1
    assert green[0].width_s == pytest.approx(7.0, abs=0.2)
    assert link(bench).vendor
    assert (link(bench).keyed, link(bench).secured) == (True, True)


async def test_keys_of_an_external_reader_are_a_pin(bench: SimBench) -> None:
    await bench.enrol(pin="4711")
    await install(bench)
    await bench.reader("external").keys("4711#")
    await bench.relay("door").pulse()


async def test_a_rotated_key_survives_a_restart_and_is_said_nowhere(bench: SimBench) -> None:
    await bench.enrol(card=CARD)
    await install(bench)
    answer = await bench.action("reader.rotate_key", reader="external")
    assert answer.status_code == 200, answer.text
    raw = bench.file("control", "osdp-keys").read_text(errors="replace")
    secret = raw[raw.index('"keys"') :].split('"')[3]
    assert len(secret) == 32
    assert secret.lower() not in repr(bench._events).lower()
    assert secret.lower() not in (await bench.api("GET", "/state")).text.lower()
    await bench.restart()
    await connected(bench)
    assert await opens(bench)


async def test_a_disk_that_fails_in_the_middle_of_a_rotation_locks_nobody_out(bench: SimBench) -> None:
    await bench.enrol(card=CARD)
    await install(bench)
    keys = bench.file("control", "osdp-keys")

    async def fail_once_both_keys_are_kept() -> None:
        await bench.until(lambda: len(re.findall(rb'"[0-9a-f]{32}"', keys.read_bytes())) == 2)
        bench.disk.error = errno.EIO

    answer, _ = await asyncio.gather(
        bench.action("reader.rotate_key", reader="external"), fail_once_both_keys_are_kept()
    )
    assert answer.status_code == 503, answer.text
    await bench.advance(1.0)
    bench.disk.error = None
    await bench.advance(15.0)
    await bench.restart()
    await connected(bench)
    assert await opens(bench)


async def test_row_1_a_reader_without_secure_channel_is_refused_until_its_own_switch_is_on(bench: SimBench) -> None:
    await bench.enrol(card=CARD)
    bench.reader("external").fault("no_secure")
    await use(bench)
    await bench.until(lambda: link(bench).phase == "not connected")
    assert link(bench).reason
    assert not await opens(bench)
    await use(bench, insecure=True)
    await connected(bench, secure=False)
    unsafe = [state.place for state in bench.states("station/unsafe")]
    assert unsafe == ["osdp.external.insecure"]
    lines = (await bench.api("GET", "/journal?limit=200")).json()["lines"]
    assert any(line["topic"] == "station/unsafe" for line in lines)
    assert await opens(bench)
    await use(bench, insecure=False)
    await bench.until(lambda: link(bench).phase == "not connected")
    assert bench.states("station/unsafe") == []
    assert not await opens(bench)


@pytest.mark.parametrize("fault", ["downgrade", "no_secure"])
async def test_row_2_a_reader_once_seen_with_secure_channel_never_falls_back(bench: SimBench, fault: str) -> None:
    await bench.enrol(card=CARD)
    await install(bench)
    await use(bench, insecure=True)
    await connected(bench)
    bench.reader("external").unplug()
    await bench.until(lambda: link(bench).phase == "not connected", within_s=3.0)
    bench.reader("external").fault(fault)
    bench.reader("external").plug()
    await bench.event("reader/downgrade")
    await bench.advance(20.0)
    assert link(bench).phase != "connected"
    assert not await opens(bench)
    bench.reader("external").fault("none")
    await connected(bench)
    assert await opens(bench)


async def test_row_3_install_mode_ends_after_its_time_and_no_restart_opens_it_again(bench: SimBench) -> None:
    bench.reader("external").unplug()
    await use(bench)
    await bench.action("reader.install", reader="external", for_s=20)
    await bench.advance(19.0)
    assert bench.states("reader/install")[0].armed
    await bench.advance(2.0)
    assert not bench.states("reader/install")[0].armed
    await bench.action("reader.install", reader="external")
    await bench.restart()
    bench.reader("external").plug()
    await bench.advance(30.0)
    assert not bench.states("reader/install")[0].armed
    assert link(bench).phase != "connected"
    assert bench.events("reader/key") == []


async def test_row_3_install_mode_closes_with_the_first_key_and_never_opens_for_a_keyed_reader(bench: SimBench) -> None:
    await install(bench)
    assert not bench.states("reader/install")[0].armed
    answer = await bench.action("reader.install", reader="external")
    assert answer.json()["error"]["code"] == "refused", answer.text
    assert "reader.forget" in answer.text
    answer = await bench.action("reader.install", reader="external", for_s=601)
    assert answer.status_code in (400, 422)


async def test_row_3_a_key_that_was_imported_never_crosses_the_wire_under_the_published_one(bench: SimBench) -> None:
    await use(bench)
    answer = await bench.action("reader.import_key", reader="external", key=SITE_KEY)
    assert answer.status_code == 200, answer.text
    await bench.advance(2.0)
    answer = await bench.action("reader.install", reader="external")
    assert answer.json()["error"]["code"] == "refused", answer.text
    assert "reader.forget" in answer.text
    await bench.advance(10.0)
    assert bench.world.find("reader:external").state()["keyed"] is False
    await bench.action("reader.forget", reader="external")
    await install(bench)
    assert SITE_KEY.lower() not in bench.file("control", "osdp-keys").read_text(errors="replace").lower()


async def test_row_3_a_reader_that_is_switched_off_while_install_mode_is_armed_stays_off(bench: SimBench) -> None:
    bench.reader("external").unplug()
    await use(bench)
    await bench.action("reader.install", reader="external")
    await bench.advance(5.0)
    await use(bench, use=False)
    bench.reader("external").plug()
    await bench.advance(30.0)
    assert (link(bench).phase, link(bench).reason) == ("off", "it is switched off")
    assert not bench.states("reader/install")[0].armed
    assert bench.events("reader/key") == []


@pytest.mark.parametrize("key", [INSTALL_KEY, "00" * 16, "000102030405060708090A0B0C0D0E0F", "0011" * 8])
async def test_row_4_a_weak_key_is_not_imported_and_the_link_stays(bench: SimBench, key: str) -> None:
    await bench.enrol(card=CARD)
    await install(bench)
    answer = await bench.action("reader.import_key", reader="external", key=key)
    assert answer.status_code in (400, 422), answer.text
    assert key not in answer.text
    await bench.advance(5.0)
    assert link(bench).secure
    assert await opens(bench)


async def test_row_5_a_key_is_set_over_the_published_key_in_the_attended_window_only(bench: SimBench) -> None:
    await use(bench)
    await bench.action("osdp.trace.start", port="external")
    await bench.advance(20.0)
    page = (await bench.action("osdp.trace.read", port="external", limit=1000)).json()
    assert page["lines"]
    assert not any("KEYSET" in line["text"] for line in page["lines"])
    await bench.action("osdp.trace.start", port="external")
    await install(bench)
    page = (await bench.action("osdp.trace.read", port="external", limit=1000)).json()
    assert sum("KEYSET" in line["text"] for line in page["lines"]) == 2  # the first key, and the one that replaces it


async def test_row_21_damaged_keys_let_no_reader_talk_in_clear_text(bench: SimBench) -> None:
    await bench.enrol(card=CARD)
    await install(bench)
    await use(bench, insecure=True)
    await bench.stop()
    for name in ("osdp-keys", "osdp-keys.good"):
        path = bench.file("control", name)
        if path.exists():
            path.write_bytes(b"\x00" + path.read_bytes()[1:])
    bench.reader("external").fault("no_secure")
    await bench.start()
    await bench.advance(30.0)
    assert link(bench).phase != "connected"
    assert not await opens(bench)


async def test_row_21_after_damaged_keys_a_reader_that_was_forgotten_by_hand_takes_its_key_again(
    bench: SimBench,
) -> None:
    await bench.enrol(card=CARD)
    await install(bench)
    raw = bench.file("control", "osdp-keys").read_text(errors="replace")
    secret = raw[raw.index('"keys"') :].split('"')[3]
    await bench.stop()
    for name in ("osdp-keys", "osdp-keys.good"):
        path = bench.file("control", name)
        if path.exists():
            path.write_bytes(b"\x00" + path.read_bytes()[1:])
    await bench.start()
    await bench.advance(5.0)
    assert link(bench).phase != "connected"
    answer = await bench.action("reader.forget", reader="external")
    assert answer.status_code == 200, answer.text
    answer = await bench.action("reader.import_key", reader="external", key=secret)
    assert answer.status_code == 200, answer.text
    await connected(bench)
    assert await opens(bench)


async def test_a_reader_that_is_unplugged_is_noticed_within_two_seconds_and_back_within_one(bench: SimBench) -> None:
    await install(bench)
    bench.reader("external").unplug()
    await bench.until(lambda: link(bench).phase != "connected", within_s=2.0)
    assert link(bench).reason
    await bench.advance(30.0)
    bench.reader("external").plug()
    await connected(bench, within_s=1.0)


async def test_tamper_of_the_readers_housing_is_a_state(bench: SimBench) -> None:
    await install(bench)
    bench.reader("external").tamper()
    await bench.event("reader/condition", tamper="True")


async def test_a_reader_is_found_at_its_address_and_its_link_goes_on_afterwards(bench: SimBench) -> None:
    await install(bench)
    answer = await bench.action("reader.find", reader="external", addresses=[0, 1, 5], bauds=[9600, 38400])
    assert answer.status_code == 200, answer.text
    assert [(each["address"], each["baud"]) for each in answer.json()["readers"]] == [(0, 9600)]
    await connected(bench)


async def test_another_reader_takes_the_place_of_one_that_was_forgotten(bench: SimBench) -> None:
    await bench.enrol(card=CARD)
    await install(bench)
    answer = await bench.action("reader.forget", reader="external")
    assert answer.status_code == 200, answer.text
    await bench.until(lambda: link(bench).phase != "connected")
    assert not link(bench).keyed
    assert not await opens(bench)


async def test_a_capture_of_the_bus_holds_no_key(bench: SimBench) -> None:
    await bench.action("osdp.trace.start", port="external")
    await install(bench)
    raw = bench.file("control", "osdp-keys").read_text(errors="replace")
    secret = raw[raw.index('"keys"') :].split('"')[3]
    answer = await bench.api("GET", "/osdp/external/capture")
    assert answer.status_code == 200
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert len(lines) > 20
    assert {line["io"] for line in lines} == {"input", "output"}
    for line in lines:
        assert secret.lower() not in line["data"].replace("-", "").lower()


async def test_mistakes_are_one_line_with_the_nearest_name(bench: SimBench) -> None:
    answer = await bench.action("reader.rotate_key", reader="externl")
    assert (answer.status_code, "external" in answer.text) == (404, True)
    answer = await bench.params("osdp", external={"adress": 3})
    assert answer.status_code in (400, 422)
    assert "address" in answer.text
    answer = await bench.params("osdp", external={"baud": 9601})
    assert answer.status_code in (400, 422)
    answer = await bench.action("osdp.trace.start", port="panl")
    assert (answer.status_code, "panel" in answer.text) == (404, True)


async def test_row_7_whatever_happens_to_its_cable_the_door_stays_locked_and_the_other_reader_works(
    bench: SimBench,
) -> None:
    await install(bench)
    await bench.enrol(card=CARD)
    external = bench.reader("external")
    external.unplug()
    await bench.advance(2.0)
    external.plug()
    external.fault("garbage")
    await bench.advance(2.0)
    assert link(bench).phase != "connected"
    external.fault("none")
    bench.world.find("serial:rs485").unplug()
    await bench.advance(2.0)
    assert bench.relay("door").edges() == 0
    await bench.reader("front").swipe(CARD)
    await bench.relay("door").pulse()
    bench.world.find("serial:rs485").plug()
    await connected(bench)
    edges = bench.relay("door").edges()
    await external.swipe(CARD)
    await bench.until(lambda: bench.relay("door").edges() == edges + 2)


def warnings(bench: SimBench) -> int:
    """How often the device's own log has warned of its external line."""
    return sum("somebody tampers with the line" in event.text for event in bench.events("station/message"))


async def test_a_reader_that_denies_its_channel_for_long_is_logged_once_until_it_is_back(bench: SimBench) -> None:
    await install(bench)
    bench.reader("external").fault("no_secure")
    await bench.until(lambda: link(bench).phase == "not connected", within_s=5.0)
    await bench.advance(60.0)
    assert warnings(bench) == 1
    bench.reader("external").fault("none")
    await connected(bench)
    bench.reader("external").fault("no_secure")
    await bench.advance(10.0)
    assert warnings(bench) == 2
