"""The way to the sound of the device: a connection to media for each who listens or talks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from firmware.core.errors import Unavailable
from firmware.core.link.channel import Channel, Connect
from firmware.core.stream.sound_wire import Reader, Wish, check_answer


@asynccontextmanager
async def sound(connect: Connect, wish: Wish) -> AsyncIterator[tuple[Channel, Reader]]:
    """A connection on which what is wanted has begun. Raises Unavailable, NotFound, Busy, Exhausted."""
    try:
        channel = await connect()
    except OSError:
        raise Unavailable("sound", "the media role does not answer now; try again") from None
    try:
        reader = Reader(channel)
        await channel.send(wish.packed())
        check_answer(await reader.line())
        yield channel, reader
    except ConnectionError:
        raise Unavailable("sound", "the media role went away") from None
    finally:
        channel.close()
