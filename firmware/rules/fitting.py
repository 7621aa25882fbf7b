"""Whether a value, or a field of a fact, fits a parameter: the types at load, the limits for every value.

A field of the very type of an unlimited parameter needs no check later; any other is checked by pydantic's
validator of that one parameter, which is built once.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from firmware.core.values import hidden_in
from firmware.rules.place import Misplaced, Place

MASK = "*****"


_HINTS: dict[type[Any], dict[str, Any]] = {}
_VALIDATORS: dict[tuple[type[Any], str], TypeAdapter[Any]] = {}


def hints_of(cls: type[Any]) -> dict[str, Any]:
    """The declared types of a class's fields, with their limits."""
    found = _HINTS.get(cls)
    if found is None:
        found = _HINTS[cls] = get_type_hints(cls, include_extras=True)
    return found


def _validator(cls: type[Any], name: str) -> TypeAdapter[Any]:
    found = _VALIDATORS.get((cls, name))
    if found is None:
        hint = hints_of(cls)[name]
        try:
            found = TypeAdapter(hint, config=ConfigDict(allow_inf_nan=False))
        except PydanticUserError:  # a class with fields of its own brings its own configuration
            found = TypeAdapter(hint)
        _VALIDATORS[cls, name] = found
    return found


def literal(cls: type[Any], name: str, value: object, place: Place) -> object:
    """A value as written, decoded for the field `name`. Raises Misplaced."""
    try:
        return _validator(cls, name).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        got = MASK if name in hidden_in(cls) else first["input"]
        raise Misplaced((*place, *first["loc"]), message[0].lower() + message[1:], got) from None


def converter(source: Any, cls: type[Any], name: str) -> Callable[[object], object] | None:
    """What turns a fact's field of type `source` into the parameter `name`; None when nothing needs to be done.

    Raises TypeError when no value of that field could ever fit.
    """
    target = hints_of(cls)[name]
    have, want = _kinds(source), _kinds(target)
    if have is not None and want is not None:
        if not any(_may_become(one, other) for one in have for other in want):
            raise TypeError(f"is {_names(have)}, and {_names(want)} is needed")
        if have <= want and not _limited(target):
            return None
    return _validator(cls, name).validate_python


def _kinds(hint: Any) -> frozenset[type] | None:
    """The classes a value of this type may have; None when that cannot be said."""
    origin = get_origin(hint)
    if origin is Annotated:
        return _kinds(get_args(hint)[0])
    if origin is Literal:
        return frozenset(type(value) for value in get_args(hint))
    if origin in (Union, types.UnionType):
        members = [_kinds(member) for member in get_args(hint)]
        return None if None in members else frozenset().union(*(member for member in members if member is not None))
    kind = hint if origin is None else origin
    return frozenset({kind}) if isinstance(kind, type) and kind is not object else None


def _may_become(have: type, want: type) -> bool:
    if have is type(None) or want is type(None):
        return False  # a parameter is not there to be given nothing
    if want is bool or have is bool:
        return have is want
    if issubclass(want, Enum):
        return issubclass(have, (want, str))
    return issubclass(have, want) or (have is int and want is float)


def _limited(hint: Any) -> bool:
    """Whether the type says more than which class it is."""
    if isinstance(hint, type):
        return get_origin(hint) is not None
    if get_origin(hint) in (Union, types.UnionType):
        return any(_limited(member) for member in get_args(hint))
    return True


def _names(kinds: frozenset[type]) -> str:
    return " or ".join(sorted(kind.__name__ for kind in kinds if kind is not type(None))) or "nothing"
