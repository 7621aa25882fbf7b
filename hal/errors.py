"""What goes wrong below a service, as one tree.

HalError
+-- BoardError          the board file is wrong (place, value, nearest valid one)
+-- BusError            a wire failed; names the node
|   +-- NoReply         nothing answered
|   +-- Garbled         something answered, unreadable
|   +-- BusTimeout      no answer in time
|   +-- LineInUse       the line belongs to somebody else
+-- DeviceError         the wire works, the thing at its end does not
    +-- Absent          not there
    +-- Stuck           does not follow
    +-- OutOfRange      reads or was asked for an impossible value
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

# Nothing valid is longer, and comparing costs more than in proportion to the length.
LONGEST_WORD = 100


class HalError(Exception):
    """Anything the HAL raises; `where` names the node, wire or place in a file."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(f"{where}: {message}")
        self.where = where
        self.message = message


class BoardError(HalError):
    """A board file says something impossible; nothing was opened."""


class BusError(HalError):
    """A wire failed."""


class NoReply(BusError):
    """Nothing answered on the wire."""


class Garbled(BusError):
    """The answer cannot be read."""


class BusTimeout(BusError):
    """The answer did not come in time."""


class LineInUse(BusError):
    """Another owner holds the line."""


class DeviceError(HalError):
    """The wire works, the device does not."""


class Absent(DeviceError):
    """The device is not there."""


class Stuck(DeviceError):
    """The device does not follow what it is told."""


class OutOfRange(DeviceError):
    """A reading or a request outside the device's range."""


def error_data(error: HalError) -> dict[str, str]:
    """An error as data, for another process."""
    return {"kind": type(error).__name__, "where": error.where, "message": error.message}


def error_of(data: Mapping[str, object]) -> HalError:
    """The error that was sent; a kind that is not in the tree is a BusError."""
    kind: object = globals().get(str(data.get("kind")), BusError)
    if not (isinstance(kind, type) and issubclass(kind, HalError)):
        kind = BusError
    return kind(str(data.get("where")), str(data.get("message")))


def nearest(word: str, valid: Iterable[str]) -> str:
    """A suggestion to append to an error about `word`: the nearest valid name, or all when few."""
    names = sorted(valid)
    close = difflib.get_close_matches(word[:LONGEST_WORD], names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    if 0 < len(names) <= 12:
        return f"; valid: {', '.join(names)}"
    return ""
