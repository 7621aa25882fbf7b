"""The latest time that was known for certain, kept on disk: a clock that is set back makes no certificate valid again.

It belongs to the hardware and survives every reset. Blocks.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from firmware.core.errors import Unavailable
from firmware.core.store_disk import Disk, FileDisk
from firmware.core.store_file import DurableFiles

NAME = "last_time"


class SavedTime:
    """One time in a folder."""

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        self._folder = folder
        self._disk = FileDisk() if disk is None else disk
        self._files = DurableFiles(folder, self._disk)

    def read(self) -> datetime | None:
        """The saved time, aware; None when there is none, or none that can be read."""
        try:
            saved = self._files.load(NAME).data
            found = None if saved is None else datetime.fromisoformat(saved.decode("ascii"))
        except (OSError, Unavailable, ValueError):
            return None
        return found if found is not None and found.tzinfo is not None else None

    def note(self, now: datetime) -> None:
        """Save a time that is certain, unless a later one is saved. Raises OSError."""
        before = self.read()
        if before is None or now > before:
            self._disk.folder(self._folder)
            self._files.save(NAME, now.isoformat().encode("ascii"))
