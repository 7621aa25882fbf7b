"""Crashes of the running firmware, seen from the strike: it keeps its trace while the firmware dies."""

from __future__ import annotations

import os

from tests.live.device import Device, until

CARD = "H10301:42:1234"
RESTARTS = int(os.environ.get("LINTEL_CRASH", "8"))


def test_row_23_after_a_kill_the_strike_is_safe_before_the_firmware_is_ready_again(device: Device) -> None:
    device.enrol(CARD)
    # Longer than any machine takes until the kill: it is not the end of the release that makes the strike safe.
    assert device.api.patch("/params/doors", json={"door": {"hold_s": 60}}).status_code == 200
    before = device.ask("trace", "door")["points"]
    device.ask("swipe", "front", CARD)
    until("the release", lambda: device.ask("trace", "door")["points"][-1][1] is True)
    old = device.kill("control")
    device.wait_ready("control", other_than=old)
    control = device.bench("state")["roles"]["control"]
    points = until("the strike safe", lambda: (p := device.ask("trace", "door")["points"])[-1][1] is False and p)
    assert points[-1][0] < control["ready_s"]
    # One edge for the release, one for the safe state, and nothing else.
    assert len(points) == len(before) + 2
    # The firmware works again: the same card opens the same door.
    device.ask("swipe", "front", CARD)
    until("released again", lambda: device.ask("trace", "door")["points"][-1][1] is True)


def test_the_end_of_control_is_one_line_a_role_that_followed_it(device: Device) -> None:
    roles = ("media", "network")
    for role in roles:
        device.wait_ready(role, other_than=0)
    old = {role: device.pid(role) or 0 for role in roles}
    device.kill("control")
    for role in roles:
        device.wait_ready(role, other_than=old[role])
    told = device.output.read_text().partition("Ctrl-C stops it.")[2].splitlines()
    after = [line for line in told if "control" in line]  # a busy machine may be told of as well
    assert sorted(line.split()[2] for line in after) == list(roles), told
    assert all("control went away" in line for line in after)


def test_row_14_restarts_of_the_firmware_never_move_a_relay(device: Device) -> None:
    before = {name: device.bench("trace", name)["points"] for name in ("relay:door", "relay:aux")}
    for _ in range(RESTARTS):
        old = device.kill("control")
        device.wait_ready("control", other_than=old)
    after = {name: device.bench("trace", name)["points"] for name in before}
    assert after == before
