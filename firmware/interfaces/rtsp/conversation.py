"""What one client asks, request by request, and the streams it has (RFC 2326, clause 10).

OPTIONS is open to everybody. DESCRIBE, SETUP and PLAY ask who it is, every time. What only keeps a stream alive or ends
it needs the stream's session, which is worth something on the connection that set it up and nowhere else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from firmware.core.actions import Level
from firmware.core.errors import Exhausted, Invalid, NotFound, StationError
from firmware.interfaces.http.face import Visitor
from firmware.interfaces.rtsp.carriage import Interleaved, choose
from firmware.interfaces.rtsp.carriers import InterleavedCarrier, Wire
from firmware.interfaces.rtsp.description import description
from firmware.interfaces.rtsp.house import House
from firmware.interfaces.rtsp.limits import STREAMS_OF_A_CONNECTION
from firmware.interfaces.rtsp.login import Login
from firmware.interfaces.rtsp.message import Answer, Request, refused
from firmware.interfaces.rtsp.stream import Stream
from firmware.interfaces.rtsp.target import Target, read_target

# Each method with the least level it asks for: the whole list of what this server does.
METHODS: dict[str, Level] = {
    "OPTIONS": Level.ANONYMOUS,
    "DESCRIBE": Level.VIEWER,
    "SETUP": Level.VIEWER,
    "PLAY": Level.VIEWER,
    "GET_PARAMETER": Level.VIEWER,
    "SET_PARAMETER": Level.VIEWER,
    "TEARDOWN": Level.VIEWER,
}
OF_A_SESSION = ("GET_PARAMETER", "SET_PARAMETER", "TEARDOWN")
PUBLIC = ("Public", ", ".join(METHODS))

Asks = Callable[[Request, Target, Visitor], Awaitable[Answer]]


class Conversation:
    """One client's. `start` is called with a stream that is to play, after the answer to its PLAY has gone."""

    def __init__(self, house: House, wire: Wire, local: Any, peer: Any, alive: Callable[[], None]) -> None:
        """`local` and `peer` are the ends of the connection as its socket names them; `alive` is told of reports."""
        self._house = house
        self._wire = wire
        self._local = local
        self._peer = peer
        self._alive = alive
        self._login = Login(house.core, str(peer[0]), int(peer[1]))
        self._methods: dict[str, Asks] = {"DESCRIBE": self._describe, "SETUP": self._setup, "PLAY": self._play}
        self.streams: dict[str, Stream] = {}
        self.begins: list[Stream] = []
        self.ended: list[Stream] = []

    async def answer(self, request: Request) -> Answer:
        """The answer to one request."""
        if request.header("require"):
            return Answer(status=551, headers=[("Unsupported", request.header("require"))])
        if (session := request.header("session").partition(";")[0].strip()) and session not in self.streams:
            return refused(454, "no such session on this connection")
        if request.method == "OPTIONS":
            return Answer(headers=[PUBLIC, *self._session(session)])
        if session and request.method in OF_A_SESSION:
            return self._of_session(request, self.streams[session])
        try:
            target = read_target(request.target)
        except Invalid as error:
            return refused(400, f"{error.where}: {error.message}")
        visitor = await self._login.visitor(request, target)
        if isinstance(visitor, Answer):
            return visitor
        if visitor.caller.level < (least := METHODS.get(request.method, Level.VIEWER)):
            return refused(403, f"needs {least.name.lower()}")
        return await self._asked(request, target, visitor)

    async def _asked(self, request: Request, target: Target, visitor: Visitor) -> Answer:
        """The answer to somebody who may ask."""
        if request.method in OF_A_SESSION:
            return refused(454, "a Session is missing") if request.method == "TEARDOWN" else parameters(request)
        asks = self._methods.get(request.method)
        if asks is None:
            return Answer(status=501, headers=[PUBLIC])
        try:
            target.check()
            return await asks(request, target, visitor)
        except Invalid as error:
            return refused(400, f"{error.where}: {error.message}")
        except NotFound as error:
            return refused(404, f"{error.where}: {error.message}")
        except StationError as error:
            return refused(503, f"{error.where}: {error.message}")

    def _session(self, session: str) -> list[tuple[str, str]]:
        return [("Session", f"{session};timeout={self._house.patience.session_s:.0f}")] if session else []

    def _of_session(self, request: Request, stream: Stream) -> Answer:
        """A sign of life, or the end."""
        if request.method != "TEARDOWN":
            return parameters(request, self._session(stream.id))
        self.forget(stream)
        return Answer(headers=self._session(stream.id))

    async def _describe(self, request: Request, target: Target, visitor: Visitor) -> Answer:
        accepts = request.header("accept")
        if accepts and not any(kind in accepts for kind in ("application/sdp", "application/*", "*/*")):
            return refused(406, "the description is application/sdp")
        target.wanted()
        body = description(target, str(self._local[0]), self._house.number())
        headers = [("Content-Base", target.stream), ("Content-Type", "application/sdp")]
        return Answer(headers=headers, body=body)

    async def _setup(self, request: Request, target: Target, visitor: Visitor) -> Answer:
        if request.header("session"):
            return refused(455, "this session has its one track already")
        wanted = target.wanted()
        chosen = choose(request.header("transport"), str(self._peer[0]))
        if chosen is None:
            return refused(461, "RTP/AVP;unicast;client_port=A-B or RTP/AVP/TCP;unicast;interleaved=A-B")
        if isinstance(chosen, Interleaved) and self._channels() & {chosen.rtp, chosen.rtcp}:
            return refused(461, "these channels are taken")
        if len(self.streams) >= STREAMS_OF_A_CONNECTION:
            raise Exhausted("session", f"a connection has at most {STREAMS_OF_A_CONNECTION}")
        self._house.enter(str(self._peer[0]))
        try:
            carrier = (
                InterleavedCarrier(self._wire, chosen)
                if isinstance(chosen, Interleaved)
                else await self._house.open_udp(self._local, self._peer, chosen, self._alive)
            )
        except BaseException:
            self._house.leave(str(self._peer[0]))
            raise
        stream = self._house.stream(visitor.caller, wanted, carrier)
        self.streams[stream.id] = stream
        spec = f'{carrier.spec};ssrc={stream.packets.ssrc:08X};mode="PLAY"'
        return Answer(headers=[("Transport", spec), *self._session(stream.id)])

    def _channels(self) -> set[int]:
        carriers = [stream.carrier for stream in self.streams.values()]
        channels = [carrier.channels for carrier in carriers if isinstance(carrier, InterleavedCarrier)]
        return {number for each in channels for number in (each.rtp, each.rtcp)}

    async def _play(self, request: Request, target: Target, visitor: Visitor) -> Answer:
        stream = self.streams.get(request.header("session").partition(";")[0].strip())
        if stream is None:
            return refused(454, "a Session is missing")
        if stream.caller.name != visitor.caller.name:
            return refused(403, "somebody else has set this session up")
        if not stream.playing:
            stream.playing = True
            self.begins.append(stream)
        packets, now_ns = stream.packets, self._house.core.clock.now_ns()
        info = f"url={target.track};seq={packets.sequence};rtptime={packets.time(now_ns)}"
        return Answer(headers=[*self._session(stream.id), ("Range", "npt=now-"), ("RTP-Info", info)])

    def is_report(self, channel: int) -> bool:
        """Whether a packet within the connection belongs to a stream here."""
        return channel in self._channels()

    def forget(self, stream: Stream) -> None:
        """A stream is over."""
        if self.streams.pop(stream.id, None) is not None:
            self.ended.append(stream)
            self._house.leave(str(self._peer[0]))


def parameters(request: Request, headers: Sequence[tuple[str, str]] = ()) -> Answer:
    """GET_PARAMETER and SET_PARAMETER: there is no parameter, an empty request asks whether somebody is there."""
    return refused(451, "there are no parameters", headers) if request.body.strip() else Answer(headers=headers)
