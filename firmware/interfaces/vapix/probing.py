"""Troubleshooting for programs: pingtest.cgi and tcptest.cgi. Where they may reach: hardening row 38."""

from __future__ import annotations

from starlette.responses import Response

from firmware.core.actions import Level
from firmware.core.errors import Invalid
from firmware.interfaces.net.looking import Looking
from firmware.interfaces.net.probe import Echo
from firmware.interfaces.vapix.asked import Address, Asked, plain


class ProbeCgis:
    """The addresses."""

    def __init__(self, looking: Looking) -> None:
        self._looking = looking

    def addresses(self) -> tuple[Address, ...]:
        """The addresses."""
        return (
            Address(path="/axis-cgi/pingtest.cgi", endpoint=self._ping, level=Level.ADMIN),
            Address(path="/axis-cgi/tcptest.cgi", endpoint=self._tcp, level=Level.ADMIN),
        )

    async def _ping(self, asked: Asked) -> Response:
        """Four echo requests. Raises Invalid, Refused, Busy, Unsupported."""
        host = (await asked.arguments()).get("ip", "")
        found = await self._looking.ping("ip", host)
        return plain(told(host, found.address, found.echoes))

    async def _tcp(self, asked: Asked) -> Response:
        """One connection, closed at once. Raises Invalid, Refused, Busy."""
        words = await asked.arguments()
        host, port = words.get("address", ""), words.get("port", "")
        if not (port.isascii() and port.isdigit() and len(port) < 6 and 1 <= int(port) <= 65535):
            raise Invalid("port", f"{port[:20]!r} is not a port from 1 to 65535")
        found = await self._looking.knock("address", host, int(port))
        return plain(f"{host} ({found.address}) port {port}: {found.found}\n")


def told(host: str, address: str, echoes: tuple[Echo, ...]) -> str:
    """The outcome of a ping, one line for each request and one for all."""
    lines = [f"PING {host} ({address})\n"]
    for number, echo in enumerate(echoes, 1):
        outcome = f"{echo.took_ms:.2f} ms" if echo.took_ms is not None else echo.trouble or "no answer"
        lines.append(f"{number}: {outcome}\n")
    came = sum(echo.took_ms is not None for echo in echoes)
    lines.append(f"{len(echoes)} sent, {came} received, {len(echoes) - came} lost\n")
    return "".join(lines)
