"""A face for older clients beside the native one: MD5 alone, answers without qop, a uri without its query, forms."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from firmware.core.errors import Forbidden
from firmware.interfaces.http.face import Face, Policy, face_of
from firmware.security.digest import LIFETIME_S

Play = Callable[..., None]
ADMIN = ("admin", "choose-one")
AWAY = "192.0.2.7"
OLD = Policy(
    via="old",
    compatible=True,
    json_only=False,
    cookies=False,
    links=False,
    public={("GET", "/old/open.cgi"): "is open"},
    optional={("POST", "/old/maybe.cgi"): "depends on who asks"},
)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Says who asks; `maybe` is for those who have logged in."""
    visitor = scope["visitor"]
    body = (await Request(scope, receive).body()).decode()
    if scope["path"] == "/old/maybe.cgi" and body == "more" and visitor.caller.level == 0:
        raise Forbidden("old", "not for nobody")
    await PlainTextResponse(f"{visitor.caller.name} {visitor.scheme} {body}")(scope, receive, send)


@pytest.fixture
def both(play: Play) -> Callable[[Callable[[Any], Any]], None]:
    """A device that is set up, with both faces."""

    def run(main: Callable[[Any], Any]) -> None:
        async def session(face: Any) -> None:
            face.guard.faces = (*face.guard.faces, Face(name="old", prefixes=("/old",), app=app, policy=OLD))
            await face.set_up()
            await main(face)

        play(session)

    return run


def answer_of(challenge: str, uri: str, *, method: str = "GET", **more: str) -> str:
    """An Authorization header as a client of RFC 2069 makes it: no qop, no count."""
    realm, nonce = (challenge.split(f'{name}="')[1].split('"')[0] for name in ("realm", "nonce"))

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    ha1, ha2 = md5(f"{ADMIN[0]}:{realm}:{ADMIN[1]}"), md5(f"{method}:{uri}")
    response = md5(f"{ha1}:{nonce}:{ha2}")
    fields = {"username": ADMIN[0], "realm": realm, "nonce": nonce, "uri": uri, "response": response, **more}
    return "Digest " + ", ".join(f'{name}="{value}"' for name, value in fields.items())


async def challenge(face: Any, path: str = "/old/x.cgi") -> str:
    async with face.client(address=AWAY) as client:
        found: str = (await client.get(path)).headers["www-authenticate"]
        return found


async def send(face: Any, path: str, header: str) -> httpx.Response:
    async with face.client(address=AWAY) as client:
        answer: httpx.Response = await client.get(path, headers={"authorization": header})
        return answer


def test_only_md5_is_offered_where_older_clients_ask_and_sha_256_first_elsewhere(both: Any) -> None:
    async def main(face: Any) -> None:
        async with face.client(address=AWAY) as client:
            old = (await client.get("/old/x.cgi")).headers.get_list("www-authenticate")
            new = (await client.get("/api/v1/device")).headers.get_list("www-authenticate")
        assert len(old) == 1
        assert "algorithm=MD5" in old[0]
        assert ["SHA-256" in each for each in new] == [True, False]
        async with face.client(httpx.DigestAuth(*ADMIN), address=AWAY) as client:
            assert (await client.get("/old/x.cgi?a=1")).text == "admin digest "

    both(main)


def test_row_31_an_answer_without_qop_is_taken_once_there_and_never_on_the_native_face(both: Any) -> None:
    async def main(face: Any) -> None:
        offer = await challenge(face)
        header = answer_of(offer, "/old/x.cgi")
        assert (await send(face, "/old/x.cgi", header)).text == "admin digest "
        again = await send(face, "/old/x.cgi", header)
        assert again.status_code == 401
        assert "stale=true" in again.headers["www-authenticate"]
        assert (await send(face, "/old/y.cgi", answer_of(offer, "/old/y.cgi"))).status_code == 200
        assert (await send(face, "/old/z.cgi", header)).status_code == 401
        native = answer_of(await challenge(face), "/api/v1/device")
        assert (await send(face, "/api/v1/device", native)).status_code == 401
        old = answer_of(await challenge(face), "/old/x.cgi")
        await face.clock.sleep(LIFETIME_S + 1)
        assert (await send(face, "/old/x.cgi", old)).status_code == 401

    both(main)


def test_row_31_a_uri_without_its_query_is_taken_there_and_another_path_never(both: Any) -> None:
    async def main(face: Any) -> None:
        for uri, status in (("/old/x.cgi", 200), ("/old/x.cgi?a=1", 200), ("/old/x.cgi?a=2", 401), ("/old/y.cgi", 401)):
            header = answer_of(await challenge(face), uri)
            assert (await send(face, "/old/x.cgi?a=1", header)).status_code == status

    both(main)


def test_row_44_a_route_that_depends_on_who_asks_lets_nobody_in_and_asks_when_it_needs_to_know(both: Any) -> None:
    async def main(face: Any) -> None:
        async with face.client(address=AWAY) as client:
            assert (await client.get("/old/open.cgi")).text == f"{AWAY} public "
            assert (await client.post("/old/maybe.cgi", content=b"less")).text == f"{AWAY} none less"
            asked = await client.post("/old/maybe.cgi", content=b"more")
            assert (asked.status_code, "algorithm=MD5" in asked.headers["www-authenticate"]) == (401, True)
            assert (await client.post("/old/x.cgi", content=b"less")).status_code == 401
        async with face.client(httpx.DigestAuth(*ADMIN), address=AWAY) as client:
            assert (await client.post("/old/maybe.cgi", content=b"more")).text == "admin digest more"

    both(main)


def test_row_39_no_session_and_no_link_of_another_site_reaches_a_face_whose_gets_may_change_something(
    both: Any,
) -> None:
    async def main(face: Any) -> None:
        async with face.client() as client:
            await client.post("/api/v1/session", json={"name": ADMIN[0], "password": ADMIN[1]})
            assert (await client.get("/api/v1/device")).status_code == 200
            assert (await client.get("/old/x.cgi")).status_code == 401
        async with face.client(ADMIN) as client:
            site = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
            assert (await client.get("/old/x.cgi", headers=site)).status_code == 403
            assert (await client.get("/old/x.cgi")).status_code == 200

    both(main)


def test_the_longest_prefix_of_whole_segments_answers() -> None:
    def named(name: str, *prefixes: str) -> Face:
        return Face(name=name, prefixes=prefixes, app=app, policy=OLD)

    faces = (named("all", "/"), named("a", "/a", "/c/"), named("ab", "/a/b"))
    found = [face_of(faces, path) for path in ("/x", "/a", "/a/x", "/a/b/c", "/ab", "/a/bc", "/c/d")]
    assert [face.name if face else None for face in found] == ["all", "a", "a", "ab", "all", "a", "a"]
    assert face_of(faces[1:], "/x") is None
