"""Who a simulated device is: drawn once, kept outside the settings, so a reset or upgrade does not change it.

Real hardware reads its identity from the chip (`hal.buses.identity`).
"""

from __future__ import annotations

import json
import re
import secrets
from pathlib import Path

from firmware.core.errors import Unavailable
from firmware.core.store_disk import Disk, FileDisk
from firmware.core.store_file import Damaged, DurableFiles
from hal.types import ChipIdentity

NAME = "chip"

_SERIAL = re.compile(r"[0-9A-F]{12}")
_CHIP_ID = re.compile(r"[0-9a-f]{16}")


def draw() -> ChipIdentity:
    """A new identity: a locally administered, unicast MAC address as serial, and 64 random bits."""
    octets = bytearray(secrets.token_bytes(6))
    octets[0] = (octets[0] & 0xFC) | 0x02
    return ChipIdentity(serial=octets.hex().upper(), chip_id=secrets.token_hex(8))


def load_or_draw(directory: Path, *, disk: Disk | None = None) -> ChipIdentity:
    """The identity kept in `directory`, drawn the first time.

    Blocks. Raises Damaged when no copy of it can be read, Unavailable when the disk fails: a device does
    not become another one by accident.
    """
    disk = FileDisk() if disk is None else disk
    files = DurableFiles(directory, disk)
    try:
        disk.folder(directory)
        saved = files.load(NAME).data
        if saved is not None:
            return _read(saved)
        identity = draw()
        text = json.dumps({"serial": identity.serial, "chip_id": identity.chip_id})
        files.save(NAME, text.encode())
    except OSError as error:
        raise Unavailable("identity", f"cannot be kept in {directory} ({error.strerror or error})") from error
    return identity


def _read(saved: bytes) -> ChipIdentity:
    try:
        values = json.loads(saved)
        identity = ChipIdentity(serial=values["serial"], chip_id=values["chip_id"])
        if _SERIAL.fullmatch(identity.serial) and _CHIP_ID.fullmatch(identity.chip_id):
            return identity
    except (ValueError, TypeError, KeyError):
        raise Damaged("identity", "the saved identity is not one") from None
    raise Damaged("identity", f"{identity.serial!r} and {identity.chip_id!r} are not an identity")
