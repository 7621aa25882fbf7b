"""What dispatcher and device say to each other, one JSON text a WebSocket message; docs/cloud.md describes it.

Pure: texts in, values out. Both ends use it. Whatever does not fit raises Invalid, which ends the connection.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from firmware.core.errors import Invalid
from firmware.core.values import decode, encode
from hal.errors import nearest

SUBPROTOCOL = "lintel.cloud.1"
# The header of the opening request that says which device calls.
DEVICE_HEADER = "lintel-device"

# Of one request, and of all that the device takes in one message.
REQUEST_BYTES = 64 * 1024
MESSAGE_BYTES = 128 * 1024
RESPONSE_BYTES = 512 * 1024
# A whole response as the dispatcher receives it: the body in base64, and room for headers.
ANSWER_BYTES = RESPONSE_BYTES * 4 // 3 + 64 * 1024
HEADERS = 32
HEADER_CHARS = 4096

Id = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z._-]+$")]
Headers = Annotated[
    tuple[
        tuple[
            Annotated[str, Field(max_length=64, pattern=r"^[0-9A-Za-z-]+$")],
            Annotated[str, Field(max_length=HEADER_CHARS, pattern=r"^[\x20-\x7e\xa0-\xff\t]*$")],
        ],
        ...,
    ],
    Field(max_length=HEADERS),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """Device: who calls."""

    protocol: int
    serial: Annotated[str, Field(max_length=64)]
    model: Annotated[str, Field(max_length=64)]
    version: Annotated[str, Field(max_length=64)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Dispatcher: ask the API; `target` is path and query, `body` base64."""

    id: Id
    method: Annotated[str, Field(pattern=r"^(GET|HEAD|POST|PUT|PATCH|DELETE)$")]
    target: Annotated[str, Field(max_length=2048, pattern=r"^/[\x21-\x22\x24-\x7e]*$")]
    headers: Headers = ()
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Dispatcher: nobody waits for this request any more."""

    id: Id


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """Dispatcher: the owner has registered the device; it stays connected from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """Device: the API's answer."""

    id: Id
    status: Annotated[int, Field(ge=100, le=599)]
    headers: Headers = ()
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Device: the request never reached the API, or its answer cannot cross; `code` as in the API's errors."""

    id: Id
    code: Annotated[str, Field(max_length=64)]
    message: Annotated[str, Field(max_length=512)]


Frame = Hello | Request | Cancel | Registered | Response | Refused

TYPES: dict[str, type[Any]] = {
    "hello": Hello,
    "request": Request,
    "cancel": Cancel,
    "registered": Registered,
    "response": Response,
    "refused": Refused,
}
NAMES = {cls: name for name, cls in TYPES.items()}


def pack(frame: Frame) -> str:
    """A frame as text."""
    return json.dumps({"type": NAMES[type(frame)], **encode(frame)}, separators=(",", ":"))


def unpack(text: str) -> Frame:
    """A frame from text. Raises Invalid."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid("message", "is not JSON") from error
    if not isinstance(data, dict):
        raise Invalid("message", f"is {type(data).__name__}, not an object")
    kind = data.pop("type", None)
    if not isinstance(kind, str) or kind not in TYPES:
        raise Invalid("message.type", f"unknown {str(kind)[:40]!r}{nearest(str(kind)[:40], TYPES)}")
    frame: Frame = decode(TYPES[kind], data, where=kind)
    return frame


def body_of(text: str, longest: int) -> bytes:
    """The bytes of a body. Raises Invalid: not base64, or longer than `longest` bytes."""
    if len(text) > (longest + 2) // 3 * 4:
        raise Invalid("body", f"is longer than {longest} bytes")
    try:
        return b64decode(text, validate=True)
    except (NotBase64, ValueError):
        raise Invalid("body", "is not base64") from None


def text_of(body: bytes) -> str:
    """A body as a frame carries it."""
    return b64encode(body).decode()
