"""A camera with a kernel driver of its own, such as a USB camera or the kernel's simulated one (vivid).

It takes planar 4:2:0 (YU12) where the camera has it in the size and at the rate, else packed 4:2:2 (YUYV), else Motion
JPEG: that is what most USB cameras send large pictures as.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from hal.buses import motion_jpeg
from hal.buses import v4l2_kernel as kernel
from hal.buses.v4l2_reader import STAY, MotionReader, PictureReader, Pictures, Reader
from hal.buses.v4l2_setup import check_capture, choose_format, choose_rate, tune
from hal.clock import Clock
from hal.errors import Absent, BusError
from hal.pictures import CameraMode, CameraSettings, Size, Tuning
from hal.wires import FrameHandler, LostHandler

log = logging.getLogger("hal.camera")

BUFFERS = 4

# Drivers whose buffers are ordinary memory, which everybody reads as fast as we do. Elsewhere it may be memory that no
# cache holds, such as a DMA engine's: there one wide copy is faster than the many narrow reads of those above.
LENDING_DRIVERS = frozenset({"uvcvideo", "vivid"})
# One each for the newest frame, the one before it (in the thread that makes large JPEG files), one that a detector
# has not finished with, and the one that comes.
LENT_BUFFERS = STAY + 4


@dataclass(frozen=True, slots=True)
class _Opened:
    """A device whose stream has begun."""

    device: kernel.Device
    pixels: kernel.Pixels
    lends: bool
    fps: float
    tunings: frozenset[Tuning]


class V4l2Frames:
    """A video device by its file; implements Frames."""

    def __init__(self, bus: str, path: str, clock: Clock) -> None:
        self._bus = bus
        self._path = path
        self._clock = clock
        self._device: kernel.Device | None = None
        self._reader: Reader | None = None
        self._tunings: frozenset[Tuning] = frozenset()

    @property
    def tunings(self) -> frozenset[Tuning]:
        """What this camera has of what can be set; empty while it is off."""
        return self._tunings

    @property
    def refused(self) -> str:
        """Why what came last is no picture: torn, or of another size; empty where it is one, and while it is off."""
        return self._reader.refused if self._reader is not None else ""

    async def start(
        self, mode: CameraMode, settings: CameraSettings, handler: FrameHandler, lost: LostHandler
    ) -> CameraMode:
        """Open the device. Raises Absent when there is none, BusError when it cannot do the mode."""
        if self._device is not None:
            raise BusError(self._bus, "is in use")
        opened = await self._opened(mode, settings)
        try:
            self._reader = self._reader_of(opened, handler, lost)
        except BaseException:
            opened.device.close()
            raise
        self._device, self._tunings = opened.device, opened.tunings
        asyncio.get_running_loop().add_reader(opened.device.fd, self._reader.ready)
        return replace(mode, fps=opened.fps, lores=None)  # what it makes, which is no small stream

    async def _opened(self, mode: CameraMode, settings: CameraSettings) -> _Opened:
        """`_open` in a thread, after which it is closed again where nobody waits for it any more."""
        pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="camera")
        opening = pool.submit(self._open, mode, settings)
        try:
            with self._clock.outside():
                return await asyncio.wrap_future(opening)
        except asyncio.CancelledError:
            pool.submit(self._close_unused, opening)  # when that has ended: it cannot be stopped
            raise
        finally:
            pool.shutdown(wait=False)
            del opening  # whose error holds this frame

    def _close_unused(self, opening: Future[_Opened]) -> None:
        """Close what was opened, if it was."""
        if opening.cancelled() or opening.exception() is not None:
            return
        try:
            opening.result().device.close()
        except OSError as error:
            log.warning("%s: what nobody waited for could not be closed: %s", self._bus, error.strerror)

    def _reader_of(self, opened: _Opened, handler: FrameHandler, lost: LostHandler) -> Reader:
        """Who takes its frames. Raises BusError for what nobody can read."""
        device, pixels = opened.device, opened.pixels
        library = motion_jpeg.load()
        if pixels.pixelformat == kernel.MOTION and library is not None:
            decoder = motion_jpeg.Decoder(Size(pixels.width, pixels.height), library)
            return MotionReader(self._bus, self._clock, device, decoder, handler, lost)
        try:
            pictures = Pictures(device, pixels, lends=opened.lends)
        except ValueError as error:
            raise BusError(self._bus, f"{self._path} cannot be started: {error}") from error
        return PictureReader(self._bus, self._clock, pictures, handler, lost)

    def _open(self, mode: CameraMode, settings: CameraSettings) -> _Opened:
        """Everything that may take its time."""
        try:
            device = kernel.Device(self._path)
        except OSError as error:
            raise Absent(self._bus, f"no camera at {self._path}: {error.strerror}") from error
        try:
            driver = check_capture(self._bus, device)
            pixels = choose_format(self._bus, device, mode.size, mode.fps)
            fps = choose_rate(device, mode.fps)
            tunings = tune(device, settings)
            lends = driver in LENDING_DRIVERS and pixels.pixelformat == kernel.PLANAR
            device.map_buffers(LENT_BUFFERS if lends else BUFFERS)
            device.stream(True)
        except OSError as error:
            device.close()
            raise BusError(self._bus, f"{self._path} cannot be started: {error.strerror}") from error
        except BusError:
            device.close()
            raise
        return _Opened(device, pixels, lends, fps, tunings)

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
        reader, self._reader = self._reader, None
        self._tunings = frozenset()
        if device is None or reader is None:
            return
        asyncio.get_running_loop().remove_reader(device.fd)
        reader.end()
        try:
            with self._clock.outside():
                await asyncio.to_thread(_close, device)
        except OSError as error:
            raise BusError(self._bus, f"cannot be closed: {error.strerror}") from error
        finally:
            await reader.ended()


def _close(device: kernel.Device) -> None:
    try:
        device.stream(False)
    except OSError as error:
        if error.errno != errno.ENODEV:  # unplugged: there is nothing left to stop
            raise
    finally:
        device.close()
