"""The invariants I1 to I10 of the specification, over states of the checker.

Each finding is the invariant's name with what is wrong, or None when it holds. I11 (a refused upload changes
nothing) needs no loss of power and is tested by itself.
"""

from __future__ import annotations

from functools import cache

from firmware.core.errors import Busy
from firmware.core.store_file import unframe
from firmware.upgrade.engine_file import image_path
from firmware.upgrade.floor import FloorFile
from firmware.upgrade.machine import TICK_S, RollbackRefused
from firmware.upgrade.ports import Slot
from firmware.upgrade.record import Mode, Outcome, Record, ResetKind, SlotState, Stage
from tests.unit.upgrade.model.medium import Frozen, at
from tests.unit.upgrade.model.world import (
    MIGRATED,
    OPEN,
    RESTORED,
    ROTTEN,
    WINDOW_S,
    Device,
    Quality,
    Scenario,
    Seen,
    nature_of,
    record_of,
    settled,
)

Findings = list[tuple[str, str | None]]


def default_of(frozen: Frozen) -> Slot | None:
    """What the boot sector names."""
    sector = at(frozen, "boot/default")
    return Slot(sector.decode()) if sector in (b"A", b"B") else None


def content_of(frozen: Frozen, slot: Slot) -> Frozen | None:
    """What lies in a slot."""
    return at(frozen, image_path(slot, "rootfs"))


def startable(frozen: Frozen, slot: Slot) -> bool:
    """Whether a slot can be started and holds a whole image that boots."""
    nature = nature_of(content_of(frozen, slot))
    return at(frozen, f"boot/{slot.value}") == OPEN and nature is not None and nature[1] is not Quality.DEAD


def saved_floor(frozen: Frozen) -> int | None:
    """The floor that is kept apart from the record; None when there is none that can be read."""
    raw = at(frozen, FloorFile.path)
    data = unframe(raw) if isinstance(raw, bytes) else None
    return None if data is None else int(data)


@cache
def files_of(frozen: Frozen | None) -> dict[str, bytes] | None:
    """The files of a settings tree without what the machine itself keeps there."""
    if frozen is None or isinstance(frozen, bytes):
        return None
    found: dict[str, bytes] = {}
    for name, child in frozen:
        if isinstance(child, bytes):
            if name not in ("origin", "format"):
                found[name] = child
        else:
            found |= {f"{name}/{rest}": data for rest, data in (files_of(child) or {}).items()}
    return found


def settings_of(frozen: Frozen, slot: Slot) -> dict[str, bytes] | None:
    """The settings of a slot; None when it has none."""
    return files_of(at(frozen, f"settings/{slot.value}"))


def anywhere(begin: Frozen, scenario: Scenario, frozen: Frozen, seen: Seen) -> Findings:
    """What must hold in every state that a loss of power may leave."""
    default = default_of(frozen)
    found: Findings = []
    rotten = scenario.rots and at(frozen, "boot/default") == ROTTEN
    if not rotten:
        whole = default is not None and startable(frozen, default)
        found.append(("I1", None if whole else f"default {default} is not whole"))
    changed = default is not default_of(begin) and not rotten
    found.append(("I6", "it became the default without permission" if changed and not seen.permit else None))
    record = record_of(frozen)
    if record is None:
        return [*found, ("I8", "the record is lost")]
    for slot in Slot:
        info = record.slot(slot)
        if info.state is SlotState.GOOD:
            nature = nature_of(content_of(frozen, slot))
            whole = nature is not None and nature[0] == info.version and at(frozen, f"boot/{slot.value}") == OPEN
            found.append(("I7", None if whole else f"slot {slot.value} counts as good and holds {nature}"))
            tried = seen.permit or scenario.reset is not None or info.version != scenario.committed_version
            old = scenario.mode is Mode.ROLLBACK
            found.append(("I7", None if tried or old else f"slot {slot.value} counts as good and was never well"))
    before = record_of(begin)
    assert before is not None
    raised = record.floor > before.floor
    raised = raised or (saved_floor(frozen) or 0) > before.floor
    found.append(("floor", "it was raised before the commit" if raised and not seen.permit else None))
    if seen.outcome and record.last is not None and record.last.id == scenario.id:
        same = record.last.outcome.value == seen.outcome
        found.append(("I8", None if same else f"outcome {seen.outcome} became {record.last.outcome.value}"))
    return found


def at_the_end(begin: Frozen, scenario: Scenario, device: Device) -> Findings:
    """What must hold when the device has come to rest."""
    frozen, seen = device.medium.freeze(), device.seen
    if device.bricked:
        return [("I2", f"nothing starts; default {default_of(frozen)}")]
    if device.endless:
        return [("I8", f"not idle after {device.starts} starts")]
    record = record_of(frozen)
    if record is None:
        return [("I8", "the record is lost")]
    found: Findings = [("I2", None)]
    if scenario.button is not None and device.asked_by_button:
        found.append(("I8", None if settled(record) else f"not at rest: {record.stage} {record.reset}"))
        found.append(("reset", _reset_is_whole(scenario.button, device, frozen, record)))
        return found
    found.append(("I8", _rest(begin, scenario, device, record)))
    bound_s = WINDOW_S + scenario.attempts * TICK_S
    found.append(("I9", f"{seen.trial_s} s on trial" if seen.trial_s > bound_s else None))
    old, now = default_of(begin), default_of(frozen)
    assert old is not None
    if seen.acknowledged:
        found.append(("I10", None if now is old.other else "the acknowledged commit is gone"))
    done = record.last is not None and record.last.id == scenario.id and record.last.outcome is Outcome.OK
    if scenario.reset is not None:
        if done:
            found.append(("reset", _reset_is_whole(scenario.reset, device, frozen, record)))
        elif settings_of(frozen, old) != settings_of(begin, old):
            found.append(("I3", "settings changed and no reset was done"))
    elif now is old:
        same = at(frozen, f"settings/{old.value}") == at(begin, f"settings/{old.value}")
        found.append(("I3", None if same else f"the settings are {settings_of(frozen, old)}"))
        found.append(("end old", None))
    else:
        found += _new(begin, scenario, device, frozen, record, old)
    return found


def _rest(begin: Frozen, scenario: Scenario, device: Device, record: Record) -> str | None:
    """I8: idle, with exactly one outcome of what was done, and the record agrees with the sector."""
    frozen, seen = device.medium.freeze(), device.seen
    if not settled(record) or device.boot.running() is not default_of(frozen) or record.home is not default_of(frozen):
        return f"not at rest: {record.stage} {record.home} {default_of(frozen)}"
    before = record_of(begin)
    assert before is not None
    last = record.last
    if last == before.last:
        if seen.staged or seen.outcome:
            return "what was accepted has no outcome"
        touched = any(content_of(frozen, slot) != content_of(begin, slot) for slot in Slot)
        return "a slot was written and there is no outcome" if touched else None
    if last is None or last.id != scenario.id:
        return f"a foreign outcome {last}"
    moved = default_of(frozen) is not default_of(begin)
    if scenario.reset is None and moved is not (last.outcome is Outcome.OK):
        return f"outcome {last.outcome} and the default {'moved' if moved else 'stayed'}"
    return None


def _new(begin: Frozen, scenario: Scenario, device: Device, frozen: Frozen, record: Record, old: Slot) -> Findings:
    """The new firmware stays: its settings."""
    settings = settings_of(frozen, old.other)
    nature = nature_of(content_of(frozen, old.other))
    right = nature is not None and nature[0] == scenario.committed_version
    found: Findings = [("I6", None if right else f"{nature} was committed")]
    wanted_floor = max(scenario.counter, _floor(begin))
    floors = (record.floor, saved_floor(frozen) or 0)
    found.append(("floor", None if floors == (wanted_floor,) * 2 else f"they are {floors}, not {wanted_floor}"))
    if scenario.mode is Mode.ROLLBACK:
        same = settings == settings_of(begin, old.other)
        return [*found, ("I4", None if same else f"the former settings are {settings}"), ("end back", None)]
    if scenario.mode is Mode.FACTORY:
        return [*found, ("I5", _defaults(device, frozen, record, old, settings)), ("end factory", None)]
    before = settings_of(begin, old)
    wanted = (
        MIGRATED if before is not None and before.get("control/list") in (b"card of ann", b"CARD OF ANN") else before
    )
    kept = at(frozen, f"settings/{old.value}") == at(begin, f"settings/{old.value}")
    found.append(("I4", None if settings == wanted else f"the settings are {settings}"))
    found.append(("I3", None if kept else "the old firmware's settings changed"))
    return [*found, ("end new", None)]


def _defaults(
    device: Device, frozen: Frozen, record: Record, old: Slot, settings: dict[str, bytes] | None
) -> str | None:
    if settings != {}:
        return f"the settings are {settings}"
    if at(frozen, f"settings/{old.value}") is not None or at(frozen, "shared") is not None:
        return "what the former firmware knew is still there"
    return _no_way_back(device, record)


def _no_way_back(device: Device, record: Record) -> str | None:
    assert device.machine is not None
    steps = device.medium.steps
    try:
        device.machine.rollback()
    except (RollbackRefused, Busy):
        return None if device.medium.steps == steps else "a refused rollback wrote something"
    return "a rollback is possible"


def _reset_is_whole(kind: ResetKind, device: Device, frozen: Frozen, record: Record) -> str | None:
    home = record.home
    wanted = RESTORED if kind is ResetKind.SOFT else {}
    if settings_of(frozen, home) != wanted:
        return f"the settings are {settings_of(frozen, home)}"
    left = [name for name in (home.other.value, "A.new", "A.old", "B.new", "B.old") if at(frozen, f"settings/{name}")]
    if left:
        return f"settings {left} are still there"
    if kind is ResetKind.HARD and at(frozen, "shared") is not None:
        return "shared data is still there"
    if record.stage is not Stage.IDLE:
        return f"stage {record.stage}"
    return _no_way_back(device, record)


def _floor(begin: Frozen) -> int:
    record = record_of(begin)
    return 0 if record is None else record.floor
