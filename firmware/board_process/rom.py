"""The boot ROM of a simulated board: two slots, a one-shot try, the sector that names the default.

STATE/boot is the card:
  autoboot.img       FAT image with `autoboot.txt`, the commit point
  boot-a.img         the boot partition of a slot; its first sector is the slot's door
  slots/A.img        the program of a slot: squashfs of the program tree
  slots/A            on a fresh device in place of the image: a link to the checkout, which then runs live
  run/               the unpacked image that runs, gone at the next start

At each start the ROM writes what the Raspberry Pi's boot loader writes into the device tree.
"""

from __future__ import annotations

import os
import shutil
import stat
import struct
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from firmware.core.errors import Invalid, Unavailable
from firmware.paths import CHECKOUT, RuntimeDir, StateDir
from firmware.upgrade.boot_sim import simulated_places
from firmware.upgrade.boot_tryboot import TRY_ONCE
from firmware.upgrade.fat_image import write_image
from firmware.upgrade.ports import Slot
from firmware.upgrade.sector import AUTOBOOT, PARTITIONS, AutobootSector, SlotDoor, autoboot_text

# The boot loader that this ROM imitates.
BUILT = datetime(2025, 8, 20, tzinfo=UTC)
UNPACK_S = 120.0
# A squashfs begins with its magic; the number of its bytes stands at 40 (Linux: squashfs_fs.h).
MAGIC, USED_AT = b"hsqs", 40


class Unbootable(Exception):
    """Why nothing can be started from a slot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Booted:
    """What the ROM has chosen: the slot, whether it is a one-shot try, the program tree, and `notes` for the console.

    `image` tells an unpacked image from the checkout; `cache` is where its compiled files go.
    """

    slot: Slot
    trying: bool
    tree: Path
    image: bool
    cache: Path | None
    notes: tuple[str, ...] = ()

    def environment(self) -> dict[str, str]:
        """What makes a Python program run this tree and leave it as it is."""
        words = {"PYTHONPATH": str(self.tree)}
        return words if self.cache is None else {**words, "PYTHONPYCACHEPREFIX": str(self.cache)}


class Rom:
    """The boot ROM of one simulated board."""

    def __init__(self, state: StateDir, runtime: RuntimeDir) -> None:
        self._slots = state.slots
        self._run = state.boot / "run"
        self._runtime = runtime
        self._places = simulated_places(state.boot, runtime.root)

    def furnish(self) -> None:
        """Make what a new device has and this one lacks. Raises Invalid when the place cannot be used."""
        try:
            self._slots.mkdir(mode=0o700, parents=True, exist_ok=True)
            link = self._slots / Slot.A
            if link.is_symlink() and not link.exists():
                link.unlink()  # the checkout has moved
            if not link.exists():
                link.symlink_to(CHECKOUT, target_is_directory=True)
            for path in self._places.boots.values():
                if not path.exists():
                    self._make(path, path.stem.upper(), {})
            if not self._places.autoboot.exists():
                self._make(self._places.autoboot, "AUTOBOOT", {AUTOBOOT: autoboot_text(Slot.A)})
        except OSError as error:
            raise Invalid("--state", f"{self._slots.parent} cannot be used: {error.strerror}") from None

    @staticmethod
    def _make(path: Path, label: str, files: dict[str, bytes]) -> None:
        waiting = path.with_name(path.name + ".new")
        write_image(waiting, label, files)
        os.replace(waiting, path)

    def power_off(self) -> None:
        """Forget what a power cut forgets. Harmless when there is nothing."""
        self._places.reboot_param.unlink(missing_ok=True)

    def boot(self) -> Booted:
        """Choose a slot and make it runnable. Blocks. Raises Unavailable when no slot can be started."""
        self._runtime.started.unlink(missing_ok=True)
        notes: list[str] = []
        wishes = self._wishes(notes)
        for slot, trying in wishes:
            try:
                booted = self._load(slot, trying)
            except (Unbootable, OSError) as why:
                notes.append(f"slot {slot} cannot be started: {why}")
                continue
            self._say(booted)
            return Booted(
                slot=slot, trying=trying, tree=booted.tree, image=booted.image, cache=booted.cache, notes=tuple(notes)
            )
        raise Unavailable("boot", "; ".join(notes))

    def on_trial(self, booted: Booted) -> bool:
        """Whether what was started is still only being tried: a commit ends that, which is in the sector."""
        if not booted.trying:
            return False
        try:
            return AutobootSector(self._places.autoboot).read() is not booted.slot
        except OSError:
            return True

    def _wishes(self, notes: list[str]) -> list[tuple[Slot, bool]]:
        """The slots to be tried, in order: the armed one, the default, then whatever there is (PARTITION_WALK)."""
        try:
            armed = self._places.reboot_param.read_text().strip() == TRY_ONCE
        except FileNotFoundError:
            armed = False
        self._places.reboot_param.unlink(missing_ok=True)
        try:
            default = AutobootSector(self._places.autoboot).read()
        except OSError as error:
            notes.append(f"no default slot: {error.strerror}")
            return [(slot, False) for slot in Slot]
        first = [(default.other, True)] if armed else []
        # A try that cannot be started ends in a reset, and the reset starts the default.
        return [*first, (default, False), (default.other, False)]

    def _load(self, slot: Slot, trying: bool) -> Booted:
        if not SlotDoor(self._places.boots[slot]).is_open():
            raise Unbootable("it is closed")
        image, link = self._slots / f"{slot}.img", self._slots / slot
        if image.exists():
            tree, cache = self._unpack(image), self._run / "compiled"
        elif link.is_dir():
            tree, cache = link.resolve(), None
        else:
            raise Unbootable("it is empty")
        if not (tree / "firmware" / "__main__.py").is_file():
            raise Unbootable("there is no firmware in it")
        return Booted(slot=slot, trying=trying, tree=tree, image=cache is not None, cache=cache)

    def _unpack(self, image: Path) -> Path:
        """The content of a squashfs, freshly unpacked; every block of it is read and checked on the way."""
        check_whole(image)
        clear_away(self._run)
        self._run.mkdir(mode=0o700)
        tree = self._run / "tree"
        words = ["unsquashfs", "-no-progress", "-no-xattrs", "-dest", str(tree), str(image)]
        try:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=UNPACK_S, check=False
            )
        except FileNotFoundError:
            raise Unbootable("the program unsquashfs is not installed (package squashfs-tools)") from None
        except subprocess.TimeoutExpired:
            raise Unbootable(f"it could not be unpacked within {UNPACK_S:g} s") from None
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise Unbootable(f"it is damaged: {said[0] if said else done.returncode}")
        _read_only(tree)
        return tree

    def _say(self, booted: Booted) -> None:
        """The boot loader's words, as the device tree keeps them."""
        loader = self._places.loader
        loader.mkdir(mode=0o700, exist_ok=True)
        cells = {
            "partition": PARTITIONS[booted.slot],
            "tryboot": int(booted.trying),
            "build-timestamp": int(BUILT.timestamp()),
        }
        for name, value in cells.items():
            (loader / name).write_bytes(value.to_bytes(4, "big"))


class Installed:
    """In place of a ROM where the machine has booted already: the firmware is what this process runs from."""

    def boot(self) -> Booted:
        """The program tree of this process."""
        return Booted(slot=Slot.A, trying=False, tree=CHECKOUT, image=False, cache=None)

    def on_trial(self, booted: Booted) -> bool:
        """Nothing is tried."""
        return False

    def power_off(self) -> None:
        """Nothing is kept."""


def check_whole(image: Path) -> None:
    """Whether the file begins as a squashfs and is as long as it says. Raises Unbootable, OSError."""
    with image.open("rb") as file:
        head = file.read(96)
        size = os.fstat(file.fileno()).st_size
    if len(head) < 96 or not head.startswith(MAGIC):
        raise Unbootable("it holds no squashfs")
    (used,) = struct.unpack_from("<Q", head, USED_AT)
    if used > size:
        raise Unbootable(f"its image is cut off: {size} of {used} bytes")


def clear_away(folder: Path) -> None:
    """Delete a folder, also where an image has taken the right to delete. Harmless when it is not there."""
    for place, folders, _ in os.walk(folder):
        for name in folders:
            if not (path := Path(place) / name).is_symlink():
                path.chmod(0o700)
    if folder.exists():
        shutil.rmtree(folder)


def _read_only(tree: Path) -> None:
    """Take the right to write from everything, as the mounted image would have none."""
    for folder, _, files in os.walk(tree):
        for name in files:
            path = Path(folder) / name
            if not path.is_symlink():
                path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)
