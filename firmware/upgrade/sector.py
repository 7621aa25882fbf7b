"""The two sectors that boot control writes: the one that names the default slot, and the one that opens a slot.

Each is 512 bytes, overwritten in place through the block device (or image file) with O_DSYNC, the file system not
mounted: a power cut leaves the old or the new content, never a mixture, and what was acknowledged stays.
The two texts are an `autoboot.txt` as the Raspberry Pi's boot loader reads it (its documentation: `tryboot_a_b`,
`boot_partition`, the `[tryboot]` filter; at most 512 bytes).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firmware.upgrade.fat import SECTOR, NotFat, find_sector, parse_layout
from firmware.upgrade.fat_image import BACKUP
from firmware.upgrade.ports import Slot

AUTOBOOT = "AUTOBOOT.TXT"
# Partition 1 holds autoboot.txt, the next two the boot files of the slots.
PARTITIONS = {Slot.A: 2, Slot.B: 3}
# A sector of ours may have rotted this much (bytes) and can still be repaired by writing it; more is not ours.
ROT = 32


def autoboot_text(default: Slot) -> bytes:
    """`autoboot.txt` for a default slot: exactly one sector, blank lines at its end."""
    lines = (
        "[all]",
        "tryboot_a_b=1",
        f"boot_partition={PARTITIONS[default]}",
        "[tryboot]",
        f"boot_partition={PARTITIONS[default.other]}",
        "",
    )
    return "\n".join(lines).encode("ascii").ljust(SECTOR, b"\n")


TEXTS = {slot: autoboot_text(slot) for slot in Slot}


class AutobootSector:
    """The commit point: the data sector of `autoboot.txt` on `path`, a block device or an image file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Slot:
        """The default slot. Raises OSError when the sector is not exactly one of the two texts."""
        with _opened(self._path, os.O_RDONLY) as descriptor:
            raw = os.pread(descriptor, SECTOR, find_sector(descriptor, AUTOBOOT))
        for slot, text in TEXTS.items():
            if raw == text:
                return slot
        raise NotFat(f"{AUTOBOOT} on {self._path.name} holds neither of its two texts")

    def write(self, slot: Slot) -> None:
        """Make a slot the default; returns when it is on the medium and was read back. Raises OSError.

        It writes even what already stands there: the former writer may have died before the medium had it.
        """
        with _opened(self._path, os.O_RDWR | os.O_DSYNC) as descriptor:
            at = find_sector(descriptor, AUTOBOOT)
            before = os.pread(descriptor, SECTOR, at)
            if min(_differing(before, text) for text in TEXTS.values()) > ROT:
                raise NotFat(f"{AUTOBOOT} on {self._path.name} is not ours; nothing was written")
            _overwrite(descriptor, at, TEXTS[slot])


class SlotDoor:
    """The first sector of a slot's boot partition: without it nothing boots from there.

    The partition keeps a copy of that sector in its sector 6 (FAT 32 by definition, FAT 16 by our image maker).
    Whoever writes a boot image leaves the first sector out, and opens the slot last.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def is_open(self) -> bool:
        """Whether a boot loader finds a file system there. Raises OSError."""
        with _opened(self._path, os.O_RDONLY) as descriptor:
            try:
                parse_layout(os.pread(descriptor, SECTOR, 0))
            except NotFat:
                return False
            return True

    def close(self) -> None:
        """Zero the sector. Raises OSError."""
        with _opened(self._path, os.O_RDWR | os.O_DSYNC) as descriptor:
            _overwrite(descriptor, 0, bytes(SECTOR))

    def open(self) -> None:
        """Put the sector back from its copy. Raises OSError when the copy is none."""
        with _opened(self._path, os.O_RDWR | os.O_DSYNC) as descriptor:
            copy = os.pread(descriptor, SECTOR, BACKUP * SECTOR)
            try:
                layout = parse_layout(copy)
            except NotFat:
                raise NotFat(f"{self._path.name} has no copy of its first sector in sector {BACKUP}") from None
            if layout.reserved <= BACKUP:
                raise NotFat(f"sector {BACKUP} of {self._path.name} is not reserved; a boot image needs a copy there")
            _overwrite(descriptor, 0, copy)


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _overwrite(descriptor: int, at: int, sector: bytes) -> None:
    """One sector in place, to the medium, and back. Raises OSError."""
    if os.pwrite(descriptor, sector, at) != SECTOR:
        raise OSError(errno.EIO, f"the sector at {at} was not written whole")
    os.fsync(descriptor)
    # Ask the medium, not the cache, where the kernel lets us.
    os.posix_fadvise(descriptor, at, SECTOR, os.POSIX_FADV_DONTNEED)
    if os.pread(descriptor, SECTOR, at) != sector:
        raise OSError(errno.EIO, f"the sector at {at} reads back differently")


def _differing(one: bytes, other: bytes) -> int:
    return sum(a != b for a, b in zip(one, other, strict=False)) + abs(len(one) - len(other))
