"""Saying what is wrong with a board file: one line with file, place, value and the nearest valid name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hal.board.fields import PATTERNS
from hal.errors import BoardError, nearest

Place = tuple[str | int, ...]

LONGEST = 60


class Complaint(Exception):
    """A mistake at a place of the merged board; the loader knows from which file the place came."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place
        self.message = message


def shown(value: object) -> str:
    """A value as part of a one-line message: short, printable, whatever it is."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple | set | frozenset):
        return "an array"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a very large number"
    text = repr(value)
    if not text.isprintable():
        text = ascii(text)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def path_text(place: Place) -> str:
    """A place as `nodes.relay1.max_on_s`; keys that are not plain words are quoted."""
    words = []
    for part in place:
        plain = isinstance(part, int) or (part.isascii() and part.replace("_", "").replace("-", "").isalnum())
        words.append(str(part) if plain and len(str(part)) <= LONGEST else shown(part))
    return ".".join(words)


def board_error(origin: str, place: Place, message: str) -> BoardError:
    """The error of a place in a file; without a place it is the file as a whole."""
    return BoardError(f"{origin}: {path_text(place)}" if place else origin, message)


def unknown(kind: str, word: object, valid: Sequence[str]) -> str:
    """`unknown KIND WORD`, with the nearest valid one."""
    hint = nearest(word, valid) if isinstance(word, str) and len(word) <= LONGEST else nearest("", valid)
    return f"unknown {kind} {shown(word)}{hint}"


def validated(model: type[BaseModel], data: Mapping[str, Any], place: Place) -> Any:
    """The model's value of `data`. Raises Complaint for the first thing that is wrong."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _complaint(error.errors(include_url=False)[0], model, place) from None


def _complaint(first: ErrorDetails, model: type[BaseModel], place: Place) -> Complaint:
    where = (*place, *first["loc"])
    if first["type"] == "extra_forbidden":
        return Complaint(where, unknown("key", first["loc"][-1], sorted(model.model_fields)))
    if first["type"] == "missing":
        return Complaint(where, "is missing")
    context = first.get("ctx", {})
    if "error" in context:
        message = str(context["error"])
    elif "pattern" in context and context["pattern"] in PATTERNS:
        message = f"should be {PATTERNS[context['pattern']]}"
    else:
        message = first["msg"].replace("Input should", "should").replace("a valid tuple", "an array")
        message = message[0].lower() + message[1:]
    value = shown(first["input"])
    return Complaint(where, message if value in message or not first["loc"] else f"{message} (got {value})")
