"""What the record says to the status light and to people: pure functions of it."""

from __future__ import annotations

from firmware.core.vocabulary.device import Phase
from firmware.core.vocabulary.upgrade import LastOutcome, SlotView, UpgradeStage, UpgradeState
from firmware.upgrade.ports import Slot
from firmware.upgrade.record import Mode, Outcome, Record, SlotState, Stage

# A failure is shown until somebody logs in, the next success, or this long (specification, 4.7).
SHOWN_S = 24 * 3600


def stage_of(record: Record, running: Slot) -> Stage:
    """The stage of the record, as whoever asks may act on it.

    The record says trial before the restart that begins it. The old firmware has nothing that could be confirmed: who
    read trial there and confirmed it would be refused, or his confirmation be lost in the restart.
    """
    up = record.up
    armed = record.stage is Stage.TRIAL and up is not None and up.target is not running
    return Stage.STAGED if armed else record.stage


def phase_of(record: Record, running: Slot) -> tuple[Phase, str]:
    """The phase of the device and of what: a reset before an upgrade, an upgrade before a failure."""
    if record.reset is not None:
        return Phase.RESTORING, f"{record.reset.kind.value} reset"
    stage = stage_of(record, running)
    if record.up is not None and stage in (Stage.INSTALLING, Stage.STAGED, Stage.TRIAL):
        return Phase.UPGRADING, f"{stage.value} {record.up.version}"
    last = record.last
    if last is not None and last.outcome is not Outcome.OK and not last.seen:
        return Phase.UPGRADE_FAILED, last.why
    return Phase.NORMAL, ""


def state_of(record: Record, running: Slot, *, checking: bool = False, progress: int = 0) -> UpgradeState:
    """The record as the state that interfaces see."""
    up, last, stage = record.up, record.last, stage_of(record, running)
    waits = up is not None and up.mode is Mode.AUTOROLLBACK and stage is Stage.TRIAL
    # One that was given up is being undone, however much of the time is left.
    left_s = 0 if up is None or up.verdict else max(0, up.window_s - up.elapsed_s)
    return UpgradeState(
        stage=UpgradeStage.CHECKING if checking else UpgradeStage(stage.value),
        running=running.value,
        slots=tuple(
            SlotView(slot=slot.value, state=record.slot(slot).state.value, version=record.slot(slot).version)
            for slot in Slot
        ),
        rollback_ok=record.rollback_ok and record.slot(running.other).state is SlotState.GOOD,
        id="" if up is None else up.id,
        mode="" if up is None else up.mode.value,
        target="" if up is None else up.version,
        progress=progress,
        confirm_left_s=left_s if waits else None,
        last=None
        if last is None
        else LastOutcome(
            id=last.id,
            what=last.what,
            outcome=last.outcome.value,
            why=last.why,
            before=last.before,
            after=last.after,
            seen=last.seen,
        ),
    )
