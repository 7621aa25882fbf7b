"""What is fuzzed besides clips: readers of requests and of camera files, by name. Each takes any bytes, raises nothing.

A refusal of the reader's own (`Invalid`, `Refusal`, `HttpRefusal`, ...) is an answer; whatever else comes out of it, or
an answer that cannot be sent, is a finding.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

from firmware.core.actions import ActionTable, Caller
from firmware.core.bus import Bus
from firmware.core.context import Core
from firmware.core.errors import Invalid, NotFound
from firmware.core.link.channel import Channel
from firmware.core.link.local import LocalLink
from firmware.core.params import Params
from firmware.core.store import Store
from firmware.core.vocabulary.video import Signal, VideoSource
from firmware.interfaces.api.pictures import PictureQuery, StreamQuery
from firmware.interfaces.api.routes import json_of, query_of
from firmware.interfaces.api.upload import _boundary, _Reader
from firmware.interfaces.http.credentials import basic_of, cookie_of, target_of
from firmware.interfaces.http.errors import HttpRefusal
from firmware.interfaces.http.face import Policy
from firmware.interfaces.http.fields import Fields
from firmware.interfaces.http.guard import check_content, check_host, check_origin
from firmware.interfaces.http.server import Server
from firmware.interfaces.topics.feed import content_filter, topic_filter
from firmware.interfaces.vapix.asked import Asked, pairs
from firmware.interfaces.vapix.envelope import NEWER, Call, JsonApi, Method, Refusal
from firmware.interfaces.vapix.event_socket import filters
from firmware.interfaces.vapix.firmware import document_of
from firmware.interfaces.vapix.firmware import wish_of as upgrade_wish
from firmware.interfaces.vapix.images import ImageCgis
from firmware.interfaces.vapix.param_tree import Kind, Leaf
from firmware.interfaces.vapix.params import ParamCgi
from firmware.interfaces.vapix.ports import parse_action
from firmware.interfaces.vapix.soap import Operation, SoapServices
from firmware.interfaces.vapix.syslog import wish_of as syslog_wish
from firmware.interfaces.vapix.users import level_of, one
from firmware.interfaces.vapix.xml import Element
from firmware.interfaces.video.mjpeg import check_fps, cut_of
from firmware.interfaces.video.place import Place
from firmware.interfaces.video.views import Views
from firmware.security.digest import read_answer
from hal.clock import SystemClock
from tests.fuzz.asking import ADMIN, CORPUS, Target, at_once, check_short, corpus, request, sendable
from tests.fuzz.camera import motion
from tests.fuzz.rtsp import rtsp
from tests.fuzz.settings import SETTINGS

POLICIES = (Policy(via="api"), Policy(via="vapix", json_only=False, links=False))


# the parameters of programs


async def _write(_: Caller, value: str) -> None:
    """Takes whatever fits the type."""
    assert value != "refused"


LEAVES = [
    Leaf(name="Brand.ProdNbr", value="LINTEL-DS1"),
    Leaf(name="IOPort.I0.Input.Name", value="a bell & <more>", most=40, write=_write),
    Leaf(name="IOPort.I0.Direction", value="input", kind=Kind.CHOICE, choices=("input", "output"), write=_write),
    Leaf(name="Network.HTTP.Port", value="80", kind=Kind.NUMBER, least=1, most=65535, write=_write),
    Leaf(name="Network.HTTP.Open", value="yes", kind=Kind.YES_NO, write=_write),
    Leaf(name="Syslog.Password", value="x", kind=Kind.SECRET, write=_write),
    Leaf(name="A" * 60 + ".B.C.D.E.F", value="deep"),
    *(Leaf(name=f"Properties.Group{number}.Leaf{number}", value=str(number)) for number in range(12)),
]
ACTIONS = ("list", "listdefinitions", "update")
PARAMS = ParamCgi(lambda: LEAVES, lambda: ("model", "1.0.0"))


def arguments(data: bytes) -> None:
    """A query or form, and what is made of its words; without an action of its own it gets one by its length."""
    try:
        words = dict(pairs(data))
    except Invalid:
        return
    level_of(words.get("sgrp", ""))
    assert one(words.get("user", "")).isascii()
    action = words.get("action", "")
    if action not in ACTIONS:
        action = ACTIONS[len(data) % len(ACTIONS)]
        data = data.replace(b"action=", b"was=")
    answer = at_once(PARAMS._param(Asked(request(data, query=f"action={action}".encode()), ADMIN)))
    sendable(answer, 200)
    text = bytes(answer.body).decode()
    if action != "listdefinitions":
        assert all(line.startswith(("root.", "# ", "OK")) for line in text.splitlines()), text[:2000]


def ports(data: bytes) -> None:
    """An action on a port."""
    try:
        _, steps = parse_action(data.decode(errors="replace"))
    except Invalid:
        return
    assert steps


# JSON


async def _every_kind(call: Call) -> Mapping[str, Any]:
    """Asks for a parameter of every kind there is."""
    found: dict[str, Any] = {"text": call.text("text", "x")}
    found["number"] = call.number("number", 1, least=-5, most=10.5)
    found["flag"] = call.flag("flag", False)
    found["choice"] = call.choice("choice", ("open", "closed"), "open")
    if call.has("items"):
        found["servers"] = [syslog_wish(call, item) for item in call.items("items")]
    return found


API = JsonApi(id="fuzzed", name="Fuzzed", path="/fuzzed", codes=NEWER, versions=("1.0", "2.3"),
              methods={"kinds": Method(run=_every_kind)})  # fmt: skip


def envelope(data: bytes) -> None:
    """A JSON address of programs."""
    sendable(at_once(API.answer(Asked(request(data), ADMIN))), 200)


def upgrade(data: bytes) -> None:
    """The document that comes with a firmware."""
    try:
        upgrade_wish(document_of(data.decode(errors="replace")))
    except Refusal:
        return


def body(data: bytes) -> None:
    """A JSON body of the native API."""
    try:
        value = at_once(json_of(request(data)))
    except Invalid as error:
        error.message.encode()
        return
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def events(data: bytes) -> None:
    """Filters of events, as texts and as JSON."""
    text = data.decode(errors="replace")
    for reader in (topic_filter, content_filter):
        with suppress(Invalid):
            reader(text)
    try:
        filters(at_once(json_of(request(data))))
    except Invalid:
        return


# XML


async def _repeat(_: Asked, element: Element) -> str:
    """Looks at all of it."""
    count, waiting = 0, [element]
    while waiting:
        each = waiting.pop()
        count += len(each.text) + len(each.attributes)
        waiting.extend(each.children)
    return str(count)


SERVICES = SoapServices({("http://www.axis.com/vapix/ws/event1", "GetEventInstances"): Operation(run=_repeat)})


def soap(data: bytes) -> None:
    """An envelope, and whatever is in it."""
    answer = at_once(SERVICES._answer(Asked(request(data), ADMIN)))
    sendable(answer, 200, 400)
    bytes(answer.body).decode()


# forms with a file

MOST_PIECES = 128


def form(data: bytes) -> None:
    """The first line is the content type; the first byte of the rest says whose form it is and how it is cut up."""
    kind, _, rest = data.partition(b"\n")
    first = rest[0] if rest else 0
    # A long form in single bytes would show nothing that a short one does not, and take a hundred times as long.
    step = max(1 + (first >> 1) * 13, len(rest) // MOST_PIECES)
    kinds = {b"application/json": "json"} if first & 1 else None
    taken = 0
    try:
        reader = _Reader(_boundary(request(headers={b"content-type": kind})), "file", ("name", "json"), kinds)
        for at in range(1, len(rest), step):
            reader.feed(rest[at : at + step])
            taken += len(reader.take())
        reader.end()
    except Invalid as error:
        error.message.encode()
    assert taken <= len(rest)


# headers


def headers(data: bytes) -> None:
    """`name: value` lines through everything that looks at headers before a request is let in."""
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/fuzzed", "scheme": "http"}
    lines = [line.partition(b": ") for line in data.split(b"\n")]
    scope["headers"] = [(name.lower(), value) for name, _, value in lines]
    found = Fields(scope["headers"])
    for check in (lambda: check_host(found, lambda: {"lintel"}), *(
        lambda check=check, policy=policy: check(scope, found, policy)
        for check in (check_origin, check_content) for policy in POLICIES
    )):  # fmt: skip
        try:
            check()
        except HttpRefusal as refusal:
            refusal.message.encode()
    cookie_of(scope)
    target_of(scope)
    scheme, _, rest = found.get(b"authorization").partition(" ")
    basic_of(rest if scheme else "")
    for compatible in (False, True):
        answer = read_answer(rest, compatible=compatible)
        if answer is not None:
            answer.expected("secret", "GET")


# pictures


PLACE = Place(source="camera1", alias="entrance", width=1920, height=1080, fps=30, connect=lambda: _away())
SIZES = ("1280x720", "640x360")
STATE = VideoSource(source="camera1", alias="entrance", phase=Signal.RUNNING, reason="", width=1280, height=720,
                    fps=30.0, sizes=SIZES)  # fmt: skip


async def _away() -> Channel:
    raise ConnectionRefusedError


@cache
def _views() -> tuple[Core, Views]:
    """Cameras of a device whose media role is away: one has said what it can do, one has not."""
    clock = SystemClock()
    bus = Bus(clock, role="network", boot="fuzz")
    store = Store(CORPUS / "no-such-folder", clock, alarm=lambda *_: None)
    actions, params = ActionTable(), Params(store, bus, lambda *_: None)
    core = Core(role="network", clock=clock, bus=bus, actions=actions, link=LocalLink(actions, params), params=params,
                store=store, shared=store)  # fmt: skip
    bus.publish(STATE)
    other = Place(source="camera2", alias="yard", width=640, height=480, fps=5, connect=_away)
    return core, Views(core, (PLACE, other))


def pictures(data: bytes) -> None:
    """What is asked of a picture: by the native API and by programs."""
    core, views = _views()
    for kind in (PictureQuery, StreamQuery):
        for place in views.places.values():
            try:
                query: Any = query_of(request(query=data), kind)
                check_fps(place, getattr(query, "fps", 0), "query.")
                cut_of(views, place, query.resolution, query.compression, "query.")
            except (Invalid, NotFound) as error:
                check_short(error)
    cgis = ImageCgis(core, views)
    for endpoint in (cgis._video, cgis._size, cgis._status):
        try:
            answer = at_once(endpoint(Asked(request(query=data), ADMIN)))
        except (Invalid, NotFound) as error:
            check_short(error)
        else:
            sendable(answer, 200)


# a connection


class _Wire(asyncio.Transport):
    """A connection whose client is read from bytes; what is written to it is counted."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 40000), "sockname": ("127.0.0.1", 80)})
        self.written = 0
        self.closed = False
        self.protocol: Any = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += len(data)

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert isinstance(self.protocol, asyncio.BaseProtocol)
        return self.protocol


async def _echo(scope: Any, receive: Any, send: Any) -> None:
    """Reads all of a request and says how long it was."""
    if scope["type"] != "http":
        await send({"type": "websocket.close"})
        return
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    head = [(b"content-length", str(len(str(size))).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": str(size).encode()})


@cache
def _loop() -> tuple[asyncio.AbstractEventLoop, Server, list[BaseException]]:
    loop, wrong = asyncio.new_event_loop(), list[BaseException]()

    def note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        wrong.append(context.get("exception") or AssertionError(context["message"]))

    loop.set_exception_handler(note)
    return loop, Server(_echo, "127.0.0.1", 0, SystemClock()), wrong


def connection(data: bytes) -> None:
    """What comes over a connection, in two pieces, until its client hangs up."""
    loop, server, wrong = _loop()
    loop.run_until_complete(_connect(server, data))
    assert not server._shared.tasks, "a request is still at work"
    assert server.connections == 0, "a connection is still counted"
    if wrong:
        raise wrong.pop()


async def _connect(server: Server, data: bytes) -> None:
    if not server._config.loaded:
        server._config.load()
    wire, protocol = _Wire(), server._config.http_protocol_class(server._config, server._shared, {})  # type: ignore[call-arg, arg-type]
    wire.protocol = protocol
    protocol.connection_made(wire)
    for piece in (data[: len(data) // 2], data[len(data) // 2 :]):
        if not wire.closed and piece:
            wire.protocol.data_received(piece)
            await _a_moment()
    wire.protocol.connection_lost(None)
    for _ in range(20):
        await _a_moment()
    assert wire.written < 1024 * 1024


def _a_moment() -> Awaitable[None]:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(done.set_result, None)
    return done


TARGETS: dict[str, Target] = {
    "arguments": arguments,
    "body": body,
    "connection": connection,
    "envelope": envelope,
    "events": events,
    "form": form,
    "headers": headers,
    "motion": motion,
    "pictures": pictures,
    "ports": ports,
    "rtsp": rtsp,
    "soap": soap,
    "upgrade": upgrade,
    **SETTINGS,
}

__all__ = ["TARGETS", "Target", "corpus"]
