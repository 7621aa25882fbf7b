"""The early start of control: what an upgrade or a reset left to do, before any service runs or any setting is read.

A record that cannot be read or written keeps no door shut: the device then starts with the settings it has, and
upgrades and resets answer that they are unavailable.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firmware import VERSION
from firmware.core.errors import Unavailable
from firmware.core.params import Group, Scope
from firmware.core.store import Store
from firmware.upgrade.engine_file import FileEngine
from firmware.upgrade.machine import Machine
from firmware.upgrade.machine import Parts as MachineParts
from firmware.upgrade.medium import FileMedium
from firmware.upgrade.ports import Boot
from firmware.upgrade.record import Ledger, ResetKind, Stage
from firmware.upgrade.settings_tree import Keeping, SettingsTrees
from firmware.upgrade.waking import Start, wake

log = logging.getLogger(__name__)


class Restarting(Exception):
    """This start is not to go on: the device restarts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Woken:
    """What the early start found: where resets are asked for, or `trouble` with the record."""

    desk: ResetDesk | None = None
    trouble: str = ""


def kept_by_restore(*groups: type[Group]) -> Mapping[str, frozenset[str]]:
    """The parameters that a restore keeps, by group: those declared so."""
    found = {}
    for group in groups:
        extras = {name: field.json_schema_extra for name, field in group.model_fields.items()}
        kept = {name for name, extra in extras.items() if isinstance(extra, dict) and extra["scope"] == Scope.KEEP}
        if kept:
            found[group.group] = frozenset(kept)
    return found


async def wake_device(
    state: Path, boot: Boot, kept: Mapping[str, frozenset[str]], store: Store, *, first: bool
) -> Woken:
    """Bring to an end what was under way, on the writer thread of `store`. Raises Restarting.

    Settings are exchanged by the `first` start since the power came alone: at a later one, after a crash of control,
    other roles may still be at work on them.
    """

    def work() -> Start | None:
        medium = FileMedium(state)
        if not first and exchanges_settings(Ledger(medium)):
            boot.restart()
            return None
        parts = MachineParts(
            ledger=Ledger(medium),
            boot=boot,
            engine=FileEngine(medium),
            trees=SettingsTrees(medium, Keeping(kept=kept)),
            revoked=NoneYet(),
            new_id=lambda: secrets.token_hex(8),
        )
        return wake(parts, VERSION)

    try:
        start = await store.run(work, what="record")
    except Unavailable as error:
        return Woken(trouble=error.message)
    except OSError as error:
        return Woken(trouble=str(error.strerror or error))
    for note in () if start is None else start.notes:
        log.warning("%s", note)
    if start is None or start.restart:
        raise Restarting
    return Woken(desk=ResetDesk(start.machine, store))


def exchanges_settings(ledger: Ledger) -> bool:
    """Whether this start would put other settings in the place of those in use. Raises OSError."""
    record, _ = ledger.load()
    return record is not None and (record.reset is not None or record.stage is Stage.COMMITTED)


class NoneYet:
    """The revocation journal comes with upgrades."""

    def length(self) -> int:
        return 0


class ResetDesk:
    """`maintenance.Desk` on the state machine, whose work is done on a store's writer thread."""

    def __init__(self, machine: Machine, store: Store) -> None:
        self._machine = machine
        self._store = store

    async def ask_reset(self, kind: ResetKind, by: str) -> None:
        """Write the wish down. Raises Busy, Unavailable."""
        await self._store.run(lambda: self._machine.ask_reset(kind, by), what="reset")
