"""What an instrument says of sound that was heard: pitch, and the level of one tone."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Signal: TypeAlias = npt.NDArray[np.float64]

SILENT_DB = -200.0


def tone(rate_hz: int, hz: float, s: float, *, db: float = 0.0) -> Signal:
    """A sine of `s` seconds, `db` below full scale."""
    t = np.arange(round(rate_hz * s)) / rate_hz
    sine: Signal = 10 ** (db / 20) * np.sin(2 * math.pi * hz * t)
    return sine


def level_db(sound: Signal, rate_hz: int, hz: float) -> float:
    """The level of the tone at `hz`, in dB of full scale, whatever else there is. Window: Hann."""
    window = np.hanning(len(sound))
    turning = np.exp(-2j * math.pi * hz * np.arange(len(sound)) / rate_hz)
    amplitude = 2 * abs(np.dot(sound * window, turning)) / float(window.sum())
    return 20 * math.log10(amplitude) if amplitude > 1e-10 else SILENT_DB


def pitch_hz(sound: Signal, rate_hz: int) -> float:
    """The frequency of the strongest tone: peak of the spectrum, refined by a parabola through its logarithm."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) + 1e-12
    peak = int(np.clip(np.argmax(spectrum), 1, len(spectrum) - 2))
    low, mid, high = (float(np.log(spectrum[peak + step])) for step in (-1, 0, 1))
    bend = low - 2 * mid + high
    offset = 0.5 * (low - high) / bend if bend else 0.0
    return (peak + offset) * rate_hz / len(sound)
