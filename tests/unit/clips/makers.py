"""Sound files for tests, written by libsndfile: a tone of known pitch and length in every format of clips."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

HZ = 440.0
LEVEL = 0.5


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to write a clip: its file suffix, what libsndfile calls it, rate and channels; what we call it."""

    suffix: str
    container: str
    subtype: str
    rate_hz: int
    channels: int
    format: str
    encoding: str
    extra: tuple[tuple[str, Any], ...] = ()


KINDS = {
    "au of 16 bits": Kind("au", "AU", "PCM_16", 44_100, 2, "au", "PCM 16 bit"),
    "au in mu-law": Kind("au", "AU", "ULAW", 8_000, 1, "au", "mu-law"),
    "au in mu-law of 16 kHz": Kind("au", "AU", "ULAW", 16_000, 1, "au", "mu-law"),
    "wav of 8 bits in stereo": Kind("wav", "WAV", "PCM_U8", 48_000, 2, "wav", "PCM 8 bit"),
    "wav of 8 bits": Kind("wav", "WAV", "PCM_U8", 8_000, 1, "wav", "PCM 8 bit"),
    "wav of 16 bits": Kind("wav", "WAV", "PCM_16", 48_000, 2, "wav", "PCM 16 bit"),
    "wav of 24 bits": Kind("wav", "WAV", "PCM_24", 44_100, 1, "wav", "PCM 24 bit"),
    "wav of floats": Kind("wav", "WAV", "FLOAT", 32_000, 2, "wav", "float 32 bit"),
    "wav in mu-law": Kind("wav", "WAV", "ULAW", 8_000, 1, "wav", "mu-law"),
    "wav in Microsoft ADPCM": Kind("wav", "WAV", "MS_ADPCM", 22_050, 2, "wav", "MS ADPCM"),
    "wav in IMA ADPCM": Kind("wav", "WAV", "IMA_ADPCM", 22_050, 1, "wav", "IMA ADPCM"),
    "extensible wav": Kind("wav", "WAVEX", "PCM_16", 16_000, 1, "wav", "PCM 16 bit"),
    "mp3 of constant rate": Kind(
        "mp3", "MP3", "MPEG_LAYER_III", 44_100, 2, "mp3", "kbit/s",
        (("bitrate_mode", "CONSTANT"), ("compression_level", 0.6)),
    ),
    "mp3 of variable rate": Kind(
        "mp3", "MP3", "MPEG_LAYER_III", 16_000, 1, "mp3", "to",
        (("bitrate_mode", "VARIABLE"), ("compression_level", 0.5)),
    ),
    "mp3 of 320 kbit/s": Kind(
        "mp3", "MP3", "MPEG_LAYER_III", 48_000, 2, "mp3", "320 kbit/s",
        (("bitrate_mode", "CONSTANT"), ("compression_level", 0.0)),
    ),
    "mp3 of 64 kbit/s and 8 kHz": Kind(
        "mp3", "MP3", "MPEG_LAYER_III", 8_000, 1, "mp3", "64 kbit/s",
        (("bitrate_mode", "CONSTANT"), ("compression_level", 0.0)),
    ),
    "opus": Kind("opus", "OGG", "OPUS", 48_000, 2, "opus", "Opus"),
    "opus of speech": Kind("opus", "OGG", "OPUS", 16_000, 1, "opus", "Opus"),
    "vorbis": Kind("vorbis", "OGG", "VORBIS", 44_100, 2, "vorbis", "Vorbis"),
}  # fmt: skip


def tone(rate_hz: int, channels: int, length_s: float, hz: float = HZ) -> npt.NDArray[np.float64]:
    """A sine, the same on all channels."""
    t = np.arange(round(rate_hz * length_s)) / rate_hz
    return np.repeat((LEVEL * np.sin(2 * np.pi * hz * t))[:, np.newaxis], channels, axis=1)


def clip(kind: str, length_s: float = 0.5, hz: float = HZ) -> bytes:
    """A file of a kind."""
    how = KINDS[kind]
    out = io.BytesIO()
    sound = tone(how.rate_hz, how.channels, length_s, hz)
    soundfile.write(out, sound, how.rate_hz, format=how.container, subtype=how.subtype, **dict(how.extra))
    return out.getvalue()


def pitch_hz(sound: npt.NDArray[Any], rate_hz: int = 48_000) -> float:
    """The strongest pitch of the middle of a sound."""
    middle = sound[len(sound) // 4 : 3 * len(sound) // 4].astype(float)
    power = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 8 * len(middle)))
    return float(np.argmax(power)) * rate_hz / (8 * len(middle))
