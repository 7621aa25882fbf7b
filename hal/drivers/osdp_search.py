"""A search for readers on a bus, rate by rate: what it waits for, and what it has found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hal.drivers.serial_line import SerialLine
from hal.errors import HalError, NoReply
from hal.osdp.facts import Fact, Found, Searched
from hal.types import FoundPeer


class Search:
    """One search; the bus tells it of its port and of the facts."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.found: list[FoundPeer] = []
        self._baud = 0
        self._next: asyncio.Future[None] | None = None

    async def at(self, baud: int, line: SerialLine, begin: Callable[[], None]) -> None:
        """Ask at one rate: `begin` starts the questions, once the port is there. Raises NoReply, DeviceError."""
        self._baud = baud
        line.want(baud)
        if not line.is_open:
            if line.trouble:
                raise NoReply(line.name, line.trouble)
            await self._told()
        ended = self._told()
        begin()
        await ended

    def _told(self) -> asyncio.Future[None]:
        self._next = asyncio.get_running_loop().create_future()
        return self._next

    def port(self, trouble: str) -> None:
        """The port was opened, or there is trouble with it."""
        if trouble:
            self.fail(NoReply(self._name, trouble))
        else:
            self._go_on()

    def fail(self, error: HalError) -> None:
        """The search cannot go on."""
        if self._next is not None and not self._next.done():
            self._next.set_exception(error)

    def fact(self, fact: Fact) -> None:
        """Take note of a reader, or of the end."""
        match fact:
            case Found():
                who = fact.identity
                self.found.append(
                    FoundPeer(
                        address=fact.address,
                        baud=self._baud,
                        vendor=who.vendor_text,
                        model=f"{who.model}.{who.version}",
                        serial=f"{who.serial:08X}",
                        can_secure=fact.capabilities.can_secure,
                    )
                )
            case Searched():
                self._go_on()
            case _:
                pass

    def _go_on(self) -> None:
        if self._next is not None and not self._next.done():
            self._next.set_result(None)
