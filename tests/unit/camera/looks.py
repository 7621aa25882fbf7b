"""How the tests look at pictures: means, sharpness, and a reader of letters that shares only the font."""

from __future__ import annotations

import numpy as np

from hal.pictures import Picture
from hal.planes import Samples, samples
from hal.sim.scene.glyphs import GLYPHS


def mean(picture: Picture) -> float:
    """The brightness of the whole picture, 0 to 255."""
    return float(samples(picture.y).mean())


def colour_at(picture: Picture, x: float, y: float) -> tuple[int, int, int]:
    """Y, U, V near a place given in parts of the picture, averaged over a few samples."""
    found = []
    for plane in (picture.y, picture.u, picture.v):
        row, column = int(y * plane.height), int(x * plane.width)
        found.append(round(float(samples(plane)[row - 1 : row + 2, column - 1 : column + 2].mean())))
    return found[0], found[1], found[2]


def sharpness(picture: Picture) -> float:
    """The variance of the second differences along a row: high for edges, low for a blurred or covered picture."""
    rows = samples(picture.y).astype(np.int32)
    return float((2 * rows[:, 1:-1] - rows[:, :-2] - rows[:, 2:]).var())


def difference(one: Picture, other: Picture) -> float:
    """How far two pictures are apart, in mean luma steps."""
    return float(np.abs(samples(one.y).astype(np.int16) - samples(other.y)).mean())


def read_text(luma: Samples, left: int, top: int, dot: int, letters: int, *, bright: bool) -> str:
    """The words at a place, each letter the one of the font that fits best."""
    words = ""
    for place in range(letters):
        x = left + place * 4 * dot
        cell = luma[top : top + 5 * dot, x : x + 3 * dot].reshape(5, dot, 3, dot).mean(axis=(1, 3))
        lit = cell > 128 if bright else cell < 128
        code = "".join(str(int(4 * row[0] + 2 * row[1] + row[2])) for row in lit)
        words += next((letter for letter, glyph in GLYPHS.items() if glyph == code), "?")
    return words
