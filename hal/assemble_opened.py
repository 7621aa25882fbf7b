"""The part of `hal.assemble` that notes what was opened, and closes it: what drives something comes first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, Protocol

from hal.drivers.mcp23017 import Mcp23017
from hal.errors import HalError

log = logging.getLogger("hal.assemble")


class Driver(Protocol):
    """Anything that was opened for a node."""

    def close(self) -> None:
        """Safe state first, then give the lines back; closing twice is harmless."""


class Opened:
    """What has been opened so far, in order."""

    def __init__(self) -> None:
        self.work: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._driving: list[tuple[str, Driver]] = []
        self._listening: list[tuple[str, Driver]] = []
        self._expanders: list[tuple[str, Mcp23017]] = []

    def driving(self, name: str, driver: Driver) -> None:
        """Note a driver that has an output: it is closed before all that have none."""
        self._driving.append((name, driver))

    def listening(self, name: str, driver: Driver) -> None:
        """Note a driver that only listens."""
        self._listening.append((name, driver))

    def expander(self, name: str, driver: Mcp23017) -> None:
        """Note an expander: levels driven while closing are still carried to it, then it is closed."""
        self._expanders.append((name, driver))
        self._listening.append((name, driver))

    async def close(self) -> None:
        """Close everything, whatever fails: outputs in the order they were opened, the rest in reverse."""
        async with AsyncExitStack() as last_first:
            while self._listening:
                last_first.callback(_close, *self._listening.pop(0))
            while self._expanders:
                last_first.push_async_callback(_flush, *self._expanders.pop())
            while self._driving:
                last_first.callback(_close, *self._driving.pop())


def _close(name: str, driver: Driver) -> None:
    try:
        driver.close()
    except HalError as error:
        log.error("%s: could not be closed: %s", name, error)


async def _flush(name: str, expander: Mcp23017) -> None:
    try:
        await expander.flush()
    except HalError as error:
        log.error("%s: its outputs may not be safe, the last levels were not carried out: %s", name, error)
