"""A camera with a kernel driver at the real hardware layer of the whole firmware: pictures as it delivers them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from firmware.core.stream.multipart import DELIMITER
from tests.live.device import PASSWORD, PATIENCE_S, USER, Device, until
from tests.live.pictures.usb_camera import PICTURES, SIZE, sent, stand_in, with_camera, written

pytestmark = pytest.mark.live

FPS = 30


@pytest.fixture(scope="module", params=["YU12", "YUYV", "MJPG"])
def camera(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Device, Path]]:
    """A device whose camera delivers planar pictures, only packed ones, or only JPEG files; and the pictures."""
    folder = tmp_path_factory.mktemp(request.param)
    frames = written(folder / "planes")
    files, raw = (sent(frames, folder / "files"), "") if request.param == "MJPG" else (frames, request.param)
    with with_camera(folder / "state", stand_in(folder), files, FPS, raw) as device:
        device.set_up()
        until("pictures", lambda: device.api.get("/video/road/snapshot").status_code == 200)
        yield device, frames


def difference(jpeg: bytes, frames: Path) -> float:
    """The mean difference of luma to the picture of the camera that is most like it, of 255."""
    shown = np.asarray(Image.open(io.BytesIO(jpeg)).convert("L")).astype(int)
    assert shown.shape == (SIZE.height, SIZE.width)
    planes = np.fromfile(frames, np.uint8).reshape(PICTURES, -1)[:, : SIZE.width * SIZE.height]
    return min(float(np.abs(luma.reshape(shown.shape).astype(int) - shown).mean()) for luma in planes)


def test_a_snapshot_is_what_the_camera_sees(camera: tuple[Device, Path]) -> None:
    device, frames = camera

    def shot() -> httpx.Response | None:
        found = device.api.get("/video/road/snapshot", params={"compression": 5})
        return found if found.status_code == 200 else None

    answer = until("a snapshot", shot)
    assert answer.headers["content-type"] == "image/jpeg"
    assert difference(answer.content, frames) < 3


def test_a_viewer_is_shown_one_picture_after_the_other(camera: tuple[Device, Path]) -> None:
    device, frames = camera
    url = f"http://127.0.0.1:{device.port}/api/v1/video/road/mjpeg?compression=5"
    numbers: list[int] = []
    data = b""
    with httpx.stream("GET", url, auth=(USER, PASSWORD), timeout=PATIENCE_S) as answer:
        for piece in answer.iter_raw():
            data += piece
            while DELIMITER in data and len(numbers) < 20:
                part, _, data = data.partition(DELIMITER)
                head, _, body = part.partition(b"\r\n\r\n")
                found = re.search(rb"x-frame: (\d+)", head)
                # A busy machine may lose the signal for a moment: its picture has the number 0.
                if found is not None and int(found[1]):
                    numbers.append(int(found[1]))
                    assert difference(body.removesuffix(b"\r\n"), frames) < 3
            if len(numbers) >= 20:
                break
    assert numbers == sorted(set(numbers))


def test_its_scene_is_watched_for_tampering_without_a_small_stream(camera: tuple[Device, Path]) -> None:
    device, _ = camera

    def state() -> dict[str, Any]:
        states = device.api.get("/state").json()["states"]
        return next((dict(each) for each in states if each["topic"] == "video/tampering"), {})

    until("a scene that is known", lambda: state().get("phase") == "armed")
    assert state()["tampered"] is False
