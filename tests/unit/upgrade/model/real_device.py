"""A device on real files: the real medium, engine, trees and boot control; only the loader's choice is played.

Run as a program it does one upgrade and one restore from beginning to end, for `strace` to watch; what it says on
standard output is what a user was told.
"""

from __future__ import annotations

import os
import sys
from itertools import count
from pathlib import Path

from firmware.upgrade.boot_sim import boot_images, sim_boot, simulated_places
from firmware.upgrade.boot_tryboot import TRY_ONCE
from firmware.upgrade.engine_file import FileEngine, image_path
from firmware.upgrade.fat_image import write_image
from firmware.upgrade.floor import FloorFile
from firmware.upgrade.machine import Parts
from firmware.upgrade.medium import FileMedium
from firmware.upgrade.ports import Slot
from firmware.upgrade.record import Ledger, Mode, ResetKind
from firmware.upgrade.revocations import RevocationJournal
from firmware.upgrade.sector import AUTOBOOT, PARTITIONS, AutobootSector, SlotDoor, autoboot_text
from firmware.upgrade.settings_tree import Keeping, SettingsTrees
from firmware.upgrade.waking import Start, wake
from tests.unit.upgrade.model.world import BEFORE, KEPT, Quality, approved, image_of, louder, nature_of, payload

MOST_STARTS = 9


class RealDevice:
    """A device in a folder; `runtime` is what a loss of power empties."""

    def __init__(self, root: Path, runtime: Path) -> None:
        self.root = root
        self.places = simulated_places(root / "boot", runtime)
        self.boot = sim_boot(root / "boot", runtime, self._asked)
        self.asked = False
        ids = count(1)
        medium = FileMedium(root)
        self.parts = Parts(
            ledger=Ledger(medium),
            boot=self.boot,
            engine=FileEngine(medium, payload),
            trees=SettingsTrees(medium, Keeping(kept=KEPT, migrations=(louder,))),
            revoked=RevocationJournal(root / "shared" / "revocations"),
            floors=FloorFile(medium),
            new_id=lambda: f"u{next(ids)}",
        )

    def _asked(self) -> None:
        self.asked = True

    def furnish(self) -> None:
        """A device as it leaves the factory and was then set up."""
        (self.root / "boot" / "slots").mkdir(parents=True)
        for slot, path in boot_images(self.root / "boot").items():
            write_image(path, f"BOOT-{slot}", {})
        write_image(self.places.autoboot, "AUTOBOOT", {AUTOBOOT: autoboot_text(Slot.A)})
        (self.root / image_path(Slot.A, "rootfs")).write_bytes(image_of("1.0.0", Quality.GOOD))
        for name, content in BEFORE.items():
            path = self.root / "settings" / "A" / name
            path.parent.mkdir(parents=True)
            path.write_bytes(content)
        (self.root / "shared").mkdir()

    def loads(self) -> Slot:
        """What the loader does: the slot it starts, with its words for the firmware."""
        default = AutobootSector(self.places.autoboot).read()
        armed = self.places.reboot_param.exists() and self.places.reboot_param.read_text().strip() == TRY_ONCE
        self.places.reboot_param.unlink(missing_ok=True)
        slot = default.other if armed and self.startable(default.other) else default
        assert self.startable(slot), f"slot {slot} is the default and does not start"
        self.places.loader.mkdir(parents=True, exist_ok=True)
        for name, value in (("partition", PARTITIONS[slot]), ("tryboot", int(slot is not default))):
            (self.places.loader / name).write_bytes(value.to_bytes(4, "big"))
        return slot

    def startable(self, slot: Slot) -> bool:
        """Whether a slot is open and holds a whole image."""
        image = self.root / image_path(slot, "rootfs")
        return SlotDoor(self.places.boots[slot]).is_open() and image.exists() and self.nature(slot) is not None

    def nature(self, slot: Slot) -> tuple[str, Quality] | None:
        """Version and quality of what a slot holds."""
        return nature_of((self.root / image_path(slot, "rootfs")).read_bytes())

    def start(self) -> Start:
        """Start until the device is at rest; new firmware is well and commits."""
        for _ in range(MOST_STARTS):
            slot = self.loads()
            self.asked = False
            nature = self.nature(slot)
            assert nature is not None
            start = wake(self.parts, nature[0])
            if start.trial:
                start.machine.healthy()
            if not self.asked:
                return start
        raise AssertionError(f"not at rest after {MOST_STARTS} starts")


def main() -> None:
    """One upgrade and one restore, told on standard output."""
    device = RealDevice(Path(sys.argv[1]), Path(sys.argv[2]))
    machine = device.start().machine
    os.write(1, b"begin")
    machine.install(approved("2.0.0", Quality.GOOD, counter=3), Mode.STANDARD)
    os.write(1, b"staged")
    machine.arm()
    machine = device.start().machine
    os.write(1, b"committed")
    machine.ask_reset(ResetKind.SOFT, "api")
    os.write(1, b"restoring")
    device.start()
    os.write(1, b"restored")


if __name__ == "__main__":
    main()
