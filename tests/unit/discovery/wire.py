"""A network in virtual time: posts of protocols and packets between them, as on one cable."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from typing import Protocol

from firmware.interfaces.discovery.portrait import Portrait
from firmware.interfaces.discovery.post import Address, Group, Listener, Network, Post
from hal.sim.time import VirtualClock

NETWORK = IPv4Network("192.168.0.0/24")
DEVICE = "192.168.0.90"
ASKER: Address = ("192.168.0.7", 40000)
PORTRAIT = Portrait(
    product="Network door station",
    model="LINTEL-DS1",
    serial="0A1B2C3D4E5F",
    name="Front door",
    address=DEVICE,
    http_port=8080,
    https_port=8443,
    sees=True,
    hears=True,
)
OTHER = replace(PORTRAIT, serial="AABBCCDDEEFF", address="192.168.0.91")


class Engine(Listener, Protocol):
    """A protocol at work."""

    async def run(self) -> None: ...


@dataclass
class Wire:
    """Everything that was sent, with whom it was for; `members` hear what goes to everybody."""

    clock: VirtualClock
    group: Group
    networks: tuple[Network, ...] = (NETWORK,)
    sent: list[tuple[int, Address, bytes]] = field(default_factory=list)
    members: list[tuple[Address, Post, Engine]] = field(default_factory=list)

    def post(self, address: str) -> Post:
        """A post of a device at that address."""

        def write(data: bytes, to: Address) -> None:
            self.sent.append((self.clock.now_ns(), to, data))
            if to[0] == self.group.address:
                self.put(data, (address, self.group.port))

        return Post(self.clock, self.group, self.networks, write)

    def put(self, data: bytes, source: Address = ASKER) -> None:
        """A packet for everybody, from `source`."""
        for _, post, engine in self.members:
            self.clock.call_later(0.0005, post.arrive, data, source, engine)

    def to(self, address: Address) -> list[bytes]:
        """What was sent to one address."""
        return [data for _, to, data in self.sent if to == address]

    def to_all(self) -> list[bytes]:
        """What was sent to everybody."""
        return self.to((self.group.address, self.group.port))

    @asynccontextmanager
    async def running(self, *joined: tuple[str, Post, Engine]) -> AsyncIterator[None]:
        """Engines at work, with the posts they send through; all say goodbye at the end."""
        self.members += [((address, self.group.port), post, engine) for address, post, engine in joined]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(engine.run()) for _, _, engine in joined]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
        with suppress(asyncio.CancelledError):
            await self.clock.sleep(0.01)
        for _, post, _ in joined:
            post.close()


def chance() -> random.Random:
    """The same luck in every run."""
    return random.Random(7)
