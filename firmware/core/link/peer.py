"""One end of a connection, the same in the hub and in a role: sends the outbox, asks, answers.

What arrives is a typed message; what is asked is answered by a task of its own, so nothing that takes
long holds up the facts behind it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from firmware.core.actions import SYSTEM, Caller
from firmware.core.errors import Exhausted, Invalid, StationError, Unavailable
from firmware.core.link.channel import Channel
from firmware.core.link.outbox import Outbox
from firmware.core.link.wire import (
    Answer,
    Ask,
    Fault,
    Hello,
    Message,
    Op,
    Unpacker,
    error_of,
    fault_of,
    pack,
)
from hal.clock import Clock
from hal.errors import HalError

# A far end that takes nothing for this long is given up.
STALLED_S = 10.0
# Questions of one far end that may be under way at once.
ASKS = 256
# After so many messages in a row everything else gets a turn: the door comes first.
TURN = 32

log = logging.getLogger(__name__)

Serve = Callable[[Ask], Awaitable[Any]]


class Peer:
    """A connected far end called `name`."""

    def __init__(self, channel: Channel, clock: Clock, outbox: Outbox, *, name: str) -> None:
        self.name = name
        self.outbox = outbox
        self._channel = channel
        self._clock = clock
        self._unpacker = Unpacker()
        self._arrived: deque[Message] = deque()
        self._turn = 0
        self._numbers = 0
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._serving = 0
        self._gone = False

    async def next(self) -> Message | None:
        """The next message, None at the end. Raises WireError."""
        self._turn += 1
        if self._turn % TURN == 0:
            await self._clock.sleep(0)
        while not self._arrived:
            data = await self._channel.receive()
            if not data:
                return None
            self._arrived.extend(self._unpacker.feed(data))
        return self._arrived.popleft()

    async def say(self, message: Hello) -> None:
        """Send one message now, before `send` runs. Raises ConnectionError."""
        await self._channel.send(pack(message))

    async def send(self) -> None:
        """Send the outbox until cancelled. Raises ConnectionError; also when the far end takes nothing."""
        while True:
            piece = await self.outbox.piece()
            try:
                async with asyncio.timeout(STALLED_S):
                    await self._channel.send(piece)
            except TimeoutError:
                raise ConnectionAbortedError(f"{self.name} has read nothing for {STALLED_S:g} s") from None

    def tell(self, message: Message) -> None:
        """Queue a message. Raises Exhausted when it cannot be, ValueError for NaN."""
        self.outbox.message(message)

    async def ask(
        self, op: Op, caller: Caller = SYSTEM, *, name: str = "", data: object = None, cause: str | None = None
    ) -> Any:
        """Ask the far end. Raises what it answers, Unavailable when it goes away, Exhausted for too much data."""
        if self._gone:
            raise self._away(name)
        self._numbers += 1
        number = self._numbers
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            self.tell(Ask(number=number, op=op, caller=caller, name=name, data=data, cause=cause))
            return await answer
        except ValueError as error:
            raise Invalid(name or "link", str(error)) from None
        finally:
            del self._asked[number]

    def answered(self, message: Answer | Fault) -> None:
        """An answer has come; one that nobody waits for any more is dropped."""
        waiting = self._asked.get(message.number)
        if waiting is None or waiting.done():
            return
        if isinstance(message, Fault):
            waiting.set_exception(error_of(message))
        else:
            waiting.set_result(message.data)

    def serve(self, ask: Ask, serve: Serve, group: asyncio.TaskGroup) -> None:
        """Answer a question in a task of `group`; too many at once are refused."""
        if self._serving >= ASKS:
            self._reply(fault_of(ask.number, Exhausted(ask.name, f"{ASKS} questions of {self.name} are under way")))
            return
        self._serving += 1
        group.create_task(self._serve(ask, serve), name=f"{self.name} asks {ask.op} {ask.name}")

    async def _serve(self, ask: Ask, serve: Serve) -> None:
        reply: Answer | Fault
        try:
            reply = Answer(number=ask.number, data=await serve(ask))
        except StationError as error:
            reply = fault_of(ask.number, error)
        except HalError as error:
            reply = fault_of(ask.number, Unavailable(error.where, error.message))
        except Exception:
            log.exception("%s asked %s %s: the owner failed", self.name, ask.op, ask.name)
            reply = fault_of(ask.number, Unavailable(ask.name, "failed inside; the log of its role says how"))
        finally:
            self._serving -= 1
        self._reply(reply)

    def _reply(self, reply: Answer | Fault) -> None:
        """Queue an answer; one that is too long becomes a fault, a far end that has stopped reading is cut off."""
        try:
            try:
                self.tell(reply)
            except (Exhausted, ValueError) as error:
                self.tell(fault_of(reply.number, Exhausted("link", f"the answer cannot cross: {error}")))
        except Exhausted as error:
            log.error("%s is cut off: %s", self.name, error)
            self.close()

    def close(self) -> None:
        """End the connection; whoever waits for an answer gets Unavailable."""
        self._gone = True
        self._channel.close()
        for number, waiting in self._asked.items():
            if not waiting.done():
                waiting.set_exception(self._away(f"ask {number}"))

    def _away(self, where: str) -> Unavailable:
        return Unavailable(where or "link", f"{self.name} is away")
