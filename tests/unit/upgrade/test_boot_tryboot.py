"""Boot control of a Raspberry Pi, on folders and images in place of /proc, /run and the card."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware.upgrade.boot_tryboot import Places, TrybootBoot
from firmware.upgrade.fat_image import write_image
from firmware.upgrade.ports import Boot, Slot
from firmware.upgrade.sector import AUTOBOOT, SlotDoor, autoboot_text


class Machine:
    """A machine with two slots: what its boot loader said, and its card."""

    def __init__(self, root: Path) -> None:
        self.places = Places(
            loader=root / "proc",
            reboot_param=root / "run" / "reboot-param",
            autoboot=root / "p1",
            boots={Slot.A: root / "p2", Slot.B: root / "p3"},
        )
        (root / "proc").mkdir()
        (root / "run").mkdir()
        write_image(root / "p1", "AUTOBOOT", {AUTOBOOT: autoboot_text(Slot.A)})
        write_image(root / "p2", "BOOT-A", {})
        write_image(root / "p3", "BOOT-B", {})
        self.restarts: list[str] = []
        self.boot = TrybootBoot(self.places, lambda: self.restarts.append(self.param))
        self.say(partition=2, tryboot=0)

    def say(self, **cells: int) -> None:
        for name, value in cells.items():
            (self.places.loader / name.replace("_", "-")).write_bytes(value.to_bytes(4, "big"))

    @property
    def param(self) -> str:
        return self.places.reboot_param.read_text() if self.places.reboot_param.exists() else ""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_running_slot_and_the_try_are_what_the_boot_loader_says(machine: Machine) -> None:
    boot: Boot = machine.boot
    assert (boot.running(), boot.trying()) == (Slot.A, False)
    machine.say(partition=3, tryboot=1)
    assert (boot.running(), boot.trying()) == (Slot.B, True)


@pytest.mark.parametrize("partition", [0, 1, 4, 0x02000000])
def test_a_start_from_elsewhere_is_no_slot(machine: Machine, partition: int) -> None:
    machine.say(partition=partition)
    with pytest.raises(OSError, match=f"partition {partition}, which is no slot"):
        machine.boot.running()


def test_words_of_another_width_are_not_guessed_at(machine: Machine) -> None:
    (machine.places.loader / "tryboot").write_bytes(b"\0\1")
    with pytest.raises(OSError, match="tryboot has 2 bytes, not 4"):
        machine.boot.trying()


def test_arming_asks_for_one_try_at_the_next_restart_and_leaves_the_card_alone(machine: Machine) -> None:
    before = machine.places.autoboot.read_bytes()
    machine.boot.arm()
    machine.boot.restart()
    assert [word.split() for word in machine.restarts] == [["0", "tryboot"]]
    assert machine.places.autoboot.read_bytes() == before
    assert [path.name for path in machine.places.reboot_param.parent.iterdir()] == ["reboot-param"]


def test_a_commit_and_a_revert_change_the_default_to_named_slots(machine: Machine) -> None:
    for slot in (Slot.B, Slot.B, Slot.A):
        machine.boot.set_default(slot)
        assert machine.boot.default() is slot


def test_closing_a_slot_closes_that_one_only(machine: Machine) -> None:
    machine.boot.close_slot(Slot.B)
    doors = {slot: SlotDoor(path) for slot, path in machine.places.boots.items()}
    assert {slot: door.is_open() for slot, door in doors.items()} == {Slot.A: True, Slot.B: False}
    machine.boot.open_slot(Slot.B)
    assert doors[Slot.B].is_open()


def test_the_age_of_the_boot_loader_is_reported_when_it_says_it(machine: Machine) -> None:
    assert machine.boot.loader_built() is None
    machine.say(build_timestamp=1_755_648_000)
    built = machine.boot.loader_built()
    assert built is not None
    assert built.isoformat() == "2025-08-20T00:00:00+00:00"


@pytest.mark.parametrize(("built", "current"), [(None, False), (1_755_647_999, False), (1_755_648_000, True)])
def test_a_boot_loader_that_is_too_old_or_does_not_say_is_told_as_such(
    machine: Machine, built: int | None, current: bool
) -> None:
    machine.say(partition=3, tryboot=1)
    if built is not None:
        machine.say(build_timestamp=built)
    facts = machine.boot.facts()
    assert (facts.slot, facts.trying, facts.loader_current) == ("B", True, current)
