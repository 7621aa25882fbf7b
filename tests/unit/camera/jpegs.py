"""JPEG files as cameras send them, in every sampling; who decodes them, and what is to be seen then."""

from __future__ import annotations

import numpy as np
import simplejpeg
from PIL import Image

from hal.buses import motion_jpeg
from hal.buses.motion_jpeg import Decoder
from hal.pictures import Size
from hal.planes import Samples

SIZE = Size(64, 48)
SAMPLINGS = ("420", "422", "444", "440", "411")


def coloured(width: int, height: int, shade: int = 0) -> Samples:
    """Rows of red, green and blue that change smoothly, so that every sampling shows them nearly as they are."""
    down, across = np.mgrid[0:height, 0:width]
    red, green, blue = across * 200 // width + shade, down * 200 // height + shade, (down + across) % 64 + 2 * shade
    return np.dstack([red, green, blue]).clip(0, 255).astype(np.uint8)


def noisy(width: int, height: int, seed: int, sigma: float = 8) -> Samples:
    """Those rows as a sensor sees them: with noise, the same for the same seed."""
    noise = np.random.default_rng(seed).normal(0, sigma, (height, width, 3))
    return (coloured(width, height) + noise).clip(0, 255).astype(np.uint8)


def jpeg(rows: Samples, sampling: str = "422", quality: int = 92) -> bytes:
    """A baseline file of rows of red, green and blue; `sampling` as in `SAMPLINGS`, or "Gray"."""
    if sampling == "Gray":
        grey = np.ascontiguousarray(rows[:, :, 1:2])
        return bytes(simplejpeg.encode_jpeg(grey, quality=quality, colorspace="GRAY", colorsubsampling="Gray"))
    return bytes(
        simplejpeg.encode_jpeg(np.ascontiguousarray(rows), quality=quality, colorspace="RGB", colorsubsampling=sampling)
    )


def segments(file: bytes) -> list[tuple[int, int, int]]:
    """The segments of the header, the first scan's with it: kind, where it begins and ends."""
    found, at = [], 2
    while not found or found[-1][0] != 0xDA:
        end = at + 2 + int.from_bytes(file[at + 2 : at + 4], "big")
        found.append((file[at + 1], at, end))
        at = end
    return found


def without_tables(file: bytes) -> bytes:
    """Without the Huffman tables, which many cameras leave out: those of the standard are meant (T.81, annex K.3)."""
    kept = [file[start:end] for kind, start, end in segments(file) if kind != 0xC4]
    return file[:2] + b"".join(kept) + file[segments(file)[-1][2] :]


def scan_of(file: bytes) -> tuple[int, int]:
    """Where the coded samples begin and end."""
    return segments(file)[-1][2], len(file) - 2


def decoder(size: Size = SIZE) -> Decoder:
    """A decoder of the library."""
    library = motion_jpeg.load()
    assert library is not None  # the package libturbojpeg0 is one of those that the tests need
    return Decoder(size, library)


def expected(rows: Samples) -> list[Samples]:
    """What the picture is before it is coded, with colour of four samples averaged."""
    whole = np.asarray(Image.fromarray(rows).convert("YCbCr")).astype(float)
    quarter = whole.reshape(rows.shape[0] // 2, 2, rows.shape[1] // 2, 2, 3).mean(axis=(1, 3))
    return [whole[:, :, 0], quarter[:, :, 1], quarter[:, :, 2]]
