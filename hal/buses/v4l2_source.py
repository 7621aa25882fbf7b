"""A camera with a kernel driver of its own, such as a USB camera or the kernel's simulated one (vivid).

It takes planar 4:2:0 (YU12) where the camera has it, else packed 4:2:2 (YUYV). Cameras that send such sizes only as
Motion JPEG are refused with the size they offer instead.
"""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace

from hal.buses import v4l2_kernel as kernel
from hal.buses.libyuv import planar
from hal.buses.stamps import taken_ns
from hal.clock import Clock
from hal.errors import Absent, BusError
from hal.pictures import CameraMode, CameraSettings, Frame, Picture, Size, Tuning
from hal.wires import FrameHandler, LostHandler

PLANAR, PACKED = kernel.fourcc("YU12"), kernel.fourcc("YUYV")
BUFFERS = 4

# Setting -> the kernel's control.
SLIDERS = {
    Tuning.BRIGHTNESS: 0x0098_0900,
    Tuning.CONTRAST: 0x0098_0901,
    Tuning.SATURATION: 0x0098_0902,
    Tuning.SHARPNESS: 0x0098_091B,
}
EXPOSURE_MODE, EXPOSURE_100US, RATE_MAY_DROP = 0x009A_0901, 0x009A_0902, 0x009A_0903
MANUAL, APERTURE_PRIORITY = 1, 3


class V4l2Frames:
    """A video device by its file; implements Frames."""

    def __init__(self, bus: str, path: str, clock: Clock) -> None:
        self._bus = bus
        self._path = path
        self._clock = clock
        self._device: kernel.Device | None = None
        self._tunings: frozenset[Tuning] = frozenset()

    @property
    def tunings(self) -> frozenset[Tuning]:
        """What this camera has of what can be set; empty while it is off."""
        return self._tunings

    async def start(
        self, mode: CameraMode, settings: CameraSettings, handler: FrameHandler, lost: LostHandler
    ) -> CameraMode:
        """Open the device. Raises Absent when there is none, BusError when it cannot do the mode."""
        if self._device is not None:
            raise BusError(self._bus, "is in use")
        with self._clock.outside():
            device, pixels, fps, tunings = await asyncio.to_thread(self._open, mode, settings)
        self._device, self._tunings = device, tunings
        reader = _Reader(self._bus, self._clock, device, pixels, handler, lost)
        asyncio.get_running_loop().add_reader(device.fd, reader.ready)
        return replace(mode, fps=fps, lores=None)  # what it makes, which is no small stream

    def _open(
        self, mode: CameraMode, settings: CameraSettings
    ) -> tuple[kernel.Device, kernel.Pixels, float, frozenset[Tuning]]:
        """Everything that may take its time."""
        try:
            device = kernel.Device(self._path)
        except OSError as error:
            raise Absent(self._bus, f"no camera at {self._path}: {error.strerror}") from error
        try:
            check_capture(self._bus, device)
            pixels = choose_format(self._bus, device, mode.size)
            fps = choose_rate(device, mode.fps)
            tunings = tune(device, settings)
            device.map_buffers(BUFFERS)
            device.stream(True)
        except OSError as error:
            device.close()
            raise BusError(self._bus, f"{self._path} cannot be started: {error.strerror}") from error
        except BusError:
            device.close()
            raise
        return device, pixels, fps, tunings

    async def tune(self, settings: CameraSettings) -> None:
        """Apply settings. Raises BusError."""
        if self._device is None:
            raise BusError(self._bus, "is off")
        try:
            with self._clock.outside():
                await asyncio.to_thread(tune, self._device, settings)
        except OSError as error:
            raise BusError(self._bus, f"cannot be tuned: {error.strerror}") from error

    async def stop(self) -> None:
        """Close the device; one that is gone is closed all the same."""
        device, self._device = self._device, None
        self._tunings = frozenset()
        if device is None:
            return
        asyncio.get_running_loop().remove_reader(device.fd)
        with self._clock.outside():
            await asyncio.to_thread(_close, device)


class _Reader:
    """Takes frames off a device whenever the kernel has some."""

    def __init__(
        self,
        bus: str,
        clock: Clock,
        device: kernel.Device,
        pixels: kernel.Pixels,
        handler: FrameHandler,
        lost: LostHandler,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._device = device
        self._pixels = pixels
        self._handler = handler
        self._lost = lost
        self._first: int | None = None

    def ready(self) -> None:
        """Deliver what has come; a device that went is reported once."""
        try:
            for frame in self._device.filled(self._frame):
                if frame is not None:
                    self._handler(frame)
            return
        except (OSError, ValueError) as error:
            gone = isinstance(error, OSError) and error.errno == errno.ENODEV
            why = "the camera was unplugged" if gone else f"the camera fails: {error}"
        # Out here the error is gone, and with it what its trace held of a buffer: who hears this may close the device.
        asyncio.get_running_loop().remove_reader(self._device.fd)
        self._lost(BusError(self._bus, why))

    def _frame(self, buffer: kernel.Buffer, data: memoryview) -> Frame | None:
        if buffer.flags & kernel.BUFFER_ERROR:  # half a frame counts as a missed one
            return None
        if self._first is None:
            self._first = buffer.sequence
        now_ns = self._clock.now_ns()
        stamp_ns = buffer.timestamp.s * 1_000_000_000 + buffer.timestamp.us * 1000
        t_ns = taken_ns(stamp_ns, now_ns) if buffer.flags & kernel.MONOTONIC else now_ns
        return Frame(t_ns, buffer.sequence - self._first + 1, picture_of(data, self._pixels))


def picture_of(data: bytes | memoryview, pixels: kernel.Pixels) -> Picture:
    """A driver's buffer as a picture, which keeps nothing of it. Raises ValueError for too few bytes."""
    size = Size(pixels.width, pixels.height)
    full = pixels.quantization == kernel.FULL_RANGE or pixels.colorspace == kernel.JPEG_COLOURS
    if pixels.pixelformat == PACKED:
        return planar(data, size, pixels.bytesperline, limited=not full)
    return Picture.of(bytes(data), size.width, size.height, stride=pixels.bytesperline, limited=not full)


def check_capture(bus: str, device: kernel.Device) -> None:
    """Raises BusError for a device that is no camera."""
    caps = kernel.Capability()
    try:
        device.call(kernel.QUERYCAP, caps)
    except OSError as error:
        raise BusError(bus, f"is not a video device: {error.strerror}") from error
    able = caps.device_caps if caps.capabilities & kernel.DEVICE_CAPS else caps.capabilities
    if not able & kernel.CAN_CAPTURE or not able & kernel.CAN_STREAM:
        raise BusError(bus, f"{caps.card.decode(errors='replace')} does not deliver pictures")


def choose_format(bus: str, device: kernel.Device, size: Size) -> kernel.Pixels:
    """Set size and pixel format. Raises BusError with what the camera offers instead, OSError."""
    offered = ""
    for wanted in (PLANAR, PACKED):
        form = kernel.Format(type=kernel.CAPTURE)
        form.fmt.pix = kernel.Pixels(
            width=size.width, height=size.height, pixelformat=wanted, field=1, priv=kernel.PIXELS_MAGIC
        )
        device.call(kernel.S_FMT, form)
        pixels: kernel.Pixels = form.fmt.pix
        if pixels.pixelformat == wanted and (pixels.width, pixels.height) == (size.width, size.height):
            return pixels
        letters = pixels.pixelformat.to_bytes(4, "little").decode("ascii", "replace")
        offered = f"{Size(pixels.width, pixels.height)} in {letters}"
    raise BusError(bus, f"the camera cannot do {size} in YU12 or YUYV; it offers {offered}")


def choose_rate(device: kernel.Device, fps: float) -> float:
    """Set the rate; answers the one the camera took, or the wish where it cannot be set. Raises OSError."""
    rate = kernel.Rate(type=kernel.CAPTURE, numerator=1000, denominator=round(fps * 1000))
    try:
        device.call(kernel.S_PARM, rate)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTTY):
            raise
        return fps
    return rate.denominator / rate.numerator if rate.numerator and rate.denominator else fps


def tune(device: kernel.Device, settings: CameraSettings) -> frozenset[Tuning]:
    """Set everything the camera has; answers what that is. Raises OSError."""
    has = set()
    for tuning, number in SLIDERS.items():
        query = device.query(number)
        if query is not None:
            has.add(tuning)
            device.set(number, slid(getattr(settings, tuning), query))
    mode, exposure = device.query(EXPOSURE_MODE), device.query(EXPOSURE_100US)
    if mode is not None and exposure is not None:
        has.add(Tuning.EXPOSURE)
        if settings.exposure_us is None:
            device.set(EXPOSURE_MODE, APERTURE_PRIORITY)
        else:
            device.set(EXPOSURE_MODE, MANUAL)
            wanted = round(settings.exposure_us / 100)
            device.set(EXPOSURE_100US, min(max(wanted, exposure.minimum), exposure.maximum))
        if device.query(RATE_MAY_DROP) is not None:
            device.set(RATE_MAY_DROP, 0)  # automatic exposure must not slow the stream
    return frozenset(has)


def slid(value: int, query: kernel.Query) -> int:
    """A slider of 0 to 100 as the camera's number: 50 is its default."""
    low, own, high = int(query.minimum), int(query.default_value), int(query.maximum)
    part = (value - 50) / 50
    return round(own + part * ((high - own) if part > 0 else (own - low)))


def _close(device: kernel.Device) -> None:
    try:
        device.stream(False)
    except OSError as error:
        if error.errno != errno.ENODEV:  # unplugged: there is nothing left to stop
            raise
    finally:
        device.close()
