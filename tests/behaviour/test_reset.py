"""Factory default and restore: by the button of each product, and by an administrator; what goes and what stays."""

from __future__ import annotations

import pytest

from tests.bench.sim import SimBench

CARD = "H10301:42:1234"
NETWORK = {
    "boot_proto": "static",
    "address": "10.1.2.3",
    "mask": "255.255.0.0",
    "router": "10.1.0.1",
    "ipv6": "static",
    "ipv6_address": "2001:db8::7/64",
    "ipv6_router": "fe80::1",
    "dns": ["10.1.0.2"],
    "ieee8021x": True,
    "ieee8021x_identity": "door-7",
    "cloud": "no",
}
# The way to the owner's dispatcher belongs to the cloud connection, which a restore keeps.
CLOUD = ("url", "owner_key", "ca", "local", "proxy", "proxy_user", "proxy_password")
CONTROL = ("control",)
BOTH = ("control", "power")
# A reset begins with the end of a hold and takes a few seconds; this long nothing more may happen.
AFTERWARDS_S = 30.0


async def change_something(bench: SimBench) -> None:
    """Settings that a reset takes away, or keeps."""
    assert (await bench.api("PATCH", "/params/network", NETWORK)).status_code == 200
    added = await bench.action("accounts.add", name="porter", password="porters-password", level="viewer")
    assert added.status_code == 200, added.text


async def is_changed(bench: SimBench) -> bool:
    accounts = (await bench.action("accounts.list")).json()["accounts"]
    return "porter" in [account["name"] for account in accounts]


async def power_up(bench: SimBench, buttons: tuple[str, ...], held_s: float) -> None:
    """The manual's first steps: disconnect power, hold, reconnect power, and let go of the first after a while."""
    await bench.power_off()
    await bench.advance(3.0)
    await bench.power_on(*buttons)
    await bench.advance(held_s)
    bench.button(buttons[0]).release()


async def resets_by_button(bench: SimBench, buttons: tuple[str, ...], held_s: float) -> None:
    await change_something(bench)
    serial = (await bench.api("GET", "/device")).json()["serial"]
    await power_up(bench, buttons, held_s)
    starts = bench.starts
    await bench.restarted(starts)
    assert not bench.was_set_up, "the first administrator is made anew"
    await bench.advance(1.0)
    assert bench.light("status").colour == "green", "the process is complete when the light is green"
    for name in buttons[1:]:
        bench.button(name).release()
    assert not await is_changed(bench)
    assert (await bench.param("network"))["boot_proto"] == "dhcp"
    assert (await bench.api("GET", "/device")).json()["serial"] == serial
    await bench.advance(AFTERWARDS_S)
    assert bench.starts == starts + 1, "once"


async def does_not_reset(bench: SimBench, buttons: tuple[str, ...], held_s: float) -> None:
    await change_something(bench)
    await power_up(bench, buttons, held_s)
    starts = bench.starts
    await bench.advance(AFTERWARDS_S)
    assert bench.starts == starts
    assert bench.was_set_up
    assert await is_changed(bench)


@pytest.mark.board("door_station")
@pytest.mark.parametrize("held_s", [15.0, 22.5, 29.9])
async def test_the_door_station_resets_when_its_button_is_held_for_15_to_30_s(bench: SimBench, held_s: float) -> None:
    await resets_by_button(bench, CONTROL, held_s)


@pytest.mark.board("plate_camera")
@pytest.mark.parametrize("held_s", [15.0, 29.9])
async def test_the_plate_camera_resets_when_its_button_is_held_for_15_to_30_s(bench: SimBench, held_s: float) -> None:
    await resets_by_button(bench, CONTROL, held_s)


@pytest.mark.board("horn_speaker")
@pytest.mark.parametrize("held_s", [10.0, 20.0, 59.0])
async def test_the_horn_speaker_resets_when_its_button_is_held_for_10_s(bench: SimBench, held_s: float) -> None:
    await resets_by_button(bench, CONTROL, held_s)


@pytest.mark.board("network_speaker")
@pytest.mark.parametrize("held_s", [10.0, 20.0])
async def test_the_network_speaker_resets_when_its_button_is_held_for_10_s(bench: SimBench, held_s: float) -> None:
    await resets_by_button(bench, CONTROL, held_s)


@pytest.mark.board("ptz_dome")
@pytest.mark.parametrize("held_s", [15.0, 29.9])
async def test_the_dome_resets_when_control_is_let_go_and_power_is_held_until_green(
    bench: SimBench, held_s: float
) -> None:
    await resets_by_button(bench, BOTH, held_s)


@pytest.mark.board("door_station")
@pytest.mark.parametrize("held_s", [0.2, 14.9, 30.1, 59.0, 61.0])
async def test_a_hold_of_another_length_changes_nothing(bench: SimBench, held_s: float) -> None:
    await does_not_reset(bench, CONTROL, held_s)


@pytest.mark.board("network_speaker")
@pytest.mark.parametrize("held_s", [9.9, 60.1])
async def test_a_speakers_button_held_too_short_or_stuck_changes_nothing(bench: SimBench, held_s: float) -> None:
    await does_not_reset(bench, CONTROL, held_s)


@pytest.mark.board("ptz_dome")
async def test_the_dome_does_not_reset_by_its_control_button_alone(bench: SimBench) -> None:
    await does_not_reset(bench, CONTROL, 20.0)


@pytest.mark.board("ptz_dome")
async def test_the_dome_does_not_reset_when_power_is_let_go_before_control(bench: SimBench) -> None:
    await change_something(bench)
    await bench.power_off()
    await bench.power_on(*BOTH)
    await bench.advance(10.0)
    bench.button("power").release()
    await bench.advance(10.0)
    starts = bench.starts
    bench.button("control").release()
    await bench.advance(AFTERWARDS_S)
    assert bench.starts == starts
    assert await is_changed(bench)


async def test_the_light_of_a_door_station_flashes_amber_from_15_s_on_until_it_is_too_late(bench: SimBench) -> None:
    await bench.power_off()
    on_s = bench.world.now_s
    await bench.power_on("control")
    await bench.advance(50.0)
    amber = [pulse for pulse in bench.light("status").shown("amber") if pulse.t_s > on_s + 1.0]
    assert amber[0].t_s == pytest.approx(on_s + 15.0)
    assert amber[0].width_s == pytest.approx(0.5)
    assert on_s + 29.0 < amber[-1].t_s < on_s + 30.5
    assert bench.light("status").colour == "green"
    bench.button("control").release()


@pytest.mark.board("network_speaker")
async def test_the_light_of_a_speaker_is_amber_for_the_second_time_at_10_s(bench: SimBench) -> None:
    await bench.power_off()
    before = len(bench.light("status").shown("amber"))
    on_s = bench.world.now_s
    await bench.power_on("control")
    await bench.advance(10.5)
    assert bench.light("status").colour == "amber"
    bench.button("control").release()
    await bench.restarted(bench.starts)
    amber = bench.light("status").shown("amber")[before:]
    assert amber[0].t_s < on_s + 1.0, "the first time while it starts"
    assert amber[1].t_s == pytest.approx(on_s + 10.0), "the second time when it is time to let go"


async def test_the_door_opens_while_the_reset_button_is_held(bench: SimBench) -> None:
    card = CARD
    await bench.enrol(card=card)
    await bench.power_off()
    await bench.power_on("control")
    bench.began_s = bench.world.now_s
    await bench.advance(2.0)
    await bench.reader("front").swipe(card)
    pulse = await bench.relay("door").pulse()
    bench.measure("door.release_s", pulse.width_s, 7.0)
    bench.button("control").release()


async def test_a_power_cut_during_the_hold_forgets_it(bench: SimBench) -> None:
    await change_something(bench)
    await bench.power_off()
    await bench.power_on("control")
    await bench.advance(14.0)
    await bench.power_off()
    await bench.power_on()  # the finger is still there
    await bench.advance(5.0)
    starts = bench.starts
    bench.button("control").release()
    await bench.advance(60.0)
    assert bench.starts == starts
    assert await is_changed(bench)


async def test_row_17_a_reset_that_was_decided_is_carried_out_although_the_power_goes_before_the_restart(
    bench: SimBench,
) -> None:
    await change_something(bench)
    assert (await bench.action("device.factory_default")).status_code == 200
    await bench.power_off()
    await bench.power_on()
    assert not bench.was_set_up
    assert not await is_changed(bench)


async def test_a_restart_changes_no_setting(bench: SimBench) -> None:
    await bench.enrol(card=CARD)
    await change_something(bench)
    assert (await bench.action("device.restart")).status_code == 200
    await bench.restarted(bench.starts)
    assert bench.was_set_up
    assert await is_changed(bench)
    assert len((await bench.api("GET", "/entries")).json()["entries"]) == 1
    assert (await bench.event("device/phase", phase="normal")).phase == "normal"


async def test_a_restore_keeps_the_network_identity_and_nothing_else(bench: SimBench) -> None:
    await bench.enrol(card=CARD)
    await change_something(bench)
    device = (await bench.api("GET", "/device")).json()
    assert (await bench.action("device.restore")).status_code == 200
    await bench.restarted(bench.starts)
    network = await bench.param("network")
    assert {name: network[name] for name in NETWORK} == NETWORK
    assert not await is_changed(bench)
    assert not bench.was_set_up, "accounts are settings"
    assert (await bench.api("GET", "/entries")).json()["entries"] == []
    assert (await bench.api("GET", "/device")).json()["serial"] == device["serial"]


async def test_what_a_restore_keeps_is_said_of_each_parameter(bench: SimBench) -> None:
    params = (await bench.api("GET", "/params")).json()["params"]
    kept = {f"{each['group']}.{each['name']}" for each in params if each["scope"] == "keep"}
    assert kept == {f"network.{name}" for name in NETWORK} | {f"cloud.{name}" for name in CLOUD}


async def test_a_factory_default_takes_everything_and_the_journal_begins_anew(bench: SimBench) -> None:
    await bench.enrol(card=CARD)
    await change_something(bench)
    assert (await bench.action("device.factory_default")).status_code == 200
    await bench.restarted(bench.starts)
    assert (await bench.param("network"))["address"] == ""
    assert (await bench.api("GET", "/entries")).json()["entries"] == []
    lines = (await bench.api("GET", "/journal?limit=500")).json()["lines"]
    assert not [line for line in lines if line["topic"] == "station/params"], "nothing from before the reset"
    assert [line for line in lines if line["topic"] == "device/info"]


async def test_row_29_only_a_factory_default_or_restore_opens_the_set_up_again_and_power_cycles_do_not(
    bench: SimBench,
) -> None:
    for _ in range(3):
        await bench.power_off()
        await bench.power_on()
        assert bench.was_set_up
    assert (await bench.action("device.factory_default")).status_code == 200
    await bench.restarted(bench.starts)
    assert not bench.was_set_up


async def test_row_14_power_cuts_move_no_relay_that_was_at_rest(bench: SimBench) -> None:
    edges = {name: bench.relay(name).edges() for name in ("door", "aux")}
    for _ in range(5):
        await bench.power_off()
        await bench.advance(0.5)
        await bench.power_on()
    assert {name: bench.relay(name).edges() for name in edges} == edges


async def test_a_power_cut_ends_a_release_and_the_door_works_when_the_power_is_back(bench: SimBench) -> None:
    card = CARD
    await bench.enrol(card=card)
    await bench.reader("front").swipe(card)
    await bench.until(lambda: bench.relay("door").on)
    await bench.advance(1.0)
    await bench.power_off()
    assert not bench.relay("door").on
    await bench.advance(10.0)
    await bench.power_on()
    bench.began_s = bench.world.now_s
    assert not bench.relay("door").on
    await bench.reader("front").swipe(card)
    pulse = await bench.relay("door").pulse()
    bench.measure("door.release_s", pulse.width_s, 7.0)


async def test_a_reset_waits_for_the_restart_of_the_whole_device_when_control_alone_starts_again(
    bench: SimBench,
) -> None:
    await change_something(bench)
    starts = bench.starts
    assert (await bench.action("device.factory_default")).status_code == 200
    await bench.restart()  # before the restart: the other roles may be writing settings
    await bench.restarted(starts)
    assert not bench.was_set_up
    assert not await is_changed(bench)
