"""The content of a verified bundle against its manifest: the files, their sizes and digests, and the trees inside."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache

from firmware.upgrade.layout import read_at
from firmware.upgrade.manifest import LONGEST, Manifest
from firmware.upgrade.ports import Image
from firmware.upgrade.refusals import Refusal, Why, shown
from firmware.upgrade.squashfs import UNPACKED_DATA, Inode, Squashfs, damaged
from firmware.upgrade.squashfs_list import File, Limits, listing

MANIFEST = "manifest.raucm"
# The image that is a program tree; others (a boot partition) are not squashfs.
PROGRAM = "rootfs"
MOST_FILES = 8
# A program tree may unpack to this many times its slot.
UNPACKED_SLOTS = 8


def check(file: int, size: int, manifest: Manifest, slot_size: int) -> None:
    """Raises Refusal unless the payload, `size` bytes of `file`, is exactly what the manifest says."""
    outer = Squashfs(lambda at, count: _bounded(file, size, at, count), size)
    # Images are packed already: the bundle holds little more than their bytes.
    limits = Limits(entries=MOST_FILES, depth=0, total=slot_size * len(manifest.images) + LONGEST, ratio=1_000)
    files = {one.path: one for one in listing(outer, limits)}
    wanted = {image.filename for image in manifest.images} | {MANIFEST}
    if set(files) != wanted:
        raise Refusal(Why.LISTING, shown(", ".join(sorted(set(files) ^ wanted))))
    if files[MANIFEST].inode.size > LONGEST:
        raise Refusal(Why.LISTING, f"a manifest of {files[MANIFEST].inode.size} bytes")
    for image in manifest.images:
        inside = files[image.filename]
        if inside.inode.size != image.size:
            raise Refusal(Why.IMAGE_SIZE, f"{image.name}: {inside.inode.size} bytes; {image.size} were signed")
        _check_digest(outer, inside, image)
        if image.name == PROGRAM:
            _check_tree(outer, inside, slot_size)


def _bounded(file: int, size: int, at: int, count: int) -> bytes:
    if at < 0 or count < 0 or at + count > size:
        raise damaged("something lies outside of it")
    return read_at(file, at, count)


def _check_digest(outer: Squashfs, inside: File, image: Image) -> None:
    digest = hashlib.sha256()
    for block in outer.content(inside.inode):
        digest.update(block)
    if digest.hexdigest() != image.sha256:
        raise Refusal(Why.IMAGE_DAMAGED, image.name)


def _check_tree(outer: Squashfs, inside: File, slot_size: int) -> None:
    window = Window(outer, inside.inode)
    inner = Squashfs(window.read, inside.inode.size)
    usual = Limits()
    listing(inner, replace(usual, total=min(usual.total, UNPACKED_SLOTS * slot_size)))


class Window:
    """A file inside an image, read anywhere; a few unpacked blocks are kept."""

    def __init__(self, image: Squashfs, inode: Inode) -> None:
        self._image = image
        self._inode = inode
        self._at = [inode.at]
        for stored in inode.blocks:
            self._at.append(self._at[-1] + (stored & (UNPACKED_DATA - 1)))
        self._block = lru_cache(maxsize=4)(self._unpacked)

    def read(self, offset: int, count: int) -> bytes:
        """Exactly `count` bytes from `offset`. Raises Refusal."""
        if offset < 0 or count < 0 or offset + count > self._inode.size:
            raise damaged("something lies outside of it")
        size = self._image.superblock.block_size
        found = bytearray()
        while len(found) < count:
            index, start = divmod(offset + len(found), size)
            found += self._block(index)[start : start + count - len(found)]
        return bytes(found)

    def _unpacked(self, index: int) -> bytes:
        return self._image.block(self._inode, index, self._at[index])
