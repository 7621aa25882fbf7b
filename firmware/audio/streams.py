"""Service `sound_streams`: microphones for those who listen and speakers for those who talk over the network.

A listener that is slow loses sound, nobody waits for it. One talks at a time through a speaker, with the lowest
priority: clips, rings and calls go before. Microphones that are turned off or disabled give silence.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar

import numpy as np
import soxr

from firmware.audio.mixer import Priority
from firmware.audio.mulaw import decode, encode
from firmware.audio.pcm import RATE_HZ
from firmware.audio.sound import Sound
from firmware.core.errors import Busy, Exhausted, StationError
from firmware.core.link.channel import Channel
from firmware.core.stream.doors import ChannelServer
from firmware.core.stream.sound_wire import BEGINS, END, Reader, Way, Wish, block, read_wish, refusal

MOST_LISTENERS = 16
NAME = "talk"
# Good for the 16 bits that mu-law stands for, and out after 40 ms; the better ones keep sound for 150 ms.
QUALITY = "LQ"

log = logging.getLogger("lintel.audio")


@contextmanager
def begun() -> Iterator[None]:
    """What goes wrong once sound is under way ends the connection: there is no line to say it in any more."""
    try:
        yield
    except StationError as error:
        raise ConnectionAbortedError(str(error)) from error


class SoundStreamsService(ChannelServer):
    """Listens at `path` for the network role; without one only inside this process (`join`)."""

    name: ClassVar[str] = "sound_streams"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, sound: Sound, path: Path | None = None) -> None:
        super().__init__(path)
        self._sound = sound
        self._listeners = 0
        self._talking: set[str] = set()

    async def _serve(self, channel: Channel) -> None:
        reader = Reader(channel)
        try:
            line = await reader.line()
            if not line:
                return
            wish = read_wish(line)
            await (self._hear(channel, wish) if wish.way is Way.HEAR else self._talk(channel, reader, wish))
        except StationError as error:
            await self._refuse(channel, error)
        except ConnectionError:
            pass  # it is gone
        except Exception:  # a fault with one is not one of the others
            log.exception("a stream of sound failed")
        finally:
            channel.close()

    @staticmethod
    async def _refuse(channel: Channel, error: StationError) -> None:
        with suppress(ConnectionError):  # it may not have waited for the answer
            await channel.send(refusal(error))

    async def _hear(self, channel: Channel, wish: Wish) -> None:
        """Send what a microphone hears. Raises StationError before it begins, ConnectionError when either end goes."""
        ear = self._sound.ear(wish.port)
        ear.check()
        if self._listeners >= MOST_LISTENERS:
            raise Exhausted("sound", f"{MOST_LISTENERS} listen already")
        down = soxr.ResampleStream(RATE_HZ, wish.rate_hz, 1, dtype="int16", quality=QUALITY)
        self._listeners += 1
        try:
            with ear.listen() as blocks:
                await channel.send(BEGINS)
                with begun():
                    async for each in blocks:
                        if (codes := encode(down.resample_chunk(each.samples))) != b"":
                            await channel.send(block(codes))
        finally:
            self._listeners -= 1

    async def _talk(self, channel: Channel, reader: Reader, wish: Wish) -> None:
        """Play what comes until its end; whoever goes before that is broken off. Raises as `_hear`, and Busy."""
        mixer = self._sound.mixer(wish.port)
        if mixer.name in self._talking:
            raise Busy("sound", "somebody else talks already")
        up = soxr.ResampleStream(wish.rate_hz, RATE_HZ, 1, dtype="int16", quality=QUALITY)
        self._talking.add(mixer.name)
        try:
            async with mixer.voice(Priority.STREAM, name=NAME) as voice:
                await channel.send(BEGINS)
                with begun():
                    while codes := await reader.block():
                        await voice.play(up.resample_chunk(decode(codes)))
                    if codes is None:
                        raise ConnectionResetError("it went without an end")
                    await voice.play(up.resample_chunk(np.empty(0, np.int16), last=True))
                    await voice.finished()
            await channel.send(END)
        finally:
            self._talking.discard(mixer.name)
