"""The source's end of a picture stream: who watches, what each wants, and room for one picture each.

A watcher that is slow finds the newest picture when it is ready again; nobody waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from firmware.core.link.channel import Channel
from firmware.core.stream.doors import ChannelServer
from firmware.core.stream.pace import Pace
from firmware.core.stream.wire import Cut, LineReader, StreamError, read_cut

MOST_WATCHERS = 32

log = logging.getLogger(__name__)


class Watcher:
    """One who watches; `cut` is None until it has said what it wants."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._slot: bytes | None = None
        self._filled = asyncio.Event()
        self._pace = Pace(0)
        self.cut: Cut | None = None

    def wants(self, t_ns: int) -> bool:
        """Take the picture of that time, or not: it has one still, or wants none yet. Once a picture."""
        return self.cut is not None and self._slot is None and self._pace.takes(t_ns)

    def wish(self, cut: Cut) -> None:
        """It wants this from now on."""
        if self.cut is None or self.cut.fps != cut.fps:
            self._pace = Pace(cut.fps)
        self.cut = cut

    def offer(self, message: bytes) -> None:
        """Send this next, in place of what waits."""
        self._slot = message
        self._filled.set()

    async def listen(self, wished: Callable[[Watcher], None]) -> None:
        """Read wishes until the far end is gone. Raises StreamError."""
        lines = LineReader()
        while data := await self._channel.receive():
            for line in lines.feed(data):
                self.wish(read_cut(line))
                wished(self)

    async def send(self) -> None:
        """Send what is offered until cancelled. Raises ConnectionError."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            message, self._slot = self._slot, None
            if message is not None:
                await self._channel.send(message)

    def close(self) -> None:
        """Hang up."""
        self._channel.close()


class FrameServer(ChannelServer):
    """Serves one source at `path` (None: only `join`) to this user and `uids`; `wished` is told of every new wish."""

    def __init__(
        self, path: Path | None, wished: Callable[[Watcher], None], *, uids: frozenset[int] = frozenset()
    ) -> None:
        super().__init__(path, uids=uids)
        self._wished = wished
        self.watchers: list[Watcher] = []

    async def stop(self) -> None:
        """Close the socket and hang up on everybody."""
        await super().stop()
        for watcher in tuple(self.watchers):
            watcher.close()

    async def _serve(self, channel: Channel) -> None:
        """One watcher from its first word to its end; trouble with it is never trouble of the source."""
        if len(self.watchers) >= MOST_WATCHERS:
            log.error("more than %d watch; one more is turned away", MOST_WATCHERS)
            channel.close()
            return
        watcher = Watcher(channel)
        self.watchers.append(watcher)
        try:
            async with asyncio.TaskGroup() as talk:
                sending = talk.create_task(self._send(watcher), name="picture stream out")
                await watcher.listen(self._wished)
                sending.cancel()
        except* StreamError as errors:
            log.error("a watcher is cut off: %s", errors.exceptions[0])
        finally:
            self.watchers.remove(watcher)
            watcher.close()

    @staticmethod
    async def _send(watcher: Watcher) -> None:
        with suppress(ConnectionError):  # it is gone: whoever listens to it sees that too
            await watcher.send()
        watcher.close()
