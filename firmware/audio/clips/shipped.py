"""The clips a device has from the beginning, computed by this code: nobody else's sounds are in them.

Made at the first start and after a factory default; a person may rename and delete them like any other.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

RATE_HZ = 48_000
# Room for the peaks of two clips at once.
PEAK = 0.5
# No click at the beginning and end of a tone.
EDGE_S = 0.010

Wave = npt.NDArray[np.float64]


def shipped() -> dict[str, bytes]:
    """Every clip by its name, as a WAV file of 48 kHz, one channel, 16 bits. Pure: the same each time."""
    return {name: _wav(sound) for name, sound in _sounds().items()}


def _sounds() -> dict[str, Wave]:
    return {
        "Doorbell": _joined(_struck(659.26, 1.0), _struck(523.25, 1.8)),
        "Attention": _joined(_struck(523.25, 0.5), _struck(659.26, 0.5), _struck(783.99, 0.5), _struck(1046.5, 1.6)),
        "Alarm": _joined(*[_tone(hz, 0.25) for hz in (960.0, 770.0) * 4]),
        "Siren": _sweep(600.0, 1200.0, 1.5, 2),
        "Beep": _tone(1000.0, 0.3),
    }


def _tone(hz: float, length_s: float) -> Wave:
    """A sine with soft edges."""
    t = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    return _edged(np.sin(2 * np.pi * hz * t))


def _struck(hz: float, length_s: float) -> Wave:
    """A bar that is struck: a sine and two partials that die away, the higher the sooner."""
    t = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    partials = ((1.0, 0.8, 0.45), (2.0, 0.15, 0.25), (3.93, 0.05, 0.12))
    sound = sum(share * np.exp(-t / decay_s) * np.sin(2 * np.pi * hz * times * t) for times, share, decay_s in partials)
    return _edged(np.asarray(sound))


def _sweep(low_hz: float, high_hz: float, period_s: float, periods: int) -> Wave:
    """A pitch that rises and falls again."""
    t = np.arange(round(period_s * periods * RATE_HZ)) / RATE_HZ
    hz = (low_hz + high_hz) / 2 - (high_hz - low_hz) / 2 * np.cos(2 * np.pi * t / period_s)
    return _edged(np.sin(2 * np.pi * np.cumsum(hz) / RATE_HZ))


def _edged(sound: Wave) -> Wave:
    edge = min(round(EDGE_S * RATE_HZ), len(sound) // 2)
    rise = np.linspace(0, 1, edge)
    sound[:edge] *= rise
    sound[-edge:] *= rise[::-1]
    return sound


def _joined(*parts: Wave) -> Wave:
    return np.concatenate(parts)


def _wav(sound: Wave) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(np.rint(sound / np.abs(sound).max() * PEAK * 32_767).astype("<i2").tobytes())
    return file.getvalue()


def samples_of(files: Iterable[bytes]) -> list[bytes]:
    """The sound alone of files made here."""
    found = []
    for file in files:
        with wave.open(io.BytesIO(file)) as opened:
            found.append(opened.readframes(opened.getnframes()))
    return found
