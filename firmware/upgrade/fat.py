"""FAT 12, 16 and 32 as far as boot control needs it: is this a file system, and where does a file of its root lie.

Reading only, on an image file or a block device that nobody has mounted. Source: the on-disk layout of the
FAT file system (ECMA-107 for FAT 12 and 16; its published extension to 32 bits).
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

SECTOR = 512
ENTRY = 32
DELETED, END = 0xE5, 0x00
VOLUME_OR_LONG_NAME, FOLDER = 0x08, 0x10
# Fewer clusters than this make a file system FAT 12, fewer than that FAT 16.
FAT12_BELOW, FAT16_BELOW = 4085, 65525
LARGEST_ROOT = 65536  # bytes of the root folder that are looked at


class NotFat(OSError):
    """The bytes are no FAT file system, or the file is not where boot control needs it."""

    def __init__(self, why: str) -> None:
        super().__init__(errno.EUCLEAN, why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A FAT file system as its first sector describes it; positions and sizes in sectors of 512 bytes."""

    per_cluster: int
    reserved: int
    fats: int
    fat_sectors: int
    root_entries: int
    root_cluster: int
    sectors: int

    @property
    def root(self) -> int:
        """Where the fixed root folder of FAT 12 and 16 begins."""
        return self.reserved + self.fats * self.fat_sectors

    @property
    def data(self) -> int:
        """Where cluster 2 begins."""
        return self.root + -(-self.root_entries * ENTRY // SECTOR)

    @property
    def clusters(self) -> int:
        """How many clusters of data there are."""
        return (self.sectors - self.data) // self.per_cluster

    @property
    def wide(self) -> bool:
        """Whether it is FAT 32."""
        return self.clusters >= FAT16_BELOW

    def sector_of(self, cluster: int) -> int:
        """The first sector of a cluster. Raises NotFat."""
        if not 2 <= cluster < self.clusters + 2:
            raise NotFat(f"cluster {cluster} is outside the file system")
        return self.data + (cluster - 2) * self.per_cluster


def parse_layout(first: bytes) -> Layout:
    """Read the first sector. Raises NotFat."""
    if len(first) < SECTOR or first[510:512] != b"\x55\xaa" or first[0] not in (0xEB, 0xE9):
        raise NotFat("the first sector is not one of a FAT file system")
    per_sector, per_cluster, reserved, fats, root_entries, short_sectors = struct.unpack_from("<HBHBHH", first, 11)
    (short_fat,) = struct.unpack_from("<H", first, 22)
    (long_sectors, long_fat) = struct.unpack_from("<II", first, 32)
    (root_cluster,) = struct.unpack_from("<I", first, 44)
    if per_sector != SECTOR:
        raise NotFat(f"sectors of {per_sector} bytes; only 512 can be written in one piece")
    if per_cluster not in (1, 2, 4, 8, 16, 32, 64, 128) or not reserved or fats not in (1, 2):
        raise NotFat("the first sector describes no FAT file system")
    layout = Layout(
        per_cluster=per_cluster,
        reserved=reserved,
        fats=fats,
        fat_sectors=short_fat or long_fat,
        root_entries=root_entries,
        root_cluster=root_cluster,
        sectors=short_sectors or long_sectors,
    )
    if not layout.fat_sectors or layout.clusters < 1 or layout.wide != (root_entries == 0):
        raise NotFat("the first sector describes no FAT file system")
    return layout


def find_sector(descriptor: int, name: str) -> int:
    """The byte offset of a file of the root folder that is exactly one sector long. Raises NotFat, OSError.

    `name` is 8.3 in capitals, such as `AUTOBOOT.TXT`.
    """
    stem, _, ending = name.partition(".")
    wanted = f"{stem:<8}{ending:<3}".encode("ascii")
    layout = parse_layout(os.pread(descriptor, SECTOR, 0))
    for entry in _root(descriptor, layout):
        if entry[:11] != wanted or entry[11] & (VOLUME_OR_LONG_NAME | FOLDER):
            continue
        high, low, size = struct.unpack_from("<H4xHI", entry, 20)
        if size != SECTOR:
            raise NotFat(f"{name} has {size} bytes, not {SECTOR}")
        return layout.sector_of(low | (high << 16 if layout.wide else 0)) * SECTOR
    raise NotFat(f"there is no {name} in the root folder")


def _root(descriptor: int, layout: Layout) -> Iterator[bytes]:
    """The entries of the root folder in order, up to its end mark."""
    for sector in _root_sectors(descriptor, layout):
        raw = os.pread(descriptor, SECTOR, sector * SECTOR)
        if len(raw) != SECTOR:
            raise NotFat("the root folder lies beyond the end")
        for at in range(0, SECTOR, ENTRY):
            if raw[at] == END:
                return
            if raw[at] != DELETED:
                yield raw[at : at + ENTRY]


def _root_sectors(descriptor: int, layout: Layout) -> Iterator[int]:
    if not layout.wide:
        yield from range(layout.root, layout.data)
        return
    cluster = layout.root_cluster
    for _ in range(LARGEST_ROOT // SECTOR // layout.per_cluster + 1):
        first = layout.sector_of(cluster)
        yield from range(first, first + layout.per_cluster)
        raw = os.pread(descriptor, 4, layout.reserved * SECTOR + cluster * 4)
        cluster = (int.from_bytes(raw, "little") & 0x0FFFFFFF) if len(raw) == 4 else 0
        if cluster >= 0x0FFFFFF8:
            return
    raise NotFat("the root folder is too long, or runs in a circle")
