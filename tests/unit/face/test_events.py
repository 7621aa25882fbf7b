"""Live events: retained states first, everybody at their own pace, and nobody longer than they may."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from firmware.core.vocabulary.access import CardRead, DoorAlarm, DoorAlarmKind, DoorState, PinEntered, Position
from firmware.interfaces.api import events
from firmware.security.accounts import SWEEP_S
from firmware.security.sessions import IDLE_S

Play = Callable[..., None]
ADMIN = ("admin", "choose-one")
VIEWER = ("vic", "v-secret")
HERE = "127.0.0.1"


class Listener:
    """One client of the stream, at the seam of the server; while `slow` it does not take what is written."""

    def __init__(
        self, face: Any, auth: tuple[str, str] | None, *, kind: str = "http", address: str = HERE, **headers: str
    ) -> None:
        away = "" if address == HERE else "s"  # from elsewhere a password comes over HTTPS only
        url = "http://127.0.0.1/api/v1/events"
        request = httpx.Request("GET", url, headers=headers)
        if auth is not None:
            request = next(httpx.BasicAuth(*auth).auth_flow(request))
        self.face = face
        self.scope = {
            "type": kind,
            "scheme": ("http" if kind == "http" else "ws") + away,
            "path": "/api/v1/events",
            "raw_path": b"/api/v1/events",
            "query_string": b"",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": (address, 40000),
            "server": ("127.0.0.1", 8080),
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}},
        } | ({"method": "GET"} if kind == "http" else {})
        self.sent: list[dict[str, Any]] = []
        self.going = asyncio.Event()
        self.going.set()
        self.gone = asyncio.Event()
        self._said_hello = kind == "http"
        self.ended = False

    async def receive(self) -> dict[str, Any]:
        if not self._said_hello:
            self._said_hello = True
            return {"type": "websocket.connect"}
        await self.gone.wait()
        return {"type": "http.disconnect" if self.scope["type"] == "http" else "websocket.disconnect", "code": 1001}

    async def send(self, message: Any) -> None:
        await self.going.wait()
        self.sent.append(dict(message))

    async def run(self) -> None:
        await self.face.guard(self.scope, self.receive, self.send)
        self.ended = True

    @property
    def text(self) -> str:
        return b"".join(each.get("body", b"") for each in self.sent).decode()

    def heard(self, topic: str | None = None) -> list[dict[str, Any]]:
        if self.scope["type"] == "http":
            found = [json.loads(line[6:]) for line in self.text.splitlines() if line.startswith("data: ")]
        else:
            found = [json.loads(each["text"]) for each in self.sent if each["type"] == "websocket.send"]
        return [each for each in found if topic is None or each["topic"] == topic]


@asynccontextmanager
async def listening(*listeners: Listener) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        for listener in listeners:
            group.create_task(listener.run())
        await settled(listeners[0].face)
        try:
            yield
        finally:
            for listener in listeners:
                listener.going.set()
                listener.gone.set()


async def settled(face: Any) -> None:
    """Let everything finish that can without time passing: a jump waits for hashes and disks."""
    await face.clock.sleep(0.001)
    await face.clock.sleep(0.001)


def door(released: bool) -> DoorState:
    return DoorState(door="door", position=Position.CLOSED, released=released)


def test_a_stream_begins_with_the_retained_states_and_goes_on_with_what_happens(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        face.bus.publish(door(released=False))
        sse, ws = Listener(face, ADMIN), Listener(face, ADMIN, kind="websocket")
        async with listening(sse, ws):
            assert sse.sent[0]["status"] == 200
            assert dict(sse.sent[0]["headers"])[b"content-type"].startswith(b"text/event-stream")
            assert ws.sent[0]["type"] == "websocket.accept"
            face.bus.publish(door(released=True))
            face.bus.publish(PinEntered(reader="front", door="door", digits=4))
            face.bus.forget(DoorState, "door")
            await settled(face)
            for listener in (sse, ws):
                first = listener.heard("door/state")[0]
                assert (first["operation"], first["released"]) == ("initialised", False)
                assert listener.heard("door/state")[-1]["operation"] == "deleted"
                assert [each["digits"] for each in listener.heard("access/pin")] == [4]
                assert {"device/info", "security/setup"} <= {each["topic"] for each in listener.heard()}
        assert sse.ended
        assert ws.ended
        assert len(face.api.events.streams) == 0

    play(main)


def test_every_event_of_a_stream_carries_its_id(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        listener = Listener(face, ADMIN)
        async with listening(listener):
            stamped = face.bus.publish(PinEntered(reader="front", door="door", digits=4))
            await settled(face)
            assert f"id: {stamped.id}\ndata: {{" in listener.text

    play(main)


def test_a_quiet_stream_is_kept_alive_by_comments(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        listener = Listener(face, ADMIN)
        async with listening(listener):
            await face.clock.sleep(events.HEARTBEAT_S * 2 + 1)
            assert listener.text.count(": connected\n\n") == 1
            assert listener.text.count(": alive\n\n") == 2

    play(main)


def test_row_45_a_client_that_does_not_read_loses_pulses_keeps_the_truth_and_slows_nobody(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        slow, quick = Listener(face, ADMIN), Listener(face, ADMIN)
        async with listening(slow, quick):
            slow.going.clear()
            for number in range(3 * events.DEPTH):
                face.bus.publish(PinEntered(reader="front", door="door", digits=number))
                face.bus.publish(door(released=bool(number % 2)))
                await settled(face)
            assert len(quick.heard("access/pin")) == 3 * events.DEPTH
            assert quick.heard(events.LOST) == []
            slow.going.set()
            await settled(face)
            got = [each["digits"] for each in slow.heard("access/pin")]
            lost = sum(each["lost"] for each in slow.heard(events.LOST))
            assert len(got) + lost == 3 * events.DEPTH
            assert got[-1] == 3 * events.DEPTH - 1
            assert len(got) <= events.DEPTH + 2
            assert slow.heard("door/state")[-1]["released"] is True
            assert len(slow.heard("door/state")) <= 3

    play(main)


def test_there_are_only_so_many_streams(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        listeners = [
            Listener(face, ADMIN, address=f"192.0.2.{number // events.PER_ADDRESS}") for number in range(events.STREAMS)
        ]
        async with listening(*listeners):
            assert {each.sent[0]["status"] for each in listeners} == {200}
            late, later = Listener(face, ADMIN), Listener(face, ADMIN, kind="websocket")
            async with listening(late, later):
                assert late.sent[0]["status"] == 507
                assert later.sent[0]["status"] == 507

    play(main)


def test_row_32_one_address_does_not_take_all_streams_from_the_others(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        greedy = [
            Listener(face, ADMIN, kind=("http", "websocket")[number % 2], address="192.0.2.1")
            for number in range(events.PER_ADDRESS)
        ]
        async with listening(*greedy):
            assert all(each.sent[0].get("status", 101) in (101, 200) for each in greedy)
            refused = [Listener(face, ADMIN, kind=kind, address="192.0.2.1") for kind in ("http", "websocket")]
            other = Listener(face, ADMIN, address="192.0.2.2")
            async with listening(*refused, other):
                assert [each.sent[0]["status"] for each in refused] == [507, 507]
                assert b"16 clients listen already from 192.0.2.1" in refused[0].sent[1]["body"]
                assert other.sent[0]["status"] == 200
            greedy[0].gone.set()
            await settled(face)
            again = Listener(face, ADMIN, address="192.0.2.1")
            async with listening(again):
                assert again.sent[0]["status"] == 200  # a place that was given back

    play(main)


async def session_of(face: Any) -> tuple[httpx.AsyncClient, str, str]:
    """A logged-in browser: its client, its cookie, the token of its changes."""
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=face.guard), base_url="http://127.0.0.1")
    opened = await client.post("/api/v1/session", json={"name": ADMIN[0], "password": ADMIN[1]})
    assert opened.status_code == 201, opened.text
    return client, opened.headers["set-cookie"].partition(";")[0], opened.json()["csrf"]


def test_row_39_logging_out_ends_what_was_opened_in_the_session_and_nothing_else(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        (client, cookie, csrf), (other, other_cookie, _) = await session_of(face), await session_of(face)
        mine = [Listener(face, None, kind=kind, cookie=cookie) for kind in ("http", "websocket")]
        others = [Listener(face, None, cookie=other_cookie), Listener(face, ADMIN)]
        async with listening(*mine, *others):
            assert (await client.delete("/api/v1/session", headers={"x-csrf-token": csrf})).status_code == 204
            await settled(face)
            assert [each.ended for each in (*mine, *others)] == [True, True, False, False]
            assert mine[0].sent[-1]["more_body"] is False
            assert mine[1].sent[-1]["type"] == "websocket.close"
            (told,) = others[0].heard("security/session/ended")
            assert (told["name"], told["why"]) == (ADMIN[0], "logged_out")
            assert cookie.partition("=")[2] not in others[0].text
        await client.aclose()
        await other.aclose()

    play(main)


def test_row_39_a_session_that_rests_too_long_ends_its_streams_although_nobody_asks_for_it(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        client, cookie, _ = await session_of(face)
        idle = Listener(face, None, cookie=cookie)
        async with listening(idle):
            await face.clock.sleep(IDLE_S - 1)
            assert not idle.ended
            await face.clock.sleep(SWEEP_S + 2)
            assert idle.ended
        await client.aclose()

    play(main)


def test_a_stream_ends_with_the_account_and_with_the_server(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        await face.account(*VIEWER, "viewer")
        theirs, ours = Listener(face, VIEWER), Listener(face, ADMIN)
        socket = Listener(face, VIEWER, kind="websocket")
        async with listening(theirs, ours, socket):
            async with face.client(ADMIN) as client:
                await client.post("/api/v1/actions/accounts.remove", json={"name": "vic"})
            await settled(face)
            assert (theirs.ended, ours.ended, socket.ended) == (True, False, True)
            assert socket.sent[-1]["type"] == "websocket.close"
            face.api.events.streams.close()
            await settled(face)
            assert ours.ended
            assert ours.sent[-1]["more_body"] is False

    play(main)


def test_a_stream_of_somebody_who_has_not_logged_in_ends_when_that_is_not_allowed_any_more(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(ADMIN) as client:
            await client.patch("/api/v1/params/accounts", json={"anonymous_viewing": True})
            await settled(face)
            stranger, socket = Listener(face, None), Listener(face, None, kind="websocket")
            ours = Listener(face, ADMIN)
            async with listening(stranger, socket, ours):
                await client.patch("/api/v1/params/accounts", json={"digest_md5": True})
                await settled(face)
                assert (stranger.ended, socket.ended) == (False, False)
                await client.patch("/api/v1/params/accounts", json={"anonymous_viewing": False})
                await settled(face)
                assert (stranger.ended, socket.ended, ours.ended) == (True, True, False)
                assert stranger.sent[-1]["more_body"] is False

    play(main)


def test_row_44_a_websocket_asks_for_a_log_in_before_it_is_accepted(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        for headers, auth, status in (
            ({}, None, 401),
            ({}, ("admin", "wrong"), 401),
            ({"origin": "http://evil.example"}, ADMIN, 403),
            ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, ADMIN, 403),
            ({"host": "evil.example"}, ADMIN, 421),
        ):
            listener = Listener(face, auth, kind="websocket", **headers)
            async with listening(listener):
                assert [each["type"] for each in listener.sent] == [
                    "websocket.http.response.start",
                    "websocket.http.response.body",
                ]
                assert listener.sent[0]["status"] == status

    play(main)


def test_a_viewer_sees_that_a_card_was_read_but_not_which(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        await face.account(*VIEWER, "viewer")
        viewer, admin = Listener(face, VIEWER), Listener(face, ADMIN)
        async with listening(viewer, admin):
            face.bus.publish(CardRead(reader="front", door="door", bits="110011001100", credential="H10301:42:1234"))
            await settled(face)
            assert "H10301" not in viewer.text
            assert "110011001100" not in viewer.text
            assert viewer.heard("access/card")[0]["reader"] == "front"
            assert admin.heard("access/card")[0]["credential"] == "H10301:42:1234"

    play(main)


def test_row_41_text_of_strangers_cannot_break_out_of_an_event(play: Play) -> None:
    nasty = "a\n\ndata: {}\r\n<script>\x1b[2J\u2028"

    async def main(face: Any) -> None:
        await face.set_up()
        listener = Listener(face, ADMIN)
        async with listening(listener):
            face.bus.publish(DoorAlarm(door="door", kind=DoorAlarmKind.EXIT, active=True, detail=nasty))
            await settled(face)
            assert [each["detail"] for each in listener.heard("door/alarm")] == [nasty]
            assert "\x1b" not in listener.text
            assert "\r" not in listener.text

    play(main)
