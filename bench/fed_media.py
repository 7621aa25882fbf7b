"""The media role's way out of pictures, fed with ready JPEG files at an even rate: no camera, no encoder.

It speaks for the media role in `fan_out.py`, where its peer is fed with the same files by a stand-in for a
camera: what costs processor time here beyond the waking up is the handing out. Its sockets take the place of those of a
device that runs, whose network role hands its viewers over to it.

    python -m bench.fed_media FRAMES FPS WATCHERS-PATH HANDS-PATH
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from bench.bare_loop import frames_of
from firmware.core.stream.server import FrameServer
from firmware.core.stream.wire import Jpeg, pack
from firmware.video.audience import Audience
from hal.clock import SystemClock

SIZE = (1280, 720)


class Fed:
    """One source whose pictures are there already."""

    def __init__(self, frames: list[bytes], fps: int, watchers: Path, hands: Path) -> None:
        self._frames = frames
        self._period_ns = round(1e9 / fps)
        self._clock = SystemClock()
        self._due_ns = self._clock.now_ns()
        self._number = 0
        self.server = FrameServer(watchers, lambda watcher: None)
        self.audience = Audience(hands, self._clock, lambda: None, lambda: SIZE)

    async def run(self) -> None:
        """Hand out until cancelled."""
        await self.server.start()
        self.audience.start()
        self._next()
        print("ready", flush=True)
        await self.server.run()

    def _next(self) -> None:
        self._due_ns += self._period_ns
        self._clock.call_at(self._due_ns, self._next)
        self._number += 1
        t_ns = self._clock.now_ns()
        jpeg = Jpeg(self._frames[self._number % len(self._frames)], *SIZE, self._number, t_ns)
        for show in self.audience.shows:
            if show.wants(t_ns):
                show.take(jpeg)
        for watcher in self.server.watchers:
            if watcher.wants(t_ns):
                watcher.offer(pack(jpeg))


def main() -> None:
    """Feed until somebody ends it."""
    frames, fps, watchers, hands = frames_of(Path(sys.argv[1])), int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])
    asyncio.run(Fed(frames, fps, watchers, hands).run())


if __name__ == "__main__":
    main()
