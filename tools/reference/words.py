"""How the reference says things: tables, types, defaults and first sentences, in Markdown."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from firmware.cli.param import kind_of

MADE = "<!-- Made from the code by `make reference`; a test compares it. Change the code, not this page. -->"


def page(title: str, intro: str, parts: Iterable[str]) -> str:
    """A whole page."""
    return "\n\n".join([f"# {title}", MADE, intro, *parts]) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; bars in cells are escaped."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    return "\n".join([line(heads), "|" + "---|" * len(heads), *map(line, rows)])


def kind(schema: dict[str, Any], tables: dict[str, Any]) -> str:
    """What a value may be; lists and tables say of what."""
    if "$ref" in schema:
        return kind(tables[schema["$ref"].rpartition("/")[2]], tables)
    if "anyOf" in schema:
        return " or ".join("none" if each.get("type") == "null" else kind(each, tables) for each in schema["anyOf"])
    if schema.get("format") == "date-time":
        return "time, ISO 8601"
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        return f"{kind_of(schema, tables)} of: {kind(schema['items'], tables)}"
    if set(schema.get("properties", ())) == {"bus", "offset"}:
        return "line"
    if schema.get("type") == "object" and schema.get("properties"):
        return f"table of {', '.join(f'`{name}`' for name in schema['properties'])}"
    return kind_of(schema, tables)


def shown(value: object) -> str:
    """A default as JSON; long ones are cut."""
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) <= 60 else f"`{text[:56]}`..."


def said(thing: object) -> str:
    """A docstring as one paragraph."""
    return re.sub(r"\s+", " ", inspect.getdoc(thing) or "").strip()


def anchor(name: str) -> str:
    """A heading for a thing with a name in code."""
    return f"### `{name}`"
