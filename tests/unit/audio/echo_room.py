"""A room for the echo canceller: speech-like noise from the far end, a speaker, reflections, somebody at the door.

Everything is the same in every run. Speech has syllables and pauses; the spectrum is that of speech: 6 dB less per
octave above 500 Hz (ITU-T P.50, roughly).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware.audio.cleaning import FRAME, Cleaner

CARD_HZ = 48_000
BLOCK = CARD_HZ // 100
Signal = npt.NDArray[np.float64]


def speech(s: float, *, dbfs: float, seed: int) -> Signal:
    """So many seconds of it; `dbfs` is the effective level of the whole, of a full-scale sine."""
    chance = np.random.default_rng(seed)
    frames = round(s * CARD_HZ)
    spectrum = np.fft.rfft(chance.standard_normal(frames))
    hz = np.fft.rfftfreq(frames, 1 / CARD_HZ)
    spectrum *= np.where(hz < 120, 0, 1 / (1 + hz / 500)) * (hz < 7500)
    syllables = np.repeat(chance.choice([0.0, 0.4, 1.0, 1.0], size=round(s * 5) + 1), CARD_HZ // 5)[:frames]
    smooth = np.hanning(CARD_HZ // 20)
    sound: Signal = np.fft.irfft(spectrum, frames) * np.convolve(syllables, smooth / smooth.sum(), "same")
    return sound * 10 ** (dbfs / 20) / np.sqrt(2) / np.sqrt(np.mean(sound * sound))


def echo_of(
    played: Signal, *, delay_s: float = 0.012, tail_s: float = 0.120, db: float = -6.0, seed: int = 3
) -> Signal:
    """What a microphone hears of it: the direct sound after `delay_s`, and reflections that die away by 60 dB."""
    chance = np.random.default_rng(seed)
    tail = round(tail_s * CARD_HZ)
    way = np.concatenate(
        [
            np.zeros(round(delay_s * CARD_HZ)),
            [1.0],
            0.02 * chance.standard_normal(tail) * 10 ** (-3 * np.arange(tail) / tail),
        ]
    )
    size = len(played) + len(way)
    heard: Signal = np.fft.irfft(np.fft.rfft(played, size) * np.fft.rfft(way, size), size)[: len(played)]
    return heard * 10 ** (db / 20)


def int16(sound: Signal) -> npt.NDArray[np.int16]:
    """As a card gives it."""
    return np.clip(np.rint(sound * 32768), -32768, 32767).astype(np.int16)


@dataclass
class Cleaned:
    """What went into a cleaner (at 16 kHz, with the same delay) and what came out, as frames of 20 ms."""

    heard: Signal
    clean: Signal

    def level_db(self, which: Signal, start_s: float, end_s: float) -> float:
        """Effective level of a part, dB of a full-scale sine."""
        part = which[round(start_s * 16_000) : round(end_s * 16_000)]
        return float(10 * np.log10(2 * np.mean(part * part) + 1e-12))

    def loss_db(self, start_s: float, end_s: float) -> float:
        """How much quieter it came out than it went in (echo return loss enhancement, ITU-T G.168)."""
        return self.level_db(self.heard, start_s, end_s) - self.level_db(self.clean, start_s, end_s)


def through(cleaner: Cleaner, near: Signal, far: Signal) -> Cleaned:
    """Feed a cleaner block by block, as the microphone does."""
    plain = Cleaner()
    heard: list[npt.NDArray[np.int16]] = []
    clean: list[npt.NDArray[np.int16]] = []
    near16, far16 = int16(near), int16(far)
    for at in range(0, len(near16) - BLOCK + 1, BLOCK):
        block, played = near16[at : at + BLOCK], far16[at : at + BLOCK]
        heard += plain.put(block, played)
        clean += cleaner.put(block, played)
    assert all(len(frame) == FRAME for frame in (*heard, *clean))
    return Cleaned(np.concatenate(heard) / 32768, np.concatenate(clean) / 32768)
