"""The journal's files: numbered segments of limited size, the oldest deleted when all are too much.

All of it blocks and runs on the store's writer thread.
"""

from __future__ import annotations

import re
from pathlib import Path

from firmware.core.journal_lines import sound
from firmware.core.store_disk import Disk

SEGMENT_BYTES = 1 << 20
QUOTA_BYTES = 16 << 20
_NAME = re.compile(r"(\d{8})\.jsonl")


class Segments:
    """A directory of `NNNNNNNN.jsonl`; only the last one grows."""

    def __init__(self, root: Path, disk: Disk, *, segment_bytes: int, quota_bytes: int) -> None:
        self._root = root
        self._disk = disk
        self._segment_bytes = segment_bytes
        self._quota_bytes = quota_bytes
        self._sizes: dict[int, int] | None = None
        self._torn = False

    def open(self, limit: int) -> list[bytes]:
        """Look at what is there; returns up to `limit` sound lines, the newest, in order. Raises OSError."""
        sizes = self._scan()
        lines: list[bytes] = []
        for number in sorted(sizes, reverse=True):
            try:
                raw = self._disk.read(self._path(number))
            except OSError:
                if number == max(sizes):
                    raise
                break  # an unreadable old segment hides those before it, not the newer ones
            if number == max(sizes):
                self._torn = bool(raw) and not raw.endswith(b"\n")
            lines = [line for line in raw.split(b"\n") if line and sound(line)] + lines
            if len(lines) >= limit:
                break
        return lines[-limit:] if limit > 0 else []

    def append(self, lines: list[bytes], *, sync: bool) -> None:
        """Add lines to the last segment, or to a new one when it is full. Raises OSError; then none was added."""
        sizes = self._scan() if self._sizes is None else self._sizes
        data = b"".join(lines)
        last = max(sizes, default=0)
        fresh = last == 0 or (bool(data) and sizes[last] + len(data) > self._segment_bytes)
        number = last + 1 if fresh else last
        # A line torn by a power cut must not take the next one with it.
        whole = b"\n" + data if self._torn and not fresh else data
        try:
            self._disk.append(self._path(number), whole, sync=sync)
        except OSError:
            self._sizes = None  # look again before the next try: the folder may be another one by then
            raise
        self._torn = False
        sizes[number] = sizes.get(number, 0) + len(whole)
        if fresh:
            self._disk.sync(self._root)
            self._rotate(sizes)

    def _scan(self) -> dict[int, int]:
        self._disk.folder(self._root)
        found = self._disk.sizes(self._root)
        numbered = {_NAME.fullmatch(name): size for name, size in found.items()}
        self._sizes = {int(match[1]): size for match, size in numbered.items() if match is not None}
        if self._sizes:
            # What was written before an unclean end may be torn even if nobody has read it yet.
            self._torn = True
        return self._sizes

    def _rotate(self, sizes: dict[int, int]) -> None:
        while sum(sizes.values()) > self._quota_bytes and len(sizes) > 1:
            oldest = min(sizes)
            self._disk.remove(self._path(oldest))
            del sizes[oldest]

    def _path(self, number: int) -> Path:
        return self._root / f"{number:08}.jsonl"
