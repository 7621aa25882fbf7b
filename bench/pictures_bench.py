"""Pictures: JPEG from planes, CPU of the fan-out for 1 to 100 clients, memory of the media role.

Peers: Pillow and OpenCV for the JPEG; the fan-out has a module of its own (bench/fan_out.py). Its peer, ustreamer, is
what `make bench` installs; without it there are no figures of the fan-out, and the bench says so and fails.
"""

from __future__ import annotations

import io
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from bench.fan_out import fan_out_rows, from_camera_rows
from bench.table import Row, show
from firmware.video.snapshot import jpeg_of
from hal.pictures import CameraSettings, Picture, Size
from hal.planes import samples
from hal.sim.scene.paint import ScenePainter, View, seen
from tests.live.osdp.venvs import python_with

OPENCV = ("opencv-python-headless", "5.0.0.93")
SIZES = (Size(1280, 720), Size(1920, 1080))
QUALITY = 80
ROUNDS, EACH = 5, 12


# JPEG


def median_ms(encode: Callable[[], bytes]) -> float:
    """Milliseconds of CPU for one picture: the median of several rounds."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        for _ in range(EACH):
            encode()
        rounds.append((time.thread_time() - began) / EACH * 1e3)
    return statistics.median(rounds)


def by_pillow(picture: Picture) -> bytes:
    """Pillow has no way in for planes of half size: colour is spread out first, and thinned out again inside."""
    y, u, v = (samples(plane) for plane in (picture.y, picture.u, picture.v))
    wide = [Image.fromarray(np.repeat(np.repeat(plane, 2, 0), 2, 1)) for plane in (u, v)]
    out = io.BytesIO()
    Image.merge("YCbCr", [Image.fromarray(y), *wide]).save(out, "JPEG", quality=QUALITY, subsampling=2)
    return out.getvalue()


BY_OPENCV = """
import statistics, sys, time
import cv2, numpy
cv2.setNumThreads(1)
width, height, quality, rounds, each = map(int, sys.argv[2:])
planes = numpy.fromfile(sys.argv[1], numpy.uint8).reshape(height * 3 // 2, width)
words = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
found = []
for _ in range(rounds):
    began = time.thread_time()
    for _ in range(each):
        cv2.imencode(".jpg", cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420), words)
    found.append((time.thread_time() - began) / each * 1e3)
print(statistics.median(found))
"""


def jpeg_rows(folder: Path) -> list[Row]:
    """Ours against both peers, from the same planes."""
    python, rows = python_with(*OPENCV), []
    for size in SIZES:
        scene = ScenePainter(size).picture(3.0, "LINTEL 7")
        picture = seen(scene, View(settings=CameraSettings(), fps=30), 7)
        ours = median_ms(lambda picture=picture: jpeg_of(picture, quality=QUALITY))  # type: ignore[misc]
        pillow = median_ms(lambda picture=picture: by_pillow(picture))  # type: ignore[misc]
        raw = folder / "planes"
        raw.write_bytes(b"".join(samples(plane).tobytes() for plane in (picture.y, picture.u, picture.v)))
        numbers = [str(each) for each in (size.width, size.height, QUALITY, ROUNDS, EACH)]
        done = subprocess.run([python, "-c", BY_OPENCV, str(raw), *numbers], capture_output=True, text=True, check=True)
        rows.append(Row(f"JPEG {size}, quality {QUALITY}", ours, "ms", pillow, "Pillow"))
        rows.append(Row(f"JPEG {size}, quality {QUALITY}", ours, "ms", float(done.stdout), "OpenCV"))
    return rows


# Fan-out


def fan_out(folder: Path) -> int:
    """Print both tables of the fan-out; returns 1, and says why, where their peer is missing."""
    if shutil.which("ustreamer") is None:
        print("\nmotion JPEG\n  NOT MEASURED: the peer of the fan-out is missing; install the Debian package ustreamer")
        return 1
    one, five, fifteen = os.getloadavg()
    show("motion JPEG, 1280 x 720 at 30/s, CPU in percent of one core", fan_out_rows(folder))
    show("the same with a camera before it, and the making of the JPEG files", list(from_camera_rows(folder)))
    print(f"  load of the machine before: {one:.1f} {five:.1f} {fifteen:.1f}; after: {os.getloadavg()[0]:.1f}")
    return 0


def main() -> int:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        show("pictures", jpeg_rows(folder))
        return fan_out(folder)


if __name__ == "__main__":
    sys.exit(main())
