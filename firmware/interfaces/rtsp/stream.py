"""One event stream: the states of the device as they are, then what happens, as metadata documents in packets.

Events wait in a bounded queue: of a state only the newest is kept, of what only happened the oldest go first. So a
client that does not keep up delays nobody, and what it sees at last is true.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

from firmware.core.actions import Caller
from firmware.core.context import Core
from firmware.core.vocabulary.security import AccountChanged, AnonymousState
from firmware.interfaces.http.ending import first_of, is_end
from firmware.interfaces.rtsp.carriers import Carrier
from firmware.interfaces.rtsp.rtp import Packets
from firmware.interfaces.rtsp.target import Wanted
from firmware.interfaces.topics.feed import Projection
from firmware.interfaces.topics.told import Change, Told, document


class Stream:
    """A session with its one track; `name` is that of whoever set it up, the only one who may play it."""

    def __init__(
        self, core: Core, projection: Projection, caller: Caller, wanted: Wanted, carrier: Carrier, producer: str
    ) -> None:
        self.id = secrets.token_hex(16)
        self.caller = caller
        self.carrier = carrier
        self.packets = Packets(producer)
        self.playing = False
        self._core = core
        self._projection = projection
        self._wanted = wanted
        self._producer = producer
        self._known: set[tuple[str, tuple[tuple[str, str], ...]]] = set()

    async def run(self, report_s: float) -> None:
        """Play until the account of its caller changes, or cancelled."""
        try:
            await first_of(self._tell(), self._report(report_s))
        finally:
            self.carrier.report(self.packets.goodbye(self._core.clock.utc(), self._core.clock.now_ns()))

    async def _tell(self) -> None:
        with self._projection.subscribe(AccountChanged, AnonymousState) as subscription:
            async for notice in subscription:
                if is_end(notice.event, self.caller):
                    return  # it has to log in again
                for told in self._projection.told(notice):
                    if self._wanted(told):
                        await self._send(document(self._in_words(told), self._producer).encode())

    def _in_words(self, told: Told) -> Told:
        """The first that is told of a property initialises it: clients make nothing of changes of what they never saw.

        A state that changes before its first notice was taken comes as a change alone.
        """
        if told.change is None:
            return told
        key = (told.topic.path, tuple(told.said.source.items()))
        if told.change is Change.DELETED:
            self._known.discard(key)
            return told
        change = Change.CHANGED if key in self._known else Change.INITIALIZED
        self._known.add(key)
        return replace(told, change=change)

    async def _send(self, text: bytes) -> None:
        for packet in self.packets.of(text, self._core.clock.now_ns()):
            await self.carrier.send(packet)

    async def _report(self, report_s: float) -> None:
        while True:
            clock = self._core.clock
            self.carrier.report(self.packets.report(clock.utc(), clock.now_ns()))
            await clock.sleep(report_s)
