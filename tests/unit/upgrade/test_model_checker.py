"""The proof: the real state machine under every loss of power, and every seeded mistake found.

Depth 2 on every run; depth 3 with `make crash`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache

import pytest

from firmware.core.errors import StationError
from firmware.upgrade.engine_file import image_path
from firmware.upgrade.machine import RollbackRefused
from firmware.upgrade.ports import Slot
from firmware.upgrade.record import Mode, ResetKind, Stage
from firmware.upgrade.waking import wake
from tests.unit.upgrade.model.bugs import BUGS, Bug
from tests.unit.upgrade.model.checker import Checker, Result
from tests.unit.upgrade.model.medium import put
from tests.unit.upgrade.model.scenarios import after, cases, upgrade
from tests.unit.upgrade.model.world import Device, Quality, Seen, approved, new_device

DEPTH = 3 if int(os.environ.get("LINTEL_CRASH", "10")) > 10 else 2
LEAST_SCHEDULES = 20_000


@cache
def proof(attempts: int) -> Result:
    """Every scenario, with that many attempts."""
    total = Result()
    for begin, scenario in cases(attempts):
        total.add(Checker(begin, scenario).check(DEPTH))
    return total


def holds(invariant: str) -> None:
    """The invariant was put to the test in both settings, and nothing breaks it."""
    for attempts in (1, 2):
        result = proof(attempts)
        assert result.checked[invariant] > 0, f"nothing put {invariant} to the test"
        assert invariant not in result.violations, result.violations[invariant]


@pytest.mark.parametrize("attempts", [1, 2])
def test_row_17_row_28_no_loss_of_power_breaks_any_invariant_in_twenty_thousand_schedules(attempts: int) -> None:
    result = proof(attempts)
    print(f"{attempts} attempts: {result.schedules} schedules, {result.states} states, {result.runs} runs")
    assert result.violations == {}
    assert result.schedules >= LEAST_SCHEDULES
    assert set(result.ends) == {"end old", "end new", "end back", "end factory"}, "an ending was never reached"


def test_i1_the_default_slot_always_holds_a_whole_verified_image() -> None:
    holds("I1")


def test_i2_every_start_ends_in_a_firmware_that_runs() -> None:
    holds("I2")


def test_i3_whoever_ends_in_the_old_firmware_has_its_settings_bit_for_bit() -> None:
    holds("I3")


def test_i4_whoever_ends_in_the_new_firmware_has_the_old_settings_migrated() -> None:
    holds("I4")


def test_i5_after_a_factory_default_upgrade_nothing_is_left_and_nobody_goes_back() -> None:
    holds("I5")


def test_i6_firmware_that_is_bad_or_not_confirmed_is_never_the_default() -> None:
    holds("I6")


def test_i7_a_slot_that_counts_as_good_is_whole_and_was_well() -> None:
    holds("I7")


def test_i8_after_a_few_starts_the_device_is_idle_with_exactly_one_outcome() -> None:
    holds("I8")


def test_i9_the_time_on_trial_is_bounded() -> None:
    holds("I9")


def test_i10_a_commit_that_somebody_was_told_of_is_never_lost() -> None:
    holds("I10")


def settled_device(mode: Mode | None = None, *, on_trial: bool = False) -> Device:
    """A device at rest, or in the middle of a trial."""
    scenario = upgrade(mode or Mode.STANDARD)
    device = Device(new_device(), scenario, Seen(), lambda: None)
    device.run(act=False)
    if mode is not None:
        scenario.act(device)
    if on_trial:
        device.boot.start()
        device.machine = wake(device.parts, "2.0.0").machine
        assert device.machine.on_trial
    return device


def asked_for_a_reset() -> Device:
    device = settled_device()
    assert device.machine is not None
    device.machine.ask_reset(ResetKind.HARD, "api")
    return device


@pytest.mark.parametrize(
    ("make", "ask", "code"),
    [
        (lambda: settled_device(Mode.STANDARD, on_trial=True), "install", "busy"),
        (lambda: settled_device(Mode.STANDARD, on_trial=True), "rollback", "busy"),
        (lambda: settled_device(Mode.STANDARD, on_trial=True), "reset", "busy"),
        (lambda: settled_device(Mode.STANDARD, on_trial=True), "confirm", "no_trial"),
        (lambda: settled_device(Mode.AUTOROLLBACK, on_trial=True), "confirm another", "no_trial"),
        (lambda: settled_device(Mode.STANDARD), "install", "busy"),
        (settled_device, "rollback", "rollback_refused"),
        (settled_device, "confirm", "no_trial"),
        (asked_for_a_reset, "install", "busy"),
        (asked_for_a_reset, "rollback", "busy"),
    ],
)
def test_i11_what_is_refused_changes_nothing(make: Callable[[], Device], ask: str, code: str) -> None:
    device = make()
    machine = device.machine
    assert machine is not None
    asks: dict[str, Callable[[], object]] = {
        "install": lambda: machine.install(approved("3.0.0", Quality.GOOD), Mode.STANDARD),
        "rollback": machine.rollback,
        "reset": lambda: machine.ask_reset(ResetKind.SOFT, "api"),
        "confirm": machine.confirm,
        "confirm another": lambda: machine.confirm("another"),
    }
    steps, before, record = device.medium.steps, device.medium.freeze(), machine.record
    with pytest.raises(StationError) as refused:
        asks[ask]()
    assert refused.value.code == code
    assert (device.medium.steps, device.medium.freeze(), machine.record) == (steps, before, record)


@pytest.mark.parametrize("damage", ["the floor is higher", "the slot has rotted"])
def test_i11_a_rollback_to_firmware_that_is_too_old_or_rotten_moves_nothing(damage: str) -> None:
    scenario = upgrade(Mode.STANDARD)
    begin = after(new_device(), scenario)  # B runs, with security counter 3
    if damage == "the slot has rotted":
        begin = after(begin, upgrade(Mode.STANDARD, version="3.0.0", id="u20"))  # A runs; B was filled by a bundle
        begin = put(begin, image_path(Slot.B, "rootfs"), b"rotten")
    device = Device(begin, scenario, Seen(), lambda: None)
    device.run(act=False)
    assert device.machine is not None
    home = device.machine.record.home
    with pytest.raises(RollbackRefused):
        device.machine.rollback()
    assert device.machine.record.stage is Stage.IDLE
    assert (device.machine.record.home, device.boot.default(), device.boot.tried) == (home, home, False)


def test_the_floor_rises_with_the_commit_and_not_before() -> None:
    holds("floor")


def test_row_17_a_reset_is_done_whole_or_not_at_all_and_ends_every_way_back() -> None:
    holds("reset")


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_the_checker_finds_the_seeded_mistake(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = list(cases(1)) + list(cases(2))  # where they begin is made without the mistake
    bug(monkeypatch)
    for depth in (0, 1, 2):  # most need one loss of power, and a shallow look at every scenario is quick
        for begin, scenario in sound:
            try:
                if Checker(begin, scenario).check(depth, stop_at_first=True).violations:
                    return
            except (AssertionError, OSError, ValueError) as error:
                pytest.fail(f"{scenario.name}: the mistake breaks the code before the checker finds it: {error!r}")
    pytest.fail("no scenario of the checker finds this mistake")
