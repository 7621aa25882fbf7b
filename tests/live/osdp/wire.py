"""An RS-485 line out of two ptys, paced byte by byte. Run alone: `wire.py BAUD` prints the two paths, ends with stdin.

What one end writes arrives at the other no earlier than the last of its bytes would on a line of that rate, in
pieces of at most a millisecond.
"""

from __future__ import annotations

import os
import select
import sys
import time
import tty
from collections import deque

NS = 1_000_000_000


class Way:
    """One direction."""

    def __init__(self, source: int, sink: int, baud: int) -> None:
        self.source = source
        self._sink = sink
        self._byte_ns = 10 * NS // baud
        self._piece = max(1, baud // 10_000)
        self._free_ns = 0
        self._waiting: deque[tuple[int, bytes]] = deque()

    def take(self) -> None:
        """Read what was written."""
        data = os.read(self.source, 4096)
        start_ns = max(self._free_ns, time.monotonic_ns())
        for at in range(0, len(data), self._piece):
            piece = data[at : at + self._piece]
            start_ns += len(piece) * self._byte_ns
            self._waiting.append((start_ns, piece))
        self._free_ns = start_ns

    def give(self, now_ns: int) -> None:
        """Hand over what has arrived."""
        while self._waiting and self._waiting[0][0] <= now_ns:
            os.write(self._sink, self._waiting.popleft()[1])

    @property
    def next_ns(self) -> int | None:
        """When the next piece arrives."""
        return self._waiting[0][0] if self._waiting else None


def pty() -> tuple[int, int, str]:
    """A raw pty: master, slave (kept open, so that an end may come and go), path."""
    master, slave = os.openpty()
    tty.setraw(slave)
    return master, slave, os.ttyname(slave)


def main(baud: int) -> None:
    one, _, first = pty()
    other, _, second = pty()
    ways = (Way(one, other, baud), Way(other, one, baud))
    print(first, second, flush=True)
    while True:
        now_ns = time.monotonic_ns()
        for way in ways:
            way.give(now_ns)
        times = [way.next_ns for way in ways if way.next_ns is not None]
        wait_s = max(0.0, (min(times) - time.monotonic_ns()) / NS) if times else None
        ready, _, _ = select.select([one, other, sys.stdin], [], [], wait_s)
        if sys.stdin in ready and not os.read(sys.stdin.fileno(), 100):
            return
        for way in ways:
            if way.source in ready:
                way.take()


if __name__ == "__main__":
    main(int(sys.argv[1]))
