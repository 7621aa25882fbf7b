"""Units: those of the firmware are installed, enabled, and running."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

from firmware.doctor.finding import Finding, bad, note, ok
from firmware.doctor.machine import Machine
from firmware.doctor.slots import has_slots
from hal.board import Board

CHECK = "units"
PATIENCE_S = 10.0


def units_of(board: Board, *, slots: bool) -> tuple[str, ...]:
    """The units that a board needs: media where it has picture or sound, the dead man's timer where it has slots."""
    media = ["lintel-media.service"] if board.capabilities & {"camera", "speaker", "microphone"} else []
    timer = ["lintel-deadman.timer"] if slots else []
    return (
        "lintel-control.service",
        *media,
        "lintel-network.service",
        "lintel-restart.path",
        "lintel-trace.socket",
        *timer,
    )


def check_units(machine: Machine, board: Board) -> Iterator[Finding]:
    """Every unit that this board needs."""
    for unit in units_of(board, slots=has_slots(machine)):
        if machine.unit(unit) is None:
            yield bad(CHECK, f"{unit} is not installed", "sudo apt-get install --reinstall lintel")
        elif not any(os.path.lexists(wants / unit) for wants in machine.path("etc/systemd/system").glob("*.wants")):
            yield bad(CHECK, f"{unit} is not enabled", f"sudo systemctl enable --now {unit}")
        else:
            yield _running(machine, unit)


def _running(machine: Machine, unit: str) -> Finding:
    if not machine.alive or not machine.path("run/systemd/system").is_dir():
        return ok(CHECK, f"{unit} is enabled")
    try:
        asked = subprocess.run(
            ["systemctl", "is-active", unit], check=False, capture_output=True, text=True, timeout=PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return note(CHECK, f"whether {unit} runs is unknown: {error}", f"systemctl status {unit}")
    state = asked.stdout.strip() or "unknown"
    if state == "active":
        return ok(CHECK, f"{unit} runs")
    return bad(CHECK, f"{unit} is {state}", f"sudo systemctl restart {unit}; journalctl -u {unit} -n 50 --no-pager")
