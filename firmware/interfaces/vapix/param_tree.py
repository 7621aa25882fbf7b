"""The parameter tree of this face: leaves with a name, a value as text, a type, and perhaps a way to change them.

Names are matched whatever their case, with or without `root.`; a group stands for everything below it, `*` for a
piece of a name. Within a group the parameters come first, then its groups, each in the order of the alphabet.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from xml.etree import ElementTree

from firmware.core.actions import Caller, Level
from hal.errors import nearest

ROOT = "root."
MOST_GROUPS = 64
LONGEST_GROUP = 512
SCHEMA = "http://www.axis.com/ParameterDefinitionsSchema"
# Digits of securityLevel: who may read or write; nobody creates or deletes leaves (7).
DIGITS = {Level.ANONYMOUS: "0", Level.VIEWER: "1", Level.OPERATOR: "4", Level.ADMIN: "6", Level.SYSTEM: "7"}

Write = Callable[[Caller, str], Awaitable[None]]


class Kind(StrEnum):
    """How a value is to be shown and typed."""

    TEXT = "string"
    NUMBER = "int"
    YES_NO = "bool"
    CHOICE = "enum"
    SECRET = "password"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One parameter: `name` without `root.`; `write` is None for what cannot be changed."""

    name: str
    value: str
    nice: str = ""
    kind: Kind = Kind.TEXT
    choices: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None
    reads: Level = Level.VIEWER
    writes: Level = Level.ADMIN
    write: Write | None = None

    @property
    def order(self) -> tuple[tuple[int, str], ...]:
        """Where it stands in a list."""
        *groups, last = self.name.split(".")
        return (*((1, group) for group in groups), (0, last))


def yes(flag: bool) -> str:
    """A flag as this tree says it."""
    return "yes" if flag else "no"


def in_order(leaves: Iterable[Leaf]) -> list[Leaf]:
    """Leaves as they are listed."""
    return sorted(leaves, key=lambda leaf: leaf.order)


def short(name: str) -> str:
    """A name without `root.`."""
    return name[len(ROOT) :] if name.lower().startswith(ROOT) else name


def fits(wanted: Sequence[Sequence[str]], path: Sequence[str]) -> bool:
    """Whether a group of a request, by its pieces, stands for a parameter: for it alone, or for everything below."""
    return len(wanted) <= len(path) and all(map(piece_fits, wanted, path))


def piece_fits(parts: Sequence[str], piece: str) -> bool:
    """Whether a piece of a name has these parts, with anything where the stars between them were.

    Not by a regular expression: with many stars it would take for ever.
    """
    first, *others = parts
    if not others:
        return first == piece
    *middle, last = others
    at, end = len(first), len(piece) - len(last)
    if at > end or not piece.startswith(first) or not piece.endswith(last):
        return False
    for part in middle:
        found = piece.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def pieces(name: str) -> list[str]:
    """The pieces of a name that is matched whatever its case."""
    return folded(name).split(".")


def select(leaves: Sequence[Leaf], groups: str) -> tuple[list[Leaf], list[str]]:
    """The leaves that a request's `group` names, in order, and the groups that name none."""
    wanted = [group.strip() for group in groups.split(",") if group.strip()]
    if not wanted or any(group.lower() == "root" for group in wanted):
        return in_order(leaves), []
    found: dict[str, Leaf] = {}
    unknown: list[str] = []
    paths = [(leaf, pieces(leaf.name)) for leaf in in_order(leaves)]
    for group in dict.fromkeys(wanted[:MOST_GROUPS]):
        parts = [piece.split("*") for piece in pieces(group)]
        fitting = [leaf for leaf, path in paths if fits(parts, path)] if len(group) <= LONGEST_GROUP else []
        for leaf in fitting:
            found.setdefault(leaf.name, leaf)
        if not fitting:
            unknown.append(group)
    return list(found.values()), unknown


def by_name(leaves: Iterable[Leaf]) -> dict[str, Leaf]:
    """The leaves to be looked up with `folded` names: a request may name a thousand."""
    found: dict[str, Leaf] = {}
    for leaf in leaves:
        found.setdefault(leaf.name.lower(), leaf)
    return found


def folded(name: str) -> str:
    """A name of a request as `by_name` knows it: without `root.`, whatever its case."""
    return short(name).lower()


def hint(leaves: Iterable[Leaf], name: str) -> str:
    """The nearest name there is, for an error."""
    return nearest(short(name), [leaf.name for leaf in leaves])


def definitions(leaves: Sequence[Leaf], model: str, version: str) -> bytes:
    """The tree with its types, as listdefinitions answers it."""
    ElementTree.register_namespace("", SCHEMA)
    top = ElementTree.Element(f"{{{SCHEMA}}}parameterDefinitions", {"version": "1.0"})
    ElementTree.SubElement(top, f"{{{SCHEMA}}}model").text = model
    ElementTree.SubElement(top, f"{{{SCHEMA}}}firmwareVersion").text = version
    groups: dict[tuple[str, ...], ElementTree.Element] = {}
    groups[()] = ElementTree.SubElement(top, f"{{{SCHEMA}}}group", {"name": "root"})
    for leaf in in_order(leaves):
        *path, name = leaf.name.split(".")
        for depth in range(1, len(path) + 1):
            step = tuple(path[:depth])
            if step not in groups:
                groups[step] = ElementTree.SubElement(groups[step[:-1]], f"{{{SCHEMA}}}group", {"name": step[-1]})
        place = groups[tuple(path)]
        place.append(_definition(leaf, name))
    # As text: when it writes bytes itself, it encodes a few signs at a time.
    text: str = ElementTree.tostring(top, encoding="unicode")
    return f"<?xml version='1.0' encoding='utf-8'?>\n{text}".encode("utf-8", "xmlcharrefreplace")


def _definition(leaf: Leaf, name: str) -> ElementTree.Element:
    level = f"7{DIGITS[Level.SYSTEM]}{DIGITS[leaf.reads]}{DIGITS[leaf.writes if leaf.write else Level.SYSTEM]}"
    attributes = {"name": name, "value": leaf.value, "securityLevel": level, "niceName": leaf.nice or name}
    element = ElementTree.Element(f"{{{SCHEMA}}}parameter", attributes)
    kind = ElementTree.SubElement(element, f"{{{SCHEMA}}}type", {"readonly": "true"} if leaf.write is None else {})
    detail = ElementTree.SubElement(kind, f"{{{SCHEMA}}}{leaf.kind.value}")
    if leaf.kind is Kind.YES_NO:
        detail.attrib.update({"true": "yes", "false": "no"})
    elif leaf.kind is Kind.CHOICE:
        for choice in leaf.choices:
            ElementTree.SubElement(detail, f"{{{SCHEMA}}}entry", {"value": choice, "niceValue": choice})
    elif leaf.kind is Kind.NUMBER:
        limits = {"min": leaf.least, "max": leaf.most}
        detail.attrib.update({name: str(limit) for name, limit in limits.items() if limit is not None})
    elif leaf.most is not None:
        detail.attrib["maxlen"] = str(leaf.most)
    return element
