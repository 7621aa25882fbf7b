"""The JSON addresses: one envelope, methods as data, and four families of error codes.

    {"apiVersion": "1.0", "context": "any", "method": "x", "params": {..}}
    {"apiVersion": "1.3", "context": "any", "method": "x", "data": {..}}   or   "error": {"code": N, "message": ".."}

A request is answered with HTTP 200 whatever its outcome, except where the caller may not: that is 403, or 401 with a
challenge for somebody unknown. `context` comes back when it was sent, `data` is there even when it is empty.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse, Response

from firmware.core.actions import Caller, Level
from firmware.core.errors import Forbidden, Invalid, NotFound, StationError
from firmware.interfaces.http.body import read_json
from firmware.interfaces.vapix.asked import Address, Asked
from hal.errors import nearest

DEEPEST = 32  # levels of a request; nobody nests more than four
VERSION = re.compile(r"(\d{1,4})(?:\.(\d{1,4}))?")
SUPPORTED = "getSupportedVersions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """The numbers one family of addresses has for what goes wrong."""

    internal: int
    post: int
    json: int
    version: int
    method: int
    missing: int
    invalid: int
    forbidden: int


# In the order of their age: discovery and device, the ports and newer ones, time and network, firmware.
DISCOVERY = Codes(
    internal=8000, post=2002, json=4000, version=2003, method=2004, missing=4002, invalid=1000, forbidden=2001
)
NEWER = Codes(
    internal=1100, post=2102, json=2101, version=2100, method=2102, missing=2103, invalid=2104, forbidden=2105
)
NETWORK = Codes(
    internal=1000, post=2000, json=3000, version=4001, method=4000, missing=4003, invalid=4004, forbidden=4002
)
FIRMWARE = Codes(internal=500, post=405, json=400, version=400, method=405, missing=400, invalid=400, forbidden=403)


class Refusal(Exception):
    """An error of the envelope: number, words, and for some addresses what of the request it is about."""

    def __init__(self, code: int, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One method called: its parameters as sent, and whoever sent them."""

    method: str
    params: Any
    asked: Asked
    codes: Codes

    @property
    def caller(self) -> Caller:
        """Who calls."""
        return self.asked.caller

    def table(self) -> Mapping[str, Any]:
        """The parameters as a table; absent ones are an empty table. Raises Refusal."""
        if self.params is None:
            return {}
        if not isinstance(self.params, dict):
            raise Refusal(self.codes.invalid, f"params is {type(self.params).__name__}, not an object")
        return self.params

    def has(self, name: str) -> bool:
        """Whether a parameter was sent."""
        return name in self.table()

    def text(self, name: str, default: str | None = None, *, longest: int = 1024) -> str:
        """A parameter that is a text; without a default it must be there. Raises Refusal."""
        value = self._get(name, default)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = str(value)  # ports and times are sent as numbers and as texts
        if not isinstance(value, str) or len(value) > longest:
            raise self.invalid(name, value)
        return value

    def number(self, name: str, default: float | None = None, *, least: float, most: float) -> float:
        """A parameter that is a number within limits, also sent as a text. Raises Refusal."""
        value = self._get(name, default)
        try:
            number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else None
        except (ValueError, OverflowError):  # a whole number may have more digits than any other kind
            number = None
        if number is None or not least <= number <= most:
            raise Refusal(self.codes.invalid, f"{name}: {value!r:.60} is not a number from {least:g} to {most:g}")
        return number

    def flag(self, name: str, default: bool | None = None) -> bool:
        """A parameter that is true or false. Raises Refusal."""
        value = self._get(name, default)
        if not isinstance(value, bool):
            raise self.invalid(name, value)
        return value

    def choice(self, name: str, values: Sequence[str], default: str | None = None) -> str:
        """A parameter that is one of some words. Raises Refusal with the nearest one."""
        value = self.text(name, default)
        if value not in values:
            raise Refusal(self.codes.invalid, f"{name}: {value!r:.60} is none of {', '.join(values)}")
        return value

    def items(self, name: str, *, most: int = 256) -> list[Any]:
        """A parameter that is a list. Raises Refusal."""
        value = self._get(name, None)
        if not isinstance(value, list) or len(value) > most:
            raise self.invalid(name, value)
        return value

    def invalid(self, name: str, value: object, details: Mapping[str, Any] | None = None) -> Refusal:
        """The refusal of a value."""
        return Refusal(self.codes.invalid, f"Invalid value for {name}: {value!r:.60}", details)

    def _get(self, name: str, default: object) -> Any:
        value = self.table().get(name, default)
        if value is None:
            raise Refusal(self.codes.missing, f"Missing parameter: {name}")
        return value


Run = Callable[[Call], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method: who may call it, and what it does."""

    run: Run
    level: Level = Level.VIEWER


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonApi:
    """One JSON address: what apidiscovery says of it, its path, its methods and its error codes.

    `versions` are all it speaks, newest last; requests in any minor version up to ours of a major one are taken.
    `here` is whether this device has it.
    """

    id: str
    name: str
    path: str
    codes: Codes
    methods: Mapping[str, Method] = field(repr=False)
    versions: tuple[str, ...] = ("1.0",)
    status: str = "official"
    here: Callable[[], bool] = field(default=lambda: True, repr=False)

    @property
    def version(self) -> str:
        """The newest one."""
        return self.versions[-1]

    def address(self) -> Address:
        """The route of it; its least level is that of its most open method."""
        least = min(method.level for method in self.methods.values())
        return Address(path=self.path, endpoint=self.answer, level=least, here=self.here)

    async def answer(self, asked: Asked) -> Response:
        """Answer one request; every outcome has a body. Raises Forbidden."""
        head: dict[str, Any] = {"apiVersion": self.version}
        try:
            request = await self._request(asked, head)
            data = await self._run(asked, request, head["method"])
        except Refusal as refusal:
            error: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
            if refusal.details is not None:
                error["details"] = dict(refusal.details)
            return JSONResponse({**head, "error": error})
        return JSONResponse({**head, "data": dict(data)})

    async def _request(self, asked: Asked, head: dict[str, Any]) -> dict[str, Any]:
        """The request as a table; what the answer repeats of it goes to `head`. Raises Refusal."""
        if asked.request.method != "POST":
            raise Refusal(self.codes.post, "HTTP request type not supported. Only POST is supported.")
        try:
            request = read_json(await asked.request.body())
        except ValueError:
            raise Refusal(self.codes.json, "Invalid JSON") from None
        if not isinstance(request, dict) or too_deep(request):
            raise Refusal(self.codes.json, "Invalid JSON")
        context = request.get("context")
        if isinstance(context, (str, int)) and len(str(context)) <= 1024:
            head["context"] = context
        name = request.get("method")
        if not isinstance(name, str):
            raise Refusal(self.codes.missing, "Missing parameter: method")
        head["method"] = name[:64]
        return request

    async def _run(self, asked: Asked, request: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        if name == SUPPORTED:
            return {"apiVersions": list(self.versions)}
        self._check_version(request.get("apiVersion"))
        method = self.methods.get(name)
        if method is None:
            hint = nearest(name[:64], self.methods)
            raise Refusal(self.codes.method, f"Unknown method in request: {name[:64]}{hint}")
        asked.needs(method.level)
        call = Call(method=name, params=request.get("params"), asked=asked, codes=self.codes)
        try:
            return await method.run(call)
        except Forbidden:
            if asked.caller.level is Level.ANONYMOUS:
                raise  # the guard asks for a name and password
            raise Refusal(self.codes.forbidden, "Insufficient access rights") from None
        except (Invalid, NotFound) as error:
            raise Refusal(self.codes.invalid, f"{error.where}: {error.message}") from None
        except StationError as error:
            raise Refusal(self.codes.internal, f"{error.where}: {error.message}") from None

    def _check_version(self, wanted: object) -> None:
        if wanted is None:
            raise Refusal(self.codes.missing, "Missing parameter: apiVersion")
        found = VERSION.fullmatch(str(wanted)) if isinstance(wanted, (str, int, float)) else None
        newest = {int(each.split(".")[0]): int(each.split(".")[1]) for each in self.versions}
        if found is None or int(found[2] or 0) > newest.get(int(found[1]), -1):
            ours = ", ".join(self.versions)
            raise Refusal(self.codes.version, f"API version {wanted!r:.20} is not supported. Supported: {ours}")


def too_deep(value: object, depth: int = DEEPEST) -> bool:
    """Whether a value nests deeper than any request needs to."""
    if depth == 0:
        return True
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(too_deep(part, depth - 1) for part in parts if isinstance(part, (dict, list)))
