"""What a person does in the first ten minutes, with the commands of the README."""

from __future__ import annotations

import itertools
import re

from tests.live.device import Device, until

CARD = "H10301:42:1234"
# Real time on a shared machine: what the issue allows for the width of the release.
TOLERANCE_S = 0.05


def relay_pulses(device: Device) -> list[dict[str, float]]:
    pulses: list[dict[str, float]] = device.bench("trace", "door")["pulses"]
    return pulses


def green_pulses(points: list[list[object]]) -> list[tuple[float, float]]:
    found = []
    for (began_s, colour), (ended_s, _) in itertools.pairwise(points):
        if colour == "green":
            found.append((float(str(began_s)), float(str(ended_s))))
    return found


def test_the_greeting_names_the_address_the_set_up_and_the_swipe(device: Device) -> None:
    text = device.output.read_text()
    assert f"http://127.0.0.1:{device.port}/" in text
    assert re.search(r"curl .*/api/v1/setup", text)
    assert re.search(r"bench .*swipe front H10301:42:1234", text)


def test_an_enrolled_card_releases_the_strike_for_seven_seconds_with_green_light_and_a_journal_chain(
    device: Device,
) -> None:
    device.enrol(CARD)
    device.bench("swipe", "front", CARD)
    pulses = until("the end of the release", lambda: [p for p in relay_pulses(device) if p["width_s"] is not None])
    assert len(pulses) == 1
    assert abs(pulses[0]["width_s"] - 7.0) <= TOLERANCE_S

    green = until("green again off", lambda: green_pulses(device.bench("trace", "front.led")["points"]))
    assert len(green) == 1
    assert abs((green[0][1] - green[0][0]) - 7.0) <= TOLERANCE_S

    lines = device.journal()
    by_id = {line["id"]: line for line in lines}
    switched_on = next(line for line in lines if line["topic"] == "io/relay" and line["fields"]["on"])
    chain = [switched_on]
    while chain[0]["cause"] in by_id:
        chain.insert(0, by_id[chain[0]["cause"]])
    assert [line["topic"] for line in chain] == ["access/card", "access/granted", "door/released", "io/relay"]


def test_an_unknown_card_is_denied_in_red_without_a_relay_edge(device: Device) -> None:
    edges = len(device.bench("trace", "door")["points"])
    device.bench("swipe", "front", "H10301:9:9999")
    until("the denial", lambda: [line for line in device.journal() if line["topic"] == "access/denied"])
    until("red", lambda: [p for p in device.bench("trace", "front.led")["points"] if p[1] == "red"])
    assert len(device.bench("trace", "door")["points"]) == edges
    assert not [line for line in device.journal() if line["topic"] == "access/granted"]


def test_what_was_set_up_is_there_after_a_power_cut(device: Device) -> None:
    entry = device.enrol(CARD)
    old = device.pid("network")
    assert old is not None
    device.bench("power", "off")
    assert device.pid("control") is None
    device.bench("power", "on", "--hold", "control")
    device.wait_ready("network", other_than=old)
    found = device.api.get("/entries").json()["entries"]
    assert [each["id"] for each in found] == [entry]
    assert device.api.post("/setup", json={"name": "thief", "password": "anything"}).status_code == 409
    state = device.api.get("/state").json()["states"]
    held = [each for each in state if each["topic"] == "device/button" and each["button"] == "control"]
    assert held
    assert held[0]["pressed"] is True
