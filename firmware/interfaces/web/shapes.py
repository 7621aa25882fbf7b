"""What a form has to know of a value, read from its JSON schema: kind, choices, limits; text to value and back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from firmware.core.errors import Invalid


class Kind(Enum):
    """How a value is asked for."""

    SWITCH = "switch"
    CHOICE = "choice"
    WHOLE = "whole"
    NUMBER = "number"
    TEXT = "text"
    LINES = "lines"  # texts, one a line
    JSON = "json"  # whatever is none of these
    PARTS = "parts"  # a table of values with names of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One value: `choices` of a CHOICE, least and most of a number, `longest` text, whether it may be empty (None)."""

    kind: Kind
    choices: tuple[Any, ...] = ()
    least: float | None = None
    most: float | None = None
    longest: int | None = None
    empty: bool = False
    parts: tuple[tuple[str, Shape], ...] = ()


def shape_of(schema: Mapping[str, Any], shared: Mapping[str, Any] | None = None) -> Shape:
    """Read a schema; `shared` are its definitions, of the outermost one."""
    shared = schema.get("$defs", {}) if shared is None else shared
    own, empty = _plain(schema, shared)
    if "enum" in own or "const" in own:
        return Shape(kind=Kind.CHOICE, choices=tuple(own.get("enum", [own.get("const")])), empty=empty)
    kind = own.get("type")
    if kind == "boolean" and not empty:
        return Shape(kind=Kind.SWITCH)
    if kind in ("integer", "number"):
        return Shape(
            kind=Kind.WHOLE if kind == "integer" else Kind.NUMBER,
            least=own.get("minimum", own.get("exclusiveMinimum")),
            most=own.get("maximum", own.get("exclusiveMaximum")),
            empty=empty,
        )
    if kind == "string":
        return Shape(kind=Kind.TEXT, longest=own.get("maxLength"), empty=empty)
    if kind == "array" and not empty and _plain(own.get("items", {}), shared)[0].get("type") == "string":
        return Shape(kind=Kind.LINES)
    if kind == "object" and not empty and own.get("properties"):
        parts = tuple((name, shape_of(part, shared)) for name, part in own["properties"].items())
        if all(part.kind is not Kind.PARTS for _, part in parts):
            return Shape(kind=Kind.PARTS, parts=parts)
    return Shape(kind=Kind.JSON, empty=empty)


def _plain(schema: Mapping[str, Any], shared: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """A schema with what it refers to, and whether the value may be null besides."""
    empty = False
    while True:
        if "$ref" in schema:
            named = shared.get(str(schema["$ref"]).rpartition("/")[2], {})
            schema = {**named, **{key: value for key, value in schema.items() if key != "$ref"}}
            continue
        several = schema.get("anyOf", ())
        others = [each for each in several if each.get("type") != "null"]
        if len(others) == 1:
            empty = empty or len(several) > 1
            schema = others[0]
            continue
        return schema, empty


def text_of(shape: Shape, value: Any) -> Any:
    """A value as its field shows it."""
    if shape.kind is Kind.SWITCH:
        return bool(value)
    if shape.kind is Kind.CHOICE:
        return value
    if value is None:
        return ""
    if shape.kind is Kind.LINES and isinstance(value, list):
        return "\n".join(str(each) for each in value)
    if shape.kind is Kind.TEXT and isinstance(value, str):
        return value
    if shape.kind in (Kind.WHOLE, Kind.NUMBER) and isinstance(value, int | float):
        return f"{value:.12g}"
    return json.dumps(value, ensure_ascii=False, indent=1 if value else None)


def value_of(shape: Shape, shown: Any, where: str) -> Any:
    """What a field says. Raises Invalid when it is no value at all; limits are the owner's business."""
    if shape.kind is Kind.SWITCH:
        return bool(shown)
    if shape.kind is Kind.CHOICE:
        return shown
    text = "" if shown is None else str(shown)
    if shape.empty and not text.strip():
        return None
    if shape.kind is Kind.TEXT:
        return text
    if shape.kind is Kind.LINES:
        return [line.strip() for line in text.splitlines() if line.strip()]
    if shape.kind in (Kind.WHOLE, Kind.NUMBER):
        return _number(text.strip(), where)
    try:
        return json.loads(text)
    except ValueError as error:
        raise Invalid(where, f"is not JSON: {error}") from None


def _number(text: str, where: str) -> int | float:
    """A number as people write it, with a point or a comma. Raises Invalid."""
    plain = text.replace(",", ".") if text.count(",") == 1 and "." not in text else text
    try:
        number = float(plain) if len(plain) <= 40 else None
    except ValueError:
        number = None
    if number is None or number != number or number in (float("inf"), float("-inf")):
        raise Invalid(where, f"{text[:40]!r} is not a number")
    return int(plain) if plain.lstrip("+-").isdecimal() else number


def leaves(name: str, shape: Shape) -> Iterator[tuple[str, Shape]]:
    """The fields of a value: itself, or each of its parts by the name `whole.part`."""
    if shape.kind is Kind.PARTS:
        for part, inner in shape.parts:
            yield f"{name}.{part}", inner
    else:
        yield name, shape
