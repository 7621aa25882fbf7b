"""param.cgi: list, update, listdefinitions over the tree; groups are added and removed by the services that have them.

A good answer never holds the word Error, which some clients look for; a bad one begins with `# Error:`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from starlette.responses import Response

from firmware.core.actions import Caller, Level
from firmware.core.errors import StationError
from firmware.interfaces.vapix.asked import Address, Asked, plain
from firmware.interfaces.vapix.param_tree import ROOT as PREFIX
from firmware.interfaces.vapix.param_tree import Kind, Leaf, by_name, definitions, folded, hint, select, short

log = logging.getLogger("lintel.vapix")

RESERVED = frozenset({"action", "group", "responseformat", "responsecharset", "usergroup", "force", "listformat"})
MASK = "*****"
LONGEST_VALUE = 2048
MOST_TOLD = 20  # wrong names of one request
MOST_HINTS = 3  # of them: a hint compares a name with the whole tree


class ParamCgi:
    """The address. `leaves` makes the tree as it is now; `product` its model and version."""

    def __init__(self, leaves: Callable[[], list[Leaf]], product: Callable[[], tuple[str, str]]) -> None:
        self._leaves = leaves
        self._product = product

    def addresses(self) -> tuple[Address, ...]:
        """The address, also under the names that older clients use."""
        return (
            Address(path="/axis-cgi/param.cgi", endpoint=self._param, level=Level.VIEWER),
            Address(path="/axis-cgi/admin/param.cgi", endpoint=self._param, level=Level.VIEWER),
            Address(path="/axis-cgi/view/param.cgi", endpoint=self._param, level=Level.VIEWER),
        )

    async def _param(self, asked: Asked) -> Response:
        words = await asked.arguments()
        action = words.get("action", "")
        if action == "list":
            return self._list(asked.caller, words.get("group", ""))
        if action == "listdefinitions":
            return self._definitions(asked.caller, words)
        if action == "update":
            return await self._update(asked.caller, words)
        if action in ("add", "remove"):
            done = "added" if action == "add" else "removed"
            return plain(f"# Request failed: this device has no groups that can be {done}\n")
        return plain(f"# Error: unknown action {action[:40]!r}; valid: list, listdefinitions, update\n")

    def _visible(self, caller: Caller) -> list[Leaf]:
        return [leaf for leaf in self._leaves() if caller.level >= leaf.reads]

    def _list(self, caller: Caller, groups: str) -> Response:
        found, unknown = select(self._visible(caller), groups)
        lines = [f"{PREFIX}{leaf.name}={one_line(leaf)}\n" for leaf in found]
        lines += [f"# Error: Error -1 getting param in group '{one_word(group)}'\n" for group in unknown]
        return plain("".join(lines))

    def _definitions(self, caller: Caller, words: Mapping[str, str]) -> Response:
        if words.get("listformat", "xmlschema") != "xmlschema":
            return plain("# Error: listformat is xmlschema\n")
        found, unknown = select(self._visible(caller), words.get("group", ""))
        if unknown:
            return plain(f"# Error: Error -1 getting param in group '{one_word(unknown[0])}'\n")
        masked = [leaf if leaf.kind is not Kind.SECRET else hidden(leaf) for leaf in found]
        return Response(definitions(masked, *self._product()), media_type="text/xml")

    async def _update(self, caller: Caller, words: Mapping[str, str]) -> Response:
        """Change what is named; every name is looked up before the first value is written."""
        wishes = {name: value for name, value in words.items() if name not in RESERVED}
        if not wishes:
            return plain("# Error: name at least one parameter\n")
        leaves = by_name(self._visible(caller))
        wrong = [name for name in wishes if (leaf := leaves.get(folded(name))) is None or leaf.write is None]
        if wrong:
            told = enumerate(wrong[:MOST_TOLD])
            return plain(
                "".join(self._cannot(name, wishes[name], leaves, number < MOST_HINTS) for number, name in told)
            )
        failures = [
            failure
            for name, value in wishes.items()
            if (failure := await self._set(caller, leaves[folded(name)], name, value))
        ]
        return plain("".join(failures) or "OK\n")

    def _cannot(self, name: str, value: str, leaves: Mapping[str, Leaf], hints: bool) -> str:
        if folded(name) in leaves:
            why = "cannot be changed"
        else:
            why = "no such parameter" + (hint(leaves.values(), name) if hints else "")
        return failure_of(name, value) + f"# {one_word(why)}\n"

    async def _set(self, caller: Caller, leaf: Leaf, name: str, value: str) -> str:
        """Change one leaf; returns what went wrong, or nothing."""
        assert leaf.write is not None, "looked up before"
        if caller.level < leaf.writes:
            return failure_of(name, value)
        why = misfit(leaf, value)
        if not why:
            try:
                await leaf.write(caller, value)
                return ""
            except StationError as error:
                why = error.message
        log.info("param.cgi: %s was not set: %s", leaf.name, why)
        return failure_of(name, MASK if leaf.kind is Kind.SECRET else value) + f"# {one_word(why)}\n"


def misfit(leaf: Leaf, value: str) -> str:
    """Why a value does not fit the type of a leaf; empty when it does."""
    if len(value) > (leaf.most if leaf.kind is Kind.TEXT and leaf.most is not None else LONGEST_VALUE):
        return "is too long"
    if leaf.kind is Kind.YES_NO and value not in ("yes", "no"):
        return "is yes or no"
    if leaf.kind is Kind.CHOICE and value not in leaf.choices:
        return f"is one of {', '.join(leaf.choices)}"
    if leaf.kind is Kind.NUMBER:
        least, most = leaf.least, leaf.most
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 12):
            return "is a whole number"
        if (least is not None and int(value) < least) or (most is not None and int(value) > most):
            return f"is a whole number from {least} to {most}"
    return ""


def hidden(leaf: Leaf) -> Leaf:
    """A secret as it may be shown."""
    return Leaf(name=leaf.name, value=MASK if leaf.value else "", nice=leaf.nice, kind=leaf.kind, write=leaf.write)


def one_line(leaf: Leaf) -> str:
    """A value on one line; secrets are masked."""
    value = MASK if leaf.kind is Kind.SECRET and leaf.value else leaf.value
    return " ".join(value.splitlines())


def one_word(text: str) -> str:
    """Outside text in an answer: short, and without anything that could begin a line of its own."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:200])


def failure_of(name: str, value: str) -> str:
    """The line clients know for a parameter that was not set."""
    return f"# Error: Error setting '{one_word(short(name))}' to '{one_word(value)}'!\n"
