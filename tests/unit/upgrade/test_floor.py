"""The anti-rollback floor outlives the record of upgrades, and what is only tried is never taken for committed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.upgrade.floor import FloorFile
from firmware.upgrade.machine import RollbackRefused
from firmware.upgrade.medium import FileMedium
from firmware.upgrade.ports import Slot
from firmware.upgrade.record import COPY_BYTES, Mode, SlotState
from firmware.upgrade.waking import wake
from tests.unit.upgrade.model.medium import SimMedium
from tests.unit.upgrade.model.real_device import RealDevice
from tests.unit.upgrade.model.world import Quality, approved


@pytest.fixture
def device(tmp_path: Path) -> RealDevice:
    """A device that has committed firmware with security counter 3, in slot B."""
    (tmp_path / "root").mkdir()
    made = RealDevice(tmp_path / "root", tmp_path / "runtime")
    made.furnish()
    upgrade(made, "2.0.0", 3)
    assert made.start().machine.record.home is Slot.B
    return made


def upgrade(device: RealDevice, version: str, counter: int) -> None:
    machine = device.start().machine
    machine.install(approved(version, Quality.GOOD, counter=counter), Mode.STANDARD)
    machine.arm()
    device.start()


def spoil_record(device: RealDevice, content: bytes = b"\xff" * COPY_BYTES) -> None:
    for path in device.parts.ledger.paths:
        (device.root / path).write_bytes(content)


@pytest.mark.parametrize("content", [b"\xff" * COPY_BYTES, bytes(COPY_BYTES), b""], ids=["rotten", "zeros", "empty"])
def test_row_28_a_record_that_is_lost_does_not_take_the_floor_with_it(device: RealDevice, content: bytes) -> None:
    spoil_record(device, content)
    start = device.start()
    assert (start.machine.record.floor, start.machine.record.home) == (3, Slot.B)
    assert any("security floor 3" in note for note in start.notes)
    assert device.start().machine.record.floor == 3, "and the next start finds it in the record"
    with pytest.raises(RollbackRefused):
        start.machine.rollback()


def test_row_28_the_older_copy_of_the_record_does_not_bring_an_older_floor_back(device: RealDevice) -> None:
    machine = device.start().machine
    path = device.root / device.parts.ledger.paths[0]
    kept = path.read_bytes()
    upgrade(device, "3.0.0", 7)
    machine = device.start().machine
    assert machine.record.floor == 7
    spoil_record(device)
    path.write_bytes(kept)
    assert device.start().machine.record.floor == 7


@pytest.mark.parametrize("content", [b"", b"7", b"lintel 1 1 " + b"0" * 64 + b"\n9"])
def test_a_second_copy_that_is_damaged_is_said_and_made_anew(device: RealDevice, content: bytes) -> None:
    (device.root / "identity" / "floor").write_bytes(content)
    start = device.start()
    assert start.machine.record.floor == 3
    assert any("second copy of the security floor" in note for note in start.notes)
    spoil_record(device)
    assert device.start().machine.record.floor == 3


def test_the_second_copy_is_not_raised_before_the_commit_nor_by_test_firmware(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    device = RealDevice(tmp_path / "root", tmp_path / "runtime")
    device.furnish()
    floors = FloorFile(FileMedium(device.root))
    machine = device.start().machine
    machine.install(approved("2.0.0", Quality.GOOD, counter=3), Mode.AUTOROLLBACK, window_s=30)
    machine.arm()
    device.loads()
    start = wake(device.parts, "2.0.0")
    assert (start.trial, floors.load()) == (True, 0)
    start.machine.confirm()
    assert floors.load() == 3


def test_a_record_that_is_lost_during_a_trial_does_not_commit_what_is_tried(device: RealDevice) -> None:
    machine = device.start().machine
    machine.install(approved("3.0.0", Quality.GOOD), Mode.STANDARD)
    machine.arm()
    assert device.loads() is Slot.A
    spoil_record(device)
    device.asked = False
    assert wake(device.parts, "3.0.0").restart
    assert (device.asked, device.boot.default()) == (True, Slot.B)
    record = device.start().machine.record
    assert (device.boot.running(), record.home) == (Slot.B, Slot.B)
    assert (record.slot(Slot.B).version, record.slot(Slot.A).state) == ("2.0.0", SlotState.INVALID)
    assert record.floor == 3


@given(st.binary(max_size=120))
def test_whatever_lies_there_is_a_floor_or_none(data: bytes) -> None:
    medium = SimMedium()
    medium.make_folder("identity")
    medium.write("identity/floor", (data,))
    found = FloorFile(medium).load()
    assert found is None or found >= 0
