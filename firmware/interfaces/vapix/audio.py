"""Sound for programs: audio/receive.cgi (what the microphone hears) and audio/transmit.cgi (what somebody says).

G.711 mu-law, which is made and read here; AAC is not. Whoever talks is played as it comes and answered when the last of
it is out of the speaker; one talks at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from firmware.core.actions import Caller, Level
from firmware.core.context import Core
from firmware.core.errors import Busy, Invalid, Unavailable
from firmware.core.link.channel import Channel, Connect
from firmware.core.stream.sound_wire import END, Reader, Way, Wish, pieces
from firmware.core.vocabulary.device import DeviceInfo
from firmware.core.vocabulary.security import AccountChanged, AnonymousState
from firmware.interfaces.http.ending import first_of, is_end
from firmware.interfaces.http.errors import HttpRefusal
from firmware.interfaces.sound import sound
from firmware.interfaces.vapix.asked import Address, Asked, plain
from firmware.interfaces.vapix.leaves import fixed
from firmware.interfaces.vapix.param_tree import Leaf
from hal.clock import Clock

RECEIVE, TRANSMIT = "/axis-cgi/audio/receive.cgi", "/axis-cgi/audio/transmit.cgi"
BASIC = "audio/basic"
# Content types with the rate of their mu-law.
KINDS = {BASIC: 8_000, "audio/axis-mulaw-128": 16_000}
HTTP_TYPES = ("singlepart", "multipart")
PART_BYTES = 512
BOUNDARY = "myboundary"
MOST_LISTENERS = 8
MOST_TALK_BYTES = 32 * 1024 * 1024  # more than an hour
HEAD_BYTES = 4096
AHEAD_S = 1.0
MULAW = 7  # the code of mu-law in a WAV file (RFC 2361)


class AudioCgis:
    """The two addresses; each is there where the device has the microphone or the speaker for it."""

    def __init__(self, core: Core, connect: Connect | None) -> None:
        """`connect` leads to media; without it there is neither."""
        self._core = core
        self._connect = connect
        self._answers: set[SoundAnswer] = set()

    def _has(self, what: str) -> bool:
        info = self._core.bus.state(DeviceInfo)
        return self._connect is not None and info is not None and what in info.capabilities

    def addresses(self) -> tuple[Address, ...]:
        """Talking needs an operator, as playing a clip does."""
        return (
            Address(
                path=RECEIVE, endpoint=self._receive, level=Level.VIEWER, methods=("GET",),
                here=lambda: self._has("microphone"),
            ),
            Address(
                path=TRANSMIT, endpoint=self._transmit, level=Level.OPERATOR, methods=("POST",),
                here=lambda: self._has("speaker"),
            ),
        )  # fmt: skip

    def sizes(self) -> Mapping[bytes, int]:
        """Somebody may talk for long; it is played as it comes and kept nowhere."""
        return {TRANSMIT.encode(): MOST_TALK_BYTES}

    def leaves(self) -> Iterable[Leaf]:
        """Properties.Audio and Audio; nothing without sound."""
        hears, speaks = self._has("microphone"), self._has("speaker")
        if hears:
            yield from fixed("Properties.Audio", {"Format": "g711"})
            yield from fixed("Audio.A0", {"Enabled": "yes", "HTTPMessageType": "singlepart", "Name": "Audio"})
            yield from fixed("AudioSource.A0", {"AudioEncoding": "g711", "SampleRate": str(KINDS[BASIC])})
        if speaks:
            yield from fixed("Properties.Audio.Decoder", {"Format": "g711,axis-mulaw-128"})
        if hears or speaks:
            modes = "full,get,post" if hears and speaks else "get" if hears else "post"
            yield from fixed("Properties.Audio", {"DuplexMode": modes})
            yield from fixed("Audio", {"DuplexMode": modes.partition(",")[0]})

    def close(self) -> None:
        """End all answers that do not end by themselves."""
        for answer in tuple(self._answers):
            answer.over.set()

    def _way(self) -> Connect:
        if self._connect is None:
            raise Unavailable("sound", "there is no way to it")
        return self._connect

    async def _receive(self, asked: Asked) -> Response:
        kind = asked.request.query_params.get("httptype", HTTP_TYPES[0])
        if kind not in HTTP_TYPES:
            raise Invalid("httptype", f"{kind[:40]!r} is not one of {', '.join(HTTP_TYPES)}")
        if len(self._answers) >= MOST_LISTENERS:
            raise Unavailable("sound", f"{MOST_LISTENERS} listen already")
        return SoundAnswer(self._core, self._way(), asked.caller, self._answers, parts=kind == "multipart")

    async def _transmit(self, asked: Asked) -> Response:
        kind = asked.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in KINDS:
            raise unheard_of(f"{kind[:40]!r}")
        body = asked.request.stream()
        head = await head_of(body)
        rate_hz, rest = sound_of(head, KINDS[kind])
        try:
            async with sound(self._way(), Wish(way=Way.TALK, rate_hz=rate_hz)) as (channel, reader):
                talker = Talker(self._core.clock, channel, reader, rate_hz)
                await first_of(talker.talk(rest, body), until_end(self._core, asked.caller))
        except Busy as error:
            raise HttpRefusal(503, "busy", error.where, error.message) from None
        return plain("")


class SoundAnswer(Response):
    """What the microphone hears, until somebody hangs up, the account changes or the microphone goes."""

    def __init__(self, core: Core, connect: Connect, caller: Caller, answers: set[SoundAnswer], *, parts: bool) -> None:
        kind = f"multipart/x-mixed-replace; boundary={BOUNDARY}" if parts else BASIC
        super().__init__(headers={"content-type": kind, "cache-control": "no-store"})
        del self.headers["content-length"]
        self.over = asyncio.Event()
        self._core = core
        self._connect = connect
        self._caller = caller
        self._answers = answers
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begin only when media does: whoever cannot be served gets an answer that says so."""
        self._answers.add(self)
        try:
            async with sound(self._connect, Wish(way=Way.HEAR, rate_hz=KINDS[BASIC])) as (_, reader):
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                ends = (self._stop(), until_gone(receive), until_end(self._core, self._caller))
                await first_of(self._pump(reader, send), *ends)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._answers.discard(self)

    async def _stop(self) -> None:
        await self.over.wait()

    async def _pump(self, reader: Reader, send: Send) -> None:
        waiting = bytearray()
        while (codes := await reader.block()) is not None:
            waiting += codes
            while len(waiting) >= (PART_BYTES if self._parts else 1):
                piece = bytes(waiting[: PART_BYTES if self._parts else len(waiting)])
                del waiting[: len(piece)]
                await send({"type": "http.response.body", "body": self._part(piece), "more_body": True})

    def _part(self, piece: bytes) -> bytes:
        if not self._parts:
            return piece
        head = f"--{BOUNDARY}\r\nContent-Type: {BASIC}\r\nContent-Length: {len(piece)}\r\n\r\n"
        return head.encode() + piece + b"\r\n"


async def until_gone(receive: Receive) -> None:
    """Wait until the client hangs up."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def until_end(core: Core, caller: Caller) -> None:
    """Wait until a caller has to log in again."""
    with core.bus.subscribe(AccountChanged, AnonymousState) as changes:
        async for notice in changes:
            if is_end(notice.event, caller):
                return


async def head_of(body: AsyncIterator[bytes]) -> bytes:
    """The beginning of what somebody says: all of the head where it is a file."""
    head = b""
    async for piece in body:
        head += piece
        if len(head) >= HEAD_BYTES or (len(head) >= 12 and not is_wave(head)):
            break
    return head


def is_wave(head: bytes) -> bool:
    """Whether a WAV file begins here."""
    return head[:4] == b"RIFF" and head[8:12] == b"WAVE"


def sound_of(head: bytes, rate_hz: int) -> tuple[int, bytes]:
    """Rate and first sound; of a WAV file what follows its head. Raises HttpRefusal (415) for one of another kind."""
    if not is_wave(head):
        return rate_hz, head
    at = 12
    while at + 8 <= len(head):
        name, size = head[at : at + 4], int.from_bytes(head[at + 4 : at + 8], "little")
        if name == b"data":
            return rate_hz, head[at + 8 :]
        if name == b"fmt ":
            code, channels = (int.from_bytes(head[at + 8 + n : at + 10 + n], "little") for n in (0, 2))
            rate_hz = int.from_bytes(head[at + 12 : at + 16], "little")
            if (code, channels) != (MULAW, 1) or rate_hz not in KINDS.values():
                raise unheard_of(f"a WAV file of format {code}, {channels} channels, {rate_hz} Hz")
        at += 8 + size + size % 2
    raise unheard_of("a WAV file without sound near its beginning")


def unheard_of(what: str) -> HttpRefusal:
    """The refusal of sound that cannot be played."""
    message = f"{what} is not {' or '.join(KINDS)} (mu-law, one channel)"
    return HttpRefusal(415, "invalid", "content-type", message)


class Talker:
    """Hands on what somebody says, not much sooner than it is played: whoever is broken off is silent soon."""

    def __init__(self, clock: Clock, channel: Channel, reader: Reader, rate_hz: int) -> None:
        self._clock = clock
        self._channel = channel
        self._reader = reader
        self._rate_hz = rate_hz
        self._began_ns = clock.now_ns()
        self._said = 0

    async def talk(self, first: bytes, body: AsyncIterator[bytes]) -> None:
        """All of it, until the last of it is out. Raises Unavailable when the speaker goes."""
        await self._say(first)
        async for more in body:
            await self._say(more)
        await self._channel.send(END)
        if await self._reader.block() is None:
            raise Unavailable("sound", "the speaker went away")

    async def _say(self, codes: bytes) -> None:
        for piece in pieces(codes):
            await self._channel.send(piece)
            self._said += len(piece)
            ahead_s = self._said / self._rate_hz - (self._clock.now_ns() - self._began_ns) / 1e9
            if ahead_s > AHEAD_S:
                await self._clock.sleep(ahead_s - AHEAD_S)
