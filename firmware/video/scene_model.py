"""What a scene looks like, learned from its contours, and how much of it is still there; numbers only, no decisions.

A contour is kept as its direction, not its strength, and dark-to-bright counts as bright-to-dark: so neither a lamp,
nor infrared light in which things have other shades, changes the scene. What moves leaves no lasting contour.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hal.errors import OutOfRange
from hal.pictures import Plane, Size
from hal.planes import Samples, samples

Numbers = NDArray[np.float32]

SMALLEST = Size(64, 48)
# The scene is looked at in about this many columns, and judged in blocks of so many of them.
COLUMNS = 160
BLOCK = 10
FEWEST_CONTOURS = 8

# A gradient counts for less the nearer it is to the noise, or to a small part of the picture's strongest ones.
NOISE_GRADIENT = 5.0
WEAK_PART = 0.15
STRONG_PERCENT = 95
# A block has a contour where directions of such strength last; it is kept when so much of them is there.
CONTOUR = 0.02
BLOCK_KEPT = 0.35
# It has lost its sharpness when its fine structure, measured against its coarse one, is less than this part.
SOFT_PART = 0.3
FEWEST_SHARP = 4
# A contour could be seen when its energy, in the light of now, is so many times that of the noise.
VISIBLE = 8.0
DIMMEST_LUMA = 2.0
# Sensor noise leaves at least this much energy in the second differences, and so many times its variance.
FINE_NOISE = 60.0
FINE_GAIN = 12.0
COARSE_NOISE = 4.0
BRIGHT_PERCENT = 99


@dataclass(frozen=True, slots=True)
class Features:
    """One picture as numbers: directions of contours; energy of fine and coarse structure and luma of every block;
    the noise as a variance, and the brightness.
    """

    directions: Numbers
    fine: Numbers
    coarse: Numbers
    luma: Numbers
    noise: float
    mean: float
    bright: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A picture beside the learned scene. `kept` is the part of the scene's contours that is there (0 to 1), `soft`
    the part that has lost its sharpness, `lively` the part of the picture's own blocks that have any structure;
    `contours` counts what the scene has, `visible` the part of them that could be seen in so much light and noise.
    `mean` and `bright` are luma of the whole and of its brightest hundredth.
    """

    kept: float
    visible: float
    soft: float
    lively: float
    contours: int
    mean: float
    bright: float


def features_of(plane: Plane, *, limited: bool = False) -> Features:
    """A luma plane as numbers; `limited` is luma 16-235. Pure. Raises OutOfRange for a plane below 64 x 48."""
    if plane.width < SMALLEST.width or plane.height < SMALLEST.height:
        raise OutOfRange("tampering", f"the picture is at least {SMALLEST} (got {plane.width} x {plane.height})")
    rows = samples(plane)
    step = max(1, plane.width // COLUMNS)
    reduced = _reduced(rows, step)
    fine = _blocks(_fine(rows, step))
    noise = max(FINE_NOISE, _noise(reduced if step == 2 else _reduced(rows, 2), fine))
    return Features(
        directions=_directions(reduced),
        fine=np.maximum(fine - noise, 0),
        coarse=_blocks(_coarse(reduced)),
        luma=_blocks(reduced),
        noise=noise / FINE_GAIN / step**2,
        mean=_full(float(reduced.mean()), limited),
        bright=_full(_percentile(reduced, BRIGHT_PERCENT), limited),
    )


def _full(luma: float, limited: bool) -> float:
    return min(255.0, max(0.0, (luma - 16) * 255 / 219 if limited else luma))


def _reduced(rows: Samples, step: int) -> Numbers:
    """Means of squares of `step` samples, without what is left over at the right and the bottom."""
    height, width = rows.shape[0] // step, rows.shape[1] // step
    cut = rows[: height * step, : width * step]
    if step == 1:
        return cut.astype(np.float32)
    if step == 2:  # the usual one, and the fastest way for it
        pairs = cut[::2].astype(np.uint16) + cut[1::2]
        return (pairs[:, ::2] + pairs[:, 1::2]).astype(np.float32) / np.float32(4)
    across = cut.reshape(height * step, width, step).sum(axis=2, dtype=np.uint32)
    means: Numbers = across.reshape(height, step, width).sum(axis=1).astype(np.float32) / np.float32(step * step)
    return means


def _percentile(values: Numbers, percent: float) -> float:
    """As numpy's own, between two numbers where it falls between them; without the forty calls which that takes."""
    flat = values.ravel()
    place = (flat.size - 1) * percent / 100
    low = int(place)
    high = min(low + 1, flat.size - 1)
    part = np.partition(flat, (low, high))
    return float(part[low]) + (place - low) * float(part[high] - part[low])


@lru_cache(8)
def _beyond(length: int) -> NDArray[np.intp]:
    """The places of a row with the first and the last one twice."""
    return np.arange(-1, length + 1).clip(0, length - 1)


def _smooth(values: Numbers) -> Numbers:
    """The mean of three by three, so that a picture that shakes a little is the same picture."""
    height, width = values.shape
    padded = values.take(_beyond(height), axis=0).take(_beyond(width), axis=1)
    across = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    smoothed: Numbers = (across[:-2] + across[1:-1] + across[2:]) / np.float32(9)
    return smoothed


def _directions(reduced: Numbers) -> Numbers:
    """Two numbers for every place: cosine and sine of twice the contour's angle, weighted by how sure it is."""
    across = np.zeros_like(reduced)
    down = np.zeros_like(reduced)
    across[:, 1:-1] = reduced[:, 2:] - reduced[:, :-2]
    down[1:-1] = reduced[2:] - reduced[:-2]
    power = across * across + down * down
    strong = _percentile(power[::2, ::2], STRONG_PERCENT)
    certain = power + np.float32(max(NOISE_GRADIENT**2, WEAK_PART**2 * strong))
    pair = (across * across - down * down, 2 * across * down)
    return np.stack([_smooth((part / certain).astype(np.float32, copy=False)) for part in pair])


def _fine(rows: Samples, step: int) -> Numbers:
    """Energy of the second differences, gathered to the places of the reduced picture."""
    wide = rows.astype(np.int16)
    twice = wide + wide
    energy = np.zeros(rows.shape, np.float32)
    energy[:, 1:-1] += np.square(twice[:, 1:-1] - wide[:, :-2] - wide[:, 2:], dtype=np.float32)
    energy[1:-1] += np.square(twice[1:-1] - wide[:-2] - wide[2:], dtype=np.float32)
    return energy if step == 1 else _gathered(energy, step)


def _gathered(values: Numbers, step: int) -> Numbers:
    """The mean of every whole square of `step` by `step`.

    Rows are added first and as a whole: over a short axis numpy takes as long for two numbers as for fifty.
    """
    height, width = values.shape[0] // step, values.shape[1] // step
    rows = values[: height * step].reshape(height, step, -1).sum(axis=1)
    total = np.zeros((height, width), np.float32)
    for column in range(step):
        total += rows[:, column : width * step : step]
    total /= step * step
    return total


def _noise(halved: Numbers, fine: Numbers) -> float:
    """How much of the fine energy is noise: means of two by two leave a quarter of it, and of texture no less."""
    coarser = _blocks(_fine(halved.astype(np.uint8), 1))
    return max(0.0, _percentile(fine, 50) - _percentile(coarser, 50)) / 0.75


def _coarse(reduced: Numbers) -> Numbers:
    """Energy of the differences over a third of a block, which a picture out of focus keeps."""
    reach = BLOCK // 3
    energy = np.zeros_like(reduced)
    energy[:, reach:-reach] += (reduced[:, 2 * reach :] - reduced[:, : -2 * reach]) ** 2
    energy[reach:-reach] += (reduced[2 * reach :] - reduced[: -2 * reach]) ** 2
    return energy


def _blocks(values: Numbers) -> Numbers:
    """The mean of every whole block."""
    return _gathered(values, BLOCK)


class SceneModel:
    """What lasts of the pictures it was taught. All of them have one size."""

    def __init__(self, first: Features) -> None:
        self._directions = first.directions.copy()
        self._fine = first.fine.copy()
        self._coarse = first.coarse.copy()
        self._luma = first.luma.copy()
        self.taught = 1

    @classmethod
    def of(cls, first: Features) -> Self:
        """The model of one picture."""
        return cls(first)

    def fits(self, now: Features) -> bool:
        """Whether a picture has the size of those before."""
        return now.directions.shape == self._directions.shape

    def teach(self, now: Features, part: float) -> None:
        """Go towards a picture by `part`, 0 to 1; the first ones count alike, whatever `part` is."""
        self.taught += 1
        part = max(part, 1 / self.taught)
        for known, seen in (
            (self._directions, now.directions),
            (self._fine, now.fine),
            (self._coarse, now.coarse),
            (self._luma, now.luma),
        ):
            known += np.float32(part) * (seen - known)

    def look(self, now: Features) -> Look:
        """Compare a picture with what was learned."""
        strength = _blocks((self._directions**2).sum(axis=0))
        alike = _blocks((self._directions * now.directions).sum(axis=0))
        contours = strength > CONTOUR
        visible = contours & self._could_be_seen(now)
        count, seen = int(contours.sum()), int(visible.sum())
        lively = (now.coarse > COARSE_NOISE * 4) & (now.fine > FINE_NOISE)
        kept = alike[visible] > BLOCK_KEPT * strength[visible]
        return Look(
            kept=float(kept.mean()) if seen else 0.0,
            visible=seen / count if count else 0.0,
            soft=self._soft(now, visible),
            lively=float(lively.mean()),
            contours=count,
            mean=now.mean,
            bright=now.bright,
        )

    def _could_be_seen(self, now: Features) -> NDArray[np.bool_]:
        """Blocks whose structure, in so much less light than it was learned in, still stands above the noise."""
        light = np.minimum(1, (now.luma + DIMMEST_LUMA) / (self._luma + DIMMEST_LUMA))
        seen: NDArray[np.bool_] = self._coarse * light**2 > VISIBLE * max(COARSE_NOISE, 4 * now.noise)
        return seen

    def _soft(self, now: Features, contours: NDArray[np.bool_]) -> float:
        """The part of the contours whose fine structure has gone while their coarse one is there.

        Only where the light suffices: a block counts when its fine structure, were it sharp, would stand above noise.
        """
        known = contours & (self._fine > FINE_NOISE)
        sharp = self._fine / (self._coarse + COARSE_NOISE) * (now.coarse + COARSE_NOISE)
        measurable = known & (sharp > FINE_NOISE / 2) & (now.coarse > 4 * COARSE_NOISE)
        if measurable.sum() < max(FEWEST_SHARP, known.sum() / 4):
            return 0.0
        return float((now.fine < SOFT_PART * sharp)[measurable].mean())
