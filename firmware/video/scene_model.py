"""A scene, learned from the contours of its pictures, and how much of it is still there; numbers only, no decisions.

What moves leaves no lasting contour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from firmware.video.scene_features import FINE_NOISE, Features, products, views_of

FEWEST_CONTOURS = 8

# A block has a contour where directions of such strength last; it is kept when so much of them is there.
CONTOUR = 0.02
BLOCK_KEPT = 0.35
# It has lost its sharpness when its fine structure, measured against its coarse one, is less than this part.
SOFT_PART = 0.3
FEWEST_SHARP = 4
# A contour could be seen when its energy, in the light of now, is so many times that of the noise.
VISIBLE = 8.0
DIMMEST_LUMA = 2.0
COARSE_NOISE = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A picture beside the learned scene. `kept` is the part of the scene's contours that is there (0 to 1), `soft`
    the part that has lost its sharpness, `lively` the part of the picture's own blocks that have any structure;
    `contours` counts what the scene has, `visible` the part of them that could be seen in so much light and noise.
    `mean` is luma of all whole blocks, `bright` that of the picture's brightest hundredth.
    """

    kept: float
    visible: float
    soft: float
    lively: float
    contours: int
    mean: float
    bright: float


class SceneModel:
    """What lasts of the pictures it was taught. All of them have one size."""

    def __init__(self, first: Features) -> None:
        self._numbers = first.numbers.copy()
        self._directions, self._fine, self._coarse, self._luma = views_of(self._numbers, *first.directions.shape[1:])
        self._room = np.empty_like(self._numbers)
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
        step = np.subtract(now.numbers, self._numbers, out=self._room)
        step *= np.float32(max(part, 1 / self.taught))
        self._numbers += step

    def look(self, now: Features) -> Look:
        """Compare a picture with what was learned."""
        strength = products(self._directions, self._directions)
        alike = products(self._directions, now.directions)
        contours = strength > CONTOUR
        visible = contours & self._could_be_seen(now)
        count, seen = int(np.count_nonzero(contours)), int(np.count_nonzero(visible))
        kept = visible & (alike > BLOCK_KEPT * strength)
        lively = (now.coarse > COARSE_NOISE * 4) & (now.fine > FINE_NOISE)
        return Look(
            kept=int(np.count_nonzero(kept)) / seen if seen else 0.0,
            visible=seen / count if count else 0.0,
            soft=self._soft(now, visible),
            lively=int(np.count_nonzero(lively)) / lively.size,
            contours=count,
            mean=now.mean,
            bright=now.bright,
        )

    def _could_be_seen(self, now: Features) -> NDArray[np.bool_]:
        """Blocks whose structure, in so much less light than it was learned in, still stands above the noise."""
        light = np.minimum(1, (now.luma + DIMMEST_LUMA) / (self._luma + DIMMEST_LUMA))
        seen: NDArray[np.bool_] = self._coarse * (light * light) > VISIBLE * max(COARSE_NOISE, 4 * now.noise)
        return seen

    def _soft(self, now: Features, contours: NDArray[np.bool_]) -> float:
        """The part of the contours whose fine structure has gone while their coarse one is there.

        Only where the light suffices: a block counts when its fine structure, were it sharp, would stand above noise.
        """
        known = contours & (self._fine > FINE_NOISE)
        sharp = self._fine / (self._coarse + COARSE_NOISE) * (now.coarse + COARSE_NOISE)
        measurable = known & (sharp > FINE_NOISE / 2) & (now.coarse > 4 * COARSE_NOISE)
        count = int(np.count_nonzero(measurable))
        if count < max(FEWEST_SHARP, np.count_nonzero(known) / 4):
            return 0.0
        return int(np.count_nonzero(measurable & (now.fine < SOFT_PART * sharp))) / count
