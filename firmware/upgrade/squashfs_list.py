"""What lies in an image, all of it, under limits: plain files and folders, each once, of a sane size.

Nothing is unpacked: names, kinds and sizes are read, links and devices and bombs refused (hardening rows 35, 36).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from firmware.upgrade.refusals import Refusal, Why, shown
from firmware.upgrade.squashfs import Inode, Kind, Squashfs, checked_name, damaged


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that an image may hold: names, levels, bytes unpacked, and unpacked bytes for each stored one."""

    entries: int = 20_000
    depth: int = 24
    total: int = 1024 * 1024 * 1024
    ratio: int = 64


@dataclass(frozen=True, slots=True)
class File:
    """A plain file: its path from the root of the image, and its inode."""

    path: str
    inode: Inode


def listing(image: Squashfs, limits: Limits) -> tuple[File, ...]:
    """Every plain file of an image. Raises Refusal for the first thing that has no place in one."""
    if image.superblock.inodes > limits.entries:
        raise Refusal(Why.TOO_MANY, f"{image.superblock.inodes}; the most are {limits.entries}")
    walk = _Walk(image, limits)
    walk.folder(image.root(), "", 0)
    return tuple(walk.files)


class _Walk:
    def __init__(self, image: Squashfs, limits: Limits) -> None:
        self._image = image
        self._limits = limits
        self._seen: set[int] = set()
        self._names = 0
        self._total = 0
        self.files: list[File] = []

    def folder(self, folder: Inode, path: str, depth: int) -> None:
        self._once(folder, path)
        if depth > self._limits.depth == 0:
            raise Refusal(Why.LISTING, f"the folder {shown(path)}")
        if depth > self._limits.depth:
            raise Refusal(Why.TOO_MANY, f"{shown(path)} is more than {self._limits.depth} levels deep")
        twins: set[str] = set()
        for entry in self._image.entries(folder):
            self._names += 1
            if self._names > self._limits.entries:
                raise Refusal(Why.TOO_MANY, f"the most are {self._limits.entries}")
            name = checked_name(entry.name, shown(path or "/"))
            below = f"{path}/{name}" if path else name
            folded = unicodedata.normalize("NFKC", name).casefold()
            if folded in twins:
                raise Refusal(Why.TWINS, shown(below))
            twins.add(folded)
            inode = self._image.inode(entry.inode)
            if inode.kind is Kind.FOLDER:
                self.folder(inode, below, depth + 1)
            elif inode.kind is Kind.FILE:
                self._file(inode, below)
            else:
                raise Refusal(Why.LINK_OR_DEVICE, shown(below))

    def _file(self, inode: Inode, path: str) -> None:
        self._once(inode, path)
        # Set-user-id, set-group-id and sticky have no place in a program tree.
        if inode.links != 1 or inode.mode & 0o7000:
            raise Refusal(Why.LINK_OR_DEVICE, f"{shown(path)} has more than one name, or the rights of its owner")
        self._image.check_extent(inode)
        self._total += inode.size
        most = min(self._limits.total, self._limits.ratio * self._image.superblock.used)
        if self._total > most:
            raise Refusal(Why.BOMB, f"{shown(path)}: {self._total} bytes so far; the most are {most}")
        self.files.append(File(path, inode))

    def _once(self, inode: Inode, path: str) -> None:
        """An inode under two names is a hard link; a folder in itself would never end."""
        if inode.number in self._seen:
            raise Refusal(Why.LINK_OR_DEVICE, f"{shown(path)} is another name of something else")
        if not 0 < inode.number <= self._image.superblock.inodes:
            raise damaged("an inode without a number")
        self._seen.add(inode.number)
