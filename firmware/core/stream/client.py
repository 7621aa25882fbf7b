"""The watcher's end of a picture stream: asks for a cut, hands on what comes, comes back when the source is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from firmware.core.errors import Unavailable
from firmware.core.link.channel import Channel, Connect
from firmware.core.stream.wire import Cut, Jpeg, NoSignal, StreamError, Unpacker, pack_cut
from hal.clock import Clock

AGAIN_S, AGAIN_AT_MOST_S = 0.1, 1.0
AWAY = NoSignal("the media role is away")


class FrameClient:
    """Watches one source; `handler` is called for every picture, and whenever there are none and why."""

    def __init__(self, connect: Connect, clock: Clock, cut: Cut, handler: Callable[[Jpeg | NoSignal], None]) -> None:
        self._connect = connect
        self._clock = clock
        self._cut = cut
        self._handler = handler
        self._changed = asyncio.Event()

    def wish(self, cut: Cut) -> None:
        """Want something else from now on."""
        if cut != self._cut:
            self._cut = cut
            self._changed.set()

    async def run(self) -> None:
        """Watch until cancelled, whoever restarts meanwhile."""
        again_s = AGAIN_S
        while True:
            try:
                channel = await self._connect()
            except OSError:
                heard = False
            else:
                heard = await self._watch(channel)
            self._handler(AWAY)
            again_s = AGAIN_S if heard else min(2 * again_s, AGAIN_AT_MOST_S)
            await self._clock.sleep(again_s)

    async def _watch(self, channel: Channel) -> bool:
        """One connection to its end; answers whether anything came."""
        heard = False

        async def listen() -> None:
            unpacker = Unpacker()

            def take(data: bytes) -> None:
                nonlocal heard
                for message in unpacker.feed(data):
                    heard = True
                    self._handler(message)

            await channel.hand_on(take)
            raise ConnectionResetError("the source has hung up")

        try:
            async with asyncio.TaskGroup() as talk:
                talk.create_task(listen(), name="picture stream in")
                while True:
                    self._changed.clear()
                    await channel.send(pack_cut(self._cut))
                    await self._changed.wait()
        except* (ConnectionError, StreamError):
            pass  # both mean that this connection is of no more use; `run` makes another and says so
        finally:
            channel.close()
        # A group of tasks that fails while it is cancelled says that it failed, and nothing of the cancellation.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError
        return heard


async def one_picture(connect: Connect, cut: Cut, within_s: float) -> Jpeg:
    """The newest picture of a source. Raises Unavailable with the reason when there is none in time."""
    try:
        async with asyncio.timeout(within_s):
            channel = await connect()
            try:
                await channel.send(pack_cut(cut))
                unpacker = Unpacker()
                while data := await channel.receive():
                    for message in unpacker.feed(data):
                        if isinstance(message, Jpeg):
                            return message
                        raise Unavailable("video", f"no signal: {message.reason}")
            finally:
                channel.close()
    except TimeoutError:
        raise Unavailable("video", f"no picture came within {within_s:g} s") from None
    except (OSError, StreamError):
        pass  # the answer below is the same for all ways in which the source is not there
    raise Unavailable("video", f"no signal: {AWAY.reason}")
