"""How far an upgrade or a reset had come when the power went: read from the medium of a simulated device."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from firmware.upgrade.boot_sim import simulated_places
from firmware.upgrade.ports import Slot
from firmware.upgrade.record import Record, Stage, decode
from firmware.upgrade.sector import PARTITIONS, AutobootSector


class Phase(StrEnum):
    """Where it was. NOTHING: the device had not begun with it. ENDED: its outcome is in the record."""

    NOTHING = "nothing"
    RECEIVE = "receive"
    CHECK = "check"
    WRITE = "write"
    SWITCH = "switch"
    TRY = "try"
    COMMIT = "commit"
    RESET = "reset"
    ENDED = "ended"


ORDER = tuple(Phase)


@dataclass(frozen=True, slots=True)
class Moment:
    """What the medium holds at one moment; `loaded` is the slot that the boot loader started last."""

    record: Record
    default: Slot
    loaded: Slot

    @property
    def last_id(self) -> str:
        """The id of the newest outcome."""
        return "" if self.record.last is None else self.record.last.id

    @property
    def begun(self) -> str:
        """The id of what is under way; empty when nothing is."""
        if self.record.reset is not None:
            return self.record.reset.id
        return "" if self.record.up is None else self.record.up.id


class Card:
    """The simulated card of a device, read from outside without asking the device."""

    def __init__(self, state: Path) -> None:
        self._boot = state / "boot"
        self._address = state / "bench.addr"

    def look(self) -> Moment:
        """What it holds now; a copy that is being written is no copy."""
        places = simulated_places(self._boot, Path(self._address.read_text().strip()).parent)
        while True:
            copies = [decode((self._boot / name).read_bytes()) for name in ("record.0", "record.1")]
            found = [copy for copy in copies if copy is not None]
            try:
                loaded = int.from_bytes((places.loader / "partition").read_bytes(), "big")
                default = AutobootSector(places.autoboot).read()
            except OSError:
                found = []  # a restart is just writing these
            if found and loaded in PARTITIONS.values():
                slot = next(slot for slot, number in PARTITIONS.items() if number == loaded)
                return Moment(max(found, key=lambda copy: copy[0])[1], default, slot)
            time.sleep(0.001)

    def image_sha256(self, slot: Slot) -> str:
        """The digest of the image in a slot; empty for the checkout that a fresh device runs."""
        image = self._boot / "slots" / f"{slot}.img"
        return hashlib.sha256(image.read_bytes()).hexdigest() if image.exists() else ""


def phase_of(before: Moment, now: Moment, *, received: bool | None) -> Phase:
    """Where it is; `received` says whether the whole file was sent, None for what sends no file."""
    record, up = now.record, now.record.up
    if now.last_id != before.last_id:
        return Phase.ENDED
    if up is not None:
        if record.stage is Stage.INSTALLING:
            return Phase.WRITE
        if record.stage is Stage.STAGED or (now.default is up.source and now.loaded is up.source):
            return Phase.SWITCH
        return Phase.TRY if now.default is up.source else Phase.COMMIT
    if record.reset is not None:
        return Phase.RESET
    if received is None:
        return Phase.NOTHING
    return Phase.CHECK if received else Phase.RECEIVE
