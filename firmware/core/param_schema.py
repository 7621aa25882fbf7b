"""What may be written into a parameter, as a JSON schema: type, limits, choices; and its unit, from its name."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

# Ends of names, the longest first; docs: units stand in names.
UNITS = (
    ("_per_s", "1/s"),
    ("_percent", "%"),
    ("_baud", "Bd"),
    ("_lux", "lx"),
    ("_ms", "ms"),
    ("_us", "us"),
    ("_db", "dB"),
    ("_hz", "Hz"),
    ("_s", "s"),
)
# Said beside the schema, or of use to nobody.
BESIDE = ("title", "description", "default", "level", "scope", "secret", "restart")


def unit_of(name: str) -> str:
    """The unit of a parameter; empty for what has none."""
    return next((unit for end, unit in UNITS if name.endswith(end)), "")


@lru_cache(64)
def schemas_of(model: type[BaseModel]) -> dict[str, str]:
    """The JSON schema of every parameter of a group, as text."""
    whole = model.model_json_schema()
    found = {}
    for name, declared in whole["properties"].items():
        own: dict[str, Any] = {key: value for key, value in declared.items() if key not in BESIDE}
        if "$ref" in json.dumps(own):
            own["$defs"] = whole["$defs"]
        found[name] = json.dumps(own, separators=(",", ":"))
    return found
