"""Turning outside data into values and back: one decoder for bodies, link frames and rule templates.

Field limits are written at the declaration as pydantic `Field` in `Annotated`; an unknown name is an
error that suggests the nearest valid one.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from firmware.core.errors import Invalid
from hal.errors import nearest

T = TypeVar("T")

# What pydantic calls a name that the class does not have.
UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")

_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(cls: type[Any]) -> TypeAdapter[Any]:
    found = _ADAPTERS.get(cls)
    if found is None:
        if is_dataclass(cls) and not issubclass_base_model(cls) and "__pydantic_config__" not in cls.__dict__:
            # setattr: the attribute is pydantic's, not declared on a plain dataclass
            setattr(cls, "__pydantic_config__", ConfigDict(extra="forbid", allow_inf_nan=False))  # noqa: B010
        found = _ADAPTERS[cls] = TypeAdapter(cls)
    return found


def issubclass_base_model(cls: type[Any]) -> bool:
    """Whether the class brings its own pydantic configuration."""
    return hasattr(cls, "model_config")


def names_of(cls: type[Any]) -> tuple[str, ...]:
    """The field names of a value or model class; none for a plain type."""
    if issubclass_base_model(cls):
        return tuple(cls.model_fields)
    return tuple(field.name for field in fields(cls)) if is_dataclass(cls) else ()


def decode(cls: type[T], data: object, *, where: str) -> T:
    """Check outside data (parsed JSON, TOML) and make the value. Raises Invalid with one clear line."""
    try:
        value: T = _adapter(cls).validate_python(data)
    except ValidationError as error:
        raise explain(error, cls, where) from None
    return value


def encode(value: object) -> Any:
    """The JSON-ready form of a value (dataclass or pydantic model)."""
    return _adapter(type(value)).dump_python(value, mode="json")


def encode_json(value: object) -> bytes:
    """The JSON of a value (dataclass or pydantic model), as `encode` gives it, at one go."""
    return _adapter(type(value)).dump_json(value)


def schema(cls: type[Any]) -> dict[str, Any]:
    """JSON schema of a value class, for interfaces that list actions and parameters."""
    return _adapter(cls).json_schema()


def explain(error: ValidationError, cls: type[Any], where: str) -> Invalid:
    """One complaint of a validation as one line: place, value, limit, nearest valid name.

    An unknown name goes before a missing one, because it is usually its misspelling.
    """
    complaints = error.errors()
    first = next((each for each in complaints if each["type"] in UNKNOWN), complaints[0])
    place = ".".join([where, *(short(str(part)) for part in first["loc"])])
    if first["type"] in UNKNOWN:
        name = short(str(first["loc"][-1]))
        siblings = names_of(cls) if len(first["loc"]) == 1 else ()
        return Invalid(place, f"unknown name {name!r}{nearest(name, siblings)}")
    message = first["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if first["type"] in ("missing", "missing_argument"):
        return Invalid(place, "is missing")
    hidden = hidden_in(cls)
    secret = str(first["loc"][0]) in hidden if first["loc"] else bool(hidden)
    # A mistake between several fields names them and their values itself; the whole object would only hide it.
    between = first["type"] == "value_error" and not first["loc"]
    got = "" if secret or between else f" (got {shown(first['input'])})"
    return Invalid(place, f"{message[0].lower()}{message[1:]}{got}")


def hidden_in(cls: type[Any]) -> frozenset[str]:
    """The fields of a class whose values are never repeated: `repr=False`, or declared secret."""
    if not issubclass_base_model(cls) and not is_dataclass(cls):
        return frozenset()
    if issubclass_base_model(cls):
        extras = {name: field.json_schema_extra for name, field in cls.model_fields.items()}
        return frozenset(name for name, extra in extras.items() if isinstance(extra, dict) and extra.get("secret"))
    return frozenset(field.name for field in fields(cls) if not field.repr)


def shown(value: object) -> str:
    """A value as an error repeats it."""
    return short(repr(value))


def short(text: str) -> str:
    """Outside text as an error repeats it."""
    return text if len(text) <= 60 else text[:57] + "..."
