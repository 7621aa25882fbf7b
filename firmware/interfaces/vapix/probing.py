"""Troubleshooting for programs: pingtest.cgi and tcptest.cgi. Where they may reach: hardening row 38."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.errors import Invalid, Refused
from firmware.interfaces.net.probe import Echo, knock, ping
from firmware.interfaces.outgoing.reach import Peer, Target, Unreachable, find
from firmware.interfaces.vapix.asked import Address, Asked, Turn, plain

LONGEST_HOST = 253


class ProbeCgis:
    """The addresses; one test runs at a time. `local` tells whether this device itself may be tried."""

    def __init__(self, core: Core, local: Callable[[], bool]) -> None:
        self._core = core
        self._local = local
        self._turn = Turn("test")

    def addresses(self) -> tuple[Address, ...]:
        """The addresses."""
        return (
            Address(path="/axis-cgi/pingtest.cgi", endpoint=self._ping, level=Level.ADMIN),
            Address(path="/axis-cgi/tcptest.cgi", endpoint=self._tcp, level=Level.ADMIN),
        )

    async def _ping(self, asked: Asked) -> Response:
        """Four echo requests. Raises Invalid, Refused, Busy, Unsupported."""
        host = (await asked.arguments()).get("ip", "")
        with self._turn:
            target = await self._target("ip", host, 0)
            echoes = await ping(target.address, self._core.clock)
        return plain(told(host, target.address, echoes))

    async def _tcp(self, asked: Asked) -> Response:
        """One connection, closed at once. Raises Invalid, Refused, Busy."""
        words = await asked.arguments()
        host, port = words.get("address", ""), words.get("port", "")
        if not (port.isascii() and port.isdigit() and len(port) < 6 and 1 <= int(port) <= 65535):
            raise Invalid("port", f"{port[:20]!r} is not a port from 1 to 65535")
        with self._turn:
            target = await self._target("address", host, int(port))
            found = await knock(target.address, target.port, self._core.clock)
        return plain(f"{host} ({target.address}) port {target.port}: {found}\n")

    async def _target(self, where: str, host: str, port: int) -> Target:
        """The address, judged; a name is looked up once. Raises Invalid, Refused."""
        if not host or len(host) > LONGEST_HOST or not all(sign.isalnum() or sign in ".:-_%" for sign in host):
            raise Invalid(where, f"{host[:40]!r} is neither an address nor a name")
        peer = Peer(what="host to be tested", local=self._local(), private=True)
        try:
            return await find(host, port, peer)
        except Unreachable as error:
            raise Refused(where, str(error)) from None


def told(host: str, address: str, echoes: tuple[Echo, ...]) -> str:
    """The outcome of a ping, one line for each request and one for all."""
    lines = [f"PING {host} ({address})\n"]
    for number, echo in enumerate(echoes, 1):
        outcome = f"{echo.took_ms:.2f} ms" if echo.took_ms is not None else echo.trouble or "no answer"
        lines.append(f"{number}: {outcome}\n")
    came = sum(echo.took_ms is not None for echo in echoes)
    lines.append(f"{len(echoes)} sent, {came} received, {len(echoes) - came} lost\n")
    return "".join(lines)
