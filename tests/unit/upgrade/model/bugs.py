"""Mistakes one could make in the state machine; the checker has to find every one of them.

Each is a function that puts the mistake into the real code for the time of a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from firmware.upgrade import waking
from firmware.upgrade.engine_file import FileEngine
from firmware.upgrade.floor import FloorFile
from firmware.upgrade.machine import Machine
from firmware.upgrade.record import Ledger, Mode, Outcome, SlotInfo, SlotState, Stage, encode
from firmware.upgrade.settings_tree import SettingsTrees
from tests.unit.upgrade.model.medium import SimMedium

Bug = Callable[[pytest.MonkeyPatch], None]


class Unflushed:
    """A medium that does not flush some files."""

    def __init__(self, medium: SimMedium, forgets: Callable[[str], bool]) -> None:
        self._medium = medium
        self._forgets = forgets

    def flush(self, path: str) -> None:
        if not self._forgets(path):
            self._medium.flush(path)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._medium, name)


def _forget_flush(patch: pytest.MonkeyPatch, owner: type[Any], forgets: Callable[[str], bool]) -> None:
    begin = owner.__init__

    def init(self: Any, medium: SimMedium, *args: Any, **more: Any) -> None:
        begin(self, Unflushed(medium, forgets), *args, **more)

    patch.setattr(owner, "__init__", init)


def default_set_at_install(patch: pytest.MonkeyPatch) -> None:
    arm = Machine.arm

    def wrong(self: Machine) -> None:
        assert self.record.up is not None
        self.parts.boot.set_default(self.record.up.target)
        arm(self)

    patch.setattr(Machine, "arm", wrong)


def default_set_before_health(patch: pytest.MonkeyPatch) -> None:
    make = waking._Waking._make_settings

    def wrong(self: Any, up: Any) -> None:
        make(self, up)
        self.boot.set_default(up.target)

    patch.setattr(waking._Waking, "_make_settings", wrong)


def slot_not_marked_before_it_is_written(patch: pytest.MonkeyPatch) -> None:
    put = Machine.put

    def wrong(self: Machine, record: Any) -> None:
        if record.stage is Stage.INSTALLING:
            record = record.with_slot(record.up.target, self.record.slot(record.up.target))
        put(self, record)

    patch.setattr(Machine, "put", wrong)


def slot_not_closed_before_it_is_written(patch: pytest.MonkeyPatch) -> None:
    def wrong(self: Machine, target: Any, approved: Any, progress: Any) -> None:
        self.parts.engine.write(target, approved, progress)
        self.parts.boot.open_slot(target)

    patch.setattr(Machine, "_write", wrong)


def slot_opened_before_it_is_whole(patch: pytest.MonkeyPatch) -> None:
    def wrong(self: Machine, target: Any, approved: Any, progress: Any) -> None:
        self.parts.boot.close_slot(target)
        self.parts.boot.open_slot(target)
        self.parts.engine.write(target, approved, progress)

    patch.setattr(Machine, "_write", wrong)


def image_not_flushed(patch: pytest.MonkeyPatch) -> None:
    _forget_flush(patch, FileEngine, lambda path: path.endswith(".img"))


def image_name_not_flushed(patch: pytest.MonkeyPatch) -> None:
    class NoSync(Unflushed):
        def sync(self, path: str) -> None:
            pass

    begin = FileEngine.__init__

    def init(self: Any, medium: SimMedium, *args: Any, **more: Any) -> None:
        begin(self, NoSync(medium, lambda path: False), *args, **more)  # type: ignore[arg-type]

    patch.setattr(FileEngine, "__init__", init)


def attempt_not_counted(patch: pytest.MonkeyPatch) -> None:
    arm = Machine.arm

    def wrong(self: Machine) -> None:
        up = self.record.up
        assert up is not None
        self.record = replace(self.record, up=replace(up, attempts_left=up.attempts_left + 1))
        arm(self)

    patch.setattr(Machine, "arm", wrong)


def settings_not_flushed(patch: pytest.MonkeyPatch) -> None:
    _forget_flush(patch, SettingsTrees, lambda path: path.startswith("settings/") and not path.endswith("origin.new"))


def settings_marked_before_they_are_whole(patch: pytest.MonkeyPatch) -> None:
    begin = SettingsTrees._begin

    def wrong(self: SettingsTrees, here: str) -> None:
        begin(self, here)
        self._finish(here, "u1")

    patch.setattr(SettingsTrees, "_begin", wrong)


def settings_not_copied(patch: pytest.MonkeyPatch) -> None:
    def wrong(self: SettingsTrees, source: Any, target: Any, origin: str) -> None:
        self.fresh(target, origin)

    patch.setattr(SettingsTrees, "copy", wrong)


def settings_copied_again_at_rollback(patch: pytest.MonkeyPatch) -> None:
    def wrong(self: Any, up: Any) -> None:
        self.machine.parts.trees.copy(up.source, up.target, up.id)

    patch.setattr(waking._Waking, "_make_settings", wrong)


def old_settings_migrated(patch: pytest.MonkeyPatch) -> None:
    copy = SettingsTrees.copy

    def wrong(self: SettingsTrees, source: Any, target: Any, origin: str) -> None:
        self._migrate(f"settings/{source.value}")
        copy(self, source, target, origin)

    patch.setattr(SettingsTrees, "copy", wrong)


def wiped_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    make = waking._Waking._make_settings

    def wrong(self: Any, up: Any) -> None:
        make(self, up)
        if up.mode is Mode.FACTORY:
            self.machine.parts.trees.forget(up.source)

    patch.setattr(waking._Waking, "_make_settings", wrong)


def nothing_wiped_after_the_commit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SettingsTrees, "forget", lambda self, slot: None)


def way_back_left_open(patch: pytest.MonkeyPatch) -> None:
    put = Machine.put
    patch.setattr(
        Machine,
        "put",
        lambda self, record: put(self, replace(record, rollback_ok=True, a=_good(record.a), b=_good(record.b))),
    )


def _good(info: SlotInfo) -> SlotInfo:
    return replace(info, state=SlotState.GOOD) if info.state is SlotState.RETIRED else info


def time_not_kept(patch: pytest.MonkeyPatch) -> None:
    tick = Machine.tick

    def wrong(self: Machine, seconds: int = 10) -> None:
        put = self.put
        self.put = lambda record: setattr(self, "record", record)  # type: ignore[method-assign]
        try:
            tick(self, seconds)
        finally:
            self.put = put  # type: ignore[method-assign]

    patch.setattr(Machine, "tick", wrong)


def window_never_ends(patch: pytest.MonkeyPatch) -> None:
    def wrong(self: Machine, seconds: int = 10) -> None:
        up = self.record.up
        assert up is not None
        self.put(replace(self.record, up=replace(up, elapsed_s=up.elapsed_s + seconds)))

    patch.setattr(Machine, "tick", wrong)


def record_not_flushed(patch: pytest.MonkeyPatch) -> None:
    def wrong(self: Ledger, record: Any) -> None:
        self._seq += 1
        self._medium.write(self.paths[self._next], (encode(self._seq, record),))
        self._next = 1 - self._next

    patch.setattr(Ledger, "save", wrong)


def record_in_one_copy(patch: pytest.MonkeyPatch) -> None:
    save = Ledger.save

    def wrong(self: Ledger, record: Any) -> None:
        self._next = 0
        save(self, record)

    patch.setattr(Ledger, "save", wrong)


def floor_raised_at_install(patch: pytest.MonkeyPatch) -> None:
    arm = Machine.arm

    def wrong(self: Machine) -> None:
        assert self.record.up is not None
        self.record = replace(self.record, floor=max(self.record.floor, self.record.up.counter))
        arm(self)

    patch.setattr(Machine, "arm", wrong)


def floor_not_raised(patch: pytest.MonkeyPatch) -> None:
    put = Machine.put
    patch.setattr(Machine, "put", lambda self, record: put(self, replace(record, floor=0)))


def second_floor_raised_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    arm = Machine.arm

    def wrong(self: Machine) -> None:
        assert self.record.up is not None
        self.parts.floors.save(self.record.up.counter)
        arm(self)

    patch.setattr(Machine, "arm", wrong)


def second_floor_left_behind(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FloorFile, "save", lambda self, floor: None)


def failed_firmware_counts_as_good(patch: pytest.MonkeyPatch) -> None:
    end = Machine.end

    def wrong(self: Machine, outcome: Outcome, why: str) -> None:
        up = self.record.up
        assert up is not None
        end(self, outcome, why)
        if outcome is Outcome.REVERTED:
            self.put(self.record.with_slot(up.target, replace(self.record.slot(up.target), state=SlotState.GOOD)))

    patch.setattr(Machine, "end", wrong)


def half_written_slot_is_started(patch: pytest.MonkeyPatch) -> None:
    at_source = waking._Waking._at_source

    def wrong(self: Any, up: Any) -> bool:
        record = self.machine.record
        if record.stage is Stage.INSTALLING:
            self.machine.put(replace(record, stage=Stage.STAGED))
            return True
        return at_source(self, up)

    patch.setattr(waking._Waking, "_at_source", wrong)


def outcome_recorded_before_the_work(patch: pytest.MonkeyPatch) -> None:
    def wrong(self: Machine, up: Any) -> None:
        self.end(Outcome.OK, "")
        if up.mode is Mode.FACTORY:
            self.parts.trees.forget(up.source)
            self.parts.trees.wipe()

    patch.setattr(Machine, "settle", wrong)


def interrupted_install_forgotten(patch: pytest.MonkeyPatch) -> None:
    at_source = waking._Waking._at_source

    def wrong(self: Any, up: Any) -> bool:
        record = self.machine.record
        if record.stage is Stage.INSTALLING:
            self.machine.put(replace(record, stage=Stage.IDLE, up=None))
            return False
        return at_source(self, up)

    patch.setattr(waking._Waking, "_at_source", wrong)


def reset_deletes_before_it_makes(patch: pytest.MonkeyPatch) -> None:
    renew = SettingsTrees.renew

    def wrong(self: SettingsTrees, slot: Any, origin: str, *, soft: bool) -> None:
        if self.origin(slot) != origin and self._origin(f"settings/{slot.value}.new") != origin:
            self._delete(f"settings/{slot.value}.new")
            self._medium.rename(f"settings/{slot.value}", f"settings/{slot.value}.new")
            self._delete(f"settings/{slot.value}.new")
        renew(self, slot, origin, soft=soft)

    patch.setattr(SettingsTrees, "renew", wrong)


def reset_forgets_its_intent_first(patch: pytest.MonkeyPatch) -> None:
    again = waking._Waking._reset

    def wrong(self: Any) -> None:
        machine, reset = self.machine, self.machine.record.reset
        machine.put(replace(machine.record, reset=None))
        machine.record = replace(machine.record, reset=reset)
        again(self)

    patch.setattr(waking._Waking, "_reset", wrong)


def reset_leaves_the_other_slot(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SettingsTrees, "forget", lambda self, slot: None)


def reset_names_not_flushed(patch: pytest.MonkeyPatch) -> None:
    begin = SettingsTrees.__init__

    class Lazy(Unflushed):
        def sync(self, path: str) -> None:
            if path != "settings":
                self._medium.sync(path)

    def init(self: Any, medium: SimMedium, *args: Any, **more: Any) -> None:
        begin(self, Lazy(medium, lambda path: False), *args, **more)  # type: ignore[arg-type]

    patch.setattr(SettingsTrees, "__init__", init)


def button_ignored_during_an_upgrade(patch: pytest.MonkeyPatch) -> None:
    ask = Machine.ask_reset

    def wrong(self: Machine, kind: Any, by: str) -> Any:
        ask(self, kind, by)
        if self.record.stage is not Stage.IDLE:
            self.put(replace(self.record, reset=None))

    patch.setattr(Machine, "ask_reset", wrong)


def stray_sector_left(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(waking._Waking, "_stray", lambda self: False)


BUGS: Iterable[Bug] = (
    default_set_at_install,
    default_set_before_health,
    slot_not_marked_before_it_is_written,
    slot_not_closed_before_it_is_written,
    slot_opened_before_it_is_whole,
    image_not_flushed,
    image_name_not_flushed,
    attempt_not_counted,
    settings_not_flushed,
    settings_marked_before_they_are_whole,
    settings_not_copied,
    settings_copied_again_at_rollback,
    old_settings_migrated,
    wiped_before_the_commit,
    nothing_wiped_after_the_commit,
    way_back_left_open,
    time_not_kept,
    window_never_ends,
    record_not_flushed,
    record_in_one_copy,
    floor_raised_at_install,
    floor_not_raised,
    second_floor_raised_before_the_commit,
    second_floor_left_behind,
    failed_firmware_counts_as_good,
    half_written_slot_is_started,
    outcome_recorded_before_the_work,
    interrupted_install_forgotten,
    reset_deletes_before_it_makes,
    reset_forgets_its_intent_first,
    reset_leaves_the_other_slot,
    reset_names_not_flushed,
    button_ignored_during_an_upgrade,
    stray_sector_left,
)
