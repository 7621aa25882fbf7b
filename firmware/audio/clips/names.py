"""The names of clips: words for people. They never touch the file system, where a clip is its id (hardening row 34)."""

from __future__ import annotations

from collections.abc import Collection

from firmware.core.errors import Invalid
from firmware.core.vocabulary.clips import LONGEST_NAME

_NAMELESS = "Clip"


def checked_name(name: str, taken: Collection[str], where: str) -> str:
    """The name, when a clip may have it. Raises Invalid with the place, the value and what is valid."""
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Invalid(where, f"has {len(name)} characters; 1 to {LONGEST_NAME} are valid")
    if not name.isprintable():
        raise Invalid(where, f"has characters that cannot be shown (got {name!a})")
    if name != name.strip():
        raise Invalid(where, f"begins or ends with a space (got {name!r})")
    if name in taken:
        raise Invalid(where, f"another clip is called {name!r}")
    return name


def name_from(filename: str, taken: Collection[str]) -> str:
    """A valid name from what the sender calls the file: without folders and suffix, and counted on when it is taken."""
    last = filename.replace("\\", "/").rpartition("/")[2]
    stem = last.rpartition(".")[0] or last
    plain = " ".join("".join(each if each.isprintable() else " " for each in stem).split())
    base = plain[:LONGEST_NAME].strip() or _NAMELESS
    name, number = base, 1
    while name in taken:
        number += 1
        ending = f" {number}"
        name = base[: LONGEST_NAME - len(ending)].rstrip() + ending
    return name
