"""Resets of the running device: by the button, by an administrator, and with the power cut at any moment of them."""

from __future__ import annotations

import os
import random
import re
import time
from typing import Any

import httpx
import pytest

from tests.live.device import Device, until

CARD = "H10301:42:1234"
ROUNDS = int(os.environ.get("LINTEL_CRASH", "10"))
# From the order to a device that is ready again takes about two seconds: every part of it is hit.
LONGEST_S = 2.5
ADDRESS = {"boot_proto": "static", "address": "10.1.2.3", "mask": "255.255.0.0"}


def furnish(device: Device) -> None:
    """What a reset takes away, and what a restore leaves."""
    device.set_up()
    device.enrol(CARD)
    assert device.api.patch("/params/network", json=ADDRESS).status_code == 200


def found(device: Device) -> dict[str, Any]:
    """What is there of it; makes a first administrator where there is none."""
    account = device.api.get("/device").status_code == 200
    if not account:
        device.set_up()
    network = device.api.get("/params/network").json()
    return {
        "account": account,
        "entries": len(device.api.get("/entries").json()["entries"]),
        "address": network["address"],
    }


BEFORE = {"account": True, "entries": 1, "address": "10.1.2.3"}
RESTORED = {"account": False, "entries": 0, "address": "10.1.2.3"}
DEFAULT = {"account": False, "entries": 0, "address": ""}


def test_the_button_of_a_running_device_resets_it_and_only_while_it_is_ready_for_it(device: Device) -> None:
    device.enrol(CARD)
    serial = device.ask("state")["serial"]
    device.ask("power", "cycle", "--hold", "control")
    began_s = device.ask("state")["now_s"]
    device.all_ready()
    device.ask("swipe", "front", CARD)  # the door works meanwhile
    until("the release", lambda: device.ask("trace", "door")["points"][-1][1] is True)

    def flashes() -> bool:
        points = device.ask("trace", "led:status")["points"]
        return len([at for at, colour in points if colour == "amber" and at > began_s + 5.0]) >= 2

    until("the light flashing amber", flashes, patience_s=120.0)
    old = device.pid("control")
    device.ask("release", "control")
    until("the restart", lambda: device.pid("control") not in (None, old))
    device.all_ready()
    assert found(device) == DEFAULT
    assert device.ask("state")["serial"] == serial
    # Its console shows the new set-up code.
    shown = re.findall(r'"code":"([0-9A-Z-]+)"', device.output.read_text())
    assert len(shown) == len(set(shown)) == 2


@pytest.mark.timeout(600 + 40 * ROUNDS)
def test_row_17_the_power_may_go_at_any_moment_of_a_reset_which_is_then_done_whole_or_not_at_all(
    device: Device,
) -> None:
    chance = random.Random(int(os.environ.get("LINTEL_SEED", "1")))
    device.enrol(CARD)
    assert device.api.patch("/params/network", json=ADDRESS).status_code == 200
    edges = {name: len(device.ask("trace", name)["points"]) for name in ("relay:door", "relay:aux")}
    tally = {"done": 0, "not begun": 0}
    for number in range(ROUNDS):
        action, after = chance.choice([("device.restore", RESTORED), ("device.factory_default", DEFAULT)])
        delay_s = chance.uniform(0.0, LONGEST_S)
        acknowledged = order(device, action)
        time.sleep(delay_s)
        device.ask("power", "off")
        for _ in range(chance.randrange(3)):  # and again while it starts
            device.ask("power", "on")
            time.sleep(chance.uniform(0.0, LONGEST_S))
            device.ask("power", "off")
        device.ask("power", "on")
        device.all_ready()
        left = found(device)
        what = f"round {number}: {action}, cut after {delay_s:.3f} s"
        assert left in ((after,) if acknowledged else (BEFORE, after)), what
        tally["done" if left == after else "not begun"] += 1
        assert {name: len(device.ask("trace", name)["points"]) for name in edges} == edges, what
        if left == after:
            device.enrol(CARD)
            assert device.api.patch("/params/network", json=ADDRESS).status_code == 200
    assert tally["done"] > 0


def order(device: Device, action: str) -> bool:
    """Ask for it; whether the answer was yes."""
    try:
        return device.api.post(f"/actions/{action}", json={}).status_code == 200
    except httpx.TransportError:
        return False
