"""What somebody can be made to say near a simulated device: tones, noise, speech, and recordings from files.

Levels are effective ones, where a full-scale sine is 0 dB (AES17). The same in every run.
"""

from __future__ import annotations

import math
import wave
from pathlib import Path

import numpy as np

from hal.errors import OutOfRange
from hal.sim.sound.measure import Signal, tone

LONGEST_S = 60.0
FORMANTS_HZ = ((500.0, 80.0), (1500.0, 120.0), (2500.0, 160.0))  # of a vowel, with their widths
PITCH_HZ = 120.0
SYLLABLE_S = 0.25


def hum(rate_hz: int, hz: float, s: float, db: float) -> Signal:
    """A steady tone that begins and ends without a click."""
    sound = tone(rate_hz, hz, s, db=db)
    edge = min(round(0.005 * rate_hz), len(sound) // 2)
    slope = np.linspace(0, 1, edge)
    sound[:edge] *= slope
    sound[len(sound) - edge :] *= slope[::-1]
    return sound


def hiss(rate_hz: int, s: float, db: float) -> Signal:
    """White noise."""
    return _at(np.random.default_rng(2).standard_normal(round(rate_hz * s)), db)


def speech(rate_hz: int, s: float, db: float) -> Signal:
    """Syllables of a voice that says nothing: pulses of the larynx through the formants of a vowel, with pauses."""
    frames = round(rate_hz * s)
    t = np.arange(frames) / rate_hz
    pitch = PITCH_HZ * (1 + 0.1 * np.sin(2 * math.pi * 0.7 * t))
    pulses = np.diff(np.floor(np.cumsum(pitch) / rate_hz), prepend=0.0)
    hz = np.fft.rfftfreq(frames, 1 / rate_hz)
    mouth = sum(1 / (1 + ((hz - middle) / width) ** 2) for middle, width in FORMANTS_HZ)
    voiced = np.fft.irfft(np.fft.rfft(pulses) * mouth, frames)
    syllables = np.maximum(0.0, np.sin(math.pi * t / SYLLABLE_S)) ** 2
    words = (np.floor(t / (4 * SYLLABLE_S)) % 3 < 2).astype(np.float64)
    return _at(voiced * syllables * words, db)


def recording(path: Path, rate_hz: int) -> Signal:
    """A WAV file of 16-bit samples, its channels as one, at `rate_hz` (interpolation: linear).

    Raises OutOfRange for another file, or one longer than `LONGEST_S`.
    """
    try:
        with wave.open(str(path)) as file:
            if file.getsampwidth() != 2:
                raise OutOfRange(str(path), f"has samples of {8 * file.getsampwidth()} bits, not 16")
            frames, rate, channels = file.getnframes(), file.getframerate(), file.getnchannels()
            if frames > LONGEST_S * rate:
                raise OutOfRange(str(path), f"lasts {frames / rate:.0f} s; the longest is {LONGEST_S:g} s")
            data = file.readframes(frames)
    except (OSError, EOFError, wave.Error) as error:
        raise OutOfRange(str(path), f"is not a WAV file that can be read: {error}") from None
    sound: Signal = np.frombuffer(data, "<i2").reshape(-1, channels).mean(axis=1) / 32768
    places = np.arange(round(len(sound) * rate_hz / rate)) * rate / rate_hz
    resampled: Signal = np.interp(places, np.arange(len(sound)), sound)
    return resampled


def _at(sound: Signal, db: float) -> Signal:
    power = float(np.mean(sound * sound)) if len(sound) else 0.0
    return sound * (10 ** (db / 20) / math.sqrt(2 * power)) if power else sound
