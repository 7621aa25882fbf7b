"""What happens before a camera besides card and plate: people, a lamp, rain, paint on the lens, infrared light.

All of it is the same in every run: drawn from fixed seeds and the scene's own time.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hal.planes import Samples

Field = NDArray[np.float32]

# Of each figure: seconds to walk through, where it is at the beginning, width, height, darkness of its stripes.
FIGURES = ((9.0, 0.1, 0.10, 0.75, 40), (13.0, 0.5, 0.13, 0.85, 90), (17.0, 0.8, 0.12, 0.65, 150))
STRIPES = 9

LAMP_GAIN, LAMP_WIDTH = 1.4, 0.08
SHADOW_GAIN = 0.55

DROPS, DROP_LUMA, DROP_LENGTH = 0.0012, 70, 0.06

PAINT_LUMA, PAINT_PART, PAINT_GRAIN = 70, 0.88, 24


def with_people(luma: Samples, t_s: float) -> Samples:
    """Three people in striped clothes, who walk through at their own pace and stop for nobody."""
    height, width = luma.shape
    painted = luma.copy()
    for period_s, start, wide, tall, shade in FIGURES:
        left = int(((t_s / period_s + start) % 1 * (1 + wide) - wide) * width)
        columns = slice(max(0, left), max(0, left + int(wide * width)))
        top = int((1 - tall) * height)
        stripes = np.arange(height - top) * STRIPES // max(1, height - top) % 2 * 50 + shade
        painted[top:, columns] = stripes[:, np.newaxis].astype(np.uint8)
    return painted


@lru_cache(maxsize=4)
def _light(height: int, width: int) -> Field:
    """A lamp at the upper left and the edge of a shadow at the right."""
    x = np.linspace(0, 1, width, dtype=np.float32)[np.newaxis]
    y = np.linspace(0, 1, height, dtype=np.float32)[:, np.newaxis]
    near = np.exp(-((x - 0.15) ** 2 + (y - 0.25) ** 2) / np.float32(LAMP_WIDTH))
    shaded = np.where(x > 0.65 + 0.2 * y, np.float32(SHADOW_GAIN), np.float32(1))
    light: Field = ((0.9 + LAMP_GAIN * near) * shaded).astype(np.float32)
    return light


def under_a_lamp(luma: Samples) -> Samples:
    """The scene with a lamp of its own switched on: bright on one side, a hard shadow on the other."""
    return _clipped(luma * _light(*luma.shape))


def in_the_rain(luma: Samples, seq: int) -> Samples:
    """Bright streaks, others in every frame."""
    height, width = luma.shape
    luck = np.random.default_rng(seq)
    count = int(DROPS * height * width)
    length = max(2, int(DROP_LENGTH * height))
    tops, columns = luck.integers(0, height, count), luck.integers(0, width, count)
    rows = np.minimum(tops[:, np.newaxis] + np.arange(length), height - 1)
    wet = luma.astype(np.uint16)
    wet[rows, columns[:, np.newaxis]] += DROP_LUMA
    bounded: Samples = np.minimum(wet, 255).astype(np.uint8)
    return bounded


@lru_cache(maxsize=4)
def _paint(height: int, width: int) -> NDArray[np.bool_]:
    grain = np.random.default_rng(7).random((PAINT_GRAIN, PAINT_GRAIN))
    rows = np.arange(height) * PAINT_GRAIN // height
    columns = np.arange(width) * PAINT_GRAIN // width
    return grain[rows][:, columns] < PAINT_PART


def sprayed(luma: Samples) -> Samples:
    """Paint on the lens: all but a few spots of the scene is gone."""
    painted: Samples = np.where(_paint(*luma.shape), np.uint8(PAINT_LUMA), luma)
    return painted


def in_infrared(y: Samples, u: Samples, v: Samples) -> Samples:
    """Luma as a sensor without its cut filter has it under infrared light: what is red or blue looks brighter."""
    height, width = y.shape
    red, blue = (_spread(plane)[:height, :width] for plane in (v, u))
    return _clipped(40 + y * 0.55 + red + blue * 0.5)


def _spread(colour: Samples) -> Field:
    """How colourful every place is, in the size of luma."""
    strength: Field = np.abs(colour.astype(np.float32) - 128)
    return strength.repeat(2, 0).repeat(2, 1)


def _clipped(values: Field) -> Samples:
    clipped: Samples = np.clip(values, 0, 255).astype(np.uint8)
    return clipped
