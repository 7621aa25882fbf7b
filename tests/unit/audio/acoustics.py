"""The test tones through the simulated room, without a sound card: what a microphone would record of them."""

from __future__ import annotations

from collections.abc import Set

import numpy as np

from firmware.audio.speaker_tones import Signal, TonePlan, sound_of
from hal.sim.sound.room import Cone, Room

RATE_HZ = 48000
FINER = 8
PLAN = TonePlan()


def recording(
    *,
    plan: TonePlan = PLAN,
    faults: Set[str] = frozenset(),
    loss_db: float = 0.0,
    noise_dbfs: float = -75.0,
    late_s: float = 0.13,
    ppm: float = 0.0,
    seed: int = 1,
) -> Signal:
    """What is recorded from the moment the sound was sent; the room is one, its noise is another with every seed."""
    finer = FINER if ppm else 1  # so that taking it at another rate loses nothing of a tone
    fine = sound_of(plan, finer * RATE_HZ)
    taken = np.interp(np.arange(0, len(fine), finer) * (1 + ppm / 1e6), np.arange(len(fine)), fine)
    sound = np.concatenate([np.zeros(round(late_s * RATE_HZ)), taken, np.zeros(RATE_HZ)])
    step = RATE_HZ // 100
    room, cone = Room(RATE_HZ, noise_dbfs=-300.0), Cone(RATE_HZ, step)
    heard = [
        room.carry(cone.move(sound[at : at + step], faults, loss_db)) for at in range(0, len(sound) - step + 1, step)
    ]
    whole = np.concatenate(heard)
    noise = np.random.default_rng(seed).standard_normal(len(whole)) * 10 ** (noise_dbfs / 20)
    return np.clip(whole + noise, -1.0, 1.0)
