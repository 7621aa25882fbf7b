"""What carries the packets of a stream to its client: the connection itself, or two ports of UDP.

UDP goes from the address that the client reached to the address that it comes from; the sockets take packets of that
address alone, and from it only reports.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from firmware.core.errors import Unavailable
from firmware.interfaces.rtsp.carriage import Interleaved, Udp
from firmware.interfaces.rtsp.message import frame
from firmware.interfaces.rtsp.rtp import is_report
from hal.clock import Clock

TRIES = 32
# A client's socket holds about a hundred packets: they come in portions that it can take.
PORTION, PORTION_S = 16, 0.005


class Carrier(Protocol):
    """A way to one client."""

    @property
    def spec(self) -> str:
        """What the Transport header of the answer says."""

    async def send(self, packet: bytes) -> None:
        """Carry a packet of the stream; waits while the client takes nothing."""

    def report(self, packet: bytes) -> None:
        """Carry a report; one that cannot go now is dropped."""

    def close(self) -> None:
        """Carry nothing any more."""


class Wire(Protocol):
    """A connection, as far as a stream within it needs it."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def has_room(self) -> bool:
        """Whether the client takes what is sent."""

    async def room(self) -> None:
        """Wait until it does."""


class InterleavedCarrier:
    """Packets within the connection (RFC 2326, clause 10.12)."""

    def __init__(self, wire: Wire, channels: Interleaved) -> None:
        self._wire = wire
        self.channels = channels

    @property
    def spec(self) -> str:
        """What the Transport header says."""
        return f"RTP/AVP/TCP;unicast;interleaved={self.channels.rtp}-{self.channels.rtcp}"

    async def send(self, packet: bytes) -> None:
        """Send, then wait for room."""
        await self._wire.room()
        self._wire.write(frame(self.channels.rtp, packet))

    def report(self, packet: bytes) -> None:
        """Send, where there is room."""
        if self._wire.has_room():
            self._wire.write(frame(self.channels.rtcp, packet))

    def close(self) -> None:
        """The connection is somebody else's."""


class _Port(asyncio.DatagramProtocol):
    """One of the two sockets; `heard` is told of reports. `full` while the network does not take what is sent."""

    def __init__(self, heard: Callable[[], None]) -> None:
        self._heard = heard
        self._transport: asyncio.DatagramTransport | None = None
        self.number = 0
        self.full = False

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        """It is open."""
        self._transport = transport
        self.number = transport.get_extra_info("sockname")[1]

    def pause_writing(self) -> None:
        """More waits than should."""
        self.full = True

    def resume_writing(self) -> None:
        """It has gone."""
        self.full = False

    def send(self, packet: bytes) -> bool:
        """Whether the packet was taken."""
        if self._transport is None or self._transport.is_closing() or self.full:
            return False
        self._transport.sendto(packet)
        return True

    def close(self) -> None:
        """Give the port back, once what waits has gone."""
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """A report is a sign of life; everything else says nothing."""
        if is_report(data):
            self._heard()

    def error_received(self, exc: Exception) -> None:
        """Nobody listens at that port now; whether somebody is there, the connection tells."""


class UdpCarrier:
    """Packets over UDP."""

    def __init__(self, rtp: _Port, rtcp: _Port, ports: Udp, clock: Clock) -> None:
        self._rtp = rtp
        self._rtcp = rtcp
        self._ports = ports
        self._clock = clock
        self._sent = 0

    @property
    def spec(self) -> str:
        """What the Transport header says."""
        own = f"{self._rtp.number}-{self._rtcp.number}"
        return f"RTP/AVP;unicast;client_port={self._ports.rtp}-{self._ports.rtcp};server_port={own}"

    async def send(self, packet: bytes) -> None:
        """Send; while the network takes nothing packets are lost, as on their way."""
        self._rtp.send(packet)
        self._sent += 1
        await self._clock.sleep(0 if self._sent % PORTION else PORTION_S)

    def report(self, packet: bytes) -> None:
        """Send."""
        self._rtcp.send(packet)

    def close(self) -> None:
        """Give the ports back."""
        self._rtp.close()
        self._rtcp.close()


OpenUdp = Callable[[Any, Any, Udp, Callable[[], None]], Awaitable[Carrier]]


def udp_opener(clock: Clock) -> OpenUdp:
    """Opens carriers over real sockets."""

    async def open_udp(local: Any, peer: Any, ports: Udp, heard: Callable[[], None]) -> Carrier:
        """From the address of `local` to that of `peer`, both as sockets name them. Raises Unavailable."""
        pair = bind_pair(local)
        made: list[_Port] = []
        try:
            for bound, port in zip(pair, (ports.rtp, ports.rtcp), strict=True):
                bound.connect((peer[0], port, *peer[2:]))
                _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
                    lambda: _Port(heard), sock=bound
                )
                made.append(protocol)
        except OSError as error:
            for protocol in made:
                protocol.close()
            for bound in pair:
                bound.close()
            raise Unavailable("rtsp", f"no UDP to the client: {error.strerror}") from None
        return UdpCarrier(made[0], made[1], ports, clock)

    return open_udp


def bind_pair(local: Any) -> tuple[socket.socket, socket.socket]:
    """Two sockets on neighbouring ports, the first one even (RFC 3550, clause 11). Raises Unavailable."""
    family = socket.AF_INET6 if ":" in local[0] else socket.AF_INET
    for _ in range(TRIES):
        first, second = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
        try:
            first.bind((local[0], 0, *local[2:]))
            port = first.getsockname()[1]
            if port % 2 == 0:
                second.bind((local[0], port + 1, *local[2:]))
                first.setblocking(False)
                second.setblocking(False)
                return first, second
        except OSError:
            pass  # the neighbour is taken, or there is none: the next pair
        first.close()
        second.close()
    raise Unavailable("rtsp", "no two ports of UDP are free")
