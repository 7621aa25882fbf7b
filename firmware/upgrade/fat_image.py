"""Makes a small FAT 16 image: the boot partitions of a simulated device, and of a card before it is first flashed.

One sector a cluster, files of the root folder only. Sector 6 holds a copy of the first sector, as FAT 32
has it by definition: boot control opens a closed slot from it (`firmware.upgrade.sector`).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from pathlib import Path

from firmware.upgrade.fat import ENTRY, FAT12_BELOW, SECTOR

SECTORS = 8192  # 4 MiB, a hole but for a few sectors
RESERVED = 8
BACKUP = 6
FAT_SECTORS = 32
ROOT_ENTRIES = 512
ROOT = RESERVED + 2 * FAT_SECTORS
DATA = ROOT + ROOT_ENTRIES * ENTRY // SECTOR
CLUSTERS = SECTORS - DATA
MEDIA = 0xF8
ARCHIVE, LABEL = 0x20, 0x08
EPOCH = 0x0021  # 1980-01-01, the earliest date a folder entry can have
assert CLUSTERS >= FAT12_BELOW


def first_sector(label: str) -> bytes:
    """The boot sector: layout, no code."""
    fields = struct.pack(
        "<HBHBHHBHHHII", SECTOR, 1, RESERVED, 2, ROOT_ENTRIES, SECTORS, MEDIA, FAT_SECTORS, 32, 2, 0, 0
    )
    more = struct.pack("<BBBI11s8s", 0x80, 0, 0x29, 0x4C494E54, _padded(label, 11), b"FAT16   ")
    return (b"\xeb\x3c\x90" + b"LINTEL  " + fields + more).ljust(510, b"\0") + b"\x55\xaa"


def write_image(path: Path, label: str, files: Mapping[str, bytes]) -> None:
    """Make the image with these files (names 8.3 in capitals) and wait until it is on the medium. Raises OSError."""
    fat = bytearray(struct.pack("<HH", 0xFF00 | MEDIA, 0xFFFF))
    folder = bytearray(_entry(_padded(label, 11), LABEL, 0, 0))
    data = bytearray()
    for name, content in files.items():
        stem, _, ending = name.partition(".")
        count = -(-len(content) // SECTOR)
        first = len(fat) // 2
        folder += _entry(_padded(stem, 8) + _padded(ending, 3), ARCHIVE, first if count else 0, len(content))
        for number in range(count):
            fat += struct.pack("<H", 0xFFFF if number == count - 1 else first + number + 1)
        data += content.ljust(count * SECTOR, b"\0")
    if len(data) > CLUSTERS * SECTOR or len(folder) > ROOT_ENTRIES * ENTRY:
        raise ValueError(f"{len(data)} bytes in {len(files)} files do not fit into the image")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, SECTORS * SECTOR)
        for sector in (0, BACKUP):
            os.pwrite(descriptor, first_sector(label), sector * SECTOR)
        for sector in (RESERVED, RESERVED + FAT_SECTORS):
            os.pwrite(descriptor, fat, sector * SECTOR)
        os.pwrite(descriptor, folder, ROOT * SECTOR)
        os.pwrite(descriptor, data, DATA * SECTOR)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _padded(text: str, width: int) -> bytes:
    raw = text.encode("ascii")
    if len(raw) > width:
        raise ValueError(f"{text!r} is longer than {width}")
    return raw.ljust(width)


def _entry(name: bytes, kind: int, cluster: int, size: int) -> bytes:
    return struct.pack("<11sB8xHHHHI", name, kind, 0, 0, EPOCH, cluster, size)
