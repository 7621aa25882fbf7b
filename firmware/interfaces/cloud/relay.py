"""One standing connection to the dispatcher: its requests are answered by the device's API, within limits.

Every request still needs the log-in of an account of this device: the dispatcher is a way, not a person. What it asks
for too fast or too much is refused one by one; what breaks the protocol ends the connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from starlette.types import ASGIApp

from firmware.core.errors import Busy, Exhausted, Invalid, StationError, Unavailable
from firmware.interfaces.cloud.asgi import REQUEST_S, TooLarge, TooLong, exchange
from firmware.interfaces.cloud.contract import (
    RESPONSE_BYTES,
    Cancel,
    Frame,
    Hello,
    Refused,
    Registered,
    Request,
    Response,
    pack,
    unpack,
)
from firmware.interfaces.cloud.socket import POLICY, Broken, WebSocket
from hal.clock import Clock

IN_FLIGHT = 4
BURST = 40
EACH_S = 0.1
# The dispatcher is pinged this often, and is gone when it says nothing between two pings.
PING_S = 30.0

log = logging.getLogger("lintel.cloud")


class Budget:
    """How many requests may come: `BURST` at once, then one each `EACH_S`."""

    def __init__(self, now_ns: int) -> None:
        self._credit = float(BURST)
        self._counted_ns = now_ns

    def take(self, now_ns: int) -> bool:
        """Take one; False when there is none left."""
        earned = (now_ns - self._counted_ns) / (EACH_S * 1e9)
        self._credit = min(float(BURST), self._credit + earned)
        self._counted_ns = now_ns
        if self._credit < 1:
            return False
        self._credit -= 1
        return True


class Relay:
    """Serves one connection; `registered` is called when the dispatcher says that the owner has registered us."""

    def __init__(
        self,
        link: WebSocket,
        app: Callable[[], ASGIApp | None],
        clock: Clock,
        registered: Callable[[], Awaitable[None]],
    ) -> None:
        self._link = link
        self._app = app
        self._clock = clock
        self._registered = registered
        self._budget = Budget(clock.now_ns())
        self._requests: dict[str, asyncio.Task[None]] = {}

    async def run(self, hello: Hello) -> str:
        """Serve until the dispatcher hangs up; returns why. Raises Broken."""
        try:
            await self._serve(hello)
        except* Broken as broken:
            first: BaseException = broken
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            why = Broken(str(first))
        else:
            return "it hung up"
        raise why

    async def _serve(self, hello: Hello) -> None:
        await self._link.send(pack(hello))
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch(), name="cloud: is the dispatcher there")
            try:
                while (text := await self._link.receive()) is not None:
                    await self._take(text, group)
            finally:
                watching.cancel()
                for task in self._requests.values():
                    task.cancel()

    async def _watch(self) -> None:
        while True:
            before = self._link.heard
            await self._link.ping()
            await self._clock.sleep(PING_S)
            if self._link.heard == before:
                raise Broken(f"it has said nothing for {PING_S:g} s")

    async def _take(self, text: str, group: asyncio.TaskGroup) -> None:
        try:
            frame = unpack(text)
        except Invalid as error:
            await self._link.close(POLICY, "not the protocol")
            raise Broken(f"it breaks the protocol: {error}") from error
        match frame:
            case Request():
                await self._request(frame, group)
            case Cancel():
                task = self._requests.get(frame.id)
                if task is not None:
                    task.cancel()
            case Registered():
                await self._registered()
            case _:
                await self._link.close(POLICY, "not for a device")
                raise Broken(f"it breaks the protocol: {type(frame).__name__.lower()} is for a device to say")

    async def _request(self, request: Request, group: asyncio.TaskGroup) -> None:
        if request.id in self._requests:
            await self._refuse(request, Invalid("id", "is that of a request under way"))
        elif len(self._requests) >= IN_FLIGHT:
            await self._refuse(request, Busy("cloud", f"{IN_FLIGHT} requests are under way"))
        elif not self._budget.take(self._clock.now_ns()):
            await self._refuse(request, Exhausted("cloud", f"more than {1 / EACH_S:g} requests a second"))
        else:
            task = group.create_task(self._answer(request), name=f"cloud: {request.method}")
            self._requests[request.id] = task
            task.add_done_callback(lambda _: self._requests.pop(request.id, None))

    async def _answer(self, request: Request) -> None:
        await self._link.send(pack(await self._ask(request)))

    async def _ask(self, request: Request) -> Frame:
        app = self._app()
        if app is None:
            return refusal(request, Unavailable("cloud", "the API is not running"))
        try:
            response: Response = await exchange(app, request)
        except StationError as error:
            return refusal(request, error)
        except TooLarge:
            return refusal(request, Exhausted("cloud", f"the answer is longer than {RESPONSE_BYTES} bytes"))
        except TooLong:
            return refusal(request, Unavailable("cloud", f"the answer does not end within {REQUEST_S:g} s"))
        except Exception:  # a fault of one request must not end the connection of all
            log.exception("%s %s over the cloud failed", request.method, request.target)
            return refusal(request, Unavailable("cloud", "the device has a fault"))
        return response

    async def _refuse(self, request: Request, error: StationError) -> None:
        await self._link.send(pack(refusal(request, error)))


def refusal(request: Request, error: StationError) -> Refused:
    """A no of the device itself."""
    return Refused(id=request.id, code=error.code, message=str(error)[:512])
