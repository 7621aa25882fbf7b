"""What comes from a video device: its buffers as pictures, and the frames that are handed on.

Planar pictures are lent where that is possible, packed ones made planar on the loop, straight out of the buffer. Motion
JPEG is decoded in a thread: that takes as long as all else that is done with a frame.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from hal.buses import v4l2_kernel as kernel
from hal.buses.libyuv import Packed
from hal.buses.motion_jpeg import ROOMS, Decoder, Torn
from hal.buses.rooms import Rooms, Watched
from hal.buses.stamps import taken_ns
from hal.clock import Clock
from hal.errors import BusError
from hal.pictures import Frame, Layout, Picture, Size
from hal.wires import FrameHandler, LostHandler

log = logging.getLogger("hal.camera")

# So many stay with the driver, or the next frame would have no place while one is being handed out.
STAY = 2


class Pictures:
    """The pictures in a device's buffers; where it `lends`, without a copy, as long as enough buffers stay with it.

    A buffer that is lent is handed in after nobody holds anything of it any more. That is looked up when the next
    frame comes, on the loop: whoever lets go last may be a thread or the garbage collector, and neither is to speak
    with a driver, least of all with one that was closed or has begun another stream. Nobody has to wait for it: there
    always comes a next frame, for which buffers stayed. Raises ValueError where no picture has the driver's numbers.
    """

    def __init__(self, device: kernel.Device, pixels: kernel.Pixels, *, lends: bool) -> None:
        self.device = device
        self._buffers = device.buffers
        self._copies = copies_of(pixels)
        self._layout = layout_of(pixels) if lends else None
        if any(buffer.length < self._copies.needed for buffer in device.buffers):
            raise ValueError(f"its buffers are smaller than a picture, which needs {self._copies.needed} bytes")
        self._most = len(device.buffers) - STAY - 1  # lent before this one
        self.lent: list[int] = []
        """The buffers that are lent, or were and are not handed in yet."""

    def of(self, index: int, used: int) -> Picture:
        """The picture in a full buffer, which has so many bytes. Raises OSError, or ValueError for too few of them."""
        buffer, layout = self._buffers[index], self._layout
        if layout is not None and used >= layout.needed:
            if len(self.lent) > self._most:
                self.take_back()
            if len(self.lent) <= self._most:
                self.lent.append(index)
                return layout.picture(buffer.whole.data)
        try:
            return self._copies.picture(buffer, used)
        finally:
            self.device.hand_in(index)

    def take_back(self) -> None:
        """Hand in what was lent and is held no more. Raises OSError."""
        buffers = self._buffers
        for index in tuple(self.lent):
            if not buffers[index].held:
                self.lent.remove(index)
                self.device.hand_in(index)


class Reader:
    """Takes frames off a device whenever the kernel has some."""

    def __init__(self, bus: str, clock: Clock, device: kernel.Device, handler: FrameHandler, lost: LostHandler) -> None:
        self._bus = bus
        self._clock = clock
        self._device = device
        self._handler = handler
        self._lost = lost
        self._first: int | None = None
        self._over = False
        self.refused = ""
        """Why what came last is no picture; empty where it is one, or nothing has come."""

    def ready(self) -> None:
        """Deliver one frame, if one has come (the loop calls again for the next); what is lost is reported once."""
        if self._over:  # the loop had this call on its list already
            return
        try:
            frame = self._next()
        except BlockingIOError:
            return
        except (OSError, ValueError) as error:
            why = self._why(error)
        else:
            if frame is None:
                return
            self.refused = ""
            self._handler(frame)
            del frame  # or we were one who holds it
            try:
                self._handed_on()
                return
            except OSError as error:
                why = self._why(error)
        # Out here the error is gone, and with it what its trace held of a buffer: who hears this may close the device.
        self._lose(why)

    def _lose(self, why: str) -> None:
        """Deliver nothing any more, and tell why."""
        self._over = True
        asyncio.get_running_loop().remove_reader(self._device.fd)
        self._lost(BusError(self._bus, why))

    def end(self) -> None:
        """Deliver nothing from now on; the loop does not call any more."""
        self._over = True

    async def ended(self) -> None:
        """Wait until nothing of it is at work, after `end`."""

    def _why(self, error: OSError | ValueError) -> str:
        gone = isinstance(error, OSError) and error.errno == errno.ENODEV
        return "the camera was unplugged" if gone else f"the camera fails: {error}"

    def _next(self) -> Frame | None:
        buffer = self._device.fetch()
        flags, sequence = buffer.flags, buffer.sequence
        if flags & kernel.BUFFER_ERROR:  # half a frame counts as a missed one
            self._device.hand_in(buffer.index)
            self.refused = "the driver says that some of it is missing"
            return None
        if self._first is None:
            self._first = sequence - 1
        t_ns = now_ns = self._clock.now_ns()
        if flags & kernel.MONOTONIC:
            stamp = buffer.timestamp
            t_ns = taken_ns(stamp.s * 1_000_000_000 + stamp.us * 1000, now_ns)
        return self._frame(t_ns, sequence - self._first, buffer.index, buffer.bytesused)

    def _frame(self, t_ns: int, seq: int, index: int, used: int) -> Frame | None:
        """The frame in a buffer, which is handed in by this or later; None where it comes later, or never."""
        raise NotImplementedError

    def _handed_on(self) -> None:
        """A frame was delivered. Raises OSError."""


class PictureReader(Reader):
    """For a camera that sends pictures as they are."""

    def __init__(self, bus: str, clock: Clock, pictures: Pictures, handler: FrameHandler, lost: LostHandler) -> None:
        super().__init__(bus, clock, pictures.device, handler, lost)
        self._pictures = pictures

    def _frame(self, t_ns: int, seq: int, index: int, used: int) -> Frame:
        return Frame(t_ns, seq, self._pictures.of(index, used))

    def _handed_on(self) -> None:
        if self._pictures.lent:
            self._pictures.take_back()


class MotionReader(Reader):
    """For a camera that sends JPEG files.

    One is decoded at a time; of those that come meanwhile the newest waits, and the others are left out. So are those
    that are torn, of which the first of a stream is told.
    """

    def __init__(
        self, bus: str, clock: Clock, device: kernel.Device, decoder: Decoder, handler: FrameHandler, lost: LostHandler
    ) -> None:
        super().__init__(bus, clock, device, handler, lost)
        self._decoder = decoder
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="camera")
        self._busy: asyncio.Future[Picture] | None = None
        self._waits: tuple[int, int, bytes] | None = None
        self._told = False

    def _frame(self, t_ns: int, seq: int, index: int, used: int) -> None:
        file = self._device.buffers[index].whole[:used].tobytes()
        self._device.hand_in(index)
        if self._busy is None:
            self._decode(t_ns, seq, file)
        else:
            self._waits = t_ns, seq, file

    def _decode(self, t_ns: int, seq: int, file: bytes) -> None:
        outside = ExitStack()
        outside.enter_context(self._clock.outside())
        self._busy = asyncio.get_running_loop().run_in_executor(self._pool, self._decoder.picture, file)

        def done(future: asyncio.Future[Picture]) -> None:
            outside.close()
            self._busy = None
            self._decoded(t_ns, seq, future)

        self._busy.add_done_callback(done)

    def _decoded(self, t_ns: int, seq: int, future: asyncio.Future[Picture]) -> None:
        # Not raised here: its trace, which holds a room for a picture, would hold itself and wait for the collector.
        error = future.exception()
        if self._over:
            return
        if error is None:
            self.refused = ""
            self._handler(Frame(t_ns, seq, future.result()))
        elif isinstance(error, Torn):
            self.refused = str(error)
            if not self._told:
                log.warning("%s: a torn picture is left out, as all others are from now on: %s", self._bus, str(error))
                self._told = True
        else:
            self._lose(f"its pictures cannot be decoded: {type(error).__name__}: {error}")
        if self._waits is not None and not self._over:
            waited, self._waits = self._waits, None
            self._decode(*waited)

    async def ended(self) -> None:
        """Wait for what is being decoded, which is dropped."""
        if self._busy is not None:
            await asyncio.wait([self._busy])
        self._pool.shutdown(wait=False)


def full_range(pixels: kernel.Pixels) -> bool:
    """Whether luma is 0 to 255."""
    return bool(pixels.quantization == kernel.FULL_RANGE or pixels.colorspace == kernel.JPEG_COLOURS)


def layout_of(pixels: kernel.Pixels) -> Layout:
    """How a driver lays out planar pictures. Raises ValueError where no picture has its numbers."""
    return Layout(pixels.width, pixels.height, stride=pixels.bytesperline, limited=not full_range(pixels))


class Copies:
    """Planar pictures that keep nothing of a driver's buffer. Raises ValueError where no picture has its numbers."""

    def __init__(self, pixels: kernel.Pixels) -> None:
        self._layout = layout_of(pixels)
        self.needed = self._layout.needed
        self._rooms = Rooms(self.needed, ROOMS)

    def picture(self, memory: Watched, used: int) -> Picture:
        """The picture in the first so many bytes of some memory. Raises ValueError for too few of them."""
        self._layout.check(used)
        room = self._rooms.free()
        room.whole[:] = memory.whole[: self.needed]
        return self._layout.picture(room.view())


def copies_of(pixels: kernel.Pixels) -> Copies | Packed:
    """What makes a driver's pictures our own. Raises ValueError where no picture has its numbers."""
    if pixels.pixelformat == kernel.PACKED:
        size, limited = Size(pixels.width, pixels.height), not full_range(pixels)
        return Packed(size, pixels.bytesperline, limited=limited, most=ROOMS)
    return Copies(pixels)
