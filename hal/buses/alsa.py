"""The sound wires on pyalsaaudio: each device has a thread that waits for the card, and the loop never does.

A thread hands one period at a time to the loop, or takes one from it. Only this file knows the library.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, Self

from hal.clock import Clock, within
from hal.errors import BusError, LineInUse
from hal.sounds import PcmBlock
from hal.wires import LostHandler, PcmHandler

log = logging.getLogger(__name__)

PERIODS_PER_S = 100
# Periods in the card's own buffer, and periods that wait before it: together they are the delay of what is played.
PERIODS_IN_CARD = 4
MOST_WAITING = 2
# Blocks that a loop may be behind what is recorded; more are thrown away and counted.
MOST_BEHIND = 50
BYTES_PER_SAMPLE = 2
# What waits in the queue of periods where the caller waits for silence.
DRAIN = b""
# A card that does not answer a close for so long is left to its thread.
LONGEST_CLOSE_S = 2.0


class Pcm(Protocol):
    """The part of alsaaudio.PCM that is used."""

    def info(self) -> dict[str, Any]: ...
    def read(self) -> tuple[int, bytes]: ...
    def write(self, data: bytes) -> int: ...
    def drain(self) -> None: ...
    def close(self) -> None: ...


def open_pcm(name: str, device: str, *, capture: bool, rate_hz: int, channels: int) -> Pcm:
    """Open a device of the ALSA configuration with exactly this format. Blocks. Raises LineInUse, BusError."""
    import alsaaudio

    period = rate_hz // PERIODS_PER_S
    try:
        pcm: Pcm = alsaaudio.PCM(
            type=alsaaudio.PCM_CAPTURE if capture else alsaaudio.PCM_PLAYBACK,
            mode=alsaaudio.PCM_NORMAL,
            rate=rate_hz,
            channels=channels,
            format=alsaaudio.PCM_FORMAT_S16_LE,
            periodsize=period,
            periods=PERIODS_IN_CARD,
            device=device,
        )
    except alsaaudio.ALSAAudioError as error:
        if "busy" in str(error).lower():
            raise LineInUse(name, f"the audio device {device!r} is in use by another program") from error
        raise BusError(name, f"cannot open the audio device {device!r}: {error}") from error
    given = pcm.info()
    wanted = {"rate": rate_hz, "channels": channels, "period_size": period}
    for what, value in wanted.items():
        if given[what] != value:
            pcm.close()
            words = what.replace("_", " ")
            raise BusError(name, f"the audio device {device!r} gives {words} {given[what]}, not {value}")
    return pcm


class _Card:
    """A device and its thread. The thread alone calls the device; the loop alone keeps everything else."""

    capture: ClassVar[bool]

    def __init__(self, name: str, device: str, pcm: Pcm, clock: Clock, *, rate_hz: int, channels: int) -> None:
        self._name = name
        self._device = device
        self._pcm = pcm
        self._clock = clock
        self._period = rate_hz // PERIODS_PER_S
        self._frame_bytes = channels * BYTES_PER_SAMPLE
        self._loop = asyncio.get_running_loop()
        self._gone = ""
        self._closing = threading.Event()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=f"sound {name}", daemon=True)

    @classmethod
    async def open(cls, name: str, device: str, clock: Clock, *, rate_hz: int, channels: int) -> Self:
        """Open the device of that name. Raises LineInUse, BusError."""
        pcm = await asyncio.to_thread(open_pcm, name, device, capture=cls.capture, rate_hz=rate_hz, channels=channels)
        card = cls(name, device, pcm, clock, rate_hz=rate_hz, channels=channels)
        card._thread.start()
        return card

    @property
    def period_frames(self) -> int:
        return self._period

    def _run(self) -> None:
        import alsaaudio

        why = "its thread has crashed"
        try:
            why = self._work()
        except (alsaaudio.ALSAAudioError, OSError) as error:
            why = str(error) or type(error).__name__
        finally:
            self._pcm.close()
            self._hop(self._end, why)

    def _work(self) -> str:
        """The thread's work, until `_closing` is set; the result says why the card has ended before, or is empty."""
        raise NotImplementedError

    def _hop(self, call: Callable[..., None], *args: object) -> None:
        """Carry a value to the loop; a loop that has ended needs none."""
        try:
            self._loop.call_soon_threadsafe(call, *args)
        except RuntimeError:
            self._closing.set()

    def _end(self, why: str) -> None:
        if not self._gone:
            self._gone = f"the audio device {self._device!r} is gone: {why}"
            log.warning("%s: %s", self._name, self._gone)
            self._lost(BusError(self._name, self._gone))
        elif why:
            log.warning("%s: the audio device %r failed while it was closed: %s", self._name, self._device, why)
        self._ended.set()

    def _lost(self, error: BusError) -> None:
        """The card has gone by itself."""

    def _wake(self) -> None:
        """Make the thread see that it shall end."""

    async def close(self) -> None:
        self._gone = self._gone or f"the audio device {self._device!r} was closed"
        self._closing.set()
        self._wake()
        try:
            async with within(LONGEST_CLOSE_S):
                await self._ended.wait()
        except TimeoutError:
            log.error("%s: the audio device %r does not let itself be closed", self._name, self._device)


class AlsaOut(_Card):
    """A device that plays; implements PcmOut. Open it with `open`."""

    capture = False

    def __init__(self, name: str, device: str, pcm: Pcm, clock: Clock, *, rate_hz: int, channels: int) -> None:
        super().__init__(name, device, pcm, clock, rate_hz=rate_hz, channels=channels)
        self._turn = asyncio.Lock()
        self._waiting: deque[bytes] = deque()
        self._filled = threading.Condition()
        self._under_way = 0
        self._moved = asyncio.Event()
        self._underruns = 0

    @property
    def underruns(self) -> int:
        return self._underruns

    async def write(self, samples: bytes) -> None:
        if len(samples) % self._frame_bytes:
            raise BusError(self._name, f"{len(samples)} bytes are not whole frames of {self._frame_bytes}")
        step = self._period * self._frame_bytes
        async with self._turn:
            for start in range(0, len(samples), step):
                await self._until(MOST_WAITING - 1)
                self._put(samples[start : start + step])

    async def drain(self) -> None:
        async with self._turn:
            self._check_here()
            self._put(DRAIN)
            await self._until(0)

    async def _until(self, most: int) -> None:
        """Wait until at most so many periods are under way. Raises BusError."""
        while self._under_way > most and not self._gone:
            self._moved.clear()
            await self._moved.wait()
        self._check_here()

    def _check_here(self) -> None:
        if self._gone:
            raise BusError(self._name, self._gone)

    def _put(self, item: bytes) -> None:
        self._under_way += 1
        with self._filled:
            self._waiting.append(item)
            self._filled.notify()

    def _wake(self) -> None:
        self._moved.set()
        with self._filled:
            self._filled.notify()

    def _lost(self, error: BusError) -> None:
        self._moved.set()

    def _work(self) -> str:
        while (item := self._next()) is not None:
            if item == DRAIN:
                self._pcm.drain()
                self._hop(self._taken, 0)
            else:
                self._hop(self._taken, self._play(item))
        return ""  # closing lets the card's own buffer play out; the library's drop() would hold up every thread

    def _next(self) -> bytes | None:
        """What to do next: play this, drain, or end (None)."""
        with self._filled:
            while not self._waiting and not self._closing.is_set():
                self._filled.wait()
            return None if self._closing.is_set() else self._waiting.popleft()

    def _play(self, data: bytes) -> int:
        """Play it all; how often the card had run dry."""
        dry = 0
        while data and not self._closing.is_set():
            written = self._pcm.write(data)
            if written < 0:
                dry += 1  # the library has made the card ready again, and has played nothing
            else:
                data = data[written * self._frame_bytes :]
        return dry

    def _taken(self, dry: int) -> None:
        self._under_way -= 1
        self._underruns += dry
        self._moved.set()


class AlsaIn(_Card):
    """A device that records; implements PcmIn. Open it with `open`."""

    capture = True

    def __init__(self, name: str, device: str, pcm: Pcm, clock: Clock, *, rate_hz: int, channels: int) -> None:
        super().__init__(name, device, pcm, clock, rate_hz=rate_hz, channels=channels)
        self._handler: PcmHandler | None = None
        self._arrivals: deque[PcmBlock] = deque()
        self._lost_handler: LostHandler | None = None
        self._lost_error: BusError | None = None

    def receive(self, handler: PcmHandler | None) -> None:
        self._handler = handler

    def on_lost(self, handler: LostHandler | None) -> None:
        self._lost_handler = handler
        if handler is not None and self._lost_error is not None:
            handler(self._lost_error)

    def _lost(self, error: BusError) -> None:
        self._lost_error = error
        if self._lost_handler is not None:
            self._lost_handler(error)

    def _work(self) -> str:
        lost = 0
        while not self._closing.is_set():
            frames, samples = self._pcm.read()
            if frames < 0:
                lost += 1  # the card's buffer ran over; the library has made the card ready again
            elif frames and len(self._arrivals) >= MOST_BEHIND:
                lost += 1
            elif frames:
                self._arrivals.append(PcmBlock(self._clock.now_ns(), samples, lost))
                self._hop(self._arrived)
                lost = 0
            else:
                return "it gives no more sound"
        return ""

    def _arrived(self) -> None:
        block = self._arrivals.popleft()
        if self._handler is not None and not self._gone:
            self._handler(block)
