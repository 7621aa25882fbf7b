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
from hal.pictures import CameraMode, CameraSettings, Frame, Layout, Picture, Size, Tuning
from hal.wires import FrameHandler, LostHandler

PLANAR, PACKED = kernel.fourcc("YU12"), kernel.fourcc("YUYV")
BUFFERS = 4

# Drivers whose buffers are ordinary memory, which everybody reads as fast as we do. Elsewhere it may be memory that no
# cache holds, such as a DMA engine's: there one wide copy is faster than the many narrow reads of those above.
LENDING_DRIVERS = frozenset({"uvcvideo", "vivid"})
# So many stay with the driver, or the next frame would have no place while one is being handed out.
STAY = 2
# One each for the newest frame, the one before it (in the thread that makes large JPEG files), one that a detector
# has not finished with, and the one that comes.
LENT_BUFFERS = STAY + 4

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
            device, pictures, fps, tunings = await asyncio.to_thread(self._open, mode, settings)
        self._device, self._tunings = device, tunings
        reader = Reader(self._bus, self._clock, pictures, handler, lost)
        asyncio.get_running_loop().add_reader(device.fd, reader.ready)
        return replace(mode, fps=fps, lores=None)  # what it makes, which is no small stream

    def _open(
        self, mode: CameraMode, settings: CameraSettings
    ) -> tuple[kernel.Device, Pictures, float, frozenset[Tuning]]:
        """Everything that may take its time."""
        try:
            device = kernel.Device(self._path)
        except OSError as error:
            raise Absent(self._bus, f"no camera at {self._path}: {error.strerror}") from error
        try:
            driver = check_capture(self._bus, device)
            pixels = choose_format(self._bus, device, mode.size)
            fps = choose_rate(device, mode.fps)
            tunings = tune(device, settings)
            lends = driver in LENDING_DRIVERS and pixels.pixelformat == PLANAR
            device.map_buffers(LENT_BUFFERS if lends else BUFFERS)
            pictures = Pictures(device, pixels, lends=lends)
            device.stream(True)
        except OSError as error:
            device.close()
            raise BusError(self._bus, f"{self._path} cannot be started: {error.strerror}") from error
        except ValueError as error:
            device.close()
            raise BusError(self._bus, f"{self._path} cannot be started: {error}") from error
        except BusError:
            device.close()
            raise
        return device, pictures, fps, tunings

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
        """Close the device; one that is gone is closed all the same. Raises BusError; it is closed then, too."""
        device, self._device = self._device, None
        self._tunings = frozenset()
        if device is None:
            return
        asyncio.get_running_loop().remove_reader(device.fd)
        try:
            with self._clock.outside():
                await asyncio.to_thread(_close, device)
        except OSError as error:
            raise BusError(self._bus, f"cannot be stopped: {error.strerror}") from error


class Pictures:
    """The pictures in a device's buffers; where it `lends`, without a copy, as long as enough buffers stay with it.

    A buffer that is lent is handed in after nobody holds anything of it any more. That is looked up when the next
    frame comes, on the loop: whoever lets go last may be a thread or the garbage collector, and neither is to speak
    with a driver, least of all with one that was closed or has begun another stream. Nobody has to wait for it: there
    always comes a next frame, for which buffers stayed. Raises ValueError where no picture has the driver's numbers.
    """

    def __init__(self, device: kernel.Device, pixels: kernel.Pixels, *, lends: bool) -> None:
        self.device = device
        self._pixels = pixels
        self._buffers = device.buffers
        self._layout = layout_of(pixels) if lends else None
        self._most = len(device.buffers) - STAY - 1  # lent before this one
        self._lent: list[int] = []

    def of(self, index: int, used: int) -> Picture:
        """The picture in a full buffer, which has so many bytes. Raises OSError, or ValueError for too few of them."""
        flat = self._buffers[index].whole.data
        layout = self._layout
        if layout is not None and used >= layout.needed:
            if len(self._lent) > self._most:
                self.take_back()
            if len(self._lent) <= self._most:
                self._lent.append(index)
                return layout.picture(flat)
        try:
            return picture_of(flat[:used], self._pixels)
        finally:
            self.device.hand_in(index)

    def take_back(self) -> None:
        """Hand in what was lent and is held no more. Raises OSError."""
        buffers = self._buffers
        for index in tuple(self._lent):
            if not buffers[index].held:
                self._lent.remove(index)
                self.device.hand_in(index)


class Reader:
    """Takes frames off a device whenever the kernel has some."""

    def __init__(self, bus: str, clock: Clock, pictures: Pictures, handler: FrameHandler, lost: LostHandler) -> None:
        self._bus = bus
        self._clock = clock
        self._pictures = pictures
        self._device = pictures.device
        self._handler = handler
        self._lost = lost
        self._first: int | None = None

    def ready(self) -> None:
        """Deliver one frame, if one has come (the loop calls again for the next); what is lost is reported once."""
        try:
            frame = self._next()
        except BlockingIOError:
            return
        except (OSError, ValueError) as error:
            why = self._why(error)
        else:
            if frame is None:
                return
            self._handler(frame)
            del frame  # or we were one who holds it
            try:
                self._pictures.take_back()
                return
            except OSError as error:
                why = self._why(error)
        # Out here the error is gone, and with it what its trace held of a buffer: who hears this may close the device.
        asyncio.get_running_loop().remove_reader(self._device.fd)
        self._lost(BusError(self._bus, why))

    def _why(self, error: OSError | ValueError) -> str:
        gone = isinstance(error, OSError) and error.errno == errno.ENODEV
        return "the camera was unplugged" if gone else f"the camera fails: {error}"

    def _next(self) -> Frame | None:
        buffer = self._device.fetch()
        flags, sequence = buffer.flags, buffer.sequence
        if flags & kernel.BUFFER_ERROR:  # half a frame counts as a missed one
            self._device.hand_in(buffer.index)
            return None
        if self._first is None:
            self._first = sequence - 1
        t_ns = now_ns = self._clock.now_ns()
        if flags & kernel.MONOTONIC:
            stamp = buffer.timestamp
            t_ns = taken_ns(stamp.s * 1_000_000_000 + stamp.us * 1000, now_ns)
        return Frame(t_ns, sequence - self._first, self._pictures.of(buffer.index, buffer.bytesused))


def full_range(pixels: kernel.Pixels) -> bool:
    """Whether luma is 0 to 255."""
    return bool(pixels.quantization == kernel.FULL_RANGE or pixels.colorspace == kernel.JPEG_COLOURS)


def layout_of(pixels: kernel.Pixels) -> Layout:
    """How a driver lays out planar pictures. Raises ValueError where no picture has its numbers."""
    return Layout(pixels.width, pixels.height, stride=pixels.bytesperline, limited=not full_range(pixels))


def picture_of(data: bytes | memoryview, pixels: kernel.Pixels) -> Picture:
    """A driver's buffer as a picture, which keeps nothing of it. Raises ValueError for too few bytes."""
    size = Size(pixels.width, pixels.height)
    limited = not full_range(pixels)
    if pixels.pixelformat == PACKED:
        return planar(data, size, pixels.bytesperline, limited=limited)
    return Picture.of(bytes(data), size.width, size.height, stride=pixels.bytesperline, limited=limited)


def check_capture(bus: str, device: kernel.Device) -> str:
    """The name of a camera's driver. Raises BusError for a device that is no camera."""
    caps = kernel.Capability()
    try:
        device.call(kernel.QUERYCAP, caps)
    except OSError as error:
        raise BusError(bus, f"is not a video device: {error.strerror}") from error
    able = caps.device_caps if caps.capabilities & kernel.DEVICE_CAPS else caps.capabilities
    if not able & kernel.CAN_CAPTURE or not able & kernel.CAN_STREAM:
        raise BusError(bus, f"{caps.card.decode(errors='replace')} does not deliver pictures")
    return str(caps.driver.decode(errors="replace"))


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
