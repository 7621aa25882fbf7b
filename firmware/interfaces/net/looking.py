"""Troubleshooting for every interface: ping, port check, network trace, connected clients. One test at a time.

Where tests may reach is judged first (hardening row 38); what they find is a value that each interface words itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from firmware.core.context import Core
from firmware.core.errors import Busy, Invalid, Refused, Unsupported
from firmware.core.vocabulary.certificates import HttpState
from firmware.core.vocabulary.troubleshooting import (
    LONGEST_HOST,
    EchoAnswer,
    PingAnswer,
    PingParams,
    PortAnswer,
    PortParams,
    Transport,
)
from firmware.core.worker import Worker
from firmware.interfaces.net.adapters import adapters
from firmware.interfaces.net.capture import LONGEST_S, recorded
from firmware.interfaces.net.clients import Client, clients
from firmware.interfaces.net.listener import asked_of
from firmware.interfaces.net.probe import CLOSED, OPEN, Echo, knock, ping, touch
from firmware.interfaces.outgoing.reach import Peer, Target, Unreachable, find
from hal.errors import nearest

TEST, TRACE, REPORT = "test", "trace", "report"


@dataclass(frozen=True, slots=True)
class Pinged:
    """The address that was pinged, and what became of each echo request."""

    address: str
    echoes: tuple[Echo, ...]


@dataclass(frozen=True, slots=True)
class Knocked:
    """The address that was tried, and `open` or why not in words."""

    address: str
    found: str


class Looking:
    """The tests; `local` tells whether this device itself and its link may be tried.

    `listener` is the socket of whoever listens to adapters where this process may not.
    """

    def __init__(self, core: Core, local: Callable[[], bool], listener: Path | None = None) -> None:
        self._core = core
        self._local = local
        self._listener = listener
        self._busy: set[str] = set()

    async def ping(self, where: str, host: str) -> Pinged:
        """Echo requests. Raises Invalid at `where`, Refused, Busy, Unsupported."""
        with self.turn(TEST):
            target = await self._target(where, host, 0)
            return Pinged(target.address, await ping(target.address, self._core.clock))

    async def knock(self, where: str, host: str, port: int, protocol: Transport = Transport.TCP) -> Knocked:
        """One connection, closed at once, or datagrams. Raises Invalid at `where`, Refused, Busy."""
        with self.turn(TEST):
            target = await self._target(where, host, port)
            try_it = knock if protocol is Transport.TCP else touch
            return Knocked(target.address, await try_it(target.address, target.port, self._core.clock))

    async def pinged(self, asked: PingParams) -> PingAnswer:
        """A ping for whoever takes the answer as data. Raises as `ping`."""
        found = await self.ping("ping.host", asked.host)
        echoes = tuple(EchoAnswer(took_ms=each.took_ms, trouble=each.trouble) for each in found.echoes)
        received = sum(each.took_ms is not None for each in echoes)
        return PingAnswer(host=asked.host, address=found.address, sent=len(echoes), received=received, echoes=echoes)

    async def knocked(self, asked: PortParams) -> PortAnswer:
        """A port check for whoever takes the answer as data. Raises as `knock`."""
        found = await self.knock("port_check.host", asked.host, asked.port, asked.protocol)
        silent = asked.protocol is Transport.UDP and found.found not in (OPEN, CLOSED)
        return PortAnswer(
            host=asked.host, address=found.address, port=asked.port, protocol=asked.protocol,
            open=None if silent else found.found == OPEN, found=found.found,
        )  # fmt: skip

    def adapter(self, where: str, wanted: str) -> str:
        """An adapter of this machine; empty: the first that leads somewhere. Raises Invalid with the nearest."""
        known = adapters()
        names = [each.name for each in known]
        if not wanted:
            return next((each.name for each in known if each.up and not each.loopback), names[0])
        if wanted not in names:
            raise Invalid(where, f"no adapter {wanted[:20]!r}{nearest(wanted[:20], names)}; valid: {', '.join(names)}")
        return wanted

    async def trace(self, adapter: str, for_s: float) -> bytes:
        """What goes over an adapter, as a file. Raises Busy, Unsupported, Unavailable."""
        assert 0 < for_s <= LONGEST_S
        with self.turn(TRACE):
            try:
                return await recorded(adapter, for_s, self._core.clock)
            except Unsupported:
                if self._listener is None:
                    raise
                return await asked_of(self._listener, adapter, for_s, self._core.clock)

    async def clients(self) -> tuple[Client, ...]:
        """Who is connected now."""
        doors = self._core.bus.state(HttpState)
        worker = Worker(self._core.clock, "clients")
        worker.start()
        try:
            return await worker.run(lambda: clients(doors))
        finally:
            worker.close()

    @contextmanager
    def turn(self, what: str) -> Iterator[None]:
        """One at a time: the turn as long as the block lasts. Raises Busy."""
        if what in self._busy:
            raise Busy(what, f"another {what} is under way; try again")
        self._busy.add(what)
        try:
            yield
        finally:
            self._busy.discard(what)

    async def _target(self, where: str, host: str, port: int) -> Target:
        """The address, judged; a name is looked up once. Raises Invalid, Refused."""
        if not host or len(host) > LONGEST_HOST or not all(sign.isalnum() or sign in ".:-_%" for sign in host):
            raise Invalid(where, f"{host[:40]!r} is neither an address nor a name")
        peer = Peer(what="host to be tested", local=self._local(), private=True)
        try:
            return await find(host, port, peer)
        except Unreachable as error:
            raise Refused(where, str(error)) from None
