"""The whole firmware on its real hardware layer with one camera that has a kernel driver, which a stand-in plays.

The stand-in is preloaded into every process (bench/native/video0.c): it answers for /dev/video0, and lends the board a
serial number. Everything else is as on a device: the V4L2 source, the roles, the network.

Each picture has its number in its upper and its lower left corner, in blocks that outlast JPEG: where they differ, it
is made of two.
"""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from firmware.video.snapshot import jpeg_of
from hal.pictures import CameraSettings, Picture, Size
from hal.planes import Samples, samples
from hal.sim.scene.paint import ScenePainter, View, seen
from tests.live.device import Device

SIZE = Size(1280, 720)
# No multiple of it is a usual number of buffers: two pictures that follow each other in one have different numbers.
PICTURES = 7
FIRST_S = 3.0
NATIVE = Path(__file__).resolve().parents[3] / "bench" / "native"
WRITING = Path(__file__).with_name("writing_camera.c")
# A number is so many bits, then the same ones inverted; each is a block of pixels, which is one of JPEG's.
BITS, BLOCK = 3, 16
DARK, BRIGHT = 16, 235
BOARD = """
[product]
name  = "Camera on USB"
model = "STAND-IN"

[buses]
video0 = {{ kind = "video", device = "/dev/video0" }}

[nodes]
camera1 = {{ compatible = "camera", bus = "video0", width = {0.width}, height = {0.height}, fps = {1}, alias = "road" }}
"""


def stand_in(folder: Path, source: Path = NATIVE / "video0.c") -> Path:
    """The library that is preloaded, compiled; `WRITING` is a camera that writes into what is given back to it."""
    library = folder / "video0.so"
    command = ["cc", "-O2", "-shared", "-fPIC", "-I", str(NATIVE), "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True)
    return library


def written(place: Path) -> Path:
    """Pictures of the painted scene as the stand-in wants them: planes, one after the other."""
    with place.open("wb") as file:
        for number in range(PICTURES):
            scene = ScenePainter(SIZE).picture(FIRST_S + number / 30, "LINTEL 7")
            picture = seen(scene, View(settings=CameraSettings(), fps=30), number)
            luma = samples(picture.y).copy()
            luma[:BLOCK, : 2 * BITS * BLOCK] = luma[-BLOCK:, : 2 * BITS * BLOCK] = mark(number)
            for rows in (luma, samples(picture.u), samples(picture.v)):
                file.write(rows.tobytes())
    return place


def sent(planes: Path, place: Path) -> Path:
    """Those pictures as JPEG files, each behind its length, as a stand-in sends them; every third is torn."""
    with place.open("wb") as file:
        for number, whole in enumerate(np.fromfile(planes, np.uint8).reshape(PICTURES, -1)):
            jpeg = jpeg_of(Picture.of(whole.tobytes(), SIZE.width, SIZE.height), quality=95)
            middle = len(jpeg) // 2
            for one in [jpeg, jpeg[:middle] + jpeg[middle + 3000 :]][: 1 + number % 2]:
                file.write(struct.pack("<I", len(one)) + one)
    return place


def mark(number: int) -> Samples:
    """A number in bright and dark blocks."""
    bits = [bool(number >> bit & 1) for bit in range(BITS)]
    shades = np.array([BRIGHT if bit else DARK for bit in (*bits, *(not bit for bit in bits))], np.uint8)
    return np.tile(np.repeat(shades, BLOCK), (BLOCK, 1))


def number_in(band: Samples) -> int:
    """The number that the left end of a band of `BLOCK` rows shows, or -1 where it is none."""
    shades = band[:, : 2 * BITS * BLOCK].reshape(BLOCK, 2 * BITS, BLOCK).mean(axis=(0, 2))
    bits = [bool(shade > (DARK + BRIGHT) / 2) for shade in shades]
    if [not bit for bit in bits[:BITS]] != bits[BITS:]:
        return -1
    return sum(bit << place for place, bit in enumerate(bits[:BITS]))


def numbers_in(luma: Samples) -> tuple[int, int]:
    """The numbers at the top and at the bottom of a picture: one and the same, unless it is made of two."""
    return number_in(luma[:BLOCK]), number_in(luma[-BLOCK:])


def worn(library: Path, frames: Path, fps: int, raw: str = "") -> dict[str, str]:
    """The environment of a process that sees the stand-in; `raw` is YU12 (or YUYV), YUYV, or nothing: JPEG."""
    environment = {"LD_PRELOAD": str(library), "VIDEO0_FRAMES": str(frames), "VIDEO0_FPS": str(fps)}
    environment["VIDEO0_SIZE"] = f"{SIZE.width}x{SIZE.height}"
    return environment | ({"VIDEO0_RAW": raw} if raw else {})


@contextmanager
def with_camera(state: Path, library: Path, frames: Path, fps: int, raw: str) -> Iterator[Device]:
    """A real board with nothing but the camera, for the length of a block."""
    board = state.with_suffix(".toml")
    board.write_text(BOARD.format(SIZE, fps))
    device = Device(state, str(board), "--hal", "real", "--machine", "sim")
    before = dict(os.environ)
    try:
        os.environ.update(worn(library, frames, fps, raw))
        try:
            device.start()
        finally:
            os.environ.clear()
            os.environ.update(before)
        yield device
    finally:
        device.stop()


def process_of(device: Device, role: str) -> int:
    """The process of a role, found by how it was started: a real board has no socket of a bench to ask."""
    words = [str(device.state).encode(), b"--role", role.encode()]
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            said = place.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        if all(word in said for word in words):
            return int(place.parent.name)
    raise AssertionError(f"no process of {role} runs in {device.state}")
