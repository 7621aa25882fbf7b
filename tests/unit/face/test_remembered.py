"""What the log-in remembers of a client between two requests lets it in nowhere where it would not come in anew."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from firmware.core.vocabulary.security import Asked, LoginGranted
from firmware.interfaces.http.face import WHOLE
from firmware.security.digest import Algorithm, digest, ha1

Play = Callable[..., None]
AWAY = "192.0.2.7"
ADMIN = ("admin", "choose-one")
REALM = "LINTEL_0123456789AB"
PAGE = "/api/v1/session"
ALGORITHMS = pytest.mark.parametrize("algorithm", list(Algorithm))


class Caller:
    """A client that goes on with one nonce and counts, as programs do."""

    def __init__(self, face: Any, name: str, password: str, algorithm: Algorithm = Algorithm.SHA256) -> None:
        self._face = face
        self._name = name
        self._algorithm = algorithm
        self.password = password
        self.realm = REALM  # as it says, whatever its secret is of
        self.nonce = ""
        self.count = 0

    async def begin(self) -> None:
        """Take a new nonce."""
        answer = await self._send(PAGE, "GET", {})
        self.nonce = answer.headers["www-authenticate"].split('nonce="')[1].split('"')[0]
        self.count = 0

    def header(self, uri: str = PAGE, method: str = "GET") -> str:
        """The next answer to the nonce, for a request."""
        self.count += 1
        secret = ha1(self._algorithm, self._name, REALM, self.password)
        asked = digest(self._algorithm, f"{method}:{uri}")
        response = digest(self._algorithm, f"{secret}:{self.nonce}:{self.count:08x}:c:auth:{asked}")
        return (
            f'Digest username="{self._name}", realm="{self.realm}", nonce="{self.nonce}", uri="{uri}", '
            f'algorithm={self._algorithm.value}, qop=auth, nc={self.count:08x}, cnonce="c", response="{response}"'
        )

    async def ask(self, header: str = "", uri: str = PAGE, method: str = "GET", **more: Any) -> httpx.Response:
        """Send a request, with its own answer unless another header is given."""
        return await self._send(uri, method, {"authorization": header or self.header(uri, method)}, **more)

    async def _send(self, uri: str, method: str, headers: dict[str, str], **more: Any) -> httpx.Response:
        async with self._face.client(address=AWAY) as client:
            answer: httpx.Response = await client.request(method, uri, headers=headers, **more)
            return answer

    async def at_home(self) -> None:
        """Come in a few times, so that all there is to remember is remembered."""
        await self.begin()
        for _ in range(3):
            assert (await self.ask()).status_code == 200


async def caller(face: Any, name: str = "eve", level: str = "operator", **how: Any) -> Caller:
    """Somebody with an account who has come in already."""
    await face.set_up()
    await face.account(name, "secret", level)
    found = Caller(face, name, "secret", **how)
    await found.at_home()
    return found


async def change(face: Any, action: str, **params: Any) -> None:
    """What the administrator does to an account, from the device itself."""
    async with face.client(ADMIN) as client:
        assert (await client.post(f"/api/v1/actions/accounts.{action}", json=params)).status_code == 200


@ALGORITHMS
def test_row_31_whoever_has_come_in_is_refused_with_the_former_password(play: Play, algorithm: Algorithm) -> None:
    async def main(face: Any) -> None:
        eve = await caller(face, algorithm=algorithm)
        await change(face, "change", name="eve", password="another")
        assert (await eve.ask()).status_code == 401
        eve.password = "another"
        assert (await eve.ask()).status_code == 200

    play(main)


@ALGORITHMS
def test_row_31_whoever_has_come_in_is_refused_when_the_account_is_gone(play: Play, algorithm: Algorithm) -> None:
    async def main(face: Any) -> None:
        eve = await caller(face, algorithm=algorithm)
        await change(face, "remove", name="eve")
        assert (await eve.ask()).status_code == 401
        await face.account("eve", "other", "viewer")
        assert (await eve.ask()).status_code == 401
        eve.password = "other"
        assert (await eve.ask()).json()["level"] == "viewer"

    play(main)


def test_whoever_has_come_in_may_do_from_the_next_request_on_what_the_new_level_allows(play: Play) -> None:
    async def main(face: Any) -> None:
        release = {"uri": "/api/v1/actions/door.release", "method": "POST", "json": {"door": "door"}}
        eve = await caller(face)
        assert (await eve.ask(**release)).status_code == 200
        await change(face, "change", name="eve", level="viewer", ptz=True)
        assert (await eve.ask(**release)).status_code == 403
        shown = (await eve.ask()).json()
        assert (shown["level"], shown["ptz"]) == ("viewer", True)

    play(main)


def test_row_31_an_answer_is_for_its_own_method_place_and_realm_also_when_all_of_them_were_asked_before(
    play: Play,
) -> None:
    async def main(face: Any) -> None:
        eve = await caller(face)
        for uri in (PAGE, f"{PAGE}?x=1", "/api/v1/device"):
            assert (await eve.ask(uri=uri)).status_code == 200
        assert (await eve.ask(uri="/api/v1/actions/door.release", method="POST", json={"door": "d"})).status_code == 200
        assert (await eve.ask(eve.header(), uri=f"{PAGE}?x=1")).status_code == 401
        assert (await eve.ask(eve.header(f"{PAGE}?x=1"), uri=PAGE)).status_code == 401
        assert (await eve.ask(eve.header("/api/v1/device"), uri=PAGE)).status_code == 401
        assert (await eve.ask(eve.header(PAGE, "POST"), uri=PAGE)).status_code == 401
        assert (await eve.ask()).status_code == 200
        assert (await eve.ask(eve.header(PAGE), uri=PAGE, method="DELETE")).status_code == 401
        assert (await eve.ask()).status_code == 200
        eve.realm = "LINTEL_BA9876543210"
        assert (await eve.ask()).status_code == 401
        eve.realm = REALM
        assert (await eve.ask()).status_code == 200

    play(main)


def test_row_31_a_count_seen_in_one_place_is_spent_everywhere(play: Play) -> None:
    async def main(face: Any) -> None:
        eve = await caller(face)
        await eve.ask(uri="/api/v1/device")
        eve.count -= 1
        again = await eve.ask()
        assert again.status_code == 401
        assert "stale=true" in again.headers["www-authenticate"]

    play(main)


def test_row_30_every_success_takes_back_the_failures_before_it_also_in_the_middle_of_a_visit(play: Play) -> None:
    async def main(face: Any) -> None:
        eve = await caller(face)
        for _ in range(2):
            for _ in range(4):
                wrong = eve.header().replace('response="', 'response="0')
                assert (await eve.ask(wrong)).status_code == 401
            assert (await eve.ask()).status_code == 200
        granted = [event for event in face.events if isinstance(event, LoginGranted) and event.name == "eve"]
        assert len(granted) == 1

    play(main)


def test_row_30_whoever_has_come_in_waits_like_anybody_else_after_five_failures(play: Play) -> None:
    async def main(face: Any) -> None:
        eve = await caller(face)
        for _ in range(5):
            assert (await eve.ask(eve.header().replace('response="', 'response="0'))).status_code == 401
        assert (await eve.ask()).status_code == 429
        await face.clock.sleep(1.1)
        assert (await eve.ask()).status_code == 200

    play(main)


def test_the_setting_that_refuses_md5_holds_from_the_next_request_on(play: Play) -> None:
    async def main(face: Any) -> None:
        eve = await caller(face, algorithm=Algorithm.MD5)
        async with face.client(ADMIN) as client:
            put = await client.patch("/api/v1/params/accounts", json={"digest_md5": False})
            assert put.status_code == 200, put.text
        await face.clock.sleep(0)
        assert (await eve.ask()).status_code == 401

    play(main)


def test_a_visit_through_the_cloud_is_told_as_one_beside_that_of_the_same_client_at_home(play: Play) -> None:
    async def main(face: Any) -> None:
        eve = await caller(face)

        async def through_the_cloud(scope: Any, receive: Any, send: Any) -> None:
            await face.guard({**scope, "remote": "cloud"}, receive, send)

        transport = httpx.ASGITransport(app=through_the_cloud, client=(AWAY, 40000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            answer = await client.get(PAGE, headers={"authorization": eve.header()})
        assert answer.status_code == 200
        told = [event for event in face.events if isinstance(event, LoginGranted) and event.name == "eve"]
        assert [event.via for event in told] == ["api", "cloud"]

    play(main)


def test_row_35_strangers_leave_nothing_behind_however_long_what_they_ask_for_is(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()

        async def ask(number: int, host: str) -> int:
            """As the server asks: a client of HTTP remembers addresses itself."""
            said: list[Any] = []

            async def send(message: Any) -> None:
                said.append(message)

            path = f"/api/v1/{number:04}\N{DOOR}" + 50_000 * "a"
            await face.guard(
                {
                    "type": "http", "method": "GET", "scheme": "http", "path": path, "raw_path": path.encode(),
                    "query_string": b"", "client": (AWAY, 40000), "server": ("127.0.0.1", 80), "root_path": "",
                    "headers": [(b"host", host.encode()), (b"authorization", b"Digest x")],
                },
                None,
                send,
            )  # fmt: skip
            return int(said[0]["status"])

        async def ask_both(number: int) -> None:
            assert await ask(number, f"{number:04}" + 50_000 * "b") == 421
            assert await ask(number, "127.0.0.1") in (401, 429)

        await ask_both(0)
        gc.collect()
        tracemalloc.start()
        try:
            for number in range(1, 60):
                await ask_both(number)
            gc.collect()
            left, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert left < 1_000_000  # of about 20 MB that were asked

    play(main)


def test_a_password_in_a_query_is_not_remembered_with_what_was_asked(play: Play) -> None:
    async def main(face: Any) -> None:
        eve = await caller(face)
        assert (await eve.ask(uri=f"{PAGE}?pwd=kept-by-nobody")).status_code == 200
        await eve.at_home()
        gc.collect()
        assert not [one for one in gc.get_objects() if isinstance(one, Asked) and "kept-by-nobody" in one.target]
        kept = Asked(method="GET", target="/?pwd=kept-by-nobody", address="", via="")
        assert "kept-by-nobody" not in repr(kept)

    play(main)


def test_a_request_that_was_answered_knows_no_way_out_any_more_and_so_not_itself(play: Play) -> None:
    async def main(face: Any) -> None:
        scopes: list[Any] = []

        async def kept(scope: Any, receive: Any, send: Any) -> None:
            scopes.append(scope)
            await face.guard(scope, receive, send)

        await face.set_up()
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=kept, client=(AWAY, 40000)), base_url="http://127.0.0.1"
        ) as client:
            assert (await client.get("/api/v1/discovery")).status_code in (200, 401, 404)
            assert (await client.get(PAGE, auth=httpx.DigestAuth(*ADMIN))).status_code == 200
        assert "visitor" in scopes[-1]  # it was let in
        assert not [scope for scope in scopes if WHOLE in scope]

    play(main)
