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
from firmware.video.snapshot import jpeg_of
from hal.pictures import Picture
from hal.planes import Samples
from tests.live.device import PASSWORD, PATIENCE_S, USER, Device, until
from tests.live.pictures.usb_camera import PICTURES, SIZE, WRITING, numbers_in, sent, stand_in, with_camera, written

pytestmark = pytest.mark.live

FPS = 30


@pytest.fixture(scope="module", params=["YU12", "YUYV", "MJPG"])
def camera(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Device, Path]]:
    """A device whose camera delivers planar pictures, only packed ones, or only JPEG files; and the pictures."""
    folder = tmp_path_factory.mktemp(request.param)
    frames = written(folder / "planes")
    files, raw = (sent(frames, folder / "files"), "") if request.param == "MJPG" else (frames, request.param)
    with with_camera(folder / "state", stand_in(folder, WRITING), files, FPS, raw) as device:
        device.set_up()
        until("pictures", lambda: device.api.get("/video/road/snapshot").status_code == 200)
        yield device, frames


def seen_in(jpeg: bytes) -> Samples:
    """The luma of a picture."""
    luma = np.asarray(Image.open(io.BytesIO(jpeg)).convert("L"))
    assert luma.shape == (SIZE.height, SIZE.width)
    return luma


def wrong_with(jpeg: bytes, frames: Path) -> str:
    """Why that is no picture of the camera, or nothing: both its numbers, and hardly a difference of luma (of 255)."""
    luma = seen_in(jpeg)
    top, bottom = numbers_in(luma)
    if top != bottom:
        return f"made of picture {top} and picture {bottom}"
    if not 0 <= top < PICTURES:
        return "no number is to be seen"
    planes = np.fromfile(frames, np.uint8).reshape(PICTURES, -1)[top, : luma.size].reshape(luma.shape)
    apart = float(np.abs(planes.astype(int) - luma).mean())
    return "" if apart < 3 else f"picture {top} and yet {apart:.1f} from it"


def test_a_picture_made_of_two_is_told_from_a_whole_one(camera: tuple[Device, Path]) -> None:
    _, frames = camera
    pictures = [bytes(each) for each in np.fromfile(frames, np.uint8).reshape(PICTURES, -1)]
    upper = SIZE.width * SIZE.height // 2

    def jpeg(planes: bytes) -> bytes:
        return jpeg_of(Picture.of(planes, SIZE.width, SIZE.height))

    for number, whole in enumerate(pictures):
        assert numbers_in(seen_in(jpeg(whole))) == (number, number)
        assert wrong_with(jpeg(whole), frames) == ""
        for other in ((number + 1) % PICTURES, (number + 4) % PICTURES):
            torn = jpeg(whole[:upper] + pictures[other][upper:])
            assert wrong_with(torn, frames) == f"made of picture {number} and picture {other}"


def test_a_snapshot_is_what_the_camera_sees(camera: tuple[Device, Path]) -> None:
    device, frames = camera

    def shot() -> httpx.Response | None:
        found = device.api.get("/video/road/snapshot", params={"compression": 5})
        return found if found.status_code == 200 else None

    answer = until("a snapshot", shot)
    assert answer.headers["content-type"] == "image/jpeg"
    wrong = wrong_with(answer.content, frames)
    assert not wrong, wrong


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
                    wrong = wrong_with(body.removesuffix(b"\r\n"), frames)
                    assert not wrong, wrong
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
