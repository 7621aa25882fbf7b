"""Boot control of a Raspberry Pi with two slots: `tryboot`, and the one sector that names the default.

What the boot loader says stands in the device tree. A restart is asked for in /run, which is memory and goes with
the power: `restart-asked`, and beside it `reboot-param` when the other slot is to be tried once. A unit of systemd
(systemd/lintel-restart.service) carries it out, so that the firmware needs no right to. Documentation: Raspberry Pi
boot loader, `tryboot` and `autoboot.txt`; systemd-reboot(8) `--reboot-argument`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from firmware.core.vocabulary.device import BootState
from firmware.upgrade.ports import Slot
from firmware.upgrade.sector import PARTITIONS, AutobootSector, SlotDoor

TRY_ONCE = "0 tryboot"
# The first boot loader with all that this design stands on: two-slot tryboot, partition walk, boot watchdog.
OLDEST_LOADER = datetime(2025, 8, 20, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where boot control finds things: folder of the boot loader's words, reboot parameter, devices or images."""

    loader: Path
    reboot_param: Path
    autoboot: Path
    boots: Mapping[Slot, Path]


RUN = Path("/run/lintel")
RASPBERRY_PI = Places(
    loader=Path("/sys/firmware/devicetree/base/chosen/bootloader"),
    reboot_param=RUN / "reboot-param",
    autoboot=Path("/dev/lintel/autoboot"),
    boots={Slot.A: Path("/dev/lintel/boot-a"), Slot.B: Path("/dev/lintel/boot-b")},
)


def ask_systemd(asked: Path = RUN / "restart-asked") -> None:
    """Let systemd's unit restart the machine; returns at once. Raises OSError."""
    asked.touch(mode=0o600)


class TrybootBoot:
    """Port `Boot` on a boot loader that knows `tryboot`."""

    def __init__(self, places: Places, restart: Callable[[], None] = ask_systemd) -> None:
        self._places = places
        self._sector = AutobootSector(places.autoboot)
        self._restart = restart

    def running(self) -> Slot:
        """The slot that runs now. Raises OSError when the boot loader does not say, or names another partition."""
        partition = self._word("partition")
        for slot, number in PARTITIONS.items():
            if number == partition:
                return slot
        known = ", ".join(f"{number} (slot {slot})" for slot, number in PARTITIONS.items())
        raise OSError(errno.ENODEV, f"started from partition {partition}, which is no slot; slots are {known}")

    def trying(self) -> bool:
        """Whether this start was a one-shot try. Raises OSError."""
        return self._word("tryboot") != 0

    def loader_built(self) -> datetime | None:
        """When the boot loader was built; None when it does not say. Raises OSError."""
        try:
            built = self._word("build-timestamp")
        except FileNotFoundError:
            return None
        return datetime.fromtimestamp(built, UTC)

    def facts(self) -> BootState:
        """What the boot loader says, as a state. Raises OSError."""
        built = self.loader_built()
        return BootState(
            slot=self.running().value,
            trying=self.trying(),
            loader_built=built,
            loader_current=built is not None and built >= OLDEST_LOADER,
        )

    def default(self) -> Slot:
        return self._sector.read()

    def set_default(self, slot: Slot) -> None:
        self._sector.write(slot)

    def arm(self) -> None:
        path = self._places.reboot_param
        waiting = path.with_name(path.name + ".new")
        waiting.write_text(TRY_ONCE + "\n")
        os.replace(waiting, path)

    def close_slot(self, slot: Slot) -> None:
        self._door(slot).close()

    def open_slot(self, slot: Slot) -> None:
        self._door(slot).open()

    def restart(self) -> None:
        self._restart()

    def _door(self, slot: Slot) -> SlotDoor:
        return SlotDoor(self._places.boots[slot])

    def _word(self, name: str) -> int:
        """A property of one 32-bit cell, as the device tree keeps it: big endian."""
        raw = (self._places.loader / name).read_bytes()
        if len(raw) != 4:
            raise OSError(errno.EINVAL, f"the boot loader's {name} has {len(raw)} bytes, not 4")
        return int.from_bytes(raw, "big")
