"""A strict stand-in for picamera2 0.3.38 and libcamera: the real signatures and rules, and a camera that makes frames.

It refuses what the real one refuses (RuntimeError), calls back on a thread of its own, and writes over its buffers as
soon as a callback has returned, so that pixels that were not copied are seen to change.
"""

from __future__ import annotations

import threading
import types
from collections.abc import Callable
from typing import Any

import numpy as np

STRIDE_STEP = 64
CONTROLS = {
    "AeEnable": (False, True, True),
    "Brightness": (-1.0, 1.0, 0.0),
    "Contrast": (0.0, 32.0, 1.0),
    "Saturation": (0.0, 32.0, 1.0),
    "Sharpness": (0.0, 16.0, 1.0),
    "ExposureTime": (14, 11_767_556, 20_000),
    "FrameDurationLimits": (8_333, 120_000_000, None),
}
YUV420 = "YUV420"


class ColorSpace:
    """libcamera's colour spaces, as far as they are asked for."""

    def __init__(self, name: str) -> None:
        self.name = name

    @staticmethod
    def Sycc() -> ColorSpace:
        return ColorSpace("sYCC")


class CompletedRequest:
    """One captured frame, lent for the time of a callback."""

    def __init__(self, buffers: dict[str, np.ndarray], config: dict[str, Any], stamp_ns: int) -> None:
        self._buffers = buffers
        self.config: dict[str, Any] | None = config
        self._stamp_ns = stamp_ns

    def make_buffer(self, name: str) -> np.ndarray:
        if self.config is None:
            raise RuntimeError("the request was released")
        if name not in self._buffers:
            raise RuntimeError(f"Stream {name!r} is not defined")
        return np.array(self._buffers[name], dtype=np.uint8)

    def get_metadata(self) -> dict[str, Any]:
        return {"SensorTimestamp": self._stamp_ns, "ExposureTime": 20_000}


class Picamera2:
    """The camera class. `installed` are the sensors that are there; `made` every object, for the tests to look at."""

    installed: list[str] = ["imx708"]
    made: list[Picamera2] = []
    offered: dict[str, tuple[Any, Any, Any]] = CONTROLS
    breaks_at_start = False
    now_ns: Callable[[], int] = staticmethod(lambda: 0)

    def __init__(self, camera_num=0, verbose_console=None, tuning=None, allocator=None) -> None:  # type: ignore[no-untyped-def]
        if camera_num >= len(self.installed):
            raise RuntimeError(f"No camera number {camera_num} found")
        if any(other.is_open and other.num == camera_num for other in self.made):
            raise RuntimeError("Camera __init__ sequence did not complete.")
        self.num = camera_num
        self.is_open = True
        self.started = False
        self.post_callback: Callable[[CompletedRequest], None] | None = None
        self.set: dict[str, Any] = {}
        self._config: dict[str, Any] | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self.produced = 0
        self.made.append(self)

    @property
    def camera_controls(self) -> dict[str, tuple[Any, Any, Any]]:
        return dict(self.offered)

    def create_video_configuration(
        self, main={}, lores=None, raw={}, transform=None, colour_space=None, buffer_count=6, controls={},  # noqa: B006
        display="main", encode="main", queue=True, sensor={}, use_case="video",  # noqa: B006
    ) -> dict[str, Any]:  # type: ignore[no-untyped-def]  # fmt: skip
        if not self.is_open:
            raise RuntimeError("Camera not opened")
        assert colour_space is None or isinstance(colour_space, ColorSpace)
        return {
            "main": self._stream({"format": "XBGR8888", "size": (1280, 720)} | main),
            "lores": None if lores is None else self._stream({"format": YUV420, "size": (640, 480)} | lores),
            "colour_space": colour_space,
            "controls": dict(controls),
        }

    @staticmethod
    def _stream(wanted: dict[str, Any]) -> dict[str, Any]:
        assert set(wanted) <= {"format", "size", "stride", "framesize", "preserve_ar"}, wanted
        width, height = wanted["size"]
        return dict(wanted, size=(width // 2 * 2, height // 2 * 2))

    def configure(self, camera_config=None) -> None:  # type: ignore[no-untyped-def]
        if self.started:
            raise RuntimeError("Camera must be stopped before configuring")
        main, lores = camera_config["main"], camera_config["lores"]
        if lores is not None and any(small > large for small, large in zip(lores["size"], main["size"], strict=True)):
            raise RuntimeError("lores stream dimensions may not exceed main stream")
        for name in ("main", "lores"):
            stream = camera_config[name]
            if stream is not None:
                assert stream["format"] == YUV420, stream
                width, height = stream["size"]
                stride = -(-width // STRIDE_STEP) * STRIDE_STEP
                stream.update(stride=stride, framesize=stride * height * 3 // 2)
        self._config = camera_config
        self.set_controls(camera_config["controls"])

    def camera_configuration(self) -> dict[str, Any]:
        assert self._config is not None
        return self._config

    def set_controls(self, controls) -> None:  # type: ignore[no-untyped-def]
        for name, value in controls.items():
            if name not in self.offered:
                raise RuntimeError(f"Control {name} is not advertised by libcamera")
            least, most, _ = self.offered[name]
            for number in value if isinstance(value, tuple) else (value,):
                assert least <= number <= most, (name, value)
        self.set |= controls

    def start(self, config=None, show_preview=False) -> None:  # type: ignore[no-untyped-def]
        if self._config is None:
            raise RuntimeError("Camera has not been configured")
        if self.breaks_at_start:
            raise RuntimeError("Failed to start camera: Input/output error")
        self.started = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        assert self._config is not None
        config = {name: self._config[name] for name in ("main", "lores")}
        while not self._stop.wait(0.02):
            self.produced += 1
            buffers = {
                name: np.full(stream["framesize"], 10 + self.produced % 200, np.uint8)
                for name, stream in config.items()
                if stream is not None
            }
            for name, buffer in buffers.items():  # what lies between the rows is rubbish
                stream = config[name]
                luma = buffer[: stream["stride"] * stream["size"][1]].reshape(-1, stream["stride"])
                luma[:, stream["size"][0] :] = 255
            request = CompletedRequest(buffers, dict(config), self.now_ns())
            callback = self.post_callback
            if callback is not None:
                callback(request)
            request.config = None
            for buffer in buffers.values():
                buffer[:] = 0

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self.started = False

    def close(self) -> None:
        if self.started:
            self.stop()
        self.is_open = False


def modules() -> dict[str, types.ModuleType]:
    """What `sys.modules` has to hold for the source to import these."""
    picamera2, libcamera = types.ModuleType("picamera2"), types.ModuleType("libcamera")
    picamera2.Picamera2 = Picamera2  # type: ignore[attr-defined]
    libcamera.ColorSpace = ColorSpace  # type: ignore[attr-defined]
    return {"picamera2": picamera2, "libcamera": libcamera}
