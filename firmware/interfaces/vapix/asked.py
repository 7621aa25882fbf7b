"""One request as the addresses of this face see it, and the plain answers of its text addresses.

Arguments come in the query or in a body of the form type, whatever Content-Type says: clients send forms as
text/plain. Where a name comes twice, the body counts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from firmware.core.actions import Caller, Level
from firmware.core.errors import Forbidden, Invalid

MOST_ARGUMENTS = 1000
TEXT = "text/plain; charset=utf-8"
GET_AND_POST = ("GET", "POST")

Endpoint = Callable[["Asked"], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with whoever sent it."""

    request: Request
    caller: Caller

    def needs(self, level: Level) -> None:
        """Raises Forbidden for a caller below `level`; of somebody unknown the guard then asks a name and password."""
        if self.caller.level < level:
            who, has = self.caller.name, self.caller.level.name.lower()
            raise Forbidden(self.request.url.path, f"needs {level.name.lower()}, {who!r} is {has}")

    async def arguments(self) -> Mapping[str, str]:
        """Query and form together. Raises Invalid for more arguments than anybody needs."""
        body = await self.request.body() if self.request.method == "POST" else b""
        merged = dict(pairs(self.request.scope.get("query_string", b"")))
        merged.update(pairs(body.strip()))
        return merged


def pairs(text: bytes) -> list[tuple[str, str]]:
    """The name-value pairs of a query or form; bytes that are no UTF-8 are read as Latin-1. Raises Invalid."""
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        decoded = text.decode("latin-1")
    try:
        return parse_qsl(decoded, keep_blank_values=True, max_num_fields=MOST_ARGUMENTS)
    except ValueError:
        raise Invalid("arguments", f"are more than {MOST_ARGUMENTS}") from None


def plain(text: str, status: int = 200, kind: str = TEXT) -> Response:
    """A text answer."""
    return Response(text, status_code=status, headers={"content-type": kind})


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One address of the face: path, methods, the least level, what answers it, and whether this device has it."""

    path: str
    endpoint: Endpoint
    level: Level
    methods: tuple[str, ...] = GET_AND_POST
    here: Callable[[], bool] = lambda: True
