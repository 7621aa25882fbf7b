"""One connection to a dispatcher that asks too much, too fast, nonsense, or nothing at all; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from firmware.interfaces.cloud.asgi import REQUEST_S
from firmware.interfaces.cloud.contract import (
    MESSAGE_BYTES,
    REQUEST_BYTES,
    RESPONSE_BYTES,
    Cancel,
    Frame,
    Hello,
    Refused,
    Registered,
    Request,
    Response,
    body_of,
    pack,
    text_of,
    unpack,
)
from firmware.interfaces.cloud.relay import BURST, IN_FLIGHT, PING_S, Relay
from firmware.interfaces.cloud.socket import STALLED_S, Broken
from hal.sim.time import VirtualClock, virtual_run
from tests.unit.cloud.wires import Ends
from tests.unit.ending import while_ending

HELLO = Hello(protocol=1, serial="0123456789AB", model="LINTEL-HS1", version="0")


class Scene:
    """A relay at work, an application that a test shapes, and the dispatcher's end of the wire."""

    def __init__(self, clock: VirtualClock, ends: Ends) -> None:
        self.clock = clock
        self.ends = ends
        self.body = b"hello"
        self.hold = asyncio.Event()
        self.hold.set()
        self.left = 0
        self.registered = 0
        self.scopes: list[Any] = []
        self.received: list[bytes] = []

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        self.received.append((await receive())["body"])
        try:
            await self.hold.wait()
        except asyncio.CancelledError:
            self.left += 1
            raise
        if scope["path"] == "/fault":
            raise RuntimeError("a fault of the application")
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-kind", b"test")]})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def register(self) -> None:
        self.registered += 1

    async def hear(self) -> Frame:
        text = await self.ends.dispatcher.receive()
        assert text is not None
        return unpack(text)

    async def ask(self, id: str, target: str = "/api/v1/device", **more: Any) -> None:
        await self.ends.dispatcher.send(pack(Request(id=id, method="GET", target=target, **more)))


def play(body: Callable[[Scene], Awaitable[None]], *, ends_with: str = "it hung up") -> None:
    """Run a relay beside a test's dispatcher; it has to end as said."""

    async def main(clock: VirtualClock) -> None:
        scene = Scene(clock, await Ends().open())
        relay = Relay(scene.ends.device, lambda: scene.app, clock, scene.register)
        running = asyncio.ensure_future(relay.run(HELLO))
        assert await scene.hear() == HELLO
        try:
            await body(scene)
            if ends_with == "it hung up":
                await scene.ends.dispatcher.close()
                assert await running == ends_with
            else:
                with pytest.raises(Broken, match=ends_with):
                    await running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    virtual_run(main)


def test_a_request_reaches_the_application_marked_as_remote_and_its_answer_comes_back() -> None:
    async def body(scene: Scene) -> None:
        headers = (("Authorization", "Digest x"), ("Cookie", "a=b"), ("Host", "elsewhere"), ("X-Forwarded-For", "::1"))
        await scene.ask("r1", "/api/v1/params/a%2Fb?x=1", headers=headers, body=text_of(b"{}"))
        answer = await scene.hear()
        assert isinstance(answer, Response)
        assert (answer.id, answer.status, answer.headers) == ("r1", 200, (("x-kind", "test"),))
        assert body_of(answer.body, RESPONSE_BYTES) == b"hello"
        (scope,) = scene.scopes
        assert (scope["remote"], scope["client"], scope["scheme"]) == ("cloud", ("cloud", 0), "http")
        assert (scope["path"], scope["raw_path"]) == ("/api/v1/params/a/b", b"/api/v1/params/a%2Fb")
        assert scope["query_string"] == b"x=1"
        assert scope["headers"] == [
            (b"authorization", b"Digest x"),
            (b"host", b"localhost"),
            (b"content-length", b"2"),
        ]
        assert scene.received == [b"{}"]

    play(body)


def test_row_32_more_requests_than_may_be_under_way_are_refused_and_the_others_answered() -> None:
    async def body(scene: Scene) -> None:
        scene.hold.clear()
        for number in range(IN_FLIGHT + 3):
            await scene.ask(f"r{number}")
        for number in range(IN_FLIGHT, IN_FLIGHT + 3):
            refused = await scene.hear()
            assert isinstance(refused, Refused)
            assert (refused.id, refused.code) == (f"r{number}", "busy")
        scene.hold.set()
        assert {(await scene.hear()).id for _ in range(IN_FLIGHT)} == {f"r{n}" for n in range(IN_FLIGHT)}  # type: ignore[union-attr]

    play(body)


def test_row_32_a_flood_is_refused_beyond_its_rate_and_served_again_later() -> None:
    async def body(scene: Scene) -> None:
        codes = []
        for number in range(BURST + 5):
            await scene.ask(f"r{number}")
            answer = await scene.hear()
            codes.append(answer.code if isinstance(answer, Refused) else "answered")
        assert codes == ["answered"] * BURST + ["exhausted"] * 5
        await scene.clock.sleep(1.0)
        await scene.ask("later")
        assert isinstance(await scene.hear(), Response)

    play(body)


def test_a_request_nobody_waits_for_is_taken_back_and_its_place_is_free() -> None:
    async def body(scene: Scene) -> None:
        scene.hold.clear()
        for number in range(IN_FLIGHT):
            await scene.ask(f"r{number}")
        await scene.clock.sleep(0.01)
        await scene.ends.dispatcher.send(pack(Cancel(id="r0")))
        await scene.clock.sleep(0.01)
        assert scene.left == 1
        scene.hold.set()
        await scene.ask("next")
        assert {(await scene.hear()).id for _ in range(IN_FLIGHT)} == {"r1", "r2", "r3", "next"}  # type: ignore[union-attr]

    play(body)


@pytest.mark.parametrize(
    ("target", "size", "code", "said"),
    [
        ("/big", RESPONSE_BYTES + 1, "exhausted", f"longer than {RESPONSE_BYTES} bytes"),
        ("/fault", 1, "unavailable", "the device has a fault"),
    ],
)
def test_an_answer_that_cannot_cross_is_refused_and_the_next_request_served(
    target: str, size: int, code: str, said: str
) -> None:
    async def body(scene: Scene) -> None:
        scene.body = b"x" * size
        await scene.ask("r1", target)
        refused = await scene.hear()
        assert isinstance(refused, Refused)
        assert refused.code == code
        assert said in refused.message
        scene.body = b"x" * RESPONSE_BYTES
        await scene.ask("r2")
        assert isinstance(await scene.hear(), Response)

    play(body)


def test_an_answer_that_does_not_end_is_given_up() -> None:
    async def body(scene: Scene) -> None:
        scene.hold.clear()
        began_ns = scene.clock.now_ns()
        await scene.ask("r1", "/api/v1/events")
        refused = await scene.hear()
        assert isinstance(refused, Refused)
        assert f"does not end within {REQUEST_S:g} s" in refused.message
        assert (scene.clock.now_ns() - began_ns) / 1e9 == pytest.approx(REQUEST_S)
        assert scene.left == 1

    play(body)


def test_two_requests_of_one_id_and_a_body_that_is_too_long_are_refused() -> None:
    async def body(scene: Scene) -> None:
        scene.hold.clear()
        await scene.ask("same")
        await scene.ask("same")
        refused = await scene.hear()
        assert isinstance(refused, Refused)
        assert refused.code == "invalid"
        await scene.ask("long", body=text_of(b"x" * (REQUEST_BYTES + 3)))
        refused = await scene.hear()
        assert isinstance(refused, Refused)
        assert (refused.id, refused.code) == ("long", "invalid")
        scene.hold.set()
        assert isinstance(await scene.hear(), Response)

    play(body)


def test_registered_is_passed_on() -> None:
    async def body(scene: Scene) -> None:
        await scene.ends.dispatcher.send(pack(Registered()))
        await scene.clock.sleep(0.01)
        assert scene.registered == 1

    play(body)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello", "it breaks the protocol: message: is not JSON"),
        (pack(HELLO), "it breaks the protocol: hello is for a device to say"),
        ("x" * (MESSAGE_BYTES + 1), f"it sent a message of more than {MESSAGE_BYTES} characters"),
    ],
)
def test_what_breaks_the_protocol_ends_the_connection(text: str, said: str) -> None:
    async def body(scene: Scene) -> None:
        await scene.ends.dispatcher.send(text)

    play(body, ends_with=said)


def test_a_dispatcher_that_says_nothing_is_gone_after_two_pings() -> None:
    async def body(scene: Scene) -> None:
        await scene.clock.sleep(PING_S * 1.5)  # nobody reads the wire, so nobody answers a ping

    play(body, ends_with=f"it has said nothing for {PING_S:g} s")


def test_a_dispatcher_that_answers_pings_is_kept_for_as_long_as_it_likes() -> None:
    async def body(scene: Scene) -> None:
        reading = asyncio.ensure_future(scene.ends.dispatcher.receive())
        await scene.clock.sleep(PING_S * 50)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    play(body)


def test_row_45_a_dispatcher_that_reads_nothing_is_cut_off() -> None:
    async def body(scene: Scene) -> None:
        scene.ends.out.jam = asyncio.Event()
        await scene.ask("r1")

    play(body, ends_with=f"it has read nothing for {STALLED_S:g} s")


@pytest.mark.parametrize("deed", ["send", "close"])
def test_row_45_a_dispatcher_that_reads_nothing_does_not_hold_up_who_ends(deed: str) -> None:
    async def main(clock: VirtualClock) -> None:
        ends = await Ends().open()
        ends.out.jam = asyncio.Event()
        if deed == "close":
            await while_ending(ends.device.close())
            assert not ends.out.is_open, "it has not hung up"
        else:
            with pytest.raises(Broken, match="it has read nothing"):
                await while_ending(ends.device.send("hello"))

    virtual_run(main)


def test_a_wire_that_is_cut_ends_the_connection() -> None:
    async def body(scene: Scene) -> None:
        scene.ends.back.close()
        await scene.clock.sleep(0.01)

    play(body)
