"""A whole device with a door controller on the network: granted, denied, gone, hostile; meanwhile the list goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.device import Device, until
from tests.live.door_controller import PASSWORD, USER, Authority, DoorController, serving

CARD = "H10301:42:1234"
UNKNOWN = "H10301:9:9999"
# The longest that the device gives a controller: a machine that stands still for a while is not a controller that does.
LONGEST_S, SHORT_S = 9, 1


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("test authority")


@pytest.fixture
def controller(authority: Authority, tmp_path: Path) -> Iterator[DoorController]:
    with serving(authority.issue(tmp_path, "127.0.0.1")) as controller:
        controller.login = "digest"
        yield controller


def params(device: Device, group: str, **wishes: Any) -> dict[str, Any]:
    answer = device.api.patch(f"/params/{group}", json=wishes)
    assert answer.status_code == 200, answer.text
    values: dict[str, Any] = answer.json()
    return values


def standing(device: Device) -> dict[str, Any]:
    states = device.api.get("/state").json()["states"]
    found: dict[str, Any] = next(each for each in states if each["topic"] == "controller/state")
    return found


def connect(device: Device, controller: DoorController, authority: Authority, **more: Any) -> None:
    params(
        device,
        "controller_http",
        url=controller.url,
        ca=authority.pem,
        user=USER,
        password=PASSWORD,
        local=True,
        check_s=1,
        **more,
    )
    params(device, "controller", protocol="http", timeout_s=LONGEST_S)
    params(device, "access", use_controller=True)


def answers(device: Device) -> list[dict[str, Any]]:
    return [line["fields"] for line in device.journal() if line["topic"] == "controller/answer"]


def ask(device: Device, card: str = UNKNOWN) -> dict[str, Any]:
    """Swipe, and the answer that the controller's room gave."""
    before = len(answers(device))
    device.bench("swipe", "front", card)
    found: list[dict[str, Any]] = until("an answer", lambda: answers(device)[before:])
    return found[0]


def releases(device: Device) -> int:
    return sum(point[1] is True for point in device.bench("trace", "door")["points"])


def test_a_controller_on_the_network_opens_the_door_for_who_the_list_does_not_know(
    device: Device, controller: DoorController, authority: Authority
) -> None:
    connect(device, controller, authority, reader_id="north")
    until("connected", lambda: standing(device)["phase"] == "connected")
    listed = device.api.post("/actions/controller.readers", json={})
    assert [each["id"] for each in listed.json()["readers"]] == ["north", "south"]

    said = ask(device)
    assert (said["verdict"], said["reason"]) == ("granted", "the list says so")
    until("the release", lambda: releases(device) == 1)
    asked = controller.questions[-1]
    assert (asked["reader"], asked["door"], asked["card"]["readings"]) == ("north", "door", [UNKNOWN])

    controller.verdict = "denied"
    assert ask(device)["verdict"] == "denied"
    until("denied", lambda: "access/denied" in [line["topic"] for line in device.journal()])
    assert releases(device) == 1


def test_row_46_a_controller_is_trusted_by_an_authority_that_is_installed_and_no_longer_without_it(
    device: Device, controller: DoorController, authority: Authority
) -> None:
    params(device, "controller_http", url=controller.url, user=USER, password=PASSWORD, local=True)

    def listed() -> Any:
        return device.api.post("/actions/controller.readers", json={}).json()

    def refused() -> bool:
        return "certificate is not good" in listed().get("error", {}).get("message", "")

    until("distrust from the first", refused)
    added = device.api.post("/certificates", json={"name": "doors", "kind": "ca", "pem": authority.pem})
    assert added.status_code == 201, added.text
    # A client that is there already learns of it from the fact that is told.
    until("the readers", lambda: [each["id"] for each in listed().get("readers", ())] == ["north", "south"])
    assert device.api.delete("/certificates/doors").status_code == 204
    until("distrust", refused)


def test_whatever_the_controller_does_an_enrolled_card_opens_and_a_stranger_does_not(
    device: Device, controller: DoorController, authority: Authority
) -> None:
    device.enrol(CARD)
    params(device, "doors", door={"hold_s": 1.0})  # each round waits for the end of its release
    connect(device, controller, authority)
    for mode, why in (
        ("slow", "no answer within"),
        ("redirect", "is not followed"),
        ("huge", "longer than"),
        ("other question", "belongs to another question"),
    ):
        controller.mode = mode
        params(device, "controller", timeout_s=SHORT_S if mode == "slow" else LONGEST_S)
        before = len(answers(device))
        device.bench("swipe", "front", UNKNOWN)
        opened = releases(device)
        device.bench("swipe", "front", CARD)
        until(f"the release while the controller is {mode}", lambda opened=opened: releases(device) > opened)
        (said,) = until(f"an answer of {mode}", lambda before=before: answers(device)[before:])
        assert (said["verdict"], said["granted"]) == ("lost", False)
        assert why in said["reason"]
        # The strike goes back before the next round.
        until("the door locked", lambda: device.bench("trace", "door")["points"][-1][1] is False)
    assert controller.elsewhere == 0


def test_a_controller_that_goes_away_is_lost_and_the_list_goes_on(
    device: Device, authority: Authority, tmp_path: Path
) -> None:
    device.enrol(CARD)
    with serving(authority.issue(tmp_path, "127.0.0.1")) as controller:
        connect(device, controller, authority)
        until("connected", lambda: standing(device)["phase"] == "connected")
    gone = "nobody answers at the controller's address"
    until("lost", lambda: (state := standing(device))["phase"] == "lost" and state["reason"] == gone)
    assert ask(device)["verdict"] == "lost"
    device.bench("swipe", "front", CARD)
    until("the release", lambda: releases(device) == 1)


def test_row_46_a_controller_with_a_wrong_certificate_is_never_asked(
    device: Device, controller: DoorController
) -> None:
    connect(device, controller, Authority("somebody else"))
    until(
        "lost",
        lambda: (state := standing(device))["phase"] == "lost" and "certificate is not good" in state["reason"],
    )
    assert ask(device)["granted"] is False
    assert controller.questions == []
    time.sleep(0.5)
    assert releases(device) == 0


def test_row_47_the_password_is_in_no_answer_no_journal_and_no_output(
    device: Device, controller: DoorController, authority: Authority
) -> None:
    connect(device, controller, authority)
    until("connected", lambda: standing(device)["phase"] == "connected")
    ask(device)
    seen = device.output.read_text()
    for path in ("/params/controller_http", "/state", "/journal?limit=500"):
        seen += device.api.get(path).text
    assert PASSWORD not in seen
    control = device.state / "settings"
    holders = [path for path in control.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
    assert holders
    assert {path.parent.name for path in holders} == {"network"}
