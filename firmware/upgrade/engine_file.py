"""The default engine: a slot is a file (or, with links, a block device) and needs no root.

The images come out of the bundle's squashfs piece by piece, are written, flushed, read back and hashed. What a
slot holds is written beside it last: a slot without that note, or with another content than it says, is not
whole. Memory use is one piece, whatever the size of the image.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from firmware.core.store_file import Damaged
from firmware.upgrade.medium import Medium, exists, make_folders, replace_file
from firmware.upgrade.ports import Approved, Image, Slot
from firmware.upgrade.squash import unpacked

SLOTS = "boot/slots"
ROOTFS = "rootfs"
# Room that an upgrade leaves on the medium: the door's own files come first.
SPARE_BYTES = 8 * 1024 * 1024

Payload = Callable[[Path, Image], Iterator[bytes]]


def image_path(slot: Slot, name: str) -> str:
    """Where an image of a slot lies; the root file system has the slot's own name."""
    return f"{SLOTS}/{slot.value}.img" if name == ROOTFS else f"{SLOTS}/{slot.value}.{name}.img"


def note_path(slot: Slot) -> str:
    """Where it is written what a slot holds."""
    return f"{SLOTS}/{slot.value}.json"


class FileEngine:
    """Writes slots as files below `boot/slots`."""

    def __init__(
        self, medium: Medium, payload: Payload = unpacked, *, free_bytes: Callable[[], int] | None = None
    ) -> None:
        """`free_bytes` tells how much room there is; None: nobody asks."""
        self._medium = medium
        self._payload = payload
        self._free_bytes = free_bytes

    def write(self, slot: Slot, approved: Approved, progress: Callable[[int], None]) -> None:
        """Write, flush, read back and hash. Raises OSError (ENOSPC: nothing was written), Damaged."""
        make_folders(self._medium, SLOTS)
        self.check_room(slot, approved)
        total = sum(image.size for image in approved.images)
        if exists(self._medium, note_path(slot)):
            self._medium.remove(note_path(slot))
            self._medium.sync(SLOTS)
        meter = _Meter(total, progress)
        try:
            for image in approved.images:
                path = image_path(slot, image.name)
                self._medium.write(path, meter.count(_sized(image, self._payload(approved.bundle, image))))
                self._medium.flush(path)
            self._medium.sync(SLOTS)
            for image in approved.images:
                self._check(slot, image, meter)
        except BaseException:
            self._clear(slot, approved)
            raise
        replace_file(self._medium, note_path(slot), note_of(approved))

    def check_room(self, slot: Slot, approved: Approved) -> None:
        """Whether the medium has room for the images. Raises OSError (ENOSPC)."""
        if self._free_bytes is None:
            return
        total = sum(image.size for image in approved.images)
        room = self._free_bytes() - SPARE_BYTES
        if room < total:
            raise OSError(errno.ENOSPC, f"slot {slot.value} needs {total} bytes, there is room for {max(0, room)}")

    def holds(self, slot: Slot, manifest_sha256: str) -> bool:
        """Whether the slot holds exactly this content, whole, by reading all of it. Raises OSError."""
        try:
            note: dict[str, Any] = json.loads(self._medium.read(note_path(slot)))
            if not manifest_sha256 or note["manifest_sha256"] != manifest_sha256:
                return False
            images = [Image(**image) for image in note["images"]]
            return all(self._digest(slot, image) == image.sha256 for image in images)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return False

    def _check(self, slot: Slot, image: Image, meter: _Meter) -> None:
        if self._digest(slot, image, meter) != image.sha256:
            raise Damaged(image_path(slot, image.name), f"reads back other than {image.name!r} of the bundle")

    def _digest(self, slot: Slot, image: Image, meter: _Meter | None = None) -> str:
        digest = hashlib.sha256()
        chunks = self._medium.chunks(image_path(slot, image.name))
        for chunk in chunks if meter is None else meter.count(chunks):
            digest.update(chunk)
        return digest.hexdigest()

    def _clear(self, slot: Slot, approved: Approved) -> None:
        """Give the room back that a failed write took. What fails here fails no more than what is raised already."""
        for image in approved.images:
            try:
                self._medium.remove(image_path(slot, image.name))
            except OSError:
                continue


class _Meter:
    """Progress over writing and reading back, told when the percentage changes."""

    def __init__(self, total: int, progress: Callable[[int], None]) -> None:
        self._whole = max(1, 2 * total)
        self._done = 0
        self._told = -1
        self._progress = progress

    def count(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            yield chunk
            self._done += len(chunk)
            percent = min(100, self._done * 100 // self._whole)
            if percent != self._told:
                self._told = percent
                self._progress(percent)


def _sized(image: Image, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces of an image, and never more than its manifest says. Raises Damaged."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > image.size:
            raise Damaged(image.filename, f"is longer than the {image.size} bytes of its manifest")
        yield chunk
    if size != image.size:
        raise Damaged(image.filename, f"has {size} bytes, its manifest says {image.size}")


def note_of(approved: Approved) -> bytes:
    """What is written beside a slot: what it holds."""
    images = [
        {"name": image.name, "filename": image.filename, "size": image.size, "sha256": image.sha256}
        for image in approved.images
    ]
    note = {"version": approved.version, "manifest_sha256": approved.manifest_sha256, "images": images}
    return json.dumps(note).encode()
