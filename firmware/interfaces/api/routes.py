"""How a route is added: with its least level, always; and how its OpenAPI text is made of value classes.

Endpoints take the request and give the answer themselves, so that every body is read by one decoder and
every error has one shape. FastAPI makes the description, and only when somebody asks for it: it takes long to load.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from firmware.core.actions import Caller, Level
from firmware.core.errors import Forbidden, Invalid
from firmware.core.values import decode, encode_json
from firmware.interfaces.api.shapes import ErrorBody
from firmware.interfaces.http.body import read_json
from firmware.interfaces.http.face import WHOLE

if TYPE_CHECKING:
    from fastapi import APIRouter

T = TypeVar("T")
Endpoint = Callable[[Request], Awaitable[Response]]
REF = "#/components/schemas/{model}"


def caller_of(request: Request) -> Caller:
    """Who asks, as the gate found out."""
    caller: Caller = request.scope["caller"]
    return caller


async def json_of(request: Request) -> object:
    """The body as JSON. Raises Invalid with the place."""
    body = await request.body()
    try:
        return read_json(body)
    except json.JSONDecodeError as error:
        what = "is empty" if not body.strip() else f"is not JSON: {error.msg.lower()}"
        raise Invalid("body", f"{what} (line {error.lineno}, column {error.colno})") from None
    except ValueError as error:
        raise Invalid("body", f"is not usable JSON: {error}") from None


async def object_of(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises Invalid."""
    value = await json_of(request)
    if not isinstance(value, dict):
        raise Invalid("body", f"is not an object but {type(value).__name__}")
    return value


def query_of(request: Request, cls: type[T]) -> T:
    """The query as a value; what looks like a number is one. Raises Invalid with the nearest valid name."""
    found: dict[str, Any] = {}
    for name, text in request.query_params.multi_items():
        if name in found:
            raise Invalid(f"query.{name}", "is there twice")
        found[name] = int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text
    return decode(cls, found, where="query")


def answer(value: object, status: int = 200) -> Response:
    """An answer of JSON-ready data."""
    return JSONResponse(value, status_code=status)


class Json(Response):
    """An answer of JSON, with the two headers that it always has: nothing is left to be found out about it.

    As long as nobody adds another one it goes out at once, where the server can.
    """

    def __init__(self, body: bytes, status: int) -> None:
        self.status_code = status
        self.body = body
        self.background = None
        self.raw_headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        at_once = scope.get(WHOLE) if len(self.raw_headers) == 2 and self.background is None else None
        lines = b"content-length: %d\r\ncontent-type: application/json\r\n" % len(self.body)
        if at_once is None or not at_once(self.status_code, lines, self.body):
            await super().__call__(scope, receive, send)


def answer_value(value: object, status: int = 200) -> Response:
    """An answer of a value."""
    return Json(encode_json(value), status)


class Schemas:
    """The routes that are described, and JSON schemas of their value classes, shared by reference in the document."""

    def __init__(self) -> None:
        self.components: dict[str, Any] = {}
        self.routes: list[Described] = []

    def document(self, title: str, version: str) -> dict[str, Any]:
        """The OpenAPI document of the routes, without what is said of all of them together."""
        from fastapi import APIRouter
        from fastapi.openapi.utils import get_openapi

        router = APIRouter()
        for route in self.routes:
            self._add(router, route)
        return get_openapi(title=title, version=version, routes=router.routes)

    def _add(self, router: APIRouter, route: Described) -> None:
        good: dict[str, Any] = {"description": route.summary}
        if route.gives is not None:
            good["content"] = {route.kind: {"schema": self.of(route.gives)}}
        extra: dict[str, Any] = {"parameters": [*_path_parameters(route.path), *self._query_parameters(route.query)]}
        if route.takes is not None:
            extra["requestBody"] = {"required": True, "content": {route.body: {"schema": self.of(route.takes)}}}
        router.add_api_route(
            route.path,
            route.endpoint,
            methods=[route.method],
            summary=route.summary,
            status_code=route.status,
            response_model=None,
            response_class=Response,
            responses={
                route.status: good,
                "default": {"description": "An error", "content": content(self.of(ErrorBody))},
            },
            openapi_extra=extra,
            operation_id=f"{route.method.lower()}{re.sub(r'[^a-z0-9]+', '_', route.path)}",
        )

    def _query_parameters(self, query: Any) -> list[dict[str, Any]]:
        if query is None:
            return []
        properties = self.of(query)["properties"]
        return [
            {"name": each.name, "in": "query", "required": False, "schema": properties[each.name]}
            for each in fields(query)
        ]

    def of(self, cls: Any) -> dict[str, Any]:
        """The schema of a class; what it refers to is added to the components."""
        schema = TypeAdapter(cls).json_schema(ref_template=REF)
        self.components.update(schema.pop("$defs", {}))
        return schema


def content(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema as the content of a body."""
    return {"application/json": {"schema": dict(schema)}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a route says of itself: its value classes are looked into only when somebody wants to read it."""

    method: str
    path: str
    endpoint: Endpoint
    summary: str
    status: int
    takes: Any
    query: Any
    gives: Any
    kind: str
    body: str


class Straight:
    """ASGI: routes whose path has no hole are found at one look; the router tries all of them one by one.

    What an endpoint raises is told by the guard, as for every face.
    """

    def __init__(self, app: ASGIApp, endpoints: Mapping[tuple[str, str], Endpoint]) -> None:
        self._app = app
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        answer = await endpoint(Request(scope, receive))
        await answer(scope, receive, send)


class Routes:
    """Adds routes below `root`; `levels` lists every one of them with the least level it asks for.

    `straight` are the endpoints of those without a hole in their path.
    """

    def __init__(self, router: Router, schemas: Schemas, root: str, *, described: bool = True) -> None:
        self._router = router
        self._schemas = schemas
        self._root = root
        self._described = described
        self.levels: dict[tuple[str, str], Level] = {}
        self.straight: dict[tuple[str, str], Endpoint] = {}

    def add(
        self,
        method: str,
        path: str,
        endpoint: Endpoint,
        *,
        level: Level,
        summary: str,
        status: int = 200,
        takes: Any = None,
        query: Any = None,
        gives: Any = None,
        kind: str = "application/json",
        body: str = "application/json",
    ) -> None:
        """Add a route. `takes`, `query` and `gives` are the value classes of body, query and answer.

        `body` and `kind` are the media types of body and answer.
        """
        path = self._root + path
        self.levels[method, path] = level
        guarded = _guarded(endpoint, level)
        if "{" not in path:
            self.straight[method, path] = guarded
        route = Route(path, guarded, methods=[method])
        route.methods = {method}  # a HEAD that nobody declared has no level
        self._router.routes.append(route)
        if self._described:
            self._schemas.routes.append(
                Described(
                    method=method,
                    path=path,
                    endpoint=guarded,
                    summary=summary,
                    status=status,
                    takes=takes,
                    query=query,
                    gives=gives,
                    kind=kind,
                    body=body,
                )
            )


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)\}", path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _guarded(endpoint: Endpoint, level: Level) -> Endpoint:
    async def guarded(request: Request) -> Response:
        check_level(caller_of(request), level, request.scope["path"])
        return await endpoint(request)

    return guarded


def check_level(caller: Caller, level: Level, where: str) -> None:
    """Raises Forbidden for a caller below the level."""
    if caller.level < level:
        raise Forbidden(where, f"needs {level.name.lower()}, {caller.name!r} is {caller.level.name.lower()}")
