"""The JSON that goes to a door controller and comes back, pure; docs/controller.md is its description.

Whatever does not fit the contract is no answer: it raises `Garbled`, and a door stays shut.
"""

from __future__ import annotations

import json
from typing import Any

from firmware.core.vocabulary.controller import AskAnswer, ControllerReader, ForwardParams

READERS = 256
ID_CHARS = 64
NAME_CHARS = 128
REASON_CHARS = 200
VERDICTS = {"granted": True, "denied": False}


class Garbled(Exception):
    """The controller answered something that the contract does not know; says what in words."""


class NoAnswer(Exception):
    """The controller said nothing that can be used; says why in words."""


def question_of(forward: ForwardParams, *, id: str, device: str, reader: str) -> dict[str, Any]:
    """The body of a question; `card` and `pin` are null when nothing of the kind was presented."""
    card = {"bits": forward.bits, "readings": list(forward.fitting)} if forward.bits else None
    return {
        "id": id,
        "device": device,
        "reader": reader or forward.reader,
        "door": forward.door,
        "card": card,
        "pin": forward.pin or None,
    }


def answer_of(body: bytes, *, id: str) -> AskAnswer:
    """Read an answer to the question `id`. Raises Garbled."""
    data = _object(body)
    if data.get("id") != id:
        raise Garbled("the answer belongs to another question (its id differs)")
    verdict = data.get("verdict")
    if not isinstance(verdict, str) or verdict not in VERDICTS:
        raise Garbled(f"verdict {_shown(verdict)} is neither granted nor denied")
    return AskAnswer(lost=False, granted=VERDICTS[verdict], reason=plain(data.get("reason", ""), REASON_CHARS))


def readers_of(body: bytes) -> tuple[ControllerReader, ...]:
    """Read the list of readers. Raises Garbled."""
    listed = _object(body).get("readers")
    if not isinstance(listed, list) or len(listed) > READERS:
        raise Garbled(f"`readers` is not a list of at most {READERS}")
    return tuple(_reader(each) for each in listed)


def _reader(data: object) -> ControllerReader:
    if not isinstance(data, dict):
        raise Garbled(f"a reader is {_shown(data)}, not an object")
    id = data.get("id")
    if not isinstance(id, str) or not 1 <= len(id) <= ID_CHARS or plain(id, ID_CHARS) != id:
        raise Garbled(f"the id of a reader is {_shown(id)}, not a text of 1 to {ID_CHARS} characters")
    return ControllerReader(id=id, name=plain(data.get("name", ""), NAME_CHARS) or id)


def _object(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Garbled("the answer is not JSON") from error
    if not isinstance(data, dict):
        raise Garbled(f"the answer is {_shown(data)}, not an object")
    return data


def plain(value: object, longest: int) -> str:
    """A text of a stranger as one bounded line of printable characters; anything but a text is empty."""
    if not isinstance(value, str):
        return ""
    return "".join(each for each in value if each.isprintable())[:longest]


def _shown(value: object) -> str:
    return plain(repr(value), 40)
