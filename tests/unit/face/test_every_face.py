"""Every route of every face, for nobody and for every level below it: only what a policy lists answers (row 44)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from firmware.core.actions import Level
from firmware.interfaces.faces import guarded
from firmware.interfaces.http.face import Face, Route
from firmware.interfaces.rtsp.conversation import METHODS
from firmware.interfaces.web.web import Web
from tests.unit.face import rtsp_client
from tests.unit.face.conftest import away

Play = Callable[..., None]
ADMIN = ("admin", "choose-one")
ACCOUNTS = {Level.VIEWER: ("vic", "v-secret"), Level.OPERATOR: ("otto", "o-secret")}
AWAY = "192.0.2.7"


def path_of(route: Route) -> str:
    """A path with something in its holes."""
    return route[1].replace("{", "").replace("}", "")


async def socket_status(guard: Any, path: str, header: str = "") -> int:
    """The status a WebSocket is refused with; 101 when it is accepted."""
    found: list[int] = []
    headers = [(b"host", b"127.0.0.1")] + ([(b"authorization", header.encode())] if header else [])
    scope = {
        "type": "websocket", "scheme": "ws", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": headers, "client": (AWAY, 40000), "server": ("127.0.0.1", 80), "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.disconnect" if found else "websocket.connect", "code": 1000}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.http.response.start":
            found.append(message["status"])
        elif message["type"] == "websocket.accept":
            found.append(101)
        elif message["type"] == "websocket.close" and not found:
            found.append(403)  # what a server makes of a close before it has accepted

    await guard(scope, receive, send)
    return found[0]


async def status(guard: Any, route: Route, auth: Any = None) -> int:
    """The status of one request, of somebody from elsewhere over HTTPS."""
    if route[0] == "WS":
        header = next(auth.auth_flow(httpx.Request("GET", "http://x"))).headers["authorization"] if auth else ""
        return await socket_status(guard, path_of(route), header)
    transport = httpx.ASGITransport(app=guard, client=(AWAY, 40000))
    async with httpx.AsyncClient(transport=transport, base_url="https://127.0.0.1", auth=auth) as client:
        body = {} if route[0] in ("GET", "HEAD") else {"json": {}}
        return (await client.request(route[0], path_of(route), **body)).status_code


def listed(face: Face) -> set[Route]:
    """What a policy opens, whoever asks."""
    return set(face.policy.public) | set(face.policy.optional)


def test_row_44_every_route_of_every_face_asks_for_a_log_in_unless_it_is_listed(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        guard = guarded(face.core, web=Web(face.core), views=face.views, voices=away)
        wrong = []
        for each in guard.faces:
            assert each.levels, each.name
            for route in each.levels:
                if route not in listed(each) and (code := await status(guard, route)) != 401:
                    wrong.append((each.name, route, code))
        assert wrong == []
        guard.close()

    play(main)


def test_row_44_every_route_of_every_face_turns_lower_levels_away(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        for level, account in ACCOUNTS.items():
            await face.account(*account, level.name.lower())
        guard = guarded(face.core, web=Web(face.core), views=face.views, voices=away)
        wrong = []
        for each in guard.faces:
            for route, least in each.levels.items():
                for level, account in ACCOUNTS.items():
                    if route in listed(each) or level >= least:
                        continue
                    code = await status(guard, route, httpx.BasicAuth(*account))
                    if code not in (401, 403):
                        wrong.append((each.name, route, level.name, code))
        assert wrong == []
        guard.close()

    play(main)


def test_row_44_every_method_of_rtsp_asks_for_a_log_in_and_only_options_answers_everybody(play: Play) -> None:
    others = ("PAUSE", "RECORD", "ANNOUNCE", "REDIRECT", "GET", "X-ANY")

    async def main(face: Any) -> None:
        await face.set_up()
        for level, account in ACCOUNTS.items():
            await face.account(*account, level.name.lower())
        visitors = {None: Level.ANONYMOUS, ADMIN: Level.ADMIN, **{name: level for level, name in ACCOUNTS.items()}}
        wrong = []
        async with asyncio.TaskGroup() as group:
            server = rtsp_client.Server(face, group)
            for place, (account, level) in enumerate(visitors.items()):
                for method in (*METHODS, *others):
                    client = server.connect(address=f"192.0.2.{place}")
                    client.account = account
                    code = (await client.ask(method, Transport=rtsp_client.TCP)).status
                    least = METHODS.get(method, Level.VIEWER)
                    if (code in (401, 403)) is not (level < least) or (method in others and level and code != 501):
                        wrong.append((method, level.name, code))
                    # A guessed or stolen session opens nothing either.
                    stolen = (await client.once(method, Session="0" * 32)).status
                    if stolen != 454:
                        wrong.append((method, level.name, "session", stolen))
            server.close()
        assert wrong == []

    play(main)


def test_row_44_what_a_policy_opens_exists_and_has_its_reason(play: Play) -> None:
    async def main(face: Any) -> None:
        guard = guarded(face.core, web=Web(face.core), views=face.views, voices=away)
        for each in guard.faces:
            policy = each.policy
            reasons = {**policy.public, **policy.until_setup, **policy.optional}
            assert all(reasons.values())
            templates = {(method, path.partition("{")[0]) for method, path in each.levels}
            for method, path in reasons:
                assert any(m == method and path.startswith(begin) for m, begin in templates), (each.name, method, path)
        guard.close()

    play(main)
