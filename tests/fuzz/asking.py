"""What targets of fuzzing share: requests as endpoints get them, their answers, coroutines that wait for nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from firmware.core.actions import Caller, Level
from firmware.core.errors import Invalid, NotFound

CORPUS = Path(__file__).parent / "corpus"
T = TypeVar("T")
Target = Callable[[bytes], None]
ADMIN = Caller("admin", Level.ADMIN, "vapix")


def corpus(name: str) -> list[bytes]:
    """The kept inputs of a target."""
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The outcome of a coroutine that has nothing to wait for."""
    try:
        work.send(None)
    except StopIteration as end:
        found: T = end.value
        return found
    work.close()
    raise AssertionError("it waits for something")


def request(body: bytes = b"", *, query: bytes = b"", headers: Mapping[bytes, bytes] | None = None) -> Request:
    """A request as an endpoint gets it."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "method": "POST", "path": "/fuzzed", "query_string": query, "scheme": "http",
             "server": ("127.0.0.1", 80), "headers": list((headers or {}).items()), "caller": ADMIN}  # fmt: skip
    return Request(scope, receive)


def sendable(answer: Response, *codes: int) -> None:
    """Fails for an answer of another kind than expected; JSON has to be JSON for others too."""
    assert answer.status_code in codes, answer.status_code
    if answer.media_type == "application/json":
        json.loads(bytes(answer.body))


def check_short(error: Invalid | NotFound) -> None:
    """Fails for a refusal that cannot be sent, or that repeats all it was sent."""
    assert len(error.message.encode()) < 600, error.message
