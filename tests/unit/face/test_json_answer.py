"""An answer of JSON is made at one go; it is the one that the general maker of answers gives."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from starlette.responses import Response
from starlette.types import Message

from firmware.interfaces.api.routes import answer_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A value."""

    name: str


def sent(answer: Response) -> list[Message]:
    """What an answer sends."""
    found: list[Message] = []

    async def send(message: Message) -> None:
        found.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    asyncio.run(answer({"type": "http", "method": "GET", "path": "/", "headers": []}, receive, send))
    return found


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("name", ["", "Dörr", "x" * 2000])
def test_a_value_is_answered_with_the_messages_that_starlette_would_send(status: int, name: str) -> None:
    body = f'{{"name":"{name}"}}'.encode()
    assert sent(answer_value(Said(name=name), status)) == sent(Response(body, status, media_type="application/json"))


def test_headers_and_cookies_are_added_to_an_answer_as_to_any_other() -> None:
    answer = answer_value(Said(name="a"))
    answer.headers["x-more"] = "1"
    answer.set_cookie("c", "v")
    names = [name for name, _ in sent(answer)[0]["headers"]]
    assert names == [b"content-length", b"content-type", b"x-more", b"set-cookie"]
