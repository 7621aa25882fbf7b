"""The upgrade state machine while the firmware runs: install, try, confirm, commit, roll back, ask for a reset.

What happens at a start, before any service, is in `waking.py`. Every method blocks, and what it has changed is
on the medium when it returns. The only commit point is the boot sector: settings go with the slot, so one
512-byte write decides about firmware and configuration together. The numbers are those of the table of
transitions in docs/upgrade.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from firmware.core.errors import Busy, Refused, StationError, Unavailable
from firmware.upgrade.floor import FloorFile
from firmware.upgrade.ports import Approved, Boot, Engine, Slot
from firmware.upgrade.record import (
    WHY_LENGTH,
    Last,
    Ledger,
    Mode,
    Outcome,
    Record,
    Reset,
    ResetKind,
    SlotInfo,
    SlotState,
    Stage,
    Upgrade,
)
from firmware.upgrade.settings_tree import SettingsTrees

# How often the passed time of a trial is written down; at most this much of it is lost when the power goes.
TICK_S = 10


class NoTrial(Busy):
    """There is nothing to confirm: no trial runs, or it is that of another upgrade."""

    code = "no_trial"


class RollbackRefused(Refused):
    """The other slot is not one to go back to."""

    code = "rollback_refused"


class RevocationsUnreadable(Unavailable):
    """Who was deleted cannot be read: a way back to older settings would bring them back."""

    code = "revocations_unreadable"


class Revoked(Protocol):
    """The length of the revocation journal, in entries."""

    def length(self) -> int:
        """How many entries there are. Raises OSError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the machine stands on. `attempts` is how often a new firmware may start before it counts as bad."""

    ledger: Ledger
    boot: Boot
    engine: Engine
    trees: SettingsTrees
    revoked: Revoked
    floors: FloorFile
    new_id: Callable[[], str]
    attempts: int = 1


def nothing(_: int) -> None:
    """Progress that nobody watches."""


class Machine:
    """The record, and everything that may change it. One thread at a time."""

    def __init__(self, parts: Parts, record: Record) -> None:
        """`record` is what `waking.wake` left."""
        self.parts = parts
        self.record = record

    # what holds

    @property
    def running(self) -> Slot:
        """The slot that runs now."""
        return self.parts.boot.running()

    @property
    def on_trial(self) -> bool:
        """Whether the firmware that runs is being tried."""
        up = self.record.up
        return self.record.stage is Stage.TRIAL and up is not None and up.target is self.running and not up.verdict

    def check_free(self) -> None:
        """Raises Busy unless an upgrade, a rollback or a reset can begin."""
        record = self.record
        if record.stage is not Stage.IDLE:
            raise Busy("upgrade", f"an upgrade is under way ({record.stage.value})")
        if record.reset is not None:
            raise Busy("upgrade", "a reset is under way")
        if self.running is not record.home:
            raise Busy("upgrade", "this is not the firmware that was committed last; restart the device first")

    # transitions 1 to 4: install, stage, try

    def install(
        self, approved: Approved, mode: Mode, *, window_s: int = 0, progress: Callable[[int], None] = nothing
    ) -> Upgrade:
        """Write an approved bundle into the other slot and stage it; `arm` starts it.

        Raises Busy, RevocationsUnreadable, OSError (ENOSPC: nothing was changed), and whatever the engine or the boot
        control raised while they wrote; then the old firmware stays, idle, with the failure as the outcome.
        """
        self.check_free()
        if mode is not Mode.FACTORY:
            self._check_revocations("upgrade.install")
        source, target = self.running, self.running.other
        # Before anything changes: what does not fit must not cost the firmware in the other slot.
        self.parts.engine.check_room(target, approved)
        up = Upgrade(
            id=self.parts.new_id(),
            mode=mode,
            source=source,
            target=target,
            version=approved.version,
            manifest_sha256=approved.manifest_sha256,
            signer=approved.signer,
            counter=approved.counter if approved.signer == "release" else 0,
            window_s=window_s if mode is Mode.AUTOROLLBACK else 0,
        )
        info = SlotInfo(
            state=SlotState.WRITING,
            version=up.version,
            manifest_sha256=up.manifest_sha256,
            counter=up.counter,
        )
        self.put(replace(self.record, stage=Stage.INSTALLING, up=up).with_slot(target, info))
        try:
            self._write(target, approved, progress)
        except Exception as error:  # whatever it was, the machine must be idle again; the error goes on to the caller
            self.end(Outcome.FAILED, reason_of(error))
            raise
        return self._stage(up)

    def _write(self, target: Slot, approved: Approved, progress: Callable[[int], None]) -> None:
        self.parts.boot.close_slot(target)
        self.parts.engine.write(target, approved, progress)
        self.parts.boot.open_slot(target)

    def _stage(self, up: Upgrade) -> Upgrade:
        """3: from here on the upgrade goes on by itself, also after a loss of power."""
        up = replace(up, attempts_left=self.parts.attempts)
        record = replace(self.record, stage=Stage.STAGED, up=up)
        if up.mode is not Mode.ROLLBACK:
            record = record.with_slot(up.target, replace(record.slot(up.target), state=SlotState.STAGED))
        self.put(record)
        return up

    def rollback(self) -> Upgrade:
        """9: go back to the other slot, as a trial too: a slot that has rotten cannot brick the device.

        Raises Busy, RollbackRefused, RevocationsUnreadable, OSError.
        """
        self.check_free()
        self._check_revocations("upgrade.rollback")
        record, target = self.record, self.running.other
        info = record.slot(target)
        if not record.rollback_ok or info.state is not SlotState.GOOD:
            raise RollbackRefused("upgrade.rollback", f"there is no firmware to go back to ({self._why_not(info)})")
        if info.counter < record.floor:
            raise RollbackRefused(
                "upgrade.rollback", f"{info.version} has security counter {info.counter}, below {record.floor}"
            )
        # A slot that no bundle filled (a checkout that runs live) has nothing to be compared with; the trial decides.
        if info.manifest_sha256 and not self.parts.engine.holds(target, info.manifest_sha256):
            self.put(record.with_slot(target, replace(info, state=SlotState.INVALID)))
            raise RollbackRefused("upgrade.rollback", f"slot {target.value} does not hold {info.version} whole")
        up = Upgrade(
            id=self.parts.new_id(),
            mode=Mode.ROLLBACK,
            source=self.running,
            target=target,
            version=info.version,
            manifest_sha256=info.manifest_sha256,
            counter=info.counter,
        )
        return self._stage(up)

    def _check_revocations(self, where: str) -> None:
        try:
            self.parts.revoked.length()
        except OSError as error:
            raise RevocationsUnreadable(
                where, f"the list of deletions cannot be read ({reason_of(error)}); a factory default makes a new one"
            ) from error

    def _why_not(self, info: SlotInfo) -> str:
        if info.state in (SlotState.EMPTY, SlotState.INVALID):
            return f"the other slot is {info.state.value}"
        return "a factory default, a reset or a great many deletions came in between"

    def arm(self) -> None:
        """4: start the staged firmware once. The attempt is counted before it is made, or it might never end."""
        up = self._up()
        record = replace(self.record, stage=Stage.TRIAL, up=replace(up, attempts_left=up.attempts_left - 1))
        try:
            # Nobody goes back over a factory default, and a trial of one knows nobody who could be deleted.
            length = None if up.mode is Mode.FACTORY else self.parts.revoked.length()
            self.put(record.with_slot(up.source, replace(record.slot(up.source), revoked_at=length)))
            self.parts.boot.arm()
        except OSError as error:
            self.revert(f"it could not be started: {reason_of(error)}")
            raise
        self.parts.boot.restart()

    # transitions 6 and 7: the trial and its end

    def healthy(self) -> None:
        """6: every vital service is ready; commits unless somebody has to confirm. Raises OSError, NoTrial."""
        up = self._trial()
        if up.mode is not Mode.AUTOROLLBACK:
            self.commit()

    def confirm(self, id: str | None = None) -> None:
        """6: somebody keeps the firmware on trial (`id`: only that of this upgrade). Raises NoTrial, OSError."""
        up = self._trial()
        if up.mode is not Mode.AUTOROLLBACK:
            raise NoTrial("upgrade.confirm", "this upgrade needs no confirmation")
        if id is not None and id != up.id:
            raise NoTrial("upgrade.confirm", f"the upgrade on trial is {up.id!r}, not {id[:40]!r}")
        self.commit()

    def give_up(self, why: str) -> None:
        """6t: end the trial; the restart brings the former firmware back. Raises NoTrial, OSError."""
        up = self._trial()
        self.put(replace(self.record, up=replace(up, verdict=why[:WHY_LENGTH])))
        self.parts.boot.restart()

    def tick(self, seconds: int = TICK_S) -> None:
        """6: time of the trial has passed; at the end of the window the trial ends. Raises NoTrial, OSError."""
        up = self._trial()
        passed = replace(up, elapsed_s=up.elapsed_s + seconds)
        self.put(replace(self.record, up=passed))
        if up.mode is Mode.AUTOROLLBACK and passed.elapsed_s >= passed.window_s:
            self.give_up(f"not confirmed within {passed.window_s} s")

    def commit(self) -> None:
        """7: the new firmware is the default from the moment the sector is written; the rest only follows.

        Raises OSError when the sector could not be written; then the next start finds out which one it holds.
        """
        up = self._trial()
        self.parts.boot.set_default(up.target)
        self.committed(up)
        if up.mode is Mode.FACTORY:
            # What a factory default takes away is in use now: the next start does that, before any service.
            self.parts.boot.restart()
        else:
            self.settle(up)

    def committed(self, up: Upgrade) -> None:
        """7b: write down what the sector says already. Test firmware raises no floor."""
        record = self.record
        target = replace(record.slot(up.target), state=SlotState.GOOD)
        source = record.slot(up.source)
        if up.mode is Mode.FACTORY:
            source = replace(source, state=SlotState.RETIRED)
        changed = replace(
            record,
            stage=Stage.COMMITTED,
            home=up.target,
            up=replace(up, verdict=""),
            rollback_ok=up.mode is not Mode.FACTORY,
            floor=max(record.floor, up.counter),
        )
        self.put(changed.with_slot(up.target, target).with_slot(up.source, source))
        if up.counter > record.floor:
            self.parts.floors.save(self.record.floor)

    def settle(self, up: Upgrade) -> None:
        """7c: the last work after a commit, and the outcome. Repeated until it is done."""
        if up.mode is Mode.FACTORY:
            self.parts.trees.forget(up.source)
            self.parts.trees.wipe()
        self.end(Outcome.OK, "")

    # transition 8 and outcomes

    def revert(self, why: str) -> None:
        """8: the former firmware stays; a rollback's target is as good as before. Raises OSError."""
        self.end(Outcome.REVERTED, why)

    def end(self, outcome: Outcome, why: str) -> None:
        """Idle again, with the one outcome of the upgrade under way. Raises OSError."""
        up = self._up()
        record = self.record
        if outcome is not Outcome.OK and up.mode is not Mode.ROLLBACK:
            record = record.with_slot(up.target, replace(record.slot(up.target), state=SlotState.INVALID))
        if outcome is Outcome.OK and up.mode is Mode.FACTORY:  # the revocation journal is gone with the rest
            for slot in Slot:
                record = record.with_slot(slot, replace(record.slot(slot), revoked_at=None))
        last = Last(
            id=up.id,
            what=up.mode.value,
            outcome=outcome,
            why=why[:WHY_LENGTH],
            before=record.slot(up.source).version,
            after=up.version if outcome is Outcome.OK else record.slot(up.source).version,
        )
        self.put(replace(record, stage=Stage.IDLE, up=None, last=last))

    # reset (4.4) and what follows

    def ask_reset(self, kind: ResetKind, by: str) -> Reset:
        """Write the wish for a reset down; the next start carries it out, also after a loss of power.

        From the API it is refused while an upgrade is under way; the button ends that one. Raises Busy, OSError.
        """
        if by != "button":
            self.check_free()
        reset = Reset(id=self.parts.new_id(), kind=kind, by=by)
        self.put(replace(self.record, reset=reset))
        return reset

    def told(self, id: str) -> None:
        """The journal has the outcome `id`: no later start puts it there again. Raises OSError."""
        last = self.record.last
        if last is not None and last.id == id and not last.told:
            self.put(replace(self.record, last=replace(last, told=True)))

    def saw(self) -> None:
        """Somebody knows of the newest outcome. Raises OSError."""
        last = self.record.last
        if last is not None and not last.seen:
            self.put(replace(self.record, last=replace(last, seen=True)))

    def shown(self, seconds: int, enough_s: int) -> None:
        """The light told of a failure for another while; after `enough_s` in all it was seen. Raises OSError."""
        last = self.record.last
        if last is not None and not last.seen:
            told_s = last.shown_s + seconds
            self.put(replace(self.record, last=replace(last, shown_s=told_s, seen=told_s >= enough_s)))

    def revocations_due(self) -> int | None:
        """From which entry of the journal on revocations must be applied to the settings in use; None: none."""
        return self.record.slot(self.running).revoked_at

    def revocations_done(self) -> None:
        """They are in the settings now. On trial they stay due: after a revert this slot has missed them again.

        Raises OSError.
        """
        if self.on_trial:
            return
        info = self.record.slot(self.running)
        self.put(self.record.with_slot(self.running, replace(info, revoked_at=None)))

    def revocations_needed(self) -> int | None:
        """From which entry of the journal on some slot may still need them; None: no slot does."""
        return min(
            (info.revoked_at for info in (self.record.a, self.record.b) if info.revoked_at is not None), default=None
        )

    def close_way_back(self) -> bool:
        """Nobody goes back to the other slot any more, so nothing need be known for it. Raises OSError.

        Whether that was done: not in the middle of an upgrade or a reset.
        """
        record, other = self.record, self.running.other
        if (
            record.stage is not Stage.IDLE
            or record.reset is not None
            or record.slot(self.running).revoked_at is not None
        ):
            return False
        forgotten = replace(record.slot(other), revoked_at=None)
        self.put(replace(record, rollback_ok=False).with_slot(other, forgotten))
        return True

    # the record

    def put(self, record: Record) -> None:
        """Make `record` the one that counts, on the medium first. Raises OSError."""
        self.parts.ledger.save(record)
        self.record = record

    def _up(self) -> Upgrade:
        up = self.record.up
        if up is None:
            raise NoTrial("upgrade", "no upgrade is under way")
        return up

    def _trial(self) -> Upgrade:
        if not self.on_trial:
            raise NoTrial("upgrade", "no firmware is on trial")
        return self._up()


def reason_of(error: BaseException) -> str:
    """A failure in a few words for the record."""
    if isinstance(error, StationError):
        return error.message
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {error}"
