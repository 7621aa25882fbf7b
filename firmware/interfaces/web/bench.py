"""What a person could do at a simulated device, for the device image: the verbs of `lintel bench`, by the same socket.

A simulated device only: on real hardware there is no such socket. The network role sees peers by their names, and may
do with them what hands do; power, faults and files of this machine are not among it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from firmware.core.actions import Caller, Level
from firmware.core.errors import ERRORS, Forbidden, Invalid, StationError, Unavailable
from firmware.paths import LONGEST_LINE
from hal.clock import Clock
from hal.errors import nearest

HANDS = ("swipe", "keys", "press", "hold", "release", "input", "tamper", "plug", "unplug", "cover", "uncover", "bump")
LEVEL = Level.OPERATOR
PATIENCE_S = 5.0
AGAIN_S = 0.5

Changed = Callable[[str, bool | str], None]

log = logging.getLogger("lintel.web")


class Bench:
    """The bench socket of the board process this device runs in."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._watchers: dict[Changed, None] = {}
        self._wanted = asyncio.Event()

    async def do(self, caller: Caller, verb: str, *words: str) -> None:
        """Do something with one's hands. Raises Forbidden, Invalid, NotFound, Unavailable, and what a peer refuses."""
        if caller.level < LEVEL:
            raise Forbidden(verb, f"needs {LEVEL.name.lower()}, {caller.name!r} is not")
        if verb not in HANDS:
            raise Invalid("bench", f"unknown verb {verb!r}{nearest(verb, HANDS)}")
        await self._ask(verb, *words)

    async def peers(self) -> Mapping[str, Any]:
        """What every peer is and shows now. Raises Unavailable."""
        found = (await self._ask("state"))["peers"]
        assert isinstance(found, dict)
        return found

    def watch(self, changed: Changed) -> None:
        """Call `changed(name, value)` with every change, until `unwatch`; there is one stream for all watchers."""
        self._watchers[changed] = None
        self._wanted.set()

    def unwatch(self, changed: Changed) -> None:
        """No more; harmless when it was not watched."""
        self._watchers.pop(changed, None)

    async def run(self) -> None:
        """Watch while somebody wants to, until cancelled."""
        while True:
            await self._wanted.wait()
            try:
                await self._follow()
            except (OSError, ValueError) as error:
                log.info("the bench cannot be watched: %s", error)
                await self._clock.sleep(AGAIN_S)

    async def _follow(self) -> None:
        reader, writer = await asyncio.open_unix_connection(self._path, limit=LONGEST_LINE)
        try:
            writer.write(b'["watch"]\n')
            while line := await reader.readline():
                change = json.loads(line)["answer"]
                for changed in tuple(self._watchers):
                    try:
                        changed(change["name"], change["value"])
                    except Exception:  # a fault of one page is no fault of the others
                        log.exception("a page cannot show %s", change["name"])
                if not self._watchers:
                    self._wanted.clear()
                    return
        finally:
            writer.close()
        raise ConnectionError("the board process ended")

    async def _ask(self, *words: str) -> Any:
        try:
            async with asyncio.timeout(PATIENCE_S):
                reader, writer = await asyncio.open_unix_connection(self._path, limit=LONGEST_LINE)
                try:
                    writer.write(json.dumps(words).encode() + b"\n")
                    answer = json.loads(await reader.readline())
                finally:
                    writer.close()
        except (OSError, ValueError) as error:
            raise Unavailable("bench", f"the simulated world does not answer: {error}") from None
        if "error" in answer:
            told = answer["error"]
            raise ERRORS.get(told["code"], StationError)(told["where"], told["message"])
        return answer["answer"]
