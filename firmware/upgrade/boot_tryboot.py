"""Boot control of a Raspberry Pi with two slots: `tryboot`, and the one sector that names the default.

What the boot loader says stands in the device tree, the one-shot try is asked for in systemd's reboot parameter
(lost with the power, because /run is memory). Documentation: Raspberry Pi boot loader, `tryboot` and
`autoboot.txt`; systemd-reboot(8) `/run/systemd/reboot-param`.
"""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

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


RASPBERRY_PI = Places(
    loader=Path("/proc/device-tree/chosen/bootloader"),
    reboot_param=Path("/run/systemd/reboot-param"),
    autoboot=Path("/dev/disk/by-partlabel/autoboot"),
    boots={Slot.A: Path("/dev/disk/by-partlabel/boot-a"), Slot.B: Path("/dev/disk/by-partlabel/boot-b")},
)


def reboot_by_systemd() -> None:
    """Let systemd end everything and restart the machine; returns at once. Raises OSError."""
    done = subprocess.run(
        ["systemctl", "--no-block", "reboot"], capture_output=True, text=True, timeout=10, check=False
    )
    if done.returncode != 0:
        raise OSError(errno.EIO, f"systemctl reboot: {done.stderr.strip() or done.returncode}")


class TrybootBoot:
    """Port `Boot` on a boot loader that knows `tryboot`."""

    def __init__(self, places: Places, restart: Callable[[], None] = reboot_by_systemd) -> None:
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
