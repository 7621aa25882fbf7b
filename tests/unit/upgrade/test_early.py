"""The early start of control after a crash: other roles are still at work, so settings are not exchanged under them."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware.upgrade.early import Device, begin
from firmware.upgrade.ports import Slot
from firmware.upgrade.record import Mode, ResetKind, Stage
from firmware.upgrade.waking import wake
from tests.unit.upgrade.model.real_device import RealDevice
from tests.unit.upgrade.model.world import KEPT, Quality, approved


@pytest.fixture
def device(tmp_path: Path) -> RealDevice:
    """A device at rest in slot A."""
    (tmp_path / "root").mkdir()
    made = RealDevice(tmp_path / "root", tmp_path / "runtime")
    made.furnish()
    made.start()
    return made


def crashes(device: RealDevice) -> Device:
    nature = device.nature(device.boot.running())
    assert nature is not None
    return Device(root=device.root, version=nature[0], boot=device.boot, kept=KEPT, crashed=True)


def tries(device: RealDevice, mode: Mode) -> None:
    """The new firmware is on trial, in slot B."""
    machine = device.start().machine
    machine.install(approved("2.0.0", Quality.GOOD), mode)
    machine.arm()
    assert device.loads() is Slot.B
    assert wake(device.parts, "2.0.0").trial


@pytest.mark.parametrize("mode", [Mode.STANDARD, Mode.FACTORY])
def test_control_that_crashes_between_the_sector_and_the_record_finishes_the_commit_once(
    device: RealDevice, mode: Mode
) -> None:
    tries(device, mode)
    device.boot.set_default(Slot.B)
    device.asked = False
    start = begin(crashes(device))
    assert (start.restart, device.asked) == ((mode is Mode.FACTORY),) * 2
    former = device.root / "settings" / "A" / "control" / "list"
    assert former.exists(), "nothing is deleted while other roles run"
    if mode is Mode.STANDARD:
        assert start.machine.record.stage is Stage.IDLE
    device.start()
    record = device.start().machine.record
    assert (record.home, record.last and record.last.outcome.value) == (Slot.B, "ok")
    assert former.exists() is (mode is Mode.STANDARD)


def test_control_that_crashes_on_trial_ends_the_trial(device: RealDevice) -> None:
    tries(device, Mode.STANDARD)
    device.asked = False
    assert begin(crashes(device)).restart
    assert device.asked
    last = device.start().machine.record.last
    assert last is not None
    assert (device.boot.running(), last.outcome.value, last.why) == (Slot.A, "reverted", "control crashed")


def test_control_that_crashes_after_a_reset_was_asked_for_leaves_it_to_the_restart(device: RealDevice) -> None:
    device.start().machine.ask_reset(ResetKind.HARD, "api")
    device.asked = False
    assert begin(crashes(device)).restart
    assert device.asked
    assert (device.root / "settings" / "A" / "control" / "list").exists()
    device.start()
    assert not (device.root / "settings" / "A" / "control").exists()


def test_control_that_crashes_with_nothing_under_way_just_goes_on(device: RealDevice) -> None:
    device.asked = False
    assert not begin(crashes(device)).restart
    assert not device.asked
