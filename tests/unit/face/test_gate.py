"""The gate: every route for every level, host names, other sites, content types, headers, errors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from firmware.certificates.keys import PrivateKey, generate, key_pem
from firmware.certificates.making import self_signed
from firmware.core import errors
from firmware.core.actions import Level, Nothing
from firmware.core.vocabulary.certificates import KeyType, Subject
from firmware.core.vocabulary.clips import PlayingState
from firmware.core.vocabulary.upgrade import UpgradeStage, UpgradeState
from firmware.interfaces.api.app import POLICY
from firmware.interfaces.api.settings import HttpSettings
from firmware.interfaces.http.errors import STATUS, answer_to, status_of
from firmware.interfaces.http.guard import HEADERS, host_of
from firmware.interfaces.logs import LogsService
from tests.unit.face.conftest import CLIP_ID, CLIP_STATE, INFO

Play = Callable[..., None]
SECURITY_PAGE = Path(__file__).parents[3] / "docs" / "security.md"
AWAY = "192.0.2.7"


def certificate_of(key: PrivateKey) -> bytes:
    return self_signed(key, Subject(common_name="fresh"), datetime(2026, 1, 1, tzinfo=UTC), 30).public_bytes(
        Encoding.PEM
    )


KEY = generate(KeyType.EC_P256)
PEM = (key_pem(KEY) + certificate_of(KEY)).decode()
LEVELS = {Level.VIEWER: ("vic", "v-secret"), Level.OPERATOR: ("otto", "o-secret"), Level.ADMIN: ("admin", "choose-one")}
BODIES: dict[str, Any] = {
    "/api/v1/setup": {"name": "x", "password": "y"},
    "/api/v1/entries": {"name": "Ada", "card": "H10301:42:1234"},
    "/api/v1/entries/import": {"text": "name"},
    "/api/v1/actions/{name}": {"door": "door"},
    "/api/v1/params/{group}": {},
    "/api/v1/clips/{id}": {"name": "Bell"},
    "/api/v1/accounts": {"name": "fresh", "password": "x"},
    "/api/v1/certificates": {"name": "fresh", "pem": PEM},
    "/api/v1/certificates/create": {"name": "other"},
}
FILLED = {
    "accounts/{name}": "accounts/eve",
    "logs/{log}": "logs/audit",
    "certificates/{name}/request": "certificates/device/request",
    "certificates/{name}": "certificates/other",
    "/trace": "/trace?adapter=none",  # to listen takes as long as it is told, in real time
    "{id}": CLIP_ID,
    "{name}": "door.release",
    "{group}": "http",
    "{source}": "entrance",
}


def filled(path: str) -> str:
    for hole, value in FILLED.items():
        path = path.replace(hole, value)
    return path


async def ask(face: Any, method: str, path: str, auth: Any) -> int:
    """The status of one request; an endless answer is left at its first byte."""
    if (method, path) == ("GET", "/api/v1/events"):
        return await first_status(face, auth)
    async with face.client(auth) as client:
        content = BODIES.get(path, {})
        if path == "/api/v1/password" and auth is not None:
            own = next(each[1] for each in LEVELS.values() if httpx.BasicAuth(*each)._auth_header == auth._auth_header)
            content = {"current": own, "new": own}
        body = {"json": content} if method in ("POST", "PATCH") else {}
        return int((await client.request(method, filled(path), **body)).status_code)


async def first_status(face: Any, auth: Any) -> int:
    request = next((auth or httpx.Auth()).auth_flow(httpx.Request("GET", "http://127.0.0.1/api/v1/events")))
    found: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])

    await face.guard(scope_of(request), receive, send)
    return found[0]


def scope_of(request: httpx.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "method": request.method,
        "scheme": "http",
        "path": request.url.path,
        "raw_path": request.url.raw_path.partition(b"?")[0],
        "query_string": request.url.query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 40000),
        "server": ("127.0.0.1", 8080),
    }


def test_row_44_every_route_for_every_level(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        await face.account(*LEVELS[Level.VIEWER], "viewer")
        await face.account(*LEVELS[Level.OPERATOR], "operator")
        await face.account("eve", "e-secret", "viewer")
        logs = LogsService(face.core, INFO, face.certificates)
        await logs.start()
        face.core.params.declare(HttpSettings)
        face.bus.publish(UpgradeState(stage=UpgradeStage.IDLE, running="A", slots=(), rollback_ok=True))
        face.bus.publish(PlayingState(active=False))
        face.bus.publish(CLIP_STATE)
        served = {
            (method, route.path) for route in face.api.app.routes for method in getattr(route, "methods", None) or ()
        }
        assert served == set(face.api.levels)
        wrong = []
        # What takes away comes last.
        routes = sorted(face.api.levels.items(), key=lambda each: (each[0][0] == "DELETE", each[0]))
        for (method, path), least in routes:
            acts = path == "/api/v1/actions/{name}"
            for level, account in ((Level.ANONYMOUS, None), *LEVELS.items()):
                status = await ask(face, method, path, httpx.BasicAuth(*account) if account else None)
                if (method, path) in POLICY.public:
                    expected = status not in (401, 403)
                elif level is Level.ANONYMOUS:
                    expected = status == 401
                elif level < least or (acts and level < Level.OPERATOR):
                    expected = status == 403
                elif (method, path) in POLICY.uploads:
                    expected = status == 400  # let in, and then it is no form
                elif (method, path) == ("GET", "/api/v1/clips/{id}/play"):
                    expected = status == 400  # let in, and then it has no key
                elif path in ("/api/v1/ping", "/api/v1/port-check", "/api/v1/trace"):
                    expected = status == 400  # let in, and then there is no such host or adapter
                elif path.startswith("/api/v1/video/"):
                    expected = status in (501, 503)  # let in, and then there is no connection, or no media role
                else:
                    expected = status in (200, 201, 202, 204)
                if not expected:
                    wrong.append((method, path, level.name, status))
        assert wrong == []
        await logs.stop()

    play(main)


def test_row_44_the_public_routes_are_few_and_each_has_its_reason(play: Play) -> None:
    async def main(face: Any) -> None:
        served = set(face.api.levels)
        reasons = {**POLICY.public, **POLICY.until_setup}
        assert set(reasons) <= served
        assert all(reasons.values())
        documented = SECURITY_PAGE.read_text()
        assert all(f"`{method} {path}`" in documented or f"`{path}`" in documented for method, path in reasons)

    play(main)


@pytest.mark.parametrize("path", ["/", "/nothing", "/api/v1/nothing", "/api/v1/openapi.json", "/docs", "/web/x", "//"])
def test_row_44_what_is_not_listed_asks_for_a_log_in_even_when_it_does_not_exist(play: Play, path: str) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client() as client:
            for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
                assert (await client.request(method, path)).status_code == 401

    play(main)


def test_row_44_private_actions_cannot_be_reached(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(LEVELS[Level.ADMIN]) as client:
            for name in ("setup.code", "accounts.verify_basic", "accounts.challenge", "accounts.setup"):
                assert (await client.post(f"/api/v1/actions/{name}", json={})).status_code == 404
            assert "verify" not in (await client.get("/api/v1/actions")).text

    play(main)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200),
        ("192.168.1.20", 200),
        ("[2001:db8::1]:443", 200),
        ("localhost:8080", 200),
        ("LOCALHOST.", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example:8080", 421),
        ("127.0.0.1:port", 421),
        ("user@localhost", 421),
        ("localhost/x", 421),
        ("", 421),
    ],
)
def test_row_40_only_our_names_and_addresses_are_hosts(play: Play, host: str, status: int) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(LEVELS[Level.ADMIN]) as client:
            answer = await client.get("/api/v1/device", headers={"host": host})
            assert answer.status_code == status
            if status == 421:
                assert answer.json()["error"]["code"] == "wrong_host"

    play(main)


@pytest.mark.parametrize("second", ["127.0.0.1:8080", "evil.example"])
def test_row_40_two_hosts_in_one_request_are_refused_whichever_comes_first(play: Play, second: str) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(LEVELS[Level.ADMIN]) as client:
            for hosts in (("127.0.0.1:8080", second), (second, "127.0.0.1:8080")):
                answer = await client.get("/api/v1/device", headers=[("host", host) for host in hosts])
                assert answer.status_code == 400
                assert answer.json()["error"] == {"code": "invalid", "where": "host", "message": "is there twice"}
            assert (await client.get("/api/v1/device", headers=[("x-a", "1"), ("x-a", "2")])).status_code == 200

    play(main)


def test_row_40_the_check_comes_before_set_up_too(play: Play) -> None:
    async def main(face: Any) -> None:
        async with face.client() as client:
            answer = await client.post(
                "/api/v1/setup", json={"name": "a", "password": "b"}, headers={"host": "rebound.example"}
            )
        assert answer.status_code == 421

    play(main)


@given(st.text(max_size=80))
def test_any_host_is_read_or_empty(text: str) -> None:
    host_of(text)


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {}, 200),
        ("POST", {"sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:8080"}, 200),
        ("POST", {"sec-fetch-site": "cross-site"}, 403),
        ("POST", {"sec-fetch-site": "same-site"}, 403),
        ("POST", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 403),
        ("POST", {"origin": "http://evil.example"}, 403),
        ("POST", {"origin": "http://127.0.0.1:9090"}, 403),
        ("POST", {"origin": "null"}, 403),
        ("GET", {"sec-fetch-site": "cross-site"}, 403),
        ("GET", {"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}, 200),
        ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 200),
        ("GET", {"origin": "https://evil.example"}, 403),
    ],
)
def test_row_39_requests_of_other_sites_are_not_taken(
    play: Play, method: str, headers: dict[str, str], status: int
) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(LEVELS[Level.ADMIN]) as client:
            if method == "POST":
                body = {"door": "door"}
                answer = await client.post("/api/v1/actions/door.release", json=body, headers=headers)
            else:
                answer = await client.get("/api/v1/state", headers=headers)
        assert answer.status_code == status
        assert bool(face.owners.asked) == (method == "POST" and status == 200)

    play(main)


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
@pytest.mark.parametrize("body", [b'{"door": "door"}', b""])
def test_row_39_what_a_form_can_send_changes_nothing(play: Play, kind: str | None, body: bytes) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(LEVELS[Level.ADMIN]) as client:
            headers = {"content-type": kind} if kind else {}
            answer = await client.post("/api/v1/actions/door.release", content=body, headers=headers)
            assert answer.status_code == 415
            assert (await client.get("/api/v1/actions/door.release")).status_code == 405
        assert face.owners.asked == []

    play(main)


def test_every_answer_leaves_with_the_headers_that_keep_browsers_careful(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(LEVELS[Level.ADMIN]) as client:
            for path in ("/api/v1/device", "/api/v1/nothing", "/nothing", "/web/pages.css"):
                answer = await client.get(path)
                assert all(answer.headers[name] == value for name, value in HEADERS.items())
                assert answer.headers["cache-control"] == ("no-store" if path.startswith("/api/") else "no-cache")
            assert (await client.get("/api/v1/device", headers={"host": "x.example"})).headers[
                "x-frame-options"
            ] == "DENY"
        async with face.client() as client:
            assert (await client.get("/api/v1/device")).headers["cache-control"] == "no-store"

    play(main)


def test_every_kind_of_error_has_a_status_and_one_shape() -> None:
    for code, kind in errors.ERRORS.items():
        answer = answer_to(kind("there", "no"))
        assert answer.status_code == status_of(kind("there", "no")) >= 400
        assert answer.body == f'{{"error":{{"code":"{code}","where":"there","message":"no"}}}}'.encode()
    assert {STATUS[errors.Invalid], STATUS[errors.NotFound], STATUS[errors.Busy]} == {400, 404, 409}
    assert [status_of(kind("", "")) for kind in (errors.Forbidden, errors.SetupCodeRequired, errors.SetupDone)] == [
        403,
        403,
        409,
    ]


def test_a_fault_of_the_device_is_one_error_without_its_inside(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def main(face: Any) -> None:
        await face.set_up()

        async def broken(_: object) -> object:
            raise ZeroDivisionError("the inside")

        face.core.actions.register("x.broken", Nothing, broken, summary="Fails.")
        async with face.client(LEVELS[Level.ADMIN]) as client:
            answer = await client.post("/api/v1/actions/x.broken", json={})
        assert answer.status_code == 500
        assert "inside" not in answer.text
        assert answer.json()["error"]["code"] == "internal"

    play(main)
    assert "the inside" in caplog.text
