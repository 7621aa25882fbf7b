"""A picture as numbers that a scene can be known by; numbers only, no decisions.

A contour is kept as its direction, not its strength, and dark-to-bright counts as bright-to-dark: so neither a lamp,
nor infrared light in which things have other shades, changes the scene.

The detector looks a few times a second and sleeps in between, so nothing of it is in the processor's caches: what a
look costs is the number of its calls and of the bytes they touch, more than what they compute. Hence the `_Desk`: all
room that a look needs is there before it begins (to ask for it each time cost 450 page faults a look), and differences
are taken along the picture as one long row, whose few places that reach over an edge are put right afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from threading import get_ident

import numpy as np
from numpy.typing import NDArray

from hal.errors import OutOfRange
from hal.pictures import Plane, Size
from hal.planes import Samples, samples

Numbers = NDArray[np.float32]
Differences = NDArray[np.int16 | np.float32]

SMALLEST = Size(64, 48)
# The scene is looked at in about this many columns, and judged in blocks of so many of them.
COLUMNS = 160
BLOCK = 10
# Coarse structure is what differs over so many of them: a picture out of focus keeps it.
REACH = BLOCK // 3

# A gradient counts for less the nearer it is to the noise, or to a small part of the picture's strongest ones.
NOISE_GRADIENT = 5.0
WEAK_PART = 0.15
STRONG_PERCENT = 95
# Sensor noise leaves at least this much energy in the second differences, and so many times its variance.
FINE_NOISE = 60.0
FINE_GAIN = 12.0
BRIGHT_PERCENT = 99


@dataclass(frozen=True, slots=True)
class Features:
    """One picture as numbers: directions of contours; energy of fine and coarse structure and luma of every block;
    the noise as a variance, and the brightness. The first four lie in `numbers`, one after the other.
    """

    numbers: Numbers
    directions: Numbers
    fine: Numbers
    coarse: Numbers
    luma: Numbers
    noise: float
    mean: float
    bright: float


def features_of(plane: Plane, *, limited: bool = False) -> Features:
    """A luma plane as numbers; `limited` is luma 16-235. Pure. Raises OutOfRange for a plane below 64 x 48."""
    if plane.width < SMALLEST.width or plane.height < SMALLEST.height:
        raise OutOfRange("tampering", f"the picture is at least {SMALLEST} (got {plane.width} x {plane.height})")
    return _desk(plane.width, plane.height, get_ident()).features(samples(plane), limited)


@lru_cache(4)
def _desk(width: int, height: int, _thread: int) -> _Desk:
    """Every thread has its own; cameras of one size share it."""
    return _Desk(width, height)


def views_of(numbers: Numbers, rows: int, columns: int) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Directions, fine, coarse and luma, as they lie in `numbers`, of a reduced picture of this size."""
    high, wide = rows // BLOCK, columns // BLOCK
    cells, blocks = 2 * rows * columns, high * wide
    fine, coarse, luma = numbers[cells : cells + 3 * blocks].reshape(3, high, wide)
    return numbers[:cells].reshape(2, rows, columns), fine, coarse, luma


def products(one: Differences, other: Differences, block: int = BLOCK) -> Numbers:
    """Of two pairs of planes the products, place by place, of both planes together: the mean of every whole block."""
    planes, rows, columns = one.shape
    high = rows // block
    shape = (planes, high, block, columns)
    whole = one[:, : high * block].reshape(shape), other[:, : high * block].reshape(shape)
    return _across(np.einsum("drbc,drbc->rc", *whole, dtype=np.float32), block)


class _Bends:
    """Energy of the second differences of a picture, gathered to blocks."""

    def __init__(self, rows: int, columns: int, block: int, kind: type[np.int16 | np.float32]) -> None:
        self._columns, self._block = columns, block
        self._once = np.zeros(rows * columns, kind)
        self._twice = np.zeros((2, rows, columns), kind)
        self._across, self._down = self._twice.reshape(2, -1)
        self._edges = self._twice[0][:, :: columns - 1]

    def energy(self, flat: Differences) -> Numbers:
        """The mean of every whole block of the picture, which is one long row here."""
        once, row = self._once, self._columns
        np.subtract(flat[1:], flat[:-1], out=once[1:])
        np.subtract(once[2:], once[1:-1], out=self._across[1:-1])
        self._edges[...] = 0
        np.subtract(flat[row:], flat[:-row], out=once[row:])
        np.subtract(once[2 * row :], once[row:-row], out=self._down[row:-row])
        return products(self._twice, self._twice, self._block)


class _Desk:
    """The room in which pictures of one size are looked at; what lies there is of the last one."""

    def __init__(self, width: int, height: int) -> None:
        self._step = step = max(1, width // COLUMNS)
        self._rows, self._columns = rows, columns = height // step, width // step
        self._wide = np.zeros((height, width), np.int16)
        self._pairs = np.zeros((height // 2, width), np.int16)
        self._fours = np.zeros((height // 2, width // 2), np.int16)
        self._halved = np.zeros((height // 2, width // 2), np.float32)
        self._reduced = self._halved if step == 2 else np.zeros((rows, columns), np.float32)
        self._bends = _Bends(height, width, BLOCK * step, np.int16)
        self._halved_bends = _Bends(height // 2, width // 2, BLOCK, np.float32)
        self._slopes = np.zeros((2, rows, columns), np.float32)
        self._squares = np.zeros((2, rows, columns), np.float32)
        self._power = np.zeros((rows, columns), np.float32)
        # One row more above and below, so that there is something beside every place.
        self._angles = np.zeros((2 * rows + 2) * columns, np.float32)
        self._smoothed = np.zeros((2 * rows + 2) * columns, np.float32)

    def features(self, rows: Samples, limited: bool) -> Features:
        """What `features_of` says."""
        np.copyto(self._wide, rows)
        self._reduce()
        reduced = self._reduced
        high, wide = self._rows // BLOCK, self._columns // BLOCK
        numbers = np.empty(2 * reduced.size + 3 * high * wide, np.float32)
        directions, fine, coarse, luma = views_of(numbers, self._rows, self._columns)
        energy = self._bends.energy(self._wide.ravel())
        coarser = self._halved_bends.energy(self._halved.ravel())
        # How much of the fine energy is noise: means of two by two leave a quarter of it, and of texture no less.
        noise = max(FINE_NOISE, (_percentile(energy, 50) - _percentile(coarser, 50)) / 0.75)
        np.subtract(energy, np.float32(noise), out=fine)
        np.maximum(fine, 0, out=fine)
        self._coarse(coarse)
        luma[...] = _gathered(reduced, BLOCK)
        self._directions(directions.reshape(-1))
        return Features(
            numbers=numbers,
            directions=directions,
            fine=fine,
            coarse=coarse,
            luma=luma,
            noise=noise / FINE_GAIN / self._step**2,
            mean=_full(float(np.add.reduce(luma, axis=None)) / luma.size, limited),
            bright=_full(_percentile(reduced, BRIGHT_PERCENT), limited),
        )

    def _reduce(self) -> None:
        """Means of squares of `step` samples, and of two, without what is left over at the right and the bottom."""
        high, wide = self._fours.shape
        np.add(self._wide[: 2 * high : 2], self._wide[1 : 2 * high : 2], out=self._pairs)
        np.add(self._pairs[:, : 2 * wide : 2], self._pairs[:, 1 : 2 * wide : 2], out=self._fours)
        np.multiply(self._fours, np.float32(0.25), out=self._halved, dtype=np.float32)
        if self._step == 1:
            np.copyto(self._reduced, self._wide)
        elif self._step > 2:
            self._reduced[...] = _gathered(self._wide.astype(np.float32), self._step)

    def _coarse(self, out: Numbers) -> None:
        """Energy of the differences over a third of a block, which a picture out of focus keeps."""
        flat, reach, slopes = self._reduced.ravel(), REACH, self._slopes
        across, down = slopes.reshape(2, -1)
        row = reach * self._columns
        np.subtract(flat[2 * reach :], flat[: -2 * reach], out=across[reach:-reach])
        slopes[0, :, :reach] = 0
        slopes[0, :, -reach:] = 0
        np.subtract(flat[2 * row :], flat[: -2 * row], out=down[row:-row])
        slopes[1, :reach] = 0
        slopes[1, -reach:] = 0
        out[...] = products(slopes, slopes)

    def _directions(self, out: Numbers) -> None:
        """Two numbers for every place: cosine and sine of twice the contour's angle, weighted by how sure it is.

        Each is the mean of three by three, so that a picture that shakes a little is the same picture; the outermost
        places, which have no neighbour to differ from, count as none.
        """
        flat, row = self._reduced.ravel(), self._columns
        slopes, squares, power = self._slopes, self._squares, self._power
        across, down = slopes.reshape(2, -1)
        np.subtract(flat[2:], flat[:-2], out=across[1:-1])
        np.subtract(flat[2 * row :], flat[: -2 * row], out=down[row:-row])
        np.multiply(slopes, slopes, out=squares)
        np.add(squares[0], squares[1], out=power)
        strong = _percentile(power[1:-1:2, 1:-1:2], STRONG_PERCENT)
        np.subtract(squares[0], squares[1], out=squares[0])
        np.multiply(slopes[0], slopes[1], out=squares[1])
        squares[1] += squares[1]
        power += np.float32(max(NOISE_GRADIENT**2, WEAK_PART**2 * strong))
        power *= np.float32(9)
        angles, smoothed = self._angles, self._smoothed
        inner = angles[row:-row].reshape(squares.shape)
        np.divide(squares, power, out=inner)
        inner[:, :: self._rows - 1] = 0
        inner[:, :, :: self._columns - 1] = 0
        np.add(angles[2:], angles[:-2], out=smoothed[1:-1])
        smoothed += angles
        np.add(smoothed[2 * row :], smoothed[: -2 * row], out=out)
        out += smoothed[row:-row]


def _full(luma: float, limited: bool) -> float:
    return min(255.0, max(0.0, (luma - 16) * 255 / 219 if limited else luma))


def _percentile(values: Numbers, percent: float) -> float:
    """As numpy's own, between two numbers where it falls between them; without the forty calls which that takes."""
    flat = values.flatten()
    place = (flat.size - 1) * percent / 100
    low = int(place)
    flat.partition(low)  # one place only: for two neighbours numpy takes ten times as long
    found = float(flat[low])
    part = place - low
    return found + part * (float(np.minimum.reduce(flat[low + 1 :])) - found) if part else found


def _gathered(values: Numbers, step: int) -> Numbers:
    """The mean of every whole square of `step` by `step`.

    Rows are added first and as a whole: over a short axis numpy takes as long for two numbers as for fifty.
    """
    height = values.shape[0] // step
    return _across(np.add.reduce(values[: height * step].reshape(height, step, -1), axis=1), step)


def _across(sums: Numbers, step: int) -> Numbers:
    """The means of whole squares, whose rows were added already."""
    height, width = sums.shape[0], sums.shape[1] // step
    total: Numbers = np.add.reduce(sums[:, : width * step].reshape(height, width, step), axis=2)
    total *= np.float32(1 / step**2)
    return total
