"""Row 39 at the face of programs, where a GET changes things: a browser is only heard when it says for whom it asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.face.conftest import ADMIN

Play = Callable[..., None]
BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"}
CHANGE = "/axis-cgi/param.cgi?action=list&group=Brand"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (BROWSER, 403),  # over plain HTTP it does not say
        (BROWSER | {"referer": "http://evil.example/page"}, 403),
        (BROWSER | {"referer": "http://["}, 403),
        (BROWSER | {"sec-fetch-site": "cross-site"}, 403),
        (BROWSER | {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 403),
        (BROWSER | {"origin": "http://evil.example"}, 403),
        (BROWSER | {"sec-fetch-site": "none"}, 200),
        (BROWSER | {"sec-fetch-site": "same-origin"}, 200),
        (BROWSER | {"referer": "http://127.0.0.1:8080/"}, 200),
        (BROWSER | {"origin": "http://127.0.0.1:8080"}, 200),
        ({"user-agent": "curl/8.0"}, 200),
        ({"user-agent": "Mozilla/5.0 (Windows NT) a program that borrows a name"}, 200),
        ({"user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/1.0"}, 403),
    ],
)
def test_row_39_a_browser_that_does_not_say_for_whom_it_asks_is_refused_there(
    play: Play, headers: dict[str, str], status: int
) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(ADMIN) as client:
            answer = await client.get(CHANGE, headers=headers)
            assert answer.status_code == status, answer.text
            if status == 403:
                assert "Brand" not in answer.text

    play(main)


def test_a_browser_may_open_what_only_shows_and_the_native_api(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.set_up()
        async with face.client(ADMIN) as client:
            assert (await client.get("/axis-cgi/jpg/image.cgi", headers=BROWSER)).status_code == 503  # no camera here
            assert (await client.get("/api/v1/device", headers=BROWSER)).status_code == 200

    play(main)
