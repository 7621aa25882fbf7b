"""The processes of a device: what joins, what dies with what, and what goes on when something dies."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from tests.live.device import Device, lintel, running, until

CARD = "H10301:42:1234"


def roles(device: Device) -> dict[str, dict[str, Any]]:
    states = device.api.get("/state").json()["states"]
    return {each["role"]: each for each in states if each["topic"] == "station/role"}


def test_media_joins_control_and_network_over_the_same_link_and_comes_back_after_a_crash(device: Device) -> None:
    until("media ready", lambda: roles(device).get("media", {}).get("ready"))
    assert {name for name, state in roles(device).items() if state["joined"]} == {"control", "network", "media"}
    old = device.kill("media")
    answers: set[tuple[str, int]] = set()

    def does_it_again() -> bool:
        """Whether what is media's own is there again; what belongs to nobody is asked for beside it."""
        for action in ("tampering.relearn", "tampering.relaern"):
            answers.add((action, device.api.post(f"/actions/{action}", json={"camera": "camera1"}).status_code))
        return ("tampering.relearn", 200) in answers

    until("its action again", does_it_again)
    device.wait_ready("media", other_than=old)
    until("media ready", lambda: roles(device).get("media", {}).get("ready"))
    # Away or there, but never unknown.
    assert answers <= {("tampering.relearn", 503), ("tampering.relearn", 200), ("tampering.relaern", 404)}


def test_the_door_opens_while_the_network_role_is_dead(device: Device) -> None:
    device.enrol(CARD)
    old = device.pid("network")
    assert old is not None
    os.kill(old, signal.SIGSTOP)
    try:
        device.bench("swipe", "front", CARD)
        until("the release", lambda: device.ask("trace", "door")["points"][-1][1] is True)
    finally:
        os.kill(old, signal.SIGKILL)
    device.wait_ready("network", other_than=old)
    assert "access/granted" in [line["topic"] for line in device.journal()]


def test_one_process_can_be_all_roles(tmp_path: Path) -> None:
    with running(tmp_path / "state", "door_station", "--role", "all") as device:
        device.set_up()
        device.enrol(CARD)
        assert list(device.bench("state")["roles"]) == ["all"]
        device.bench("swipe", "front", CARD)
        until("the release", lambda: device.ask("trace", "door")["points"][-1][1] is True)


def test_a_killed_board_process_takes_its_roles_along_and_the_next_start_finds_everything(tmp_path: Path) -> None:
    device = Device(tmp_path / "state")
    device.start()
    device.set_up()
    entry = device.enrol(CARD)
    pids = [device.pid(role) for role in ("control", "media", "network")]
    device.kill_board()
    until("the roles gone", lambda: not [pid for pid in pids if Path(f"/proc/{pid}/cmdline").exists()])
    done = lintel("bench", "--state", str(device.state), "state")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "no device runs" in done.stderr
    device.output.write_text("")
    try:
        device.start()
        assert [each["id"] for each in device.api.get("/entries").json()["entries"]] == [entry]
    finally:
        device.stop()


def test_ctrl_c_ends_without_a_word(tmp_path: Path) -> None:
    device = Device(tmp_path / "state")
    device.start()
    device.stop()
    assert device.output.read_text().rstrip().endswith("Ctrl-C stops it.")
