"""The frame tap of a camera: its newest frame, and followers that take every so many a second.

Whoever looks at pictures in the media role (encoders, detectors) gets them here. Nothing waits for a follower: it has
room for one frame, and a newer one takes the place of one that was not fetched. Frames are never written to
(`hal.pictures`), so everybody may keep what was handed out. For a detector:

    with source.tap.follow(hz=4) as follower:
        while True:
            frame = await follower.next()       # suspends while there is no signal
            look_at(small_luma(frame))          # 320 samples wide, as the camera sees it: neither mirrored nor turned
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from firmware.core.stream.pace import Pace
from firmware.video.sizes import small
from hal.pictures import Frame, Plane, Size
from hal.planes import thinned


def small_luma(frame: Frame) -> Plane:
    """Luma in the size of the small stream, thinned out of the large one where the camera makes no small one."""
    if frame.lores is not None:
        return frame.lores.y
    return thinned(frame.main.y, small(Size(frame.main.width, frame.main.height)))


class Follower:
    """One who takes frames at a rate of its own; closed by `with`."""

    def __init__(self, hz: float, leave: Callable[[Follower], None]) -> None:
        self.pace = Pace(hz)
        self._leave = leave
        self._frame: Frame | None = None
        self._wake = asyncio.Event()
        self.skipped = 0

    def offer(self, frame: Frame) -> None:
        """A new frame, which replaces one that was not fetched; not taken when it is not due."""
        if not self.pace.takes(frame.t_ns):
            return
        self.skipped += self._frame is not None
        self._frame = frame
        self._wake.set()

    async def next(self) -> Frame:
        """The newest frame that was not fetched yet; waits for one, as long as there is no signal."""
        while self._frame is None:
            self._wake.clear()
            await self._wake.wait()
        frame, self._frame = self._frame, None
        return frame

    def close(self) -> None:
        """Take no more; closing twice is harmless."""
        self._leave(self)

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FrameTap:
    """Where a camera's frames can be had."""

    def __init__(self) -> None:
        self._followers: list[Follower] = []
        self._watchers: list[Callable[[Frame], None]] = []
        self.latest: Frame | None = None  # None while there is no signal

    def follow(self, hz: float = 0) -> Follower:
        """Take about `hz` frames a second from now on, or all of them (0). Close it at the end."""
        follower = Follower(hz, self._leave)
        self._followers.append(follower)
        return follower

    def watch(self, watcher: Callable[[Frame], None]) -> None:
        """Call `watcher` for every frame; it may neither wait nor raise."""
        self._watchers.append(watcher)

    def put(self, frame: Frame) -> None:
        """The camera has a new frame."""
        self.latest, t_ns = frame, frame.t_ns
        for follower in self._followers:
            if t_ns >= follower.pace.next_ns:  # asked here: most frames are none that a detector takes
                follower.offer(frame)
        for watcher in self._watchers:
            watcher(frame)

    def lose(self) -> None:
        """There is no signal any more."""
        self.latest = None

    def _leave(self, follower: Follower) -> None:
        if follower in self._followers:
            self._followers.remove(follower)
