"""The whole examination, in the order in which things are mended best."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from firmware.doctor.devices import check_devices
from firmware.doctor.finding import Finding
from firmware.doctor.machine import Machine
from firmware.doctor.people import check_groups
from firmware.doctor.slots import check_slots
from firmware.doctor.storage import check_storage
from firmware.doctor.times import check_clock
from firmware.doctor.units import check_units
from firmware.doctor.wiring import check_wiring
from hal.board import Board
from hal.clock import Clock


def examine(machine: Machine, board: Board, state: Path, user: str, clock: Clock) -> Iterator[Finding]:
    """Every finding of a machine that is to be this board, with its state directory and the firmware's user."""
    yield from check_groups(machine, board, user)
    yield from check_devices(machine, board, user)
    yield from check_wiring(machine, board)
    yield from check_clock(machine)
    yield from check_storage(machine, state, clock)
    yield from check_slots(machine)
    yield from check_units(machine, board)
