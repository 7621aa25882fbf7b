"""Upgrades as a user does them: bundles built, uploaded and tried by a whole simulated device, without root."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from firmware.access.settings import HOLDERS
from tests.live.bundles import MARK
from tests.live.device import PATIENCE_S, Device, lintel, running, until

CARD = "H10301:42:1234"
# What is changed before, of two groups and two roles; and what a new device has.
PARAMS = {"access": {"holders": 77}, "network": {"boot_proto": "static", "address": "10.1.2.3", "mask": "255.255.0.0"}}


@pytest.fixture
def device(tmp_path: Path, vendor: Path) -> Iterator[Device]:
    """A device that trusts the vendor, is set up, and knows a card."""
    state = tmp_path / "state"
    state.mkdir()
    shutil.copytree(vendor / "keys" / "keyring", state / "keyring")
    with running(state) as device:
        device.set_up()
        device.enrol(CARD)
        for group, value in PARAMS.items():
            assert device.api.patch(f"/params/{group}", json=value).status_code == 200
        yield device


def upload(device: Device, bundle: Path, **fields: str) -> Any:
    """POST /api/v1/upgrade."""
    with bundle.open("rb") as file:
        return device.api.post("/upgrade", data=fields, files={"bundle": file})


def firmware(device: Device, what: str, check: Any) -> dict[str, Any]:
    """The answer of GET /upgrade, once it is as expected."""

    def look() -> dict[str, Any] | None:
        try:
            answer = device.api.get("/upgrade")
        except httpx.TransportError:  # the device restarts meanwhile
            return None
        found: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
        return found if found and check(found) else None

    return until(what, look, 2 * PATIENCE_S)


def ended(device: Device, outcome: str, slot: str) -> dict[str, Any]:
    def check(state: dict[str, Any]) -> bool:
        return state["stage"] == "idle" and state["running"] == slot and (state["last"] or {}).get("outcome") == outcome

    return firmware(device, f"{outcome} in slot {slot}", check)


def says_mark(device: Device) -> bool:
    return MARK in device.api.get("/actions").text


def kept(device: Device) -> list[str]:
    """The cards that are known; every parameter that was changed has to be so still."""
    for group, value in PARAMS.items():
        now = device.api.get(f"/params/{group}").json()
        assert {name: now[name] for name in value} == value
    return [entry["card"] for entry in device.api.get("/entries").json()["entries"]]


def test_a_new_firmware_is_uploaded_runs_keeps_the_settings_and_can_be_rolled_back(
    device: Device, vendor: Path
) -> None:
    assert not says_mark(device)
    answer = upload(device, vendor / "new.raucb", mode="standard")
    assert answer.status_code == 202, answer.text
    assert answer.json()["version"] == "9.8.7"
    state = ended(device, "ok", "B")
    assert state["rollback_ok"] is True
    shown = device.bench("state")
    assert (shown["version"], shown["slot_runs"], shown["trying"]) == ("9.8.7", "image", False)
    assert says_mark(device)
    assert kept(device) == [CARD]
    # A crash after the commit is no reason to go back, nor to restart the board.
    device.wait_ready("control", device.kill("control"))
    shown = device.bench("state")
    assert (shown["slot"], shown["roles"]["control"]["restarts"]) == ("B", 1)
    until("the API again", lambda: _idle(device))
    assert device.api.post("/upgrade/rollback", json={}).status_code == 202
    ended(device, "ok", "A")
    assert not says_mark(device)
    assert kept(device) == [CARD]


def test_whoever_sits_at_the_device_installs_a_firmware_confirms_it_and_goes_back(device: Device, vendor: Path) -> None:
    def at_device(*words: str) -> str:
        done = lintel(words[0], "--state", str(device.state), *words[1:])
        assert done.returncode == 0, done.stderr
        return done.stdout

    bundle = str(vendor / "new.raucb")
    said = at_device("upgrade", bundle, "--mode", "automatic_rollback", "--confirm-within", "900")
    assert said == "the device restarts into 9.8.7\n"
    firmware(device, "the trial", lambda state: state["stage"] == "trial" and state["running"] == "B")
    assert "taken back in" in at_device("status")
    assert at_device("confirm") == "the firmware stays\n"
    ended(device, "ok", "B")
    assert at_device("rollback", "--yes").startswith("the device restarts into ")
    ended(device, "ok", "A")
    assert kept(device) == [CARD]


def test_an_unconfirmed_automatic_rollback_ends_in_the_old_firmware_with_its_settings(
    device: Device, vendor: Path
) -> None:
    assert upload(device, vendor / "new.raucb", mode="automatic_rollback", confirm_within_s="30").status_code == 202
    # Half a minute may be over before a slow machine answers at all.
    trial = firmware(
        device,
        "the trial",
        lambda state: (
            (state["stage"], state["running"]) == ("trial", "B") or (state["last"] or {}).get("outcome") == "reverted"
        ),
    )
    if trial["stage"] == "trial" and trial["confirm_left_s"] > 10:
        assert trial["confirm_left_s"] <= 30
        assert upload(device, vendor / "new.raucb").status_code == 409
    state = ended(device, "reverted", "A")
    assert "not confirmed" in state["last"]["why"]
    assert kept(device) == [CARD]
    assert device.api.post("/upgrade/confirm", json={}).status_code == 409


def test_firmware_that_does_not_come_up_is_undone(device: Device, vendor: Path) -> None:
    assert upload(device, vendor / "ill.raucb").status_code == 202
    state = ended(device, "reverted", "A")
    assert state["slots"][1]["state"] == "invalid"
    assert kept(device) == [CARD]


def test_a_factory_default_upgrade_forgets_everything_and_there_is_no_way_back(device: Device, vendor: Path) -> None:
    assert upload(device, vendor / "new.raucb", mode="factory_default").status_code == 202
    until("set-up is asked for again", lambda: _setup(device), 2 * PATIENCE_S)
    state = ended(device, "ok", "B")
    assert state["rollback_ok"] is False
    assert device.api.get("/entries").json()["entries"] == []
    assert device.api.get("/params/access").json()["holders"] == HOLDERS
    assert device.api.get("/params/network").json()["address"] == ""
    assert device.api.post("/upgrade/rollback", json={}).status_code == 403
    assert not (device.state / "settings" / "A").exists()


def _idle(device: Device) -> bool:
    try:
        answer = device.api.get("/upgrade")
    except httpx.TransportError:  # its role starts again with control
        return False
    return answer.status_code == 200 and bool(answer.json()["stage"] == "idle")


def _setup(device: Device) -> bool:
    try:
        return device.api.post("/setup", json={"name": "admin", "password": "live-test-password"}).status_code == 201
    except httpx.TransportError:  # the device restarts meanwhile
        return False
