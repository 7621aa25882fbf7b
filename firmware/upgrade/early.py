"""The early start of control: from the record to settings that may be opened, before any service or other role.

`begin` builds the machine over the real parts and wakes it. A start that is not to be goes no further: the device
has been asked to restart.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firmware.core.params import Group, Scope
from firmware.upgrade.engine_file import FileEngine
from firmware.upgrade.floor import FloorFile
from firmware.upgrade.machine import Machine, Parts
from firmware.upgrade.medium import FileMedium
from firmware.upgrade.ports import Boot, Engine, Slot
from firmware.upgrade.record import Ledger, Mode, Record, Stage
from firmware.upgrade.revocations import RevocationJournal
from firmware.upgrade.settings_tree import Keeping, SettingsTrees
from firmware.upgrade.waking import Start, wake

REVOCATIONS = "shared/control/revocations"
# Where the certificate lies that binds test firmware to this device; a factory default takes it away.
CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What the early start is told. `crashed`: control started before, since the device did."""

    root: Path
    version: str
    boot: Boot
    kept: Mapping[str, frozenset[str]]
    crashed: bool = False
    attempts: int = 1
    engine: Engine | None = None  # None: slots are files


def kept_names(groups: tuple[type[Group], ...]) -> dict[str, frozenset[str]]:
    """The parameters that a restore keeps, by group, from their declarations."""
    kept: dict[str, frozenset[str]] = {}
    for group in groups:
        names = {
            name
            for name, field in group.model_fields.items()
            if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("scope") == Scope.KEEP.value
        }
        if names:
            kept[group.group] = frozenset(names)
    return kept


def begin(device: Device) -> Start:
    """Wake the state machine of this device. Raises OSError: the medium fails, and the door works without upgrades."""
    medium = FileMedium(device.root)
    parts = Parts(
        ledger=Ledger(medium),
        boot=device.boot,
        engine=device.engine or FileEngine(medium, free_bytes=lambda: free_bytes(device.root)),
        trees=SettingsTrees(medium, Keeping(kept=device.kept, erased=(CERTIFICATE,))),
        revoked=RevocationJournal(device.root / REVOCATIONS),
        floors=FloorFile(medium),
        new_id=lambda: secrets.token_hex(8),
        attempts=device.attempts,
    )
    record, _ = parts.ledger.load()
    if device.crashed and record is not None and exchanges_settings(record, device.boot):
        # Other roles may still be at work on the settings in use: that is for the next start of the whole device.
        device.boot.restart()
        return Start(machine=Machine(parts, record), slot=device.boot.running(), restart=True)
    start = wake(parts, device.version)
    if start.trial and device.crashed:
        start.machine.give_up("control crashed")
        return Start(machine=start.machine, slot=start.slot, restart=True, notes=start.notes)
    return start


def exchanges_settings(record: Record, boot: Boot) -> bool:
    """Whether a start with this record puts other settings in the place of those in use.

    A reset does, and what a factory default has left to do after its commit, which may have reached the sector
    alone. Raises OSError when the boot loader does not say which slot runs.
    """
    up = record.up
    if record.reset is not None:
        return True
    if up is None or up.mode is not Mode.FACTORY or boot.running() is not up.target:
        return False
    return record.stage is Stage.COMMITTED or (record.stage is Stage.TRIAL and _default(boot) is up.target)


def _default(boot: Boot) -> Slot | None:
    try:
        return boot.default()
    except OSError:
        return None  # the start itself puts the sector right


def free_bytes(root: Path) -> int:
    """Room that is left on the medium for this user. Raises OSError."""
    found = os.statvfs(root)
    return found.f_bavail * found.f_frsize
