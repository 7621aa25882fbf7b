"""Boot control of a simulated device: the Raspberry Pi's own, on image files and on a folder in place of /proc.

The board process plays the boot loader (`firmware.board_process.rom`): it writes its words, reads the sector, and
takes the reboot parameter when it restarts the roles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from firmware.upgrade.boot_tryboot import Places, TrybootBoot
from firmware.upgrade.ports import Slot


def simulated_places(boot: Path, runtime: Path) -> Places:
    """`boot` is the folder that stands for the card, `runtime` the one that a power cut empties."""
    return Places(
        loader=runtime / "bootloader",
        reboot_param=runtime / "reboot-param",
        autoboot=boot / "autoboot.img",
        boots=boot_images(boot),
    )


def boot_images(boot: Path) -> Mapping[Slot, Path]:
    """The boot partition of each slot."""
    return {slot: boot / f"boot-{slot.lower()}.img" for slot in Slot}


def sim_boot(boot: Path, runtime: Path, restart: Callable[[], None]) -> TrybootBoot:
    """Boot control of the simulated device; `restart` asks its board process."""
    return TrybootBoot(simulated_places(boot, runtime), restart)
