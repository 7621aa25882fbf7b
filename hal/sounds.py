"""Values of sound that cross the HAL: blocks of samples, levels, and what an audio input can be set to.

Everything here is frozen. Samples are bytes: whole frames of 16-bit little-endian samples, channels interleaved.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class InputType(StrEnum):
    """What is connected to an audio input (manual 000, Audio, Device settings)."""

    MICROPHONE = "microphone"
    LINE = "line"


class PowerType(StrEnum):
    """How an audio input feeds its microphone (manual 000, Audio, Device settings)."""

    NONE = "none"
    PLUG_IN = "plug-in"
    PHANTOM = "phantom"


# What a level meter says of silence; one step of 16 bits is 96 dB below full scale.
SILENCE_DBFS = -120.0


@dataclass(frozen=True, slots=True)
class SoundLevel:
    """How loud a block of sound is: `peak_dbfs` of its highest sample, `rms_dbfs` where a full-scale sine is 0.

    Both are `SILENCE_DBFS` for digital silence. Source: AES17 (the reference level of the effective value).
    """

    peak_dbfs: float = SILENCE_DBFS
    rms_dbfs: float = SILENCE_DBFS


@dataclass(frozen=True, slots=True)
class PcmBlock:
    """Sound as a card gave it: whole frames of 16-bit little-endian samples, channels interleaved.

    `t_ns` is when the block was complete. `lost` counts the blocks since the last one that did not arrive.
    """

    t_ns: int
    samples: bytes = field(repr=False)
    lost: int = 0


@dataclass(frozen=True, slots=True)
class SoundBlock:
    """Sound as a microphone hears it, after gain and mute, with its level. See PcmBlock for `samples` and `lost`."""

    t_ns: int
    samples: bytes = field(repr=False)
    level: SoundLevel
    lost: int = 0
