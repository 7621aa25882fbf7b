"""Sound block by block: convolution, resampling by a drifting clock, and a memory of the last seconds."""

from __future__ import annotations

import numpy as np

from hal.sim.sound.measure import Signal


class Fir:
    """Convolution with `taps`, block by block; the result is that of one long convolution. Method: overlap-add."""

    def __init__(self, taps: Signal, block: int) -> None:
        self._taps = len(taps)
        self._block = block
        self._size = 1 << (block + len(taps) - 2).bit_length()
        self._spectrum = np.fft.rfft(taps, self._size)
        self._tail = np.zeros(self._taps - 1)

    def __call__(self, sound: Signal) -> Signal:
        """The next block, of any length."""
        done = [self._short(sound[at : at + self._block]) for at in range(0, len(sound), self._block)]
        return np.concatenate(done) if done else np.zeros(0)

    def _short(self, sound: Signal) -> Signal:
        if sound.any():
            whole = np.fft.irfft(np.fft.rfft(sound, self._size) * self._spectrum, self._size)
            whole = whole[: len(sound) + self._taps - 1]
        else:
            whole = np.zeros(len(sound) + self._taps - 1)
        whole[: len(self._tail)] += self._tail
        self._tail = whole[len(sound) :]
        return whole[: len(sound)]


class Drift:
    """A clock that runs `ppm` too fast: takes a few frames more than it gives. Interpolation: linear."""

    def __init__(self) -> None:
        self._phase = 0.0
        self._last = 0.0

    def need(self, frames: int, ppm: float) -> int:
        """How many frames to take now so that `frames` can be given."""
        return int(self._phase + frames * (1 + ppm / 1e6))

    def give(self, taken: Signal, frames: int, ppm: float) -> Signal:
        """`frames` frames from those that `need` asked for."""
        ratio = 1 + ppm / 1e6
        line = np.concatenate([[self._last], taken])
        given: Signal = np.interp(self._phase + np.arange(frames) * ratio, np.arange(len(line)), line)
        self._phase += frames * ratio - len(taken)
        self._last = float(line[-1])
        return given


class Ring:
    """The last `frames` frames of a signal."""

    def __init__(self, frames: int) -> None:
        self._kept = np.zeros(frames)
        self.count = 0  # of frames put in since the beginning

    def put(self, sound: Signal) -> None:
        """Add a block of any length; what is too old is forgotten."""
        size = len(self._kept)
        places = (self.count + np.arange(len(sound)))[-size:] % size
        self._kept[places] = sound[-size:]
        self.count += len(sound)

    def last(self, frames: int) -> Signal:
        """The last frames, the oldest first; fewer when there are not so many."""
        size = min(frames, self.count, len(self._kept))
        return self._kept[(self.count - size + np.arange(size)) % len(self._kept)]
