"""The dead man's look at firmware on trial: it restarts the machine for exactly one reason."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from firmware.upgrade.ports import Slot
from firmware.upgrade.sector import PARTITIONS, TEXTS
from hal.board import BOARDS

SCRIPT = BOARDS.parent / "systemd" / "deadman"


def look(tmp_path: Path, *, running: Slot, default: Slot, trying: bool, works: bool) -> list[str]:
    """What the script asks of systemctl in that state of the machine."""
    for name, value in {"partition": PARTITIONS[running], "tryboot": int(trying)}.items():
        (tmp_path / name).write_bytes(struct.pack(">I", value))
    (tmp_path / "autoboot").write_bytes(b"\xeb\x3c\x90 a file system\n\0" + TEXTS[default])
    (tmp_path / "systemctl").write_text(
        f'#!/bin/sh\necho "$*" >>{tmp_path}/asked\ncase "$*" in *is-active*) exit {0 if works else 3} ;; esac\n'
    )
    (tmp_path / "systemctl").chmod(0o755)
    subprocess.run(
        ["sh", str(SCRIPT), str(tmp_path), str(tmp_path / "autoboot")],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        check=True,
        capture_output=True,
    )
    return (tmp_path / "asked").read_text().splitlines() if (tmp_path / "asked").exists() else []


def test_firmware_on_trial_that_does_not_work_restarts_the_machine(tmp_path: Path) -> None:
    asked = look(tmp_path, running=Slot.B, default=Slot.A, trying=True, works=False)
    assert asked[-1] == "reboot", "without an argument: into the slot that a plain start takes"


@pytest.mark.parametrize(
    ("running", "default", "trying", "works"),
    [
        (Slot.B, Slot.A, True, True),  # it works: its own timers decide
        (Slot.B, Slot.B, True, False),  # committed since this start
        (Slot.A, Slot.A, False, False),  # an ordinary start
        (Slot.B, Slot.A, False, False),  # the boot loader has walked on to the other slot: nothing is on trial
    ],
)
def test_nothing_else_restarts_it(tmp_path: Path, running: Slot, default: Slot, trying: bool, works: bool) -> None:
    asked = look(tmp_path, running=running, default=default, trying=trying, works=works)
    assert "reboot" not in asked


def test_a_machine_without_two_slots_is_left_alone(tmp_path: Path) -> None:
    done = subprocess.run(["sh", str(SCRIPT), str(tmp_path / "none"), str(tmp_path)], capture_output=True, check=True)
    assert done.stdout == b""
