"""The room around a device: what its microphones hear of its speakers, of noise, and of people.

A signal is an array of floats, full scale is 1. The room is the same in every run.
"""

from __future__ import annotations

import math
from collections.abc import Set

import numpy as np

from hal.sim.sound.filters import Fir, Ring
from hal.sim.sound.measure import Signal

DIRECT_S, DIRECT_GAIN = 0.002, 0.25
TAIL_S, TAIL_DB = 0.120, -16.0  # the whole tail against the direct sound
QUIET_DBFS = -75.0
REMEMBERED_S = 30.0
# A cloth before the grille: one pole here, and a loss over all.
MUFFLED_HZ, MUFFLED_DB = 700.0, -1.0
CLIPS_AT = 0.05  # a torn cone follows no further than this


class Cone:
    """A speaker as the air sees it, with what is the matter with it."""

    def __init__(self, rate_hz: int, block: int) -> None:
        decay = math.exp(-2 * math.pi * MUFFLED_HZ / rate_hz)
        pole = decay ** np.arange(rate_hz // 100, dtype=np.float64)
        taps: Signal = (1 - decay) * 10 ** (MUFFLED_DB / 20) * pole
        self._muffle = Fir(taps, block)

    def move(self, sound: Signal, faults: Set[str], loss_db: float) -> Signal:
        """What the air gets of a block that the card plays."""
        if "dead" in faults:
            return np.zeros(len(sound))
        sound = sound * 10 ** (-loss_db / 20)
        if "distorted" in faults:
            sound = np.clip(sound, -CLIPS_AT, CLIPS_AT)
        muffled = self._muffle(sound)  # always, so that it has the past of the sound when a cloth falls
        return muffled if "muffled" in faults else sound


class Room:
    """Sound from speakers to microphones. `noise_dbfs` is the effective level of the noise at the microphones.

    `heard` remembers what is at the microphones, `given` what the speakers give, the last 30 s.
    """

    def __init__(self, rate_hz: int, *, noise_dbfs: float = QUIET_DBFS, seed: int = 1) -> None:
        self.rate_hz = rate_hz
        self.noise_dbfs = noise_dbfs
        self.heard = Ring(round(REMEMBERED_S * rate_hz))
        self.given = Ring(round(REMEMBERED_S * rate_hz))
        self._chance = np.random.default_rng(seed)
        self._impulse = impulse_response(rate_hz, self._chance)
        self._reflect = Fir(self._impulse, rate_hz // 100)
        self._people = np.zeros(0)

    def response_db(self, hz: float) -> float:
        """How much of a steady tone reaches the microphones."""
        turning = np.exp(-2j * math.pi * hz * np.arange(len(self._impulse)) / self.rate_hz)
        return 20 * math.log10(abs(np.dot(self._impulse, turning)))

    @property
    def still_said_s(self) -> float:
        """How long what was said until now will go on."""
        return len(self._people) / self.rate_hz

    def say(self, sound: Signal) -> None:
        """Somebody speaks at the microphones, after what is still being said; speakers play all the same."""
        self._people = np.concatenate([self._people, sound])

    def hush(self) -> None:
        """Nobody speaks any more."""
        self._people = np.zeros(0)

    def carry(self, air: Signal) -> Signal:
        """The next block at the microphones while the speakers give `air`."""
        heard = self._reflect(air)
        heard += self._chance.standard_normal(len(air)) * 10 ** (self.noise_dbfs / 20)
        speech, self._people = self._people[: len(air)], self._people[len(air) :]
        heard[: len(speech)] += speech
        self.heard.put(heard)
        self.given.put(air)
        return heard


def impulse_response(rate_hz: int, chance: np.random.Generator) -> Signal:
    """The direct sound and a tail of reflections that dies away by 60 dB."""
    direct, tail = round(DIRECT_S * rate_hz), round(TAIL_S * rate_hz)
    fading = chance.standard_normal(tail) * 10 ** (-3 * np.arange(tail) / tail)
    fading *= DIRECT_GAIN * 10 ** (TAIL_DB / 20) / math.sqrt(float(np.dot(fading, fading)))
    impulse = np.zeros(direct + 1 + tail)
    impulse[direct] = DIRECT_GAIN
    impulse[direct + 1 :] = fading
    return impulse
