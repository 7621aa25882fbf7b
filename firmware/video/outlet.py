"""The way out of a source: makes the JPEG files that somebody watches, once each, and offers them to the watchers.

Nothing is made that nobody is ready to take. Small work is done at once; more of it in one thread for all sources, and
of the frames that come while that is busy with the same source, the newest waits and the others are left out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np

from firmware.core.stream.server import FrameServer, Watcher
from firmware.core.stream.wire import Jpeg, NoSignal, pack
from firmware.core.vocabulary.video import Signal
from firmware.video.audience import Audience
from firmware.video.handed import Show
from firmware.video.settings import quality_of
from firmware.video.sizes import offered, turned
from firmware.video.snapshot import jpeg_of
from firmware.video.source import Source
from hal.clock import Clock
from hal.pictures import Frame, Picture, Size
from hal.planes import picture_of, samples, scaled

log = logging.getLogger("lintel.video")

# So many pixels are made on the loop itself (1 to 2 ms; 5 ms are estimated for a Raspberry Pi 4): to hand them to a
# thread and back takes two wake-ups, which on a busy machine are longer than the work, and then pictures are lost.
AT_ONCE_PIXELS = 1280 * 720

# What tells two JPEG files of one frame apart: width and height before the turn, and the compression.
Make = tuple[int, int, int]
Watching = Watcher | Show


# A frame that cannot be made is followed by others like it, thirty a second: each kind of failure is told once in this.
TOLD_EVERY_S = 60.0


class Maker:
    """Makes JPEG files, at once or in one thread; virtual time stands still while that works."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pool: ThreadPoolExecutor | None = None
        self._told_ns: int | None = None
        self._told: set[type[Exception]] = set()  # since then
        self._untold = 0

    def _tried(self, job: Callable[[], list[Jpeg]]) -> list[Jpeg] | None:
        """What a job makes; None when it fails, which is logged: the camera goes on."""
        try:
            return job()
        except Exception as error:
            now_ns = self._clock.now_ns()
            if self._told_ns is None or now_ns - self._told_ns >= TOLD_EVERY_S * 1e9:
                self._told_ns = now_ns
                self._told.clear()
            if type(error) in self._told:
                self._untold += 1
                return None
            log.exception("no JPEG could be made (and %d more since this was last said)", self._untold)
            self._told.add(type(error))
            self._untold = 0
            return None

    def start(self) -> None:
        """Be ready; starting twice is harmless."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="jpeg")

    def make(self, job: Callable[[], list[Jpeg]], pixels: int, done: Callable[[list[Jpeg] | None], None]) -> None:
        """Do a job of so many pixels and call `done` on the loop with what it made; None: it failed, or is closed."""
        if self._pool is None:
            done(None)
            return
        if pixels <= AT_ONCE_PIXELS:
            done(self._tried(job))
            return
        outside = ExitStack()
        outside.enter_context(self._clock.outside())
        future = asyncio.get_running_loop().run_in_executor(self._pool, self._tried, job)

        def finished(future: asyncio.Future[list[Jpeg] | None]) -> None:
            outside.close()
            done(None if future.cancelled() else future.result())

        future.add_done_callback(finished)

    def close(self) -> None:
        """Take no more work; what is under way ends by itself."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


class Outlet:
    """One source's pictures on their way to whoever watches.

    Watchers connect to `server`, at `path` (None: by `join`); viewers are handed over to `audience`, at `hands`.
    """

    def __init__(
        self, source: Source, path: Path | None, maker: Maker, clock: Clock, hands: Path | None = None
    ) -> None:
        self._source = source
        self._maker = maker
        self._busy = False
        self._waits: Frame | None = None  # came while the maker was busy
        self.made = 0
        self.server = FrameServer(path, self._wished)
        self.audience = Audience(hands, clock, self._begins, self._size)
        source.tap.watch(self._frame)
        source.watch(self._signal)

    def _wished(self, watcher: Watcher) -> None:
        """Somebody new, or with another wish: the newest picture at once, or that there is none."""
        frame = self._source.tap.latest
        if frame is None:
            watcher.offer(pack(NoSignal(self._source.reason)))
        else:
            self._frame(frame)

    def _begins(self) -> None:
        """A viewer who has been shown nothing yet: the newest picture at once, or that there is none."""
        frame = self._source.tap.latest
        if frame is None:
            self.audience.take(NoSignal(self._source.reason))
        else:
            self._frame(frame)

    def _size(self) -> tuple[int, int]:
        size = turned(self._source.mode.size, self._source.image.rotate)
        return size.width, size.height

    def _signal(self) -> None:
        if self._source.phase is Signal.NO_SIGNAL:
            none = NoSignal(self._source.reason)
            message = pack(none)
            for watcher in self.server.watchers:
                if watcher.cut is not None:
                    watcher.offer(message)
            self.audience.take(none)

    def _frame(self, frame: Frame) -> None:
        if self._busy:
            self._waits = frame
            return
        self._waits = None
        t_ns = frame.t_ns
        wanted: dict[Make, list[Watching]] = {}
        everybody: tuple[Watching, ...] = (*self.server.watchers, *self.audience.shows)
        for watching in everybody:
            if watching.wants(t_ns):
                wanted.setdefault(self._what(watching), []).append(watching)
        if not wanted:
            return
        pixels = 0
        for width, height, _ in wanted:
            pixels += width * height
        image = self._source.image
        job = partial(jpegs_of, frame, wanted, image.mirror, image.rotate)
        self._busy = True
        self._maker.make(job, pixels, partial(self._done, wanted))

    def _what(self, watcher: Watching) -> Make:
        """What a watcher's wish means now; a size that is not offered any more is the source's own."""
        cut = watcher.cut
        assert cut is not None  # it wants none before it has wished
        size = own = self._source.mode.size
        if cut.width:
            wished = turned(Size(cut.width, cut.height), self._source.image.rotate)
            size = wished if wished in offered(own) else own
        compression = self._source.video.compression if cut.compression is None else cut.compression
        return size.width, size.height, compression

    def _done(self, wanted: Mapping[Make, list[Watching]], made: list[Jpeg] | None) -> None:
        self._busy = False
        if self._source.tap.latest is None:
            self._waits = None  # what is too late is not shown after the word that there is no signal
            return
        if made is not None:
            self.made += len(made)
            for jpeg, watching in zip(made, wanted.values(), strict=True):
                packed = None  # once for all watchers; shows take it as it is
                for each in watching:
                    if isinstance(each, Show):
                        each.take(jpeg)
                    else:
                        packed = packed or pack(jpeg)
                        each.offer(packed)
        if self._waits is not None:
            self._frame(self._waits)


def jpegs_of(frame: Frame, makes: Iterable[Make], mirror: bool, rotate: int) -> list[Jpeg]:
    """A frame as JPEG files in sizes and compressions, mirrored, then turned clockwise. Pure."""
    made = []
    for width, height, compression in makes:
        picture = frame.main
        if picture.y.width != width or picture.y.height != height:
            picture = scaled(picture, Size(width, height))
        if mirror or rotate:
            picture = oriented(picture, mirror=mirror, rotate=rotate)
        data = jpeg_of(picture, quality=quality_of(compression))
        made.append(Jpeg(data, picture.y.width, picture.y.height, frame.seq, frame.t_ns))
    return made


def oriented(picture: Picture, *, mirror: bool, rotate: int) -> Picture:
    """The picture mirrored left to right, then turned clockwise by a multiple of 90 degrees."""
    if not mirror and not rotate:
        return picture
    planes = [samples(plane) for plane in (picture.y, picture.u, picture.v)]
    if mirror:
        planes = [np.fliplr(plane) for plane in planes]
    y, u, v = (np.rot90(plane, -rotate // 90) for plane in planes)
    return picture_of(y, u, v, limited=picture.limited)
