"""What comes through the dispatcher, at the whole application: always with a log-in, never as somebody at home."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from firmware.interfaces.cloud.asgi import exchange
from firmware.interfaces.cloud.contract import RESPONSE_BYTES, Request, Response, body_of, text_of
from firmware.interfaces.vapix.face import Vapix

Play = Callable[..., None]
ADMIN = ("admin", "choose-one")


async def ask(face: Any, method: str, target: str, data: Any = None, **headers: str) -> Response:
    body = b"" if data is None else json.dumps(data).encode()
    given = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    request = Request(id="r1", method=method, target=target, headers=tuple(given.items()), body=text_of(body))
    return await exchange(face.guard, request)


async def logged_in(face: Any, method: str, target: str, data: Any = None, auth: Any = ADMIN, **more: str) -> Response:
    """The two steps of a Digest log-in, as a client behind the dispatcher makes them."""
    first = await ask(face, method, target, data, **more)
    steps = httpx.DigestAuth(*auth).auth_flow(httpx.Request(method, f"http://localhost{target}"))
    next(steps)
    refusal = httpx.Response(first.status, headers=list(first.headers), request=httpx.Request(method, "http://x"))
    said = steps.send(refusal).headers["authorization"]
    return await ask(face, method, target, data, authorization=said, **more)


def shown(response: Response) -> Any:
    return json.loads(body_of(response.body, RESPONSE_BYTES))


def test_row_44_a_request_from_the_cloud_needs_the_log_in_of_an_account(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        assert (await ask(face, "GET", "/api/v1/device")).status == 401
        answer = await logged_in(face, "GET", "/api/v1/device")
        assert (answer.status, shown(answer)["serial"]) == (200, "0123456789AB")
        wrong = await logged_in(face, "GET", "/api/v1/device", auth=("admin", "wrong-password"))
        assert wrong.status == 401

    play(main)


@pytest.mark.parametrize("target", ["/axis-cgi/param.cgi?action=list", "/axis-cgi/apidiscovery.cgi"])
def test_row_44_only_the_api_of_the_device_is_reached_from_the_cloud(play: Play, target: str) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        face.guard.faces = (*face.guard.faces, Vapix(face.core, face.views).face())
        answer = await ask(face, "GET", target)
        assert (answer.status, shown(answer)["error"]["code"]) == (404, "not_found")
        async with face.client(ADMIN) as client:
            assert (await client.get(target)).status_code != 404

    play(main)


def test_a_password_is_never_taken_through_a_dispatcher(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        basic = httpx.Request("GET", "http://x", headers={}).headers
        said = next(httpx.BasicAuth(*ADMIN).auth_flow(httpx.Request("GET", "http://x"))).headers["authorization"]
        answer = await ask(face, "GET", "/api/v1/device", authorization=said, **dict(basic))
        offers = [value for name, value in answer.headers if name == "www-authenticate"]
        assert answer.status == 401
        assert offers
        assert all(offer.startswith("Digest") for offer in offers)

    play(main)


@pytest.mark.parametrize("target", ["/", "/setup", "/web/entrance.js"])
def test_row_29_nothing_of_the_first_start_is_seen_from_the_cloud(play: Play, target: str) -> None:
    async def main(face: Any) -> None:
        assert (await ask(face, "GET", target)).status == 401

    play(main)


def test_row_29_nobody_in_the_cloud_becomes_the_first_administrator(play: Play) -> None:
    async def main(face: Any) -> None:
        made = await ask(face, "POST", "/api/v1/setup", {"name": "mallory", "password": "some-password"})
        assert made.status == 401
        assert (await face.set_up()).status_code == 201

    play(main)


def test_an_action_from_the_cloud_says_that_it_came_that_way(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        answer = await logged_in(face, "POST", "/api/v1/actions/door.release", {"door": "door"})
        assert answer.status == 200
        (asked,) = face.owners.asked
        assert (asked.caller.name, asked.caller.via) == ("admin", "cloud")

    play(main)


def test_row_39_a_browser_on_another_site_changes_nothing_through_the_cloud(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        for headers in ({"origin": "https://evil.example"}, {"sec_fetch_site": "cross-site"}):
            answer = await ask(face, "POST", "/api/v1/actions/door.release", {"door": "door"}, **headers)
            assert answer.status == 403
        assert face.owners.asked == []

    play(main)


def test_row_30_guessing_through_the_cloud_is_slowed_down_and_does_not_lock_out_home(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        statuses = [
            (await logged_in(face, "GET", "/api/v1/device", auth=("admin", f"guess-{number}"))).status
            for number in range(8)
        ]
        assert statuses[-1] == 429
        async with face.client(ADMIN) as client:
            assert (await client.get("/api/v1/device")).status_code == 200

    play(main)
