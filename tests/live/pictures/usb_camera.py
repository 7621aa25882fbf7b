"""The whole firmware on its real hardware layer with one camera that has a kernel driver, which a stand-in plays.

The stand-in is preloaded into every process (bench/native/video0.c): it answers for /dev/video0, and lends the board a
serial number. Everything else is as on a device: the V4L2 source, the roles, the network.
"""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firmware.video.snapshot import jpeg_of
from hal.pictures import CameraSettings, Picture, Size
from hal.planes import samples
from hal.sim.scene.paint import ScenePainter, View, seen
from tests.live.device import Device

SIZE = Size(1280, 720)
PICTURES = 8
FIRST_S = 3.0
SOURCE = Path(__file__).resolve().parents[3] / "bench" / "native" / "video0.c"
BOARD = """
[product]
name  = "Camera on USB"
model = "STAND-IN"

[buses]
video0 = {{ kind = "video", device = "/dev/video0" }}

[nodes]
camera1 = {{ compatible = "camera", bus = "video0", width = {0.width}, height = {0.height}, fps = {1}, alias = "road" }}
"""


def stand_in(folder: Path) -> Path:
    """The library that is preloaded, compiled."""
    library = folder / "video0.so"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"], check=True)
    return library


def written(place: Path) -> Path:
    """Pictures of the painted scene as the stand-in wants them: planes, one after the other."""
    with place.open("wb") as file:
        for number in range(PICTURES):
            scene = ScenePainter(SIZE).picture(FIRST_S + number / 30, "LINTEL 7")
            picture = seen(scene, View(settings=CameraSettings(), fps=30), number)
            for plane in (picture.y, picture.u, picture.v):
                file.write(samples(plane).tobytes())
    return place


def sent(planes: Path, place: Path) -> Path:
    """Those pictures as JPEG files, each behind its length, as a stand-in sends them; after each two a torn one."""
    each = SIZE.width * SIZE.height * 3 // 2
    data = planes.read_bytes()
    with place.open("wb") as file:
        for number, at in enumerate(range(0, len(data), each)):
            jpeg = jpeg_of(Picture.of(data[at : at + each], SIZE.width, SIZE.height), quality=95)
            middle = len(jpeg) // 2
            for one in [jpeg, jpeg[:middle] + jpeg[middle + 3000 :]][: 1 + number % 2]:
                file.write(struct.pack("<I", len(one)) + one)
    return place


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
