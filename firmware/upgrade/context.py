"""What the gate is told about the device it guards: one frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from hal.clock import BUILT

# The largest bundle file, in bytes; what a slot takes bounds it further.
LARGEST_BUNDLE = 2 * 1024**3
# The folder of `release.pem` and `custom.pem` in a program tree.
KEYRING = "keyring"


class Mode(StrEnum):
    """How an upgrade treats the settings and the way back (manual 001, Maintenance)."""

    STANDARD = "standard"
    FACTORY_DEFAULT = "factory_default"
    AUTOMATIC_ROLLBACK = "automatic_rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateContext:
    """The device, and what was asked for.

    `running` is the version that is committed (a trial does not count) and `floor` its anti-rollback count;
    `now` is `at_least` of the clock, aware, UTC; `clock_trusted` whether the clock was set. `slot_size` is in bytes
    and holds for every image; `images` are exactly the images a bundle must have. `keyring` is the folder with
    `release.pem` and, where test firmware is taken, `custom.pem`; `certificate` the installed certificate that
    is bound to this device, if there is one.
    """

    model: str
    hardware_revision: int
    running: str
    floor: int
    serial: str
    chip_id: str
    now: datetime
    clock_trusted: bool
    mode: Mode
    slot_size: int
    keyring: Path
    certificate: Path | None = None
    images: tuple[str, ...] = ("rootfs",)


def at_least(clock: datetime, persisted: datetime | None = None) -> datetime:
    """The latest time that is known to have passed: of the clock, of this build, and of the last saved time."""
    known = [clock, BUILT]
    return max(known if persisted is None else [*known, persisted])
