"""What a recording says of the test tones: their levels, the noise beside them, their overtones. Pure.

The sound may arrive late, and the two cards may run apart by some hundred parts in a million. One tone is measured by
correlation with a sine under a Hann window (the Goertzel algorithm at any frequency), noise in the third of an octave
around it (IEC 61260-1), as measurements of rooms do.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

import numpy as np

from firmware.audio.speaker_tones import Signal, TonePlan

# What a tone needs to swing up, and what is left out at its end; seconds.
SETTLE_S, MARGIN_S = 0.12, 0.03
HOP_S = 0.010
# How far two clocks may run apart, and how finely the tone is looked for.
DRIFTS = np.arange(-6, 7, 2) * 1e-4
# How even a tone is that arrived whole; a fault of the speaker is as even.
STEADY_DB, STEADY_RAD = 1.0, 0.3
OVERTONES = (2, 3, 4, 5)
FLOOR_DB = -140.0
# Bins to each side of a tone that are still tone, drift included.
NEAR_BINS = 6
BLACKMAN_HARRIS = (0.35875, -0.48829, 0.14128, -0.01168)
# A tone must stand so far above the noise of its third of an octave: then it is off by 0.3 dB at most.
ABOVE_NOISE_DB = 15.0
LIMIT = 0.999
THIRD = 2 ** (1 / 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardTone:
    """One tone: level and noise in dB of a full-scale sine, distortion as a part of the tone (THD).

    `silence_dbfs` is the noise in the silences before it. `steady` is false where level or phase jumps within the
    tone: a part of it was lost on its way.
    """

    hz: float
    level_dbfs: float
    noise_dbfs: float
    silence_dbfs: float
    distortion: float
    steady: bool = True

    @property
    def spoilt(self) -> bool:
        """Whether a part of a tone that can be heard was lost."""
        return not self.steady and self.level_dbfs >= self.silence_dbfs + ABOVE_NOISE_DB


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A recording of the tones. `floor_dbfs` is the effective level of the quietest silence.

    `overdriven` is the part of all samples that is at the limit, `late_s` how late the tones arrived.
    """

    tones: tuple[HeardTone, ...]
    floor_dbfs: float
    overdriven: float
    late_s: float


def measure(recording: Signal, rate_hz: int, plan: TonePlan) -> Heard:
    """Measure the tones of `plan` in a recording, full scale 1, that begins when the sound was sent.

    Raises ValueError for one that is shorter than the sound and its delay.
    """
    needed = round((plan.length_s + plan.latest_s) * rate_hz)
    if len(recording) < needed:
        raise ValueError(f"{len(recording)} frames are no recording of the tones: {needed} are")
    late_s = _delay_s(recording, rate_hz, plan)

    def part(start_s: float, end_s: float) -> Signal:
        return recording[round((late_s + start_s) * rate_hz) : round((late_s + end_s) * rate_hz)]

    before = part(-late_s, plan.guard_s - HOP_S)
    silences = [before, part(plan.length_s - plan.gap_s / 2, plan.length_s)]
    tones = []
    for hz, start_s in zip(plan.hz, plan.starts_s(), strict=True):
        tone = part(start_s + SETTLE_S, start_s + plan.tone_s - MARGIN_S)
        silence = part(start_s - plan.gap_s / 2, start_s - HOP_S)
        tones.append(_tone(hz, tone, (before, silence), rate_hz))
        silences.append(silence)
    return Heard(
        tones=tuple(tones),
        floor_dbfs=min(_db(math.sqrt(2 * float(np.mean(silence * silence)))) for silence in silences),
        overdriven=float(np.mean(np.abs(recording) >= LIMIT)),
        late_s=late_s,
    )


def _delay_s(recording: Signal, rate_hz: int, plan: TonePlan) -> float:
    """How late the tones arrived: where each is loud in its own time and quiet in that of the others."""
    hop = round(HOP_S * rate_hz)
    blocks = recording[: len(recording) // hop * hop].reshape(-1, hop)
    steps = round(plan.latest_s / HOP_S)
    score = np.zeros(steps)
    for hz, start_s in zip(plan.hz, plan.starts_s(), strict=True):
        power = np.abs(blocks @ np.exp(-2j * math.pi * hz * np.arange(hop) / rate_hz)) ** 2
        total = float(power.sum())
        if total <= 0:
            continue
        length = round(plan.tone_s / HOP_S)
        sums = np.concatenate([[0.0], np.cumsum(power)])
        first = round(start_s / HOP_S) + np.arange(steps)
        score += (sums[np.minimum(first + length, len(power))] - sums[np.minimum(first, len(power))]) / total
    return float(np.argmax(score)) * HOP_S


def _tone(hz: float, tone: Signal, silences: tuple[Signal, ...], rate_hz: int) -> HeardTone:
    amplitude, drift = _strongest(tone, hz, rate_hz)
    overtones = 0.0
    for order in OVERTONES:
        at_hz = hz * order * (1 + drift)
        if at_hz < 0.45 * rate_hz:
            quiet = max(_amplitude(each, at_hz, rate_hz) for each in silences)
            overtones += max(0.0, _amplitude(tone, at_hz, rate_hz) ** 2 - (2 * quiet) ** 2)
    beside = _band(tone, hz, rate_hz, without_tone=True)
    silence = max(_band(each, hz, rate_hz) for each in silences)
    return HeardTone(
        hz=hz,
        level_dbfs=_db(amplitude),
        noise_dbfs=_db(max(silence, beside)),
        silence_dbfs=_db(silence),
        distortion=math.sqrt(overtones) / amplitude if amplitude > 10 ** (FLOOR_DB / 20) else 0.0,
        steady=_steady(tone, hz * (1 + drift), rate_hz),
    )


def _steady(tone: Signal, hz: float, rate_hz: int) -> bool:
    """Whether the thirds of a tone are of one level, and its phase goes on evenly from each to the next."""
    third = len(tone) // 3
    parts = [_turned(tone[number * third : (number + 1) * third], hz, rate_hz) for number in range(3)]
    sizes = [abs(part) for part in parts]
    if min(sizes) <= 0 or _db(max(sizes)) - _db(min(sizes)) > STEADY_DB:
        return False
    bend = cmath.phase(parts[2] * parts[0] / (parts[1] * parts[1]))
    return abs(bend) <= STEADY_RAD


def _strongest(sound: Signal, hz: float, rate_hz: int) -> tuple[float, float]:
    """Amplitude of the tone near `hz`, and how far the clocks run apart as it shows."""
    found = [_amplitude(sound, hz * (1 + drift), rate_hz) for drift in DRIFTS]
    best = int(np.argmax(found))
    return found[best], float(DRIFTS[best])


def _amplitude(sound: Signal, hz: float, rate_hz: int) -> float:
    return abs(_turned(sound, hz, rate_hz))


def _turned(sound: Signal, hz: float, rate_hz: int) -> complex:
    """Amplitude and phase of the tone at `hz`."""
    window = np.hanning(len(sound))
    turning = np.exp(-2j * math.pi * hz * np.arange(len(sound)) / rate_hz)
    return 2 * complex(np.dot(sound * window, turning)) / float(window.sum())


def _band(sound: Signal, hz: float, rate_hz: int, *, without_tone: bool = False) -> float:
    """Amplitude of the sine that is as loud as all sound in the third of an octave around `hz`."""
    # Its side lobes are 92 dB down: what is left of the tone outside of it is no noise. Window: Blackman-Harris.
    turn = 2 * math.pi * np.arange(len(sound)) / len(sound)
    window = sum((size * np.cos(order * turn) for order, size in enumerate(BLACKMAN_HARRIS)), np.zeros(len(sound)))
    power = np.abs(np.fft.rfft(sound * window)) ** 2
    bins = np.arange(len(power)) * rate_hz / len(sound)
    inside = (bins >= hz / THIRD) & (bins <= hz * THIRD)
    counted = inside & (np.abs(bins - hz) > NEAR_BINS * rate_hz / len(sound)) if without_tone else inside
    if not counted.any():
        return 0.0
    whole = float(power[counted].sum()) * int(inside.sum()) / int(counted.sum())
    mean_square = 2 * whole / (len(sound) * float(np.dot(window, window)))
    return math.sqrt(2 * mean_square)


def _db(amplitude: float) -> float:
    return max(FLOOR_DB, 20 * math.log10(amplitude)) if amplitude > 0 else FLOOR_DB
