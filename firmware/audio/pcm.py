"""The one format of sound in this room: 48 kHz, one channel, blocks of 10 ms; and the ways in and out of it.

Inside, sound is 32-bit floats with full scale 1; a card's bytes are 16-bit frames (`hal.sounds`).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from firmware.core.errors import Invalid

RATE_HZ = 48_000
PERIODS_PER_S = 100
PERIOD = RATE_HZ // PERIODS_PER_S  # frames of a block

Mono: TypeAlias = npt.NDArray[np.float32]
Mono16: TypeAlias = npt.NDArray[np.int16]
# What a source may hand over.
Pcm: TypeAlias = npt.NDArray[Any]

FULL_SCALE = 32768
WIRE_FORMAT = np.dtype("<i2")


def mono(sound: Pcm) -> Mono:
    """One channel of int16 or float32 samples as floats. Raises Invalid for anything else."""
    if sound.ndim != 1 or sound.dtype not in (np.dtype(np.int16), np.dtype(np.float32)):
        shape = "x".join(map(str, sound.shape))
        raise Invalid("sound", f"{shape} samples of {sound.dtype} are not one channel of int16 or float32")
    return sound if sound.dtype == np.float32 else sound.astype(np.float32) / np.float32(FULL_SCALE)


def int16_of(sound: Mono) -> Mono16:
    """The nearest 16-bit samples; what is louder than full scale is cut off."""
    return np.clip(np.rint(sound * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


def to_card(block: Mono16, channels: int) -> bytes:
    """Bytes for a card, the same on all its channels."""
    return np.repeat(block, channels).astype(WIRE_FORMAT, copy=False).tobytes()


def from_card(samples: bytes, channels: int) -> Mono16:
    """What a card recorded; of a stereo signal the left channel (manual 003, Audio connector)."""
    return np.frombuffer(samples, WIRE_FORMAT)[::channels].astype(np.int16)


def factor(db: float) -> float:
    """A gain in dB as the number to multiply with; minus infinity is 0."""
    return float(10 ** (db / 20))
