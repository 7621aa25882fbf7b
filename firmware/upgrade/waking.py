"""The upgrade state machine at a start, before any service: what was under way is brought to an end.

`wake` may be interrupted by a loss of power anywhere and is simply run again by the next start. It decides
which settings are used, and whether this start is the right one at all or the device restarts at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from firmware.upgrade.machine import Machine, Parts
from firmware.upgrade.ports import Slot
from firmware.upgrade.record import (
    Found,
    Last,
    Mode,
    Outcome,
    Record,
    ResetKind,
    SlotInfo,
    SlotState,
    Stage,
    Upgrade,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How this start goes on: with the settings of `slot`, on trial or not, or not at all (`restart`).

    `notes` are facts worth a line in the journal.
    """

    machine: Machine
    slot: Slot
    restart: bool = False
    notes: tuple[str, ...] = ()

    @property
    def trial(self) -> bool:
        """Whether the firmware that starts is being tried."""
        return not self.restart and self.machine.on_trial


def wake(parts: Parts, version: str, button: ResetKind | None = None) -> Start:
    """Bring to an end what was under way; `version` is that of the code that runs.

    `button` is the reset that the control button asked for at this start. Raises OSError.
    """
    record, found = parts.ledger.load()
    notes = []
    if record is None:
        if found is Found.LOST:
            notes.append("the record of upgrades was lost; the other slot counts as invalid")
        record = _first(parts, version, lost=found is Found.LOST)
        parts.ledger.create(record)
    elif found is Found.ONE_BAD:
        notes.append("one copy of the record of upgrades could not be read")
    machine = Machine(parts, record)
    _agree_on_floor(machine, notes)
    if button is not None and record.reset is None:
        machine.ask_reset(button, "button")
    return _Waking(machine, version, notes).go()


def _first(parts: Parts, version: str, *, lost: bool) -> Record:
    """The record of a device that has none. What is only being tried is not what was committed."""
    running = parts.boot.running()
    home = running.other if parts.boot.trying() else running
    other = SlotInfo(state=SlotState.INVALID if lost else SlotState.EMPTY)
    record = Record(home=home).with_slot(home.other, other)
    # The committed firmware tells its version itself, at its next start.
    return record.with_slot(home, SlotInfo(state=SlotState.GOOD, version=version if home is running else ""))


def _agree_on_floor(machine: Machine, notes: list[str]) -> None:
    """The higher of the record's floor and the one that is kept apart from it holds, and stands in both.

    Raises OSError when the record cannot be written.
    """
    record, saved = machine.record, machine.parts.floors.load()
    if saved is None:
        notes.append("the second copy of the security floor could not be read")
    elif saved > record.floor:
        notes.append(f"the security floor {saved} was taken from its second copy; the record had {record.floor}")
        machine.put(replace(record, floor=saved))
        return
    if saved != record.floor:
        try:
            machine.parts.floors.save(record.floor)
        except OSError as error:  # the record has it; the next start tries again
            notes.append(f"the second copy of the security floor could not be written: {error}")


class _Waking:
    """One start."""

    def __init__(self, machine: Machine, version: str, notes: list[str]) -> None:
        self.machine = machine
        self.boot = machine.parts.boot
        self.version = version
        self.notes = notes
        self.stuck = False  # the default slot does not start: nothing is to be gained by a restart

    def go(self) -> Start:
        restart = self._stray() or self._carry_on()
        if restart:
            self.boot.restart()
        return Start(machine=self.machine, slot=self.boot.running(), restart=restart, notes=tuple(self.notes))

    def _default(self) -> Slot | None:
        try:
            return self.boot.default()
        except OSError as error:
            self.notes.append(f"the boot sector cannot be read: {error}")
            return None

    # 10: the slot that runs is not the one that should

    def _stray(self) -> bool:
        """Put the sector right; True when another slot must run."""
        machine, running = self.machine, self.boot.running()
        record, up, default = machine.record, machine.record.up, self._default()
        trial = record.stage is Stage.TRIAL and up is not None and running is up.target
        if trial and default is running:
            return False  # the commit had reached the sector: 7b
        if default is not record.home:
            self.notes.append(f"the boot sector was put right: slot {record.home.value} is the default")
            self.boot.set_default(record.home)
            return running is not record.home
        if running is record.home:
            if record.walks:
                machine.put(replace(record, walks=0))
            return False
        if trial and self.boot.trying():
            return False
        return self._walked()

    def _walked(self) -> bool:
        """The loader could not start the default slot; it gets a second chance before this one takes over."""
        machine, running = self.machine, self.boot.running()
        record = machine.record
        if record.walks == 0:
            machine.put(replace(record, walks=1))
            return True
        self.notes.append(f"slot {record.home.value} does not start; slot {running.value} runs in its place")
        self.stuck = True
        state = record.slot(running).state
        if state in (SlotState.GOOD, SlotState.RETIRED):
            self._take_over(state)
        elif state is SlotState.STAGED and record.stage is Stage.STAGED and record.up is not None:
            # It was verified after it was written: this is its trial, and a commit makes it the default.
            up = replace(record.up, attempts_left=record.up.attempts_left - 1)
            machine.put(replace(record, stage=Stage.TRIAL, up=up))
        return False

    def _take_over(self, state: SlotState) -> None:
        """The running slot becomes the default, and the one that does not start is invalid.

        A retired one has no settings any more that anybody may go back to: it begins with the defaults.
        """
        machine, running = self.machine, self.boot.running()
        record = machine.record
        broken = record.slot(running.other)
        last = Last(
            id=record.up.id if record.up is not None else machine.parts.new_id(),
            what=record.up.mode.value if record.up is not None else Mode.ROLLBACK.value,
            outcome=Outcome.REVERTED,
            why=f"slot {running.other.value} does not start",
            before=broken.version,
            after=record.slot(running).version,
        )
        if state is SlotState.RETIRED:
            machine.parts.trees.renew(running, last.id, soft=False)
        self.boot.set_default(running)
        changed = replace(record, home=running, stage=Stage.IDLE, up=None, rollback_ok=False, walks=0, last=last)
        changed = changed.with_slot(running.other, replace(broken, state=SlotState.INVALID))
        machine.put(changed.with_slot(running, replace(record.slot(running), state=SlotState.GOOD)))

    # what was under way

    def _carry_on(self) -> bool:
        """Go on with the upgrade and the reset; True when the device must restart."""
        machine = self.machine
        record, up, running = machine.record, machine.record.up, self.boot.running()
        if up is not None and running is up.target:
            if record.stage in (Stage.TRIAL, Stage.COMMITTED) and self._default() is running:
                if record.stage is Stage.TRIAL:
                    machine.committed(up)
                machine.settle(up)
            elif record.stage is Stage.TRIAL and record.reset is None and not up.verdict:
                self._make_settings(up)
                return False
            else:
                return not self.stuck  # nobody wants this start: back to the default
        elif up is not None and self._at_source(up) and self._arm():
            return True
        if machine.record.reset is not None:
            self._reset()
        self._know_myself()
        return False

    def _arm(self) -> bool:
        try:
            self.machine.arm()
        except OSError as error:
            self.notes.append(f"the new firmware could not be started: {error}")
            return False
        return True

    def _at_source(self, up: Upgrade) -> bool:
        """1, 3 and 8, in the old firmware; True when the new one is to be started (again)."""
        machine = self.machine
        record = machine.record
        if record.stage is Stage.INSTALLING:
            machine.end(Outcome.FAILED, "interrupted")
        elif record.reset is not None:
            machine.revert("a reset came in between")
        elif record.stage is Stage.STAGED:
            return True
        elif up.verdict:
            machine.revert(up.verdict)
        elif up.attempts_left <= 0:
            machine.revert("the new firmware did not come up, or was restarted before it was confirmed")
        elif up.window_s and up.elapsed_s >= up.window_s:
            machine.revert(f"not confirmed within {up.window_s} s")
        else:
            return True
        return False

    def _make_settings(self, up: Upgrade) -> None:
        """5: the new firmware makes its own settings; those of the old one are never written."""
        trees = self.machine.parts.trees
        if up.mode is Mode.FACTORY:
            trees.fresh(up.target, up.id)
        elif up.mode is not Mode.ROLLBACK:
            trees.copy(up.source, up.target, up.id)

    def _reset(self) -> None:
        """4.4: from the wish in the record to fresh settings; done again from the beginning after a loss of power."""
        machine, trees, running = self.machine, self.machine.parts.trees, self.boot.running()
        reset = machine.record.reset
        assert reset is not None
        trees.renew(running, reset.id, soft=reset.kind is ResetKind.SOFT)
        # The other slot's settings hold credentials that the reset took away.
        trees.forget(running.other)
        if reset.kind is ResetKind.HARD:
            trees.wipe()
        record = machine.record
        other = record.slot(running.other)
        if other.state is SlotState.GOOD:
            other = replace(other, state=SlotState.RETIRED)
        last = Last(
            id=reset.id,
            what=reset.kind.value,
            outcome=Outcome.OK,
            why=reset.by,
            before=self.version,
            after=self.version,
        )
        changed = replace(record, reset=None, rollback_ok=False, last=last)
        me = replace(record.slot(running), revoked_at=None)
        machine.put(changed.with_slot(running.other, replace(other, revoked_at=None)).with_slot(running, me))

    def _know_myself(self) -> None:
        """A checkout that runs live changes its version without an upgrade."""
        running = self.boot.running()
        info = self.machine.record.slot(running)
        if info.version != self.version and info.state is SlotState.GOOD and not info.manifest_sha256:
            self.machine.put(self.machine.record.with_slot(running, replace(info, version=self.version)))
