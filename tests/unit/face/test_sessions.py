"""Sessions of the web interface, anonymous viewing, one's own password, and what older clients need of Digest."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx
import pytest

from firmware.core.store_disk import FileDisk
from firmware.core.vocabulary.security import AccessRefused, LoginBlocked, LoginGranted
from firmware.interfaces.http.credentials import COOKIES
from firmware.security.sessions import IDLE_S, LONGEST_S, PER_ACCOUNT, Sessions

Play = Callable[..., None]
ADMIN = ("admin", "choose-one")
AWAY = "192.0.2.7"
S = 1_000_000_000
FORM = {"name": ADMIN[0], "password": ADMIN[1]}


async def log_in(client: httpx.AsyncClient, form: dict[str, str] = FORM) -> str:
    """Open a session; the client keeps its cookie. Answers the token of changes."""
    answer = await client.post("/api/v1/session", json=form)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["csrf"])


def cookie_in(answer: httpx.Response) -> Any:
    jar: SimpleCookie = SimpleCookie(answer.headers["set-cookie"])
    return next(iter(jar.values()))


def test_row_39_a_session_is_a_cookie_that_scripts_cannot_read_and_other_sites_cannot_send(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client() as client:
            plain = cookie_in(await client.post("/api/v1/session", json=FORM))
        async with face.client(base="https://127.0.0.1", address=AWAY) as client:
            secure = cookie_in(await client.post("/api/v1/session", json=FORM))
        for cookie in (plain, secure):
            assert cookie["httponly"]
            assert cookie["samesite"] == "strict"
            assert cookie["path"] == "/"
            assert not cookie["domain"]
            assert cookie["max-age"] == ""
        assert (plain.key, bool(plain["secure"])) == (COOKIES["http"], False)
        assert (secure.key, bool(secure["secure"])) == (COOKIES["https"], True)
        assert secure.key.startswith("__Host-")

    play(main)


def test_row_39_a_session_that_ends_as_the_role_stops_is_not_open_in_the_next_one(play: Play) -> None:
    class Filling(FileDisk):
        full = False

        def write(self, path: Path, data: bytes) -> None:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            super().write(path, data)

    cookies: list[dict[str, str]] = []
    disk = Filling()

    async def before(face: Any) -> None:
        await face.set_up()
        async with face.client() as client, face.client() as other:
            csrf = await log_in(client)
            await log_in(other)
            cookies.extend(dict(each.cookies) for each in (client, other))
            await face.clock.sleep(60)  # both are written down
            disk.full = True
            assert (await client.delete("/api/v1/session", headers={"x-csrf-token": csrf})).status_code < 300
            await face.clock.sleep(1)
            disk.full = False

    async def after(face: Any) -> None:
        async with face.client() as client:
            headers = [{"cookie": "; ".join(f"{name}={value}" for name, value in each.items())} for each in cookies]
            found = [(await client.get("/api/v1/device", headers=each)).status_code for each in headers]
        assert found == [401, 200]

    play(before, after, memory=disk)


def test_row_39_a_change_in_a_session_must_carry_its_token(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client() as client, face.client() as other:
            csrf = await log_in(client)
            strange = await log_in(other)
            assert (await client.get("/api/v1/device")).status_code == 200
            for headers in ({}, {"x-csrf-token": ""}, {"x-csrf-token": strange}, {"x-csrf-token": "é"}):
                encoded = {name: value.encode() for name, value in headers.items()}
                answer = await client.post("/api/v1/actions/door.release", json={"door": "door"}, headers=encoded)
                assert (answer.status_code, answer.json()["error"]["where"]) == (403, "x-csrf-token")
            assert face.owners.asked == []
            right = {"x-csrf-token": csrf}
            answer = await client.post("/api/v1/actions/door.release", json={"door": "door"}, headers=right)
            assert answer.status_code == 200
            assert face.owners.asked[0].caller.name == "admin"

    play(main)


def test_who_asks_is_shown_with_the_token_for_a_page_that_was_loaded_anew(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client() as client:
            csrf = await log_in(client)
            shown = (await client.get("/api/v1/session")).json()
            assert shown == {"name": "admin", "level": "admin", "ptz": False, "scheme": "session", "csrf": csrf}
        async with face.client(ADMIN) as client:
            shown = (await client.get("/api/v1/session")).json()
            assert (shown["scheme"], shown["csrf"]) == ("basic", "")

    play(main)


def test_a_log_out_ends_the_session_and_takes_the_cookie_away(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client() as client:
            csrf = await log_in(client)
            kept = dict(client.cookies)
            answer = await client.delete("/api/v1/session", headers={"x-csrf-token": csrf})
            assert answer.status_code == 204
            assert cookie_in(answer)["max-age"] == "0"
            client.cookies.update(kept)
            assert (await client.get("/api/v1/device")).status_code == 401

    play(main)


def test_a_session_ends_with_the_account_and_with_its_password(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        await face.account("eve", "secret-eve", "operator")
        async with face.client() as eve, face.client(ADMIN) as admin:
            await log_in(eve, {"name": "eve", "password": "secret-eve"})
            assert (await eve.get("/api/v1/device")).status_code == 200
            assert (await admin.patch("/api/v1/accounts/eve", json={"password": "other"})).status_code == 200
            assert (await eve.get("/api/v1/device")).status_code == 401
            await log_in(eve, {"name": "eve", "password": "other"})
            assert (await admin.delete("/api/v1/accounts/eve")).status_code == 204
            assert (await eve.get("/api/v1/device")).status_code == 401

    play(main)


def test_a_password_is_taken_for_a_session_only_where_nobody_else_can_read_it(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(address=AWAY) as client:
            answer = await client.post("/api/v1/session", json=FORM)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "https_required")
            assert "set-cookie" not in answer.headers
        async with face.client(address=AWAY, base="https://127.0.0.1") as client:
            await log_in(client)
            assert (await client.get("/api/v1/device")).status_code == 200

    play(main)


def test_row_30_guessing_at_the_log_in_form_is_the_same_throttle_and_shows_no_browser_form(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client() as client:
            answers = [await client.post("/api/v1/session", json={**FORM, "password": "x"}) for _ in range(7)]
            assert [each.status_code for each in answers] == [401] * 5 + [429] * 2
            assert all("www-authenticate" not in each.headers for each in answers)
        async with face.client(ADMIN) as client:
            assert (await client.get("/api/v1/device")).status_code == 429

    play(main)


def test_sessions_end_by_rest_and_by_age_and_are_bounded() -> None:
    sessions = Sessions()
    token, _ = sessions.open("ada", "mark", 0)
    assert sessions.find(token, int(IDLE_S * S)) is not None
    assert sessions.find(token, int(2.1 * IDLE_S * S)) is None
    token, _ = sessions.open("ada", "mark", 0)
    for step in range(int(LONGEST_S / IDLE_S) + 1):
        assert sessions.find(token, int(step * IDLE_S * S)) is not None
    assert sessions.find(token, int((LONGEST_S + 1) * S)) is None
    tokens = [sessions.open("ada", "mark", 0)[0] for _ in range(PER_ACCOUNT + 1)]
    assert sessions.find(tokens[0], 0) is None
    assert sessions.find(tokens[-1], 0) is not None
    for number in range(1000):
        sessions.open(f"n{number}", "mark", 0)
    assert len(sessions) <= 256


def test_row_47_no_token_of_a_session_is_kept_or_shown(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client() as client:
            csrf = await log_in(client)
            token = client.cookies[COOKIES["http"]]
        sessions = face.accounts._doorkeeper.sessions
        assert token not in repr(sessions.__dict__)
        for secret in (token, csrf):
            assert secret not in repr(face.events)

    play(main)


def test_anonymous_viewing_lets_anybody_watch_and_asks_for_a_log_in_for_more(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(ADMIN) as admin, face.client(address=AWAY) as stranger:
            assert (await stranger.get("/api/v1/device")).status_code == 401
            on = {"anonymous_viewing": True, "anonymous_ptz": True}
            assert (await admin.patch("/api/v1/params/accounts", json=on)).status_code == 200
            await face.clock.sleep(0.1)
            assert (await stranger.get("/api/v1/device")).status_code == 200
            shown = (await stranger.get("/api/v1/session")).json()
            assert (shown["level"], shown["ptz"], shown["scheme"]) == ("viewer", True, "anonymous")
            asked = await stranger.get("/api/v1/entries")
            assert asked.status_code == 401
            assert asked.headers["www-authenticate"].startswith("Digest")
            release = await stranger.post("/api/v1/actions/door.release", json={"door": "door"})
            assert release.status_code == 401
            assert face.owners.asked == []
        async with face.client(httpx.DigestAuth(*ADMIN), address=AWAY) as owner:
            assert (await owner.get("/api/v1/entries")).status_code == 200
        async with face.client(("eve", "wrong"), address=AWAY, base="https://127.0.0.1") as wrong:
            assert (await wrong.get("/api/v1/device")).status_code == 401

    play(main)


def test_an_account_may_move_the_camera_when_it_is_said_so(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(ADMIN) as admin:
            body = {"name": "pete", "password": "p", "level": "viewer", "ptz": True}
            assert (await admin.post("/api/v1/accounts", json=body)).json()["ptz"] is True
            assert (await admin.patch("/api/v1/accounts/pete", json={"ptz": False})).json()["ptz"] is False
            await admin.patch("/api/v1/accounts/pete", json={"ptz": True})
            assert (await admin.get("/api/v1/accounts")).json()["accounts"][1]["ptz"] is True
        async with face.client(("pete", "p")) as pete:
            assert (await pete.get("/api/v1/session")).json()["ptz"] is True

    play(main)


def test_a_hundred_accounts_and_not_one_more(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(ADMIN) as admin:
            # Each by way of its hash would take a while: the list is filled with copies of one.
            book = face.accounts._book
            names = [f"n{number}" for number in range(98)]
            await book._save(
                {each.name: each for each in (*book.all(), *(replace(book.all()[0], name=n) for n in names))}
            )
            assert (await admin.post("/api/v1/accounts", json={"name": "last", "password": "x"})).status_code == 201
            answer = await admin.post("/api/v1/accounts", json={"name": "more", "password": "x"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (507, "exhausted")
            assert len((await admin.get("/api/v1/accounts")).json()["accounts"]) == 100

    play(main)


@pytest.mark.parametrize(("password", "status"), [(" ", 201), ("~" * 64, 201), ("", 400), ("x" * 65, 400), ("é", 400)])
def test_a_password_is_1_to_64_printable_ascii_characters(play: Play, password: str, status: int) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(ADMIN) as admin:
            answer = await admin.post("/api/v1/accounts", json={"name": "eve", "password": password})
            assert answer.status_code == status
            if status == 400:
                assert password not in answer.text or not password
        if status == 201:
            async with face.client(httpx.DigestAuth("eve", password), address=AWAY) as eve:
                assert (await eve.get("/api/v1/device")).status_code == 200

    play(main)


def test_everybody_changes_the_own_password_and_proves_the_present_one(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        await face.account("vic", "old-one", "viewer")
        async with face.client(("vic", "old-one")) as vic:
            wrong = await vic.post("/api/v1/password", json={"current": "guess", "new": "mine"})
            assert (wrong.status_code, wrong.json()["error"]["where"]) == (403, "accounts.password.current")
            right = await vic.post("/api/v1/password", json={"current": "old-one", "new": "new-one"})
            assert right.status_code == 200
            assert (await vic.get("/api/v1/device")).status_code == 401
        async with face.client(("vic", "new-one")) as vic:
            assert (await vic.get("/api/v1/device")).status_code == 200

    play(main)


def test_log_ins_are_told_once_a_visit_and_refusals_are_told(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        await face.account("vic", "v", "viewer")
        async with face.client(("vic", "v")) as vic:
            for _ in range(5):
                await vic.get("/api/v1/device")
            await vic.get("/api/v1/accounts")
        granted = [each for each in face.events if isinstance(each, LoginGranted) and each.name == "vic"]
        assert [(each.scheme, each.via, each.address) for each in granted] == [("basic", "api", "127.0.0.1")]
        refused = [each for each in face.events if isinstance(each, AccessRefused)]
        assert [(each.name, each.page) for each in refused] == [("vic", "/api/v1/accounts")]

    play(main)


def test_row_30_the_administrator_sets_how_often_one_may_fail_and_how_long_a_block_lasts(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(ADMIN) as admin:
            wish = {"period_s": 3, "page_failures_per_s": 2, "device_failures_per_s": 50}
            assert (await admin.patch("/api/v1/params/brute_force", json=wish)).status_code == 200
            bad = await admin.patch("/api/v1/params/brute_force", json={"period_s": 0})
            assert bad.status_code == 400
        await face.clock.sleep(0.1)
        async with face.client(("admin", "wrong"), address="127.0.0.9") as guesser:
            codes = [(await guesser.get("/api/v1/device")).status_code for _ in range(5)]
        assert codes == [401] * 3 + [429] * 2
        blocked = [each for each in face.events if isinstance(each, LoginBlocked)]
        assert [(each.address, each.reach, each.period_s) for each in blocked] == [("127.0.0.9", "page", 3.0)]
        async with face.client(ADMIN, address="127.0.0.9") as owner:
            assert (await owner.get("/api/v1/device")).headers["retry-after"] == "3"
            await face.clock.sleep(3.1)
            assert (await owner.get("/api/v1/device")).status_code == 200

    play(main)


def test_row_31_md5_can_be_switched_off(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(ADMIN) as admin:
            assert (await admin.patch("/api/v1/params/accounts", json={"digest_md5": False})).status_code == 200
        await face.clock.sleep(0.1)
        async with face.client(address=AWAY) as client:
            offers = (await client.get("/api/v1/device")).headers.get_list("www-authenticate")
        assert [("SHA-256" in each, "MD5" in each) for each in offers] == [(True, False)]

    play(main)
