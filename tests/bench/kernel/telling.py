"""The device's events as its API tells them, as the events they were: server-sent ones, and before them the journal.

A device whose accounts are lost lets nobody in. Then they come over the link, from the hub in control, which tells
every role what stands.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from typing import Any

import httpx

from firmware.core.events import REGISTRY, Event, Notice, Operation, State
from firmware.core.link.channel import connect_unix
from firmware.core.link.outbox import Outbox
from firmware.core.link.peer import Peer
from firmware.core.link.wire import Fact, Hello, Settled, notice_of
from firmware.core.values import decode
from firmware.paths import RuntimeDir
from hal.clock import Clock

# What control says first when it starts.
FIRST = "device/info"
# The role that no test of lost accounts starts: its place at the link is free.
LISTENER = "media"


class LetNobodyIn(Exception):
    """The API does not know the administrator whom the bench has set up."""


def event_of(body: dict[str, Any]) -> Event | None:
    """An event from its JSON; None for what this stream says of itself."""
    kind = REGISTRY.get(body["topic"])
    if kind is None:
        return None
    fields = {name: value for name, value in body.items() if name not in ("topic", "operation")}
    return decode(kind, fields, where=body["topic"])


class Telling:
    """One stream. `events` are all so far, each once; `states` are those that stand."""

    def __init__(self, client: httpx.AsyncClient, events: list[Event]) -> None:
        self._client = client
        self._known: set[str] = set()
        self.events = events
        self.states: dict[tuple[str, ...], State] = {}
        self.connected = asyncio.Event()

    async def run(self) -> None:
        """Listen until cancelled."""
        async with self._client.stream("GET", "/events", timeout=None) as answer:
            if answer.status_code in (401, 503):
                raise LetNobodyIn(str(answer.status_code))
            assert answer.status_code == 200, answer.status_code
            async for line in answer.aiter_lines():
                if line.startswith(":"):
                    await self._look_back()
                    self.connected.set()
                elif line.startswith("data: "):
                    self._told(json.loads(line.removeprefix("data: ")))

    async def _look_back(self) -> None:
        """What was published in this run of control before the stream began."""
        if self.connected.is_set():
            return
        answer = await self._client.get("/journal", params={"limit": 500})
        lines = answer.json()["lines"]
        begin = max((at for at, line in enumerate(lines) if line["topic"] == FIRST), default=0)
        for line in lines[begin:]:
            stamp = {name: line[name] for name in ("topic", "id", "at", "cause")}
            self._take(event_of(stamp | line["fields"]))

    def _told(self, body: dict[str, Any]) -> None:
        assert body["topic"] != "stream/lost", f"the bench was too slow for the device's events: {body}"
        event = event_of(body)
        if event is not None:
            self._noticed(event, gone=body["operation"] == "deleted")

    def _noticed(self, event: Event, *, gone: bool) -> None:
        if isinstance(event, State):
            key = (event.topic, *event.key())
            if gone:
                self.states.pop(key, None)
                return
            self.states[key] = event
        self._take(event)

    def _take(self, event: Event | None) -> None:
        if event is not None and event.id not in self._known:
            self._known.add(event.id)
            self.events.append(event)

    async def run_at_the_link(self, runtime: RuntimeDir, clock: Clock) -> None:
        """Listen as a role of its own until cancelled, without the API."""
        peer = Peer(await connect_unix(runtime.link), clock, Outbox(), name="control")
        try:
            await peer.say(Hello(role=LISTENER, boot=secrets.token_hex(4), pid=os.getpid()))
            while (message := await peer.next()) is not None:
                if isinstance(message, Fact):
                    notice: Notice = notice_of(message)
                    self._noticed(notice.event, gone=notice.operation is Operation.DELETED)
                elif isinstance(message, Settled):
                    self.connected.set()
        finally:
            peer.close()
