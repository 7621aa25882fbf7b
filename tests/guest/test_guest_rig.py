"""The rig bench on a kernel's lines alone: wires are played between them, whole, cut, swapped and stuck."""

from __future__ import annotations

from pathlib import Path

import gpiod
import pytest

from hal.errors import BusError
from tests.bench.rig.bench import Rig
from tests.bench.rig.lock import locked
from tests.bench.rig.wiring import Wiring, load_wiring
from tests.guest.rig_session import bench_run, found_on, played, wires_of
from tests.guest.wire_player import WirePlayer

FILE = Path("tests/bench/rig/looped_pi.toml")
DOOR = "tests/behaviour/test_door.py::"
TESTS = (
    f"{DOOR}test_a_known_card_opens_the_door_for_seven_seconds_with_green_light",
    f"{DOOR}test_row_13_a_welded_relay_is_reported_within_two_seconds_without_a_retry_storm",
    f"{DOOR}test_row_12_a_cut_contact_is_tampering_not_an_open_door",
    "tests/behaviour/test_ports.py::test_an_output_port_goes_active_for_a_time_and_back_to_normal",
)


@pytest.fixture
def wiring() -> Wiring:
    return load_wiring(FILE)


def test_a_rig_that_is_wired_as_its_file_says_is_a_good_one(wiring: Wiring) -> None:
    assert found_on(wiring, lambda: WirePlayer(wires_of(wiring).items())) == []


def test_a_cut_wire_is_named(wiring: Wiring) -> None:
    wires = wires_of(wiring)
    del wires[17]
    assert found_on(wiring, lambda: WirePlayer(wires.items())) == [
        "door strike relay GPIO17 ↔ probe GPIO22: no contact"
    ]


def test_swapped_wires_are_both_named(wiring: Wiring) -> None:
    wires = wires_of(wiring)
    wires[12], wires[13] = wires[13], wires[12]
    assert found_on(wiring, lambda: WirePlayer(wires.items())) == [
        "door contact GPIO12 ↔ probe GPIO21: swapped: it follows the probe line of exit button GPIO13",
        "exit button GPIO13 ↔ probe GPIO2: swapped: it follows the probe line of door contact GPIO12",
    ]


@pytest.mark.parametrize("level", [True, False], ids=["high", "low"])
def test_a_stuck_line_is_named_with_its_level(wiring: Wiring, level: bool) -> None:
    found = found_on(wiring, lambda: WirePlayer(wires_of(wiring).items(), stuck={23: level}))
    assert found == [f"reader D0 GPIO23 ↔ probe GPIO8: stuck {'high' if level else 'low'}"]


def test_a_bridge_between_two_wires_names_both(wiring: Wiring) -> None:
    found = found_on(wiring, lambda: WirePlayer([*wires_of(wiring).items(), (5, 6)]))
    assert [line.partition(" ↔ ")[0] for line in found] == ["reader lamp red GPIO5", "reader lamp green GPIO6"]


def test_a_rig_whose_lines_the_firmware_has_is_left_alone_and_says_what_to_stop(wiring: Wiring) -> None:
    with gpiod.request_lines("/dev/gpiochip0", consumer="lintel:relay1", config={17: None}):
        with pytest.raises(BusError, match=r"lintel:relay1.*systemctl stop lintel-control"):
            found_on(wiring, lambda: WirePlayer(wires_of(wiring).items()))


@pytest.mark.timeout(0)
def test_the_behaviour_tests_run_over_wires_and_say_why_each_of_the_others_does_not(wiring: Wiring) -> None:
    with played(lambda: WirePlayer(wires_of(wiring).items())) as runner:
        status, said = bench_run(runner, FILE, *TESTS)
    assert status == 0, said
    assert "2 ran: 2 passed, 0 failed" in said
    for reason in ("cannot be told cut from plain", "the rig looped_pi lacks io1"):
        assert reason in said, said


def test_two_sessions_cannot_have_one_rig() -> None:
    with locked(["/dev/lintel/gpio"], "pytest in another folder"):
        with pytest.raises(pytest.exit.Exception, match="this rig is in use by pytest in another folder"):
            Rig.taken(FILE)
