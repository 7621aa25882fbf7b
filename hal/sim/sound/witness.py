"""What a witness says of the last seconds in a simulated room: which sounds, how long, how loud, how high."""

from __future__ import annotations

import math
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hal.sim.sound.measure import SILENT_DB, Signal, pitch_hz

# Silence of this length divides two sounds.
PAUSE_S = 0.1
# The pitch is that of the middle of a sound.
MOST_FOR_PITCH = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A sound between two pauses: when it began, in seconds since the beginning of what was looked at."""

    at_s: float
    length_s: float
    peak_dbfs: float
    rms_dbfs: float
    pitch_hz: float


def sounds_in(sound: Signal, rate_hz: int, floor_db: float) -> list[Heard]:
    """Every sound whose samples are above `floor_db` of full scale, in order. `rms_dbfs` of a full-scale sine is 0."""
    loud = np.flatnonzero(np.abs(sound) > 10 ** (floor_db / 20))
    if not len(loud):
        return []
    gaps = np.flatnonzero(np.diff(loud) > PAUSE_S * rate_hz)
    firsts = loud[np.concatenate([[0], gaps + 1])]
    lasts = loud[np.concatenate([gaps, [len(loud) - 1]])]
    return [_heard(sound, int(first), int(last), rate_hz) for first, last in zip(firsts, lasts, strict=True)]


def _heard(sound: Signal, first: int, last: int, rate_hz: int) -> Heard:
    part = sound[first : last + 1]
    middle = part[max(0, (len(part) - MOST_FOR_PITCH) // 2) :][:MOST_FOR_PITCH]
    return Heard(
        at_s=first / rate_hz,
        length_s=len(part) / rate_hz,
        peak_dbfs=db_of(float(np.abs(part).max())),
        rms_dbfs=rms_db(part),
        pitch_hz=pitch_hz(middle, rate_hz) if len(middle) >= 16 else 0.0,
    )


def rms_db(sound: Signal) -> float:
    """The effective level over all; a full-scale sine is 0 dB (AES17)."""
    return db_of(math.sqrt(2 * float(np.mean(sound * sound)))) if len(sound) else SILENT_DB


def db_of(ratio: float) -> float:
    """A ratio to full scale in dB."""
    return max(SILENT_DB, 20 * math.log10(ratio)) if ratio > 0 else SILENT_DB


def write_down(sound: Signal, rate_hz: int, path: Path) -> None:
    """Keep it as a WAV file. Raises OSError."""
    whole = np.clip(np.rint(sound * 32768), -32768, 32767).astype("<i2")
    with path.open("wb") as raw, wave.open(raw, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(whole.tobytes())
