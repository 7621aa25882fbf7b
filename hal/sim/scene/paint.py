"""Paints the scene: a wall of colour bars, a clock in hundredths, a card and a plate that pass by.

All positions are parts of the picture, so the same scene is seen in every size. Colours are YUV, full range.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hal.pictures import CameraSettings, Picture, Size
from hal.planes import Samples, picture_of, samples, scaled
from hal.sim.scene import happenings
from hal.sim.scene.glyphs import COLUMNS, GLYPHS, ROWS

Colour = tuple[int, int, int]

# White, yellow, cyan, green, magenta, red, blue, black at three quarters (BT.601, full range).
BARS: tuple[Colour, ...] = (
    (191, 128, 128), (169, 32, 144), (134, 160, 32), (112, 64, 48), (79, 192, 208), (57, 96, 224), (22, 224, 112),
    (0, 128, 128),
)  # fmt: skip
WHITE: Colour = (235, 128, 128)
INK: Colour = (16, 128, 128)
CARD: Colour = (200, 90, 160)

CARD_PERIOD_S, PLATE_PERIOD_S = 8.0, 12.0
# The light: at 500 lx an exposure of 5 ms is right. At night that is not reached at any usual frame rate.
EXPOSURE_US_LUX = 5_000 * 500
NIGHT_LUX = 6.25
# What an illuminator of the board adds for a sensor that sees its light.
LAMP_LUX = 60.0
COVER_LUMA = 24
NOISE = 2
COARSE, BLUR = 4, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What happens to the picture between the scene and the sensor, and how the camera is tuned.

    `lux` is the light around; `lit` is whether an illuminator is on, `cut` whether the filter keeps infrared out.
    """

    settings: CameraSettings
    fps: float
    t_s: float = 0.0
    faults: frozenset[str] = frozenset()
    lux: float = 500.0
    lit: bool = False
    cut: bool = True


class Canvas:
    """Three planes to paint on."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.planes: tuple[Samples, Samples, Samples] = (
            np.full((size.height, size.width), INK[0], np.uint8),
            np.full((size.height // 2, size.width // 2), INK[1], np.uint8),
            np.full((size.height // 2, size.width // 2), INK[2], np.uint8),
        )

    def box(self, left: int, top: int, width: int, height: int, colour: Colour) -> None:
        """A filled rectangle, cut at the borders; colour lands on whole pairs of samples."""
        for plane, value, half in zip(self.planes, colour, (1, 2, 2), strict=True):
            rows = slice(max(0, top) // half, max(0, top + height) // half)
            plane[rows, max(0, left) // half : max(0, left + width) // half] = value

    def text(self, left: int, top: int, dot: int, words: str, colour: Colour) -> None:
        """Letters of `dot` samples a dot, one dot apart."""
        for place, letter in enumerate(words):
            for row, code in enumerate(GLYPHS[letter]):
                for column in range(COLUMNS):
                    if int(code) & (4 >> column):
                        x = left + (place * (COLUMNS + 1) + column) * dot
                        self.box(x, top + row * dot, dot, dot, colour)

    def picture(self) -> Picture:
        """What was painted, which must not be painted on any more."""
        return picture_of(*self.planes)


def even(value: float) -> int:
    """The nearest even number below."""
    return int(value) // 2 * 2


def dot_of(size: Size) -> int:
    """The size of a letter's dot, so that a plate's ten letters take a third of the width."""
    return max(2, even(size.width / 120))


def clock_text(t_s: float) -> str:
    """The scene's clock at a time since the world began."""
    hundredths = round(t_s * 100)
    return f"{hundredths // 6000 % 100:02d}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"


class ScenePainter:
    """The scene in one size; the wall is painted once."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self._wall = Canvas(size)
        for number, colour in enumerate(BARS):
            left, right = (even(size.width * edge / len(BARS)) for edge in (number, number + 1))
            self._wall.box(left, 0, right - left, even(size.height * 0.6), colour)
        floor = np.linspace(60, 180, size.width).astype(np.uint8)
        self._wall.planes[0][even(size.height * 0.6) :] = floor

    def picture(self, t_s: float, plate: str) -> Picture:
        """The scene at `t_s` seconds since the world began."""
        canvas = Canvas.__new__(Canvas)
        canvas.size = self.size
        y, u, v = self._wall.planes
        canvas.planes = (y.copy(), u.copy(), v.copy())
        width, height, dot = self.size.width, self.size.height, dot_of(self.size)
        canvas.box(0, 0, 34 * dot, 8 * dot, INK)
        canvas.text(2 * dot, dot, dot, clock_text(t_s), WHITE)
        card = even((t_s / CARD_PERIOD_S % 1) * width * 1.2 - width * 0.2)
        canvas.box(card, even(height * 0.35), even(width * 0.1), even(height * 0.12), CARD)
        board = ((COLUMNS + 1) * len(plate) + 1) * dot
        left = even((t_s / PLATE_PERIOD_S % 1) * (width + board)) - board
        top = even(height * 0.75)
        canvas.box(left, top, board, (ROWS + 2) * dot, WHITE)
        canvas.text(left + dot, top + dot, dot, plate, INK)
        return canvas.picture()


def exposed(view: View) -> float:
    """How much light reaches the sensor, 1 is right: exposure time over the time the light needs."""
    lux = min(view.lux, NIGHT_LUX) if "dark" in view.faults else view.lux
    if view.lit and not view.cut:
        lux += LAMP_LUX
    frame_us = 1e6 / view.fps
    exposure_us = view.settings.exposure_us
    if exposure_us is not None:
        return min(exposure_us, frame_us) * lux / EXPOSURE_US_LUX
    longest_us = min(frame_us, view.settings.longest_exposure_us or frame_us)
    return min(1.0, longest_us * lux / EXPOSURE_US_LUX)


def seen(picture: Picture, view: View, seq: int) -> Picture:
    """What the sensor makes of a picture: people in it, turned away, covered, blurred, lit, tuned, with noise."""
    y, u, v = _before(picture, view)
    if "turned" in view.faults:
        y, u, v = (_turned(plane) for plane in (y, u, v))
    if "rain" in view.faults:
        y = happenings.in_the_rain(y, seq)
    if "sprayed" in view.faults:
        y = happenings.sprayed(y)
    if "covered" in view.faults:
        y, u, v = np.full_like(y, COVER_LUMA), np.full_like(u, 128), np.full_like(v, 128)
    if "blurred" in view.faults:
        y, u, v = (_blurred(plane) for plane in (y, u, v))
    settings = view.settings
    light = exposed(view)
    gain = light * settings.contrast / 50
    offset = 128 - 128 * settings.contrast / 50 + (settings.brightness - 50) * 2.55
    hues = min(1.0, light) * settings.saturation / 50
    u, v = (_levels(plane, hues, 128 - 128 * hues) for plane in (u, v))
    return picture_of(_noisy(_levels(y, gain, offset), seq), u, v, limited=picture.limited)


def _before(picture: Picture, view: View) -> tuple[Samples, Samples, Samples]:
    """The scene itself, with what happens in it."""
    y, u, v = samples(picture.y), samples(picture.u), samples(picture.v)
    if "people" in view.faults:
        y = happenings.with_people(y, view.t_s)
    if "lamp" in view.faults:
        y = happenings.under_a_lamp(y)
    if not view.cut:
        y = happenings.in_infrared(y, u, v)
    return y, u, v


def _levels(plane: Samples, gain: float, offset: float) -> Samples:
    if gain == 1 and offset == 0:
        return plane
    table = np.clip(np.arange(256) * gain + offset + 0.5, 0, 255).astype(np.uint8)
    looked_up: Samples = table[plane]
    return looked_up


def _turned(plane: Samples) -> Samples:
    height, width = plane.shape
    return np.roll(plane, (height // 6, width // 3), axis=(0, 1))


def _blurred(plane: Samples) -> Samples:
    """Out of focus: every fourth sample, averaged over a square of seven of them, and spread out again."""
    height, width = plane.shape
    coarse = plane[::COARSE, ::COARSE]
    for axis in (0, 1):
        pad = [(0, 0), (0, 0)]
        pad[axis] = (BLUR + 1, BLUR)
        sums = np.cumsum(np.pad(coarse, pad, mode="edge"), axis=axis, dtype=np.uint32)
        length = coarse.shape[axis]
        square = 2 * BLUR + 1
        high, low = sums.take(range(square, square + length), axis), sums.take(range(length), axis)
        coarse = ((high - low) // square).astype(np.uint8)
    spread: Samples = coarse.repeat(COARSE, 0).repeat(COARSE, 1)[:height, :width]
    return spread


GRAIN = 1 << 16
GRAIN_STEP = 7919


@lru_cache(maxsize=4)
def _grain(length: int) -> tuple[Samples, Samples, Samples]:
    """A sensor's grain for planes of so many samples and any beginning: what is taken, what is given, and its room."""
    grain = np.random.default_rng(1).integers(-NOISE, NOISE + 1, GRAIN, dtype=np.int16)
    ring = np.resize(grain, length + GRAIN)
    given = np.maximum(ring, 0).astype(np.uint8)
    taken = np.maximum(-ring, 0).astype(np.uint8)
    return taken, given, 255 - given


def _noisy(plane: Samples, seq: int) -> Samples:
    """A sensor's grain: the same in every run, another one in every frame.

    Added without leaving 8 bits, and without a number that wraps: a scene is painted thirty times a second.
    """
    begin = -seq * GRAIN_STEP % GRAIN
    taken, given, room = (each[begin : begin + plane.size].reshape(plane.shape) for each in _grain(plane.size))
    noisy = np.minimum(plane, room)
    noisy += given
    np.maximum(noisy, taken, out=noisy)
    noisy -= taken
    return noisy


def small(picture: Picture, size: Size | None) -> Picture | None:
    """The small stream beside a picture."""
    return None if size is None else scaled(picture, size)
