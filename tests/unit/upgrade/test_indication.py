"""What the record says to the status light: a table, and properties of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from firmware.core.vocabulary.device import Phase
from firmware.upgrade.indication import phase_of, state_of
from firmware.upgrade.ports import Slot
from firmware.upgrade.record import Last, Mode, Outcome, Record, Reset, ResetKind, Stage, Upgrade
from tests.unit.upgrade.test_record import RECORDS

UP = Upgrade(id="u", mode=Mode.AUTOROLLBACK, source=Slot.A, target=Slot.B, version="2", manifest_sha256="", window_s=60)
FAILED = Last(id="u", what="standard", outcome=Outcome.FAILED, why="interrupted")
IDLE = Record(home=Slot.A)
RESET = Reset(id="r", kind=ResetKind.HARD, by="button")

TABLE = [
    (IDLE, Phase.NORMAL),
    (replace(IDLE, stage=Stage.INSTALLING, up=UP), Phase.UPGRADING),
    (replace(IDLE, stage=Stage.STAGED, up=UP), Phase.UPGRADING),
    (replace(IDLE, stage=Stage.TRIAL, up=UP), Phase.UPGRADING),
    (replace(IDLE, stage=Stage.COMMITTED, up=UP), Phase.NORMAL),
    (replace(IDLE, last=FAILED), Phase.UPGRADE_FAILED),
    (replace(IDLE, last=replace(FAILED, outcome=Outcome.REVERTED)), Phase.UPGRADE_FAILED),
    (replace(IDLE, last=replace(FAILED, outcome=Outcome.OK)), Phase.NORMAL),
    (replace(IDLE, last=replace(FAILED, seen=True)), Phase.NORMAL),
    (replace(IDLE, stage=Stage.TRIAL, up=UP, last=FAILED), Phase.UPGRADING),
    (replace(IDLE, stage=Stage.TRIAL, up=UP, reset=RESET), Phase.RESTORING),
    (replace(IDLE, last=FAILED, reset=RESET), Phase.RESTORING),
]


@pytest.mark.parametrize(("record", "phase"), TABLE)
def test_the_light_follows_the_record(record: Record, phase: Phase) -> None:
    assert phase_of(record, Slot.B)[0] is phase


@given(RECORDS)
def test_every_record_has_a_phase_and_a_state(record: Record) -> None:
    phase, detail = phase_of(record, Slot.B)
    assert phase in (Phase.NORMAL, Phase.RESTORING, Phase.UPGRADING, Phase.UPGRADE_FAILED)
    assert (phase is Phase.RESTORING) is (record.reset is not None)
    assert phase is not Phase.NORMAL or detail == ""
    state = state_of(record, Slot.A)
    assert [view.slot for view in state.slots] == ["A", "B"]
    assert state.confirm_left_s is None or state.confirm_left_s >= 0


TRIAL = replace(IDLE, stage=Stage.TRIAL, up=replace(UP, elapsed_s=20))


def test_the_time_left_to_confirm_counts_down() -> None:
    assert state_of(TRIAL, Slot.B).confirm_left_s == 40


def test_a_trial_that_is_given_up_has_no_time_left() -> None:
    given_up = replace(TRIAL, up=replace(TRIAL.up or UP, verdict="control is not ready"))
    assert state_of(given_up, Slot.B).confirm_left_s == 0


def test_the_old_firmware_is_not_seen_on_trial_while_it_restarts_into_the_new_one() -> None:
    old, new = state_of(TRIAL, Slot.A), state_of(TRIAL, Slot.B)
    assert (old.stage, old.confirm_left_s, new.stage) == ("staged", None, "trial")
    assert (phase_of(TRIAL, Slot.A)[1], phase_of(TRIAL, Slot.B)[1]) == ("staged 2", "trial 2")
