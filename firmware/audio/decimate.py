"""From 48 kHz to 16 kHz, block by block: a fixed low-pass filter, and every third of its outputs. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FACTOR = 3
TAPS = 120
# Speech of 16 kHz ends at 7 kHz; from 9 kHz on, where sound would fold back onto it, there are 70 dB less.
CUTOFF_HZ, RATE_HZ = 8000.0, 48_000
KAISER_BETA = 6.8


def _low_pass() -> npt.NDArray[np.float32]:
    at = np.arange(TAPS) - (TAPS - 1) / 2
    taps = np.sinc(2 * CUTOFF_HZ / RATE_HZ * at) * np.kaiser(TAPS, KAISER_BETA)
    whole: npt.NDArray[np.float32] = (taps / taps.sum()).astype(np.float32)
    return whole


LOW_PASS = _low_pass()


class Decimator:
    """One stream; delays it by 1.2 ms (half of the filter)."""

    def __init__(self) -> None:
        self._past = np.zeros(TAPS - 1, np.float32)

    def __call__(self, block: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        """The next block, a whole multiple of three samples, at a third of its rate."""
        whole = np.concatenate([self._past, block.astype(np.float32)])
        self._past = whole[len(block) :]
        # The other two are computed as well: for a block this short that costs less than leaving them out in numpy.
        low = np.convolve(whole, LOW_PASS, "valid")[FACTOR - 1 :: FACTOR]
        return np.clip(np.rint(low), -32768, 32767).astype(np.int16)
