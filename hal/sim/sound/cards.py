"""The far ends of the ALSA file plugin: one FIFO that a card plays into, one that it records from.

Both are opened for reading and writing, so that nobody waits in `open`, and hold a few periods: a full one makes
whoever plays wait, an empty one whoever records.
"""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from pathlib import Path

import numpy as np

from hal.sim.sound.filters import Drift
from hal.sim.sound.measure import Signal

FULL_SCALE = 32768
BYTES_PER_SAMPLE = 2
PERIODS_DEEP = 4
# A card begins when two periods are there, or when no more has come for three.
PERIODS_TO_BEGIN = 2
PATIENCE = 3
# A recorder that is kept from running for so many periods loses sound, as one with a card's buffer would.
MOST_UNRECORDED = 10


class _Fifo:
    """One end of a card, in a pipe of `periods`."""

    def __init__(self, path: Path, rate_hz: int, channels: int, *, periods: int) -> None:
        os.mkfifo(path)
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.channels = channels
        self.frame_bytes = channels * BYTES_PER_SAMPLE
        self.period = rate_hz // 100
        # A pipe has at least a page: at low rates that is many periods.
        fcntl.fcntl(self._fd, fcntl.F_SETPIPE_SZ, periods * self.period * self.frame_bytes)

    def frames_inside(self) -> int:
        """Whole frames in the pipe."""
        count = struct.unpack("i", fcntl.ioctl(self._fd, termios.FIONREAD, b"\0" * 4))[0]
        return int(count) // self.frame_bytes

    def close(self) -> None:
        """Hang up; harmless twice."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class Played(_Fifo):
    """What a card plays, in the time of its own clock."""

    def __init__(self, path: Path, rate_hz: int, channels: int) -> None:
        super().__init__(path, rate_hz, channels, periods=PERIODS_DEEP)
        self._drift = Drift()
        self._fetched = b""
        self._playing = False
        self._waited = 0
        self.gaps = 0  # periods of silence because the player was late, or had ended

    def ready(self, ppm: float) -> bool:
        """Whether the next period can be taken now; a player that is late is waited for, up to `PATIENCE` times."""
        inside = self._inside()
        enough = self._drift.need(self.period, ppm) if self._playing else PERIODS_TO_BEGIN * self.period
        if inside >= enough or (not inside and not self._playing):
            self._waited = 0
            self._playing = inside > 0
            return True
        self._waited += 1
        if self._waited <= PATIENCE:
            return False
        self._waited = 0
        self._playing = inside > 0
        self.gaps += 1
        return True

    def take(self, ppm: float) -> Signal:
        """The next period, all channels as one; silence where nothing is played."""
        wanted = self._drift.need(self.period, ppm)
        data = self._fetch(wanted) if self._playing else b""
        sound = np.frombuffer(data, "<i2").reshape(-1, self.channels).mean(axis=1) / FULL_SCALE if data else np.zeros(0)
        return self._drift.give(np.pad(sound, (0, wanted - len(sound))), self.period, ppm)

    def _inside(self) -> int:
        return len(self._fetched) // self.frame_bytes + self.frames_inside()

    def _fetch(self, frames: int) -> bytes:
        """At most so many frames. The pipe is emptied whole: a page that is read in part takes no more."""
        wanted = frames * self.frame_bytes
        if len(self._fetched) < wanted and (waiting := self.frames_inside()):
            self._fetched += os.read(self._fd, waiting * self.frame_bytes)
        data, self._fetched = self._fetched[:wanted], self._fetched[wanted:]
        return data


class Recorded(_Fifo):
    """What a card records. Its pipe has room to spare, because a page that is read in part takes no more."""

    def __init__(self, path: Path, rate_hz: int, channels: int) -> None:
        super().__init__(path, rate_hz, channels, periods=4 * PERIODS_DEEP)
        self.dropped = 0  # periods that nobody recorded

    def give(self, sound: Signal) -> None:
        """The next period, the same on all channels; dropped when nobody records."""
        if self.frames_inside() > MOST_UNRECORDED * self.period:
            self.dropped += 1
            return
        whole = np.clip(np.rint(sound * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1)
        os.write(self._fd, np.repeat(whole, self.channels).astype("<i2").tobytes())
