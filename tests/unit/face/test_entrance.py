"""What somebody who has not logged in gets of the web interface: two plain pages, three files, and the way to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firmware.core.vocabulary.certificates import HttpState
from firmware.interfaces.web.plain import ENTRANCE_CSP
from firmware.interfaces.web.policy import FILES, POLICY, page_csp

SECURITY_PAGE = Path(__file__).parents[3] / "docs" / "security.md"

Play = Callable[..., None]
ADMIN = ("admin", "choose-one")
BROWSER = {"accept": "text/html,application/xhtml+xml"}


def test_a_browser_is_led_to_the_form_of_a_new_device_and_then_to_the_log_in(play: Play) -> None:
    async def main(face: Any) -> None:
        async with face.client() as client:
            answer = await client.get("/", headers=BROWSER)
            assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/")
            answer = await client.get("/login")
            assert (answer.status_code, answer.headers["location"]) == (303, "/setup")
            form = await client.get("/setup")
            assert (form.status_code, form.headers["content-security-policy"]) == (200, ENTRANCE_CSP)
            assert 'id="licence"' in form.text
        await face.set_up()
        async with face.client() as client:
            assert (await client.get("/setup")).status_code == 401
            answer = await client.get("/setup", headers=BROWSER)
            assert answer.headers["location"] == "/login?next=/setup"
            login = await client.get("/login")
            assert (login.status_code, 'id="login"' in login.text) == (200, True)

    play(main)


def test_a_program_gets_the_question_for_a_password_and_no_page(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client() as client:
            answer = await client.get("/")
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthenticated")
            assert "www-authenticate" in answer.headers

    play(main)


def test_row_44_the_open_routes_of_the_web_are_documented_with_their_reasons(play: Play) -> None:
    async def main(face: Any) -> None:
        reasons = {**POLICY.public, **POLICY.until_setup}
        assert set(reasons) <= set(face.web.levels)
        documented = SECURITY_PAGE.read_text()
        assert all(f"`{path}`" in documented or f"`{method} {path}`" in documented for method, path in reasons)
        await face.set_up()
        async with face.client() as client:
            for _, path in POLICY.public:
                assert (await client.get(path)).status_code == 200
            for path in ("/web/pages.js", "/_nicegui/x/static/nicegui.js", "/web/..%2fentrance.py"):
                assert (await client.get(path)).status_code == 401

    play(main)


def test_row_41_the_entrance_has_no_code_in_its_pages_and_nothing_from_elsewhere(play: Play) -> None:
    async def main(face: Any) -> None:
        pages = []
        async with face.client() as client:
            pages.append((await client.get("/setup")).text)
        await face.set_up()
        async with face.client() as client:
            pages.append((await client.get("/login")).text)
            scripts = [(await client.get(f"/web/{name}")).text for name in FILES if name.endswith(".js")]
        for page in pages:
            bare = re.sub(r"<pre.*?</pre>", "", page, flags=re.DOTALL)  # the licence names its authors' address
            assert not re.search(r"<style|style=|\son\w+=|https?://", bare)
            assert re.findall(r"<script[^>]*>", bare) == ['<script src="/web/entrance.js" defer>']
        for script in scripts:
            for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function(", "http:"):
                assert word not in script, word

    play(main)


def test_the_languages_of_the_browser_and_the_visitors_own_choice_are_obeyed(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client() as client:
            said = await client.get("/login", headers={"accept-language": "nl, de-CH;q=0.8, en;q=0.5"})
            assert ('<html lang="de"' in said.text, "Anmelden" in said.text) == (True, True)
            client.cookies.set("lintel-language", "sv")
            client.cookies.set("lintel-theme", "dark")
            said = await client.get("/login", headers={"accept-language": "de"})
            assert '<html lang="sv" data-theme="dark">' in said.text
            client.cookies.set("lintel-theme", '"><script>')
            assert 'data-theme="auto"' in (await client.get("/login")).text

    play(main)


@pytest.mark.parametrize(("https", "port"), [("0.0.0.0:8443", "8443"), ("[::]:443", "443")])
def test_over_http_from_elsewhere_the_log_in_names_the_encrypted_address(play: Play, https: str, port: str) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        face.bus.publish(HttpState(http="0.0.0.0:80", https=https))
        async with face.client(address="192.0.2.9", base="http://192.0.2.1") as client:
            page = (await client.get("/login")).text
        assert f'href="https://192.0.2.1:{port}/"' in page

    play(main)


def test_row_41_the_policy_of_a_page_runs_only_what_carries_its_number() -> None:
    policy = {line.split()[0]: line.split()[1:] for line in page_csp("n").split("; ")}
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == ["'self'", "'nonce-n'", "'unsafe-eval'"]
    assert policy["style-src-elem"] == ["'self'", "'nonce-n'"]
    assert not any("http" in source or "*" in source for sources in policy.values() for source in sources)
