"""What one end of the link has still to say: facts, coalesced and bounded, and messages, in order.

A message is never sent before the facts that were queued before it, so an answer comes after what it
caused. Facts never pile up; messages that do mean the far end has stopped reading.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from firmware.core.errors import Exhausted
from firmware.core.events import Notice
from firmware.core.link.wire import Message, fact_of, pack
from firmware.core.queue import NoticeQueue

FACTS = 1024
MESSAGES = 4096
# Frames that are ready together leave in one piece of about this size.
PIECE_BYTES = 1 << 15

log = logging.getLogger(__name__)


class Outbox:
    """A queue of frames to come; putting never waits."""

    def __init__(self, *, facts: int = FACTS, messages: int = MESSAGES) -> None:
        self._facts = NoticeQueue(facts)
        self._put = 0
        self._messages: deque[tuple[int, bytes]] = deque()
        self._limit = messages
        self._wake = asyncio.Event()

    @property
    def lost(self) -> int:
        """Pulses dropped because the far end reads too slowly."""
        return self._facts.lost

    def fact(self, notice: Notice) -> None:
        """Queue a fact."""
        self._facts.put(notice)
        self._put += 1
        self._wake.set()

    def message(self, message: Message) -> None:
        """Queue a message behind the facts so far.

        Raises Exhausted when it is too long for a frame or the far end has stopped reading, ValueError for NaN.
        """
        frame = pack(message)
        if len(self._messages) >= self._limit:
            raise Exhausted("link", f"{len(self._messages)} messages wait for the far end")
        self._messages.append((self._put, frame))
        self._wake.set()

    async def piece(self) -> bytes:
        """The next bytes to send; waits until there are some."""
        while True:
            while not self._messages and not len(self._facts):
                self._wake.clear()
                await self._wake.wait()
            piece = bytearray()
            while len(piece) < PIECE_BYTES and (frame := self._next()) is not None:
                piece += frame
            if piece:
                return bytes(piece)

    def _next(self) -> bytes | None:
        """One frame (empty for a fact that cannot be sent), or None when there is none."""
        # Facts of before the message are those that are no longer queued, now or as a newer value.
        if self._messages and self._messages[0][0] <= self._put - len(self._facts):
            return self._messages.popleft()[1]
        notice = self._facts.take()
        if notice is None:
            return None
        try:
            return pack(fact_of(notice))
        except (Exhausted, ValueError) as error:
            log.error("%s %s cannot cross the link: %s", notice.event.topic, notice.event.id, error)
            return b""
