"""What a person does in the first ten minutes, with the commands of the README."""

from __future__ import annotations

import itertools
import re

import pytest

from tests.live.device import Device, until

CARD = "H10301:42:1234"
HOLD_S = 7.0
# Real time on a shared machine: what the issue allows for the width of the release.
TOLERANCE_S = 0.05
SWIPES = 4
# What a machine that stands still may make of a width. One of 5 or of 10 s was set wrong: no machine makes it of 7.
LOOSE = 1.38


def relay_pulses(device: Device) -> list[dict[str, float]]:
    pulses: list[dict[str, float]] = device.bench("trace", "door")["pulses"]
    return pulses


def widths_s(device: Device, number: int) -> tuple[float, float] | None:
    """How long relay and green light of that release were on, once both are over; there is no release after it."""
    relay = [pulse["width_s"] for pulse in relay_pulses(device) if pulse["width_s"] is not None]
    green = [ended_s - began_s for began_s, ended_s in green_pulses(device.bench("trace", "front.led")["points"])]
    assert max(len(relay), len(green)) <= number
    return (relay[-1], green[-1]) if len(relay) == len(green) == number else None


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
    seen: list[tuple[float, float]] = []
    for number in range(1, SWIPES + 1):
        device.bench("swipe", "front", CARD)
        widths = until("the end of the release", lambda number=number: widths_s(device, number))  # type: ignore[misc]
        seen.append(widths)
        print(f"release {number}: relay {widths[0]:.3f} s, green {widths[1]:.3f} s")
        assert all(HOLD_S / LOOSE < width < HOLD_S * LOOSE for width in widths), seen
        # A machine that stands still at the end makes it longer, and one that does at the beginning, between the timer
        # in one process and the relay in another, shorter: then the card is held there again.
        if all(abs(width - HOLD_S) <= TOLERANCE_S for width in widths):
            break
    else:
        pytest.fail(f"in {SWIPES} releases never the width that was set: {seen}")

    lines = device.journal()
    releases = [line["fields"] for line in lines if line["topic"] == "door/released"]
    assert [(each["hold_s"], each["extended"]) for each in releases] == [(HOLD_S, False)] * len(seen)
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
    device.all_ready()
    found = device.api.get("/entries").json()["entries"]
    assert [each["id"] for each in found] == [entry]
    assert device.api.post("/setup", json={"name": "thief", "password": "anything"}).status_code == 409

    def held() -> bool:
        states = device.api.get("/state").json()["states"]
        return any(
            each["pressed"] for each in states if each["topic"] == "device/button" and each["button"] == "control"
        )

    until("the button that was held all the time", held)
