"""What the pulse code drives: two lines of a GPIO chip, or a log that tells when they would have moved."""

from __future__ import annotations

import mmap
import os
import struct

from hal.buses.pins import OutputWish
from hal.clock import SystemClock
from hal.errors import BusError

# A frame has 512 pulses at most, a few more when it is spoiled; a pulse is two moves.
LOG_MOVES = 4096
LOG_BYTES = 8 + 16 * LOG_MOVES

Move = tuple[int, bool, bool]


class ChipLines:
    """Both lines in one kernel request; at rest from the request on, in the same call (hardening row 14)."""

    def __init__(self, chip: str, bus: str, d0: int, d1: int, *, active_high: bool, owner: str) -> None:
        """Raises LineInUse naming who has a line, BusError."""
        from hal.buses.gpiod_lines import GpiodLines, open_chip
        from hal.buses.readiness import ThreadReadiness

        on, off = active_high, not active_high
        self._chip = open_chip(chip, bus)
        wish = OutputWish((off, off))
        try:
            # Outputs are never watched, so no thread is started.
            self._lines = GpiodLines(self._chip, bus, (d0, d1), wish, owner=owner, reads=ThreadReadiness())
        except BusError:
            self._chip.close()
            raise
        self._pull = (self._lines.prepared(on, off), self._lines.prepared(off, on))
        self._rest = self._lines.prepared(off, off)

    def pull(self, bit: int) -> None:
        """Begin a pulse. Raises BusError."""
        self._pull[bit]()

    def rest(self) -> None:
        """Let both lines go. Raises BusError."""
        self._rest()

    def close(self) -> None:
        """Give the lines back without moving them."""
        self._lines.close()
        self._chip.close()


class LoggedLines:
    """Lines of a simulated board: every move is stamped and kept in shared memory, which outlives a killed sender."""

    def __init__(self, fd: int) -> None:
        """Take over `fd`, made by `new_log`."""
        self._memory = mmap.mmap(fd, LOG_BYTES)
        os.close(fd)
        self._now_ns = SystemClock().now_ns
        self._levels = 0
        self._count: int = struct.unpack_from("<Q", self._memory, 0)[0]

    def pull(self, bit: int) -> None:
        """Begin a pulse."""
        self._set(2 if bit else 1)

    def rest(self) -> None:
        """Let both lines go."""
        self._set(0)

    def _set(self, levels: int) -> None:
        if levels == self._levels:
            return
        at = 8 + 16 * (self._count % LOG_MOVES)
        # Stamped near the end of the call, where a chip would move its lines.
        struct.pack_into("<Q", self._memory, at + 8, levels)
        struct.pack_into("<Q", self._memory, at, self._now_ns())
        struct.pack_into("<Q", self._memory, 0, self._count + 1)
        # Known last: the signal that ends the process may come in between, and its rest must be written then.
        self._count += 1
        self._levels = levels

    def close(self) -> None:
        """Nothing is held."""
        self._memory.close()


def new_log() -> int:
    """Memory for a log, as a descriptor that a child may inherit; the caller closes it."""
    fd = os.memfd_create("lintel-pulses")
    os.ftruncate(fd, LOG_BYTES)
    return fd


class LogReader:
    """The other end of a log: the moves since the last look, as (ns, D0 pulled, D1 pulled)."""

    def __init__(self, fd: int) -> None:
        """Map `fd`, which stays the caller's."""
        self._memory = mmap.mmap(fd, LOG_BYTES)
        self._seen = 0

    def fresh(self) -> tuple[Move, ...]:
        """Take the moves that are new, the newest `LOG_MOVES` at most."""
        count: int = struct.unpack_from("<Q", self._memory, 0)[0]
        moves = []
        for number in range(max(self._seen, count - LOG_MOVES), count):
            t_ns, levels = struct.unpack_from("<QQ", self._memory, 8 + 16 * (number % LOG_MOVES))
            moves.append((t_ns, bool(levels & 1), bool(levels & 2)))
        self._seen = count
        return tuple(moves)

    def close(self) -> None:
        """Unmap it."""
        self._memory.close()
