"""The tampering detector before scenes nobody designed: textures with things in them, seen by a sensor with noise."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firmware.video.scene_features import Features, features_of
from firmware.video.scene_model import SceneModel
from firmware.video.tamper_rules import TamperRules, cause_of, is_dark
from hal.pictures import Plane
from hal.planes import plane_of
from tests.effort import examples

HEIGHT, WIDTH = 180, 320
SEEDS = range(examples(6))
# From foliage and gravel to smooth walls with a few things before them.
SMOOTHNESS = (1.0, 1.3, 1.6)

Field = NDArray[np.float64]


@cache
def scene(seed: int) -> Field:
    """Luma larger than the picture, so that a camera can be turned in it."""
    luck = np.random.default_rng(seed)
    height, width = 2 * HEIGHT, 2 * WIDTH
    frequency = np.hypot(np.fft.fftfreq(height)[:, np.newaxis], np.fft.fftfreq(width)[np.newaxis])
    frequency[0, 0] = 1
    noise = luck.normal(size=(height, width))
    rows = np.fft.ifft2(np.fft.fft2(noise) / frequency ** SMOOTHNESS[seed % len(SMOOTHNESS)]).real
    rows = (rows - rows.mean()) / rows.std()
    for _ in range(luck.integers(10, 30)):
        top, left = luck.integers(0, height), luck.integers(0, width)
        tall, wide = luck.integers(8, height // 5), luck.integers(8, width // 6)
        rows[top : top + tall, left : left + wide] += luck.normal() * 1.2
    return np.clip(110 + 38 * rows, 0, 255)


def gaussian(rows: Field, sigma: int) -> Field:
    reach = np.arange(-3 * sigma, 3 * sigma + 1)
    kernel = np.exp(-0.5 * (reach / sigma) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(rows, 3 * sigma, mode="edge")
    for axis in (0, 1):
        padded = np.apply_along_axis(np.convolve, axis, padded, kernel, "valid")
    return padded


def seen(
    seed: int,
    frame: int,
    *,
    at: tuple[int, int] = (0, 0),
    light: Field | float = 1.0,
    gamma: float = 1.0,
    flat: float | None = None,
    blur: int = 0,
    noise: float = 2.0,
) -> Features:
    """One picture of a scene: from where, in what light, how sharp, and with how much noise of the sensor."""
    top, left = HEIGHT // 2 + at[1], WIDTH // 2 + at[0]
    rows = scene(seed)[top : top + HEIGHT, left : left + WIDTH] * light
    rows = 255 * np.clip(rows / 255, 0, 1) ** gamma
    if flat is not None:
        rows = np.full_like(rows, flat)
    if blur:
        rows = gaussian(rows, blur)
    rows = rows + np.random.default_rng(1000 * seed + frame).normal(scale=noise, size=rows.shape)
    return features_of(plane(rows))


def plane(rows: Field) -> Plane:
    return plane_of(np.clip(rows, 0, 255).astype(np.uint8))


@cache
def learned(seed: int) -> SceneModel:
    model = SceneModel(seen(seed, 0))
    for frame in range(1, 10):
        model.teach(seen(seed, frame), 0.0)
    return model


ACROSS, DOWN = np.linspace(0, 1, WIDTH)[np.newaxis], np.linspace(0, 1, HEIGHT)[:, np.newaxis]
LAMP = (0.7 + 1.3 * np.exp(-((ACROSS - 0.2) ** 2 + (DOWN - 0.3) ** 2) / 0.08)) * np.where(ACROSS > 0.7, 0.55, 1)
SUN = np.where(DOWN > 0.3 + 0.4 * ACROSS, 1.4, 0.7)

HARMLESS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a mast in the wind": {"at": (2, -1)},
    "noise": {"noise": 7.0},
    "half the light": {"light": 0.5},
    "a fifth of the light": {"light": 0.2, "noise": 3.0},
    "almost no light": {"light": 0.05, "noise": 4.0},
    "another curve of the sensor": {"gamma": 1.8},
    "a lamp and its shadow": {"light": LAMP},
    "sun on half of it": {"light": SUN},
}
TAMPERED: dict[str, dict[str, Any]] = {
    "a hand": {"flat": 60.0},
    "paper": {"flat": 200.0},
    "turned a little": {"at": (10, 6)},
    "turned": {"at": (60, 20)},
    "out of focus": {"blur": 4},
    "far out of focus": {"blur": 8},
}


@pytest.mark.parametrize("what", HARMLESS)
def test_row_51_light_noise_and_wind_change_no_scene(what: str) -> None:
    for seed in SEEDS:
        look = learned(seed).look(seen(seed, 99, **HARMLESS[what]))
        assert cause_of(look, TamperRules()) is None, (seed, look)


@pytest.mark.parametrize("what", TAMPERED)
def test_row_51_whatever_the_scene_tampering_is_seen(what: str) -> None:
    for seed in SEEDS:
        look = learned(seed).look(seen(seed, 99, **TAMPERED[what]))
        assert cause_of(look, TamperRules()) is not None, (seed, look)


def test_in_too_little_light_a_scene_is_dark_and_not_gone() -> None:
    for seed in SEEDS:
        look = learned(seed).look(seen(seed, 99, light=0.04, noise=4.0))
        assert is_dark(look), (seed, look)
        assert cause_of(look, TamperRules(on_dark=True)) is not None
