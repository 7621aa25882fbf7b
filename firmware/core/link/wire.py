"""What crosses the link, and how: length-prefixed JSON frames of typed messages.

    frame = length (4 bytes, big-endian) + UTF-8 JSON object {"kind": ..., fields}   at most 1 MiB

Both ends decode with the declared types, so nothing malformed gets past this file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from firmware.core.actions import Caller
from firmware.core.errors import ERRORS, Exhausted, Invalid, StationError, Unavailable
from firmware.core.events import REGISTRY, Event, Notice, Operation, State
from firmware.core.link.face import ActionInfo
from firmware.core.values import decode, encode
from hal.errors import nearest

VERSION = 1
# Who says Hello by this name is nobody's role, but somebody at the device who asks (firmware/cli/console.py).
CONSOLE = "console"
FRAME_BYTES = 1 << 20
_LENGTH_BYTES = 4

RoleName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class WireError(Exception):
    """The far end sent what is not this protocol; the connection is of no more use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """A role introduces itself; `boot` is the first part of the ids of its events."""

    role: RoleName
    boot: Annotated[str, Field(min_length=1, max_length=64)]
    pid: int
    version: int = VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The hub has sent every retained state: the role is joined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """All services of the role have started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferAction:
    """The role owns this action."""

    action: ActionInfo
    private: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferGroup:
    """The role owns this parameter group."""

    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A notice of the bus; `event` are the fields of the class of that topic."""

    operation: Operation
    topic: str
    event: dict[str, Any]


class Op(StrEnum):
    """What can be asked. INVOKE comes from code and reaches private actions, COMMAND from outside."""

    INVOKE = "invoke"
    COMMAND = "command"
    ACTIONS = "actions"
    GROUPS = "groups"
    INFOS = "infos"
    READ = "read"
    CHANGE = "change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question, answered under the same number; `name` is of an action or a group."""

    number: int
    op: Op
    caller: Caller
    name: str = ""
    data: Any = None
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an ask came to."""

    number: int
    data: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An ask was answered with an error of `firmware.core.errors`; `base` is the nearest code that everybody knows."""

    number: int
    code: str
    where: str
    message: str
    base: str = ""


Message = Hello | Settled | Ready | OfferAction | OfferGroup | Fact | Ask | Answer | Fault

_CLASSES: dict[str, type[Any]] = {
    "hello": Hello,
    "settled": Settled,
    "ready": Ready,
    "action": OfferAction,
    "group": OfferGroup,
    "fact": Fact,
    "ask": Ask,
    "answer": Answer,
    "fault": Fault,
}
_KINDS = {cls: kind for kind, cls in _CLASSES.items()}


def pack(message: Message) -> bytes:
    """A message as one frame. Raises Exhausted when it is longer than a frame may be, ValueError for NaN."""
    values = {"kind": _KINDS[type(message)], **encode(message)}
    body = json.dumps(values, separators=(",", ":"), allow_nan=False).encode()
    if len(body) > FRAME_BYTES:
        raise Exhausted("link", f"a {values['kind']} of {len(body)} bytes is longer than {FRAME_BYTES}")
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


class Unpacker:
    """Bytes in, messages out; keeps an unfinished frame."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are complete now. Raises WireError; then the connection must be closed."""
        self._buffer += data
        found = []
        start = 0
        while len(self._buffer) - start >= _LENGTH_BYTES:
            length = int.from_bytes(self._buffer[start : start + _LENGTH_BYTES], "big")
            if length > FRAME_BYTES:
                raise WireError(f"a frame of {length} bytes is longer than {FRAME_BYTES}")
            end = start + _LENGTH_BYTES + length
            if len(self._buffer) < end:
                break
            found.append(_message(bytes(self._buffer[start + _LENGTH_BYTES : end])))
            start = end
        del self._buffer[:start]
        return found


def _message(body: bytes) -> Message:
    try:
        values = json.loads(body.decode(), parse_constant=_no_number)
        if not isinstance(values, dict):
            raise WireError(f"a frame holds {type(values).__name__}, not an object")
        kind = values.pop("kind", None)
        if kind not in _CLASSES:
            raise WireError(f"unknown kind {kind!r}{nearest(str(kind), _CLASSES)}")
        message: Message = decode(_CLASSES[kind], values, where=kind)
    except (ValueError, TypeError, RecursionError, Invalid) as error:
        raise WireError(str(error)) from error
    return message


def _no_number(word: str) -> None:
    raise WireError(f"{word} is not a number of JSON")


def fact_of(notice: Notice) -> Fact:
    """A notice as it crosses."""
    return Fact(operation=notice.operation, topic=notice.event.topic, event=encode(notice.event))


def notice_of(fact: Fact) -> Notice:
    """The notice back. Raises Invalid for an unknown topic, wrong fields or an operation that does not fit."""
    cls: type[Event] | None = REGISTRY.get(fact.topic)
    if cls is None:
        raise Invalid("link", f"unknown topic {fact.topic!r}{nearest(fact.topic, REGISTRY)}")
    if issubclass(cls, State) is (fact.operation is Operation.HAPPENED):
        raise Invalid(fact.topic, f"{fact.operation.value} does not fit {cls.__name__}")
    return Notice(fact.operation, decode(cls, fact.event, where=fact.topic))


def fault_of(number: int, error: StationError) -> Fault:
    """An error as it crosses."""
    codes = {known: code for code, known in ERRORS.items()}
    base = next((codes[cls] for cls in type(error).__mro__ if cls in codes), "")
    return Fault(number=number, code=error.code, where=error.where, message=error.message, base=base)


def error_of(fault: Fault) -> StationError:
    """The error back: a room's own code as the kind of error it is; one that nobody knows as Unavailable."""
    known = ERRORS.get(fault.code) or ERRORS.get(fault.base)
    if known is None:
        return Unavailable(fault.where, fault.message)
    error = known(fault.where, fault.message)
    error.code = fault.code
    return error
