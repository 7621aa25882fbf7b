"""The anti-rollback floor a second time, apart from the record: who loses the record does not lose the floor.

The record (`record.py`) has the floor that counts; this file follows it after a commit and is read at each start.
It lies with the identity of the hardware and survives every reset. The higher of the two holds.
"""

from __future__ import annotations

from firmware.core.store_file import frame, unframe
from firmware.upgrade.medium import Medium, make_folders, replace_file

FOLDER = "identity"
NAME = "floor"
LONGEST = 20


class FloorFile:
    """The file. Blocking; one thread at a time."""

    path = f"{FOLDER}/{NAME}"

    def __init__(self, medium: Medium) -> None:
        self._medium = medium

    def load(self) -> int | None:
        """The floor; 0 when none was ever saved, None when the file cannot be read."""
        try:
            data = unframe(self._medium.read(self.path))
        except FileNotFoundError:
            return 0
        except OSError:
            return None  # as good as damaged: the record says what holds
        if data is None or not data.isdigit() or len(data) > LONGEST:
            return None
        return int(data)

    def save(self, floor: int) -> None:
        """Replace it; returns when that survives a loss of power. Raises OSError."""
        make_folders(self._medium, FOLDER)
        replace_file(self._medium, self.path, frame(b"%d" % floor))
