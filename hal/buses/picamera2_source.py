"""An image sensor on its ribbon, through picamera2 0.3 (which comes with the board's operating system).

picamera2 calls back on a thread of its own for every frame; there the pixels are copied once out of the camera's
buffers, and one hop brings the finished frame to the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from hal.buses.stamps import taken_ns
from hal.clock import Clock
from hal.errors import Absent, BusError
from hal.pictures import CameraMode, CameraSettings, Frame, Picture, Tuning
from hal.wires import FrameHandler, LostHandler

# Setting -> libcamera's name. Its middle is the default it tells of itself, 0 and 100 are as far as is sensible.
SLIDERS: Mapping[Tuning, tuple[str, float, float]] = {
    Tuning.BRIGHTNESS: ("Brightness", -1.0, 1.0),
    Tuning.CONTRAST: ("Contrast", 0.0, 2.0),
    Tuning.SATURATION: ("Saturation", 0.0, 2.0),
    Tuning.SHARPNESS: ("Sharpness", 0.0, 2.0),
}


class Picamera2Frames:
    """A camera of libcamera by its number; implements Frames."""

    def __init__(self, bus: str, port: int, clock: Clock) -> None:
        self._bus = bus
        self._port = port
        self._clock = clock
        self._camera: Any = None
        self._mode: CameraMode | None = None
        self._session = 0
        self._tunings: frozenset[Tuning] = frozenset()

    @property
    def tunings(self) -> frozenset[Tuning]:
        """What this sensor has of what can be set; empty while it is off."""
        return self._tunings

    @property
    def refused(self) -> str:
        """Nothing: libcamera hands on whole pictures only."""
        return ""

    async def start(
        self, mode: CameraMode, settings: CameraSettings, handler: FrameHandler, lost: LostHandler
    ) -> CameraMode:
        """Open the camera. Raises Absent when picamera2 finds none, BusError for anything else that goes wrong."""
        if self._camera is not None:
            raise BusError(self._bus, "is in use")
        loop = asyncio.get_running_loop()
        self._session += 1
        session = self._session
        seq = 0

        def deliver(frame: Frame) -> None:
            if session == self._session:
                handler(frame)

        def fail(error: BusError) -> None:
            if session == self._session:
                lost(error)

        def taken(request: Any) -> None:
            # On picamera2's thread, which an exception would end without a word.
            nonlocal seq
            if self._camera is None:
                return  # nobody has been told yet that it runs, or it is being closed
            seq += 1
            try:
                loop.call_soon_threadsafe(deliver, self._frame(request, seq))
            except (RuntimeError, ValueError, KeyError) as error:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(fail, BusError(self._bus, f"a frame cannot be read: {error}"))

        with self._clock.outside():
            camera = await asyncio.to_thread(self._open)
            try:
                await asyncio.to_thread(self._begin, camera, mode, settings, taken)
            except BaseException:
                await asyncio.to_thread(camera.close)
                raise
        self._camera, self._mode = camera, mode
        self._tunings = tunings_of(camera.camera_controls)
        return mode

    def _open(self) -> Any:
        try:
            from picamera2 import Picamera2
        except ImportError as error:
            raise BusError(
                self._bus,
                f"needs the Python library {error.name or 'picamera2'}; install it with: apt install python3-picamera2",
            ) from error
        try:
            return Picamera2(camera_num=self._port)
        except (IndexError, RuntimeError) as error:
            raise Absent(self._bus, f"camera {self._port} cannot be opened: {error}") from error

    def _begin(self, camera: Any, mode: CameraMode, settings: CameraSettings, taken: Any) -> None:
        """Configure and start. Raises BusError, also when a stream gets another size."""
        from libcamera import ColorSpace

        lores = None
        if mode.lores is not None:
            lores = {"size": (mode.lores.width, mode.lores.height), "format": "YUV420"}
        try:
            wanted = camera.create_video_configuration(
                main={"size": (mode.size.width, mode.size.height), "format": "YUV420"},
                lores=lores,
                colour_space=ColorSpace.Sycc(),
                controls=controls_of(settings, mode, camera.camera_controls),
            )
            camera.configure(wanted)
            streams: Mapping[str, Any] = dict(camera.camera_configuration())
            for name, size in (("main", mode.size), ("lores", mode.lores)):
                if size is not None and tuple(streams[name]["size"]) != (size.width, size.height):
                    raise BusError(self._bus, f"gives {streams[name]['size']} as {name} instead of {size}")
            camera.post_callback = taken
            camera.start()
        except RuntimeError as error:
            raise BusError(self._bus, f"cannot be started: {error}") from error

    def _frame(self, request: Any, seq: int) -> Frame:
        stamp = int(request.get_metadata().get("SensorTimestamp", 0))
        pictures = {}
        for name in ("main", "lores"):
            stream = request.config.get(name)
            if stream is not None:
                width, height = stream["size"]
                buffer = memoryview(request.make_buffer(name))
                pictures[name] = Picture.of(buffer, width, height, stride=stream["stride"])
        return Frame(taken_ns(stamp, self._clock.now_ns()), seq, pictures["main"], pictures.get("lores"))

    async def tune(self, settings: CameraSettings) -> None:
        """Apply settings with the next request. Raises BusError when it is off or libcamera refuses."""
        if self._camera is None or self._mode is None:
            raise BusError(self._bus, "is off")
        try:
            self._camera.set_controls(controls_of(settings, self._mode, self._camera.camera_controls))
        except RuntimeError as error:
            raise BusError(self._bus, f"cannot be tuned: {error}") from error

    async def stop(self) -> None:
        """Close the camera."""
        camera, self._camera = self._camera, None
        self._tunings = frozenset()
        self._session += 1
        if camera is None:
            return
        with self._clock.outside():
            try:
                await asyncio.to_thread(_close, camera)
            except RuntimeError as error:
                raise BusError(self._bus, f"cannot be closed: {error}") from error


def _close(camera: Any) -> None:
    try:
        camera.post_callback = None
        camera.stop()
    finally:
        camera.close()


def tunings_of(offered: Mapping[str, Any]) -> frozenset[Tuning]:
    """What can be set on a camera that offers these controls of libcamera."""
    has = {tuning for tuning, (name, _, _) in SLIDERS.items() if name in offered}
    if "ExposureTime" in offered and "AeEnable" in offered:
        has.add(Tuning.EXPOSURE)
    # Not LONGEST_EXPOSURE: libcamera bounds automatic exposure by the time of a frame and by nothing else.
    return frozenset(has)


def controls_of(settings: CameraSettings, mode: CameraMode, offered: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as libcamera's controls, only those it offers; `offered` is name -> (least, most, default)."""
    controls: dict[str, Any] = {}
    for tuning, (name, low, high) in SLIDERS.items():
        if name in offered:
            least, most, own = offered[name]
            controls[name] = slid(getattr(settings, tuning), max(low, least), own, min(high, most))
    can = tunings_of(offered)
    frame_us = round(1e6 / mode.fps)
    if Tuning.EXPOSURE in can:
        controls["AeEnable"] = settings.exposure_us is None
        if settings.exposure_us is not None:
            controls["ExposureTime"] = min(settings.exposure_us, frame_us)
    if "FrameDurationLimits" in offered:
        controls["FrameDurationLimits"] = (frame_us, frame_us)
    return controls


def slid(value: int, low: float, middle: float, high: float) -> float:
    """A slider of 0 to 100 on a range whose middle is not half-way."""
    part = (value - 50) / 50
    return middle + part * ((high - middle) if part > 0 else (middle - low))
