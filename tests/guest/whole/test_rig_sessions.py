"""Whole sessions on rigs of every kind, and the endurance command: in `make test-kernel`, not in CI's short run."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from tests.bench.rig.wiring import load_wiring
from tests.guest.rig_session import CONTACTS, STRIKE, PlayedBoard, bench_run, played, two_machines, usb_relays, wires_of
from tests.guest.test_guest_endurance import player, relay_rig
from tests.guest.wire_player import WirePlayer

FILE = Path("tests/bench/rig/looped_pi.toml")
DOOR = "tests/behaviour/test_door.py::"
TESTS = (
    f"{DOOR}test_a_known_card_opens_the_door_for_seven_seconds_with_green_light",
    f"{DOOR}test_the_exit_button_releases_the_door",
    f"{DOOR}test_a_door_opened_without_a_release_is_forced",
    f"{DOOR}test_row_13_a_welded_relay_is_reported_within_two_seconds_without_a_retry_storm",
    f"{DOOR}test_row_14_a_restart_during_a_release_ends_it_with_one_edge",
    "tests/behaviour/test_ports.py::test_the_auxiliary_relay_switches_and_a_strike_cannot_be_switched_past_its_door",
    f"{DOOR}test_row_12_a_cut_contact_is_tampering_not_an_open_door",
    f"{DOOR}test_row_16_a_clock_that_jumps_ten_years_moves_no_relay_and_shortens_no_release",
    "tests/behaviour/test_ports.py::test_an_output_port_goes_active_for_a_time_and_back_to_normal",
)


CARD, EXIT, FORCED = TESTS[:3]


def test_the_behaviour_tests_run_over_wires_and_say_why_each_of_the_others_does_not() -> None:
    wires = wires_of(load_wiring(FILE))
    with played(lambda: WirePlayer(wires.items())) as runner:
        status, said = bench_run(runner, FILE, *TESTS)
    assert status == 0, said
    assert "6 ran: 6 passed, 0 failed" in said
    for reason in ("cannot be told cut from plain", "wall clock of a Pi", "the rig looped_pi lacks io1"):
        assert reason in said, said


def test_a_session_on_a_broken_rig_ends_before_its_first_test_with_the_loose_wire() -> None:
    wires = wires_of(load_wiring(FILE))
    del wires[17]
    with played(lambda: WirePlayer(wires.items())) as runner:
        status, said = bench_run(runner, FILE, TESTS[0])
    assert status == 2, said
    assert "rig looped_pi: door strike relay GPIO17 ↔ probe GPIO22: no contact" in said
    assert "0 ran" in said


def test_a_card_opens_the_door_over_wires_to_a_second_machine(tmp_path: Path) -> None:
    file = two_machines(tmp_path)
    wires = wires_of(load_wiring(file))
    with played(lambda: WirePlayer(wires.items())) as runner:
        status, said = bench_run(runner, file, CARD)
    assert status == 0, said
    assert "1 ran: 1 passed" in said


def test_contacts_made_by_usb_relays_drive_the_door_and_what_they_cannot_do_is_skipped(tmp_path: Path) -> None:
    file = usb_relays(tmp_path)
    with played(lambda: PlayedBoard(CONTACTS, STRIKE, {17: 22, 9: 27})) as runner:
        status, said = bench_run(runner, file, EXIT, FORCED, CARD)
    assert status == 0, said
    assert "2 ran: 2 passed" in said
    assert "lacks it: reader:front has no wire at gpio0:23" in said


def test_the_command_writes_its_report_and_says_that_the_relay_is_sound(tmp_path: Path) -> None:
    rig = relay_rig(tmp_path)

    async def run() -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.bench.rig.endurance", "--rig", str(rig), "--cycles", "20"),
            *("--report", str(tmp_path / "report")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode()

    with played(player) as runner:
        status, said = runner.run(run())
    assert status == 0, said
    assert "no trouble in 20 cycles" in said
    assert len(json.loads((tmp_path / "report" / "endurance.json").read_text())["cycles"]) == 20
