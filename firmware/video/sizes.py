"""Sizes of pictures: which ones a camera offers, how they are written, and how a turned camera swaps them. Pure."""

from __future__ import annotations

import re

from hal.pictures import Size

# What viewers are offered below a camera's own size; each in the shape of the picture.
WIDTHS = (3840, 2560, 1920, 1280, 960, 640, 480, 320, 160)
SMALL_WIDTH = 320
SMALLEST = Size(64, 48)


def even(value: float) -> int:
    """The nearest even number."""
    return 2 * round(value / 2)


def offered(largest: Size) -> tuple[Size, ...]:
    """The sizes that are offered of a camera of this size: its own, then smaller ones in the same shape."""
    found = [largest]
    for width in WIDTHS:
        size = Size(width, even(width * largest.height / largest.width))
        if width < largest.width and size.height >= SMALLEST.height:
            found.append(size)
    return tuple(found)


def small(size: Size) -> Size:
    """The size of the small stream beside one of this size, which detectors look at: 320 wide, never larger."""
    width = min(SMALL_WIDTH, size.width)
    return Size(width, max(SMALLEST.height, even(width * size.height / size.width)))


def text_of(size: Size) -> str:
    """As people and programs write it: `1280x720`."""
    return f"{size.width}x{size.height}"


def size_of(text: str) -> Size:
    """The size that is written. Raises ValueError for text that is none."""
    found = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text, re.ASCII)
    if found is None:
        raise ValueError(f"{text[:40]!r} is not a resolution such as 1280x720")
    return Size(int(found[1]), int(found[2]))


def turned(size: Size, degrees: int) -> Size:
    """The size after a turn by a multiple of 90 degrees."""
    return Size(size.height, size.width) if degrees % 180 else size
