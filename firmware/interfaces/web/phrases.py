"""What the device says in English, in the visitor's language: a sentence is matched against the templates of messages.

The wire and the API stay English: programs match on them. The catalogues know every message as a template with
numbered holes (`tools/device_texts.py` finds them in the source): `no door {0!r}`, where `!r` says that the value is
written with quotation marks. A sentence is cut at the literal parts of a template, from the left, so the time is
bounded by its length times the number of templates, whatever a stranger put into it. What stood between quotation marks
stays as it is, and so do lists of values for whoever has to write one of them; a value that is a sentence of
the device itself, or one of a few words, is translated as well. Unknown sentences stay English.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import Formatter

# Nothing the device says is longer; longer texts stay as they are.
LONGEST = 600
# So many sentences are looked for in one: those within it, and what is left when an ending is cut off.
MOST = 16
# So many sentences are remembered: the same few are shown on every page.
REMEMBERED = 512
# So many places are tried where an ending may begin.
TRIES = 2
# Endings that may follow any message (`hal.errors.nearest`, `firmware.core.values.explain`), outermost last.
ENDINGS = ("; did you mean {0!r}?", "; valid: {0}", " (got {0})")
QUOTES = ("'", '"')
# How a reason is put into a hole that is empty where there is none.
WRAPPED = ((" (", ")"), (": ", ""))


@dataclass(frozen=True, slots=True)
class Template:
    """A message cut at its holes: `parts` are the literal texts around them, `quoted` says which holes are."""

    parts: tuple[str, ...]
    quoted: tuple[bool, ...]

    @classmethod
    def of(cls, text: str) -> Template:
        """Read a template. Raises ValueError for one with other holes than numbers."""
        parts, quoted = [""], []
        for literal, hole, _, conversion in Formatter().parse(text):
            parts[-1] += literal
            if hole is None:
                continue
            if not hole.isdecimal():
                raise ValueError(f"{text!r} has a hole {hole!r}, which is no number")
            quoted.append(conversion == "r")
            parts.append("")
        return cls(tuple(parts), tuple(quoted))

    @property
    def weight(self) -> int:
        """How much of it is literal: the heavier of two that fit says more."""
        return sum(map(len, self.parts))

    @property
    def ended(self) -> bool:
        """Whether it holds what looks like an ending."""
        return any(ending.partition("{")[0] in part for ending in ENDINGS for part in self.parts)

    def values(self, text: str) -> list[str] | None:
        """What stands in the holes when `text` is this message; None when it is another one."""
        first, *rest = self.parts
        if _small(first[:1]) == _small(text[:1]):
            text = first[:1] + text[1:]  # a message begins with a small letter where it follows a place
        if not text.startswith(first):
            return None
        found: list[str] = []
        at = len(first)
        for number, (literal, quoted) in enumerate(zip(rest, self.quoted, strict=True)):
            # Only what is glued to a word, such as a reason in brackets, may be nothing.
            least = at if self.parts[number][-1:].isalnum() else at + 1
            if quoted:
                end = _after_quotes(text, at)
            elif number + 1 < len(rest):
                end = text.find(literal, least)
            else:
                end = len(text) - len(literal)
            if end < least or not text.startswith(literal, end):
                return None
            found.append(text[at:end])
            at = end + len(literal)
        return found if at == len(text) else None


def _after_quotes(text: str, at: int) -> int:
    """Where what is quoted from `at` on ends, as Python writes it; -1 where nothing is quoted."""
    mark = text[at : at + 1]
    if mark not in QUOTES:
        return -1
    end = at + 1
    while end < len(text):
        if text[end] == "\\":
            end += 1
        elif text[end] == mark:
            return end + 1
        end += 1
    return -1


class Phrases:
    """The sentences of the device in one language."""

    def __init__(self, messages: Mapping[str, str], words: Collection[str] = ()) -> None:
        """`messages` are all of a catalogue; those of pages, which have names in their holes, are left out.

        `words` are those that stand for themselves in a message; any other word there may be somebody's name for a
        door or a host, also when a page has it as a label.
        """
        self._words = frozenset(words)
        self.said = lru_cache(REMEMBERED)(self._said)
        self._plain: dict[str, str] = {}
        templates: list[tuple[Template, str]] = []
        for text, said in messages.items():
            try:
                template = Template.of(text)
            except ValueError:
                continue
            if not said or text in ENDINGS:
                continue
            if template.quoted:
                templates.append((template, said))
            else:
                self._plain[template.parts[0]] = said.format()
        for text in list(self._plain):
            self._plain.setdefault(_small(text), self._plain[text])
        templates.sort(key=lambda each: -each[0].weight)
        # Those that hold what looks like an ending go before an ending is cut off.
        self._ended = [each for each in templates if each[0].ended]
        self._templates = [each for each in templates if not each[0].ended]
        self._endings = [(Template.of(ending), messages.get(ending) or ending) for ending in reversed(ENDINGS)]

    def _said(self, text: str) -> str:
        """A sentence in this language, or as it is where it is not known."""
        if not text or len(text) > LONGEST:
            return text
        found = _Reading(self._plain, self._words, self._ended, self._templates, self._endings).whole(text)
        return text if found is None else found


@dataclass(slots=True)
class _Reading:
    """One sentence being read; `left` bounds how often it and what is in it are looked up."""

    plain: Mapping[str, str]
    words: Collection[str]
    ended: Sequence[tuple[Template, str]]
    templates: Sequence[tuple[Template, str]]
    endings: Sequence[tuple[Template, str]]
    left: int = MOST

    def whole(self, text: str) -> str | None:
        """What a sentence is in the language; None where it is not known."""
        if not text or self.left <= 0:
            return None
        self.left -= 1
        found = self.plain.get(text) or self.plain.get(_small(text))
        found = found or self._filled(text, self.ended)
        if found is not None:
            return found
        for head, ending, values in self._cut(text):
            if (said := self.whole(head)) is not None:
                return said + ending.format(*values)
        return self._filled(text, self.templates) or self._bracketed(text) or self._placed(text) or self._both(text)

    def _cut(self, text: str) -> Iterator[tuple[str, str, list[str]]]:
        """Every way to take an ending off: what is left, the ending as it is said, and its values."""
        for template, said in self.endings:
            begin = template.parts[0]
            start = text.find(begin, 1)
            for _ in range(TRIES):
                if start < 1:
                    break
                values = template.values(text[start:])
                if values is not None:
                    yield text[:start], said, values
                start = text.find(begin, start + 1)

    def _filled(self, text: str, templates: Sequence[tuple[Template, str]]) -> str | None:
        for template, said in templates:
            values = template.values(text)
            if values is not None:
                return self._fill(said, values)
        return None

    def _bracketed(self, text: str) -> str | None:
        """A sentence with a detail before its full stop: `The file is no firmware bundle (a link).`"""
        head, mark, detail = text.partition(" (")
        said = self.plain.get(f"{head}.") if mark and detail.endswith(").") else None
        if said is None:
            return None
        return f"{said[:-1]} ({self._value(detail[:-2])}){said[-1]}"

    def _placed(self, text: str) -> str | None:
        """A message behind the place it is about: `relay1: the bus was closed`."""
        place, mark, message = text.partition(": ")
        if not mark or " " in place:
            return None
        said = self.whole(message)
        return None if said is None else f"{place}: {said}"

    def _both(self, text: str) -> str | None:
        """Two messages, one after the other."""
        first, mark, second = text.partition("; ")
        said = self.whole(first) if mark else None
        then = None if said is None else self.whole(second)
        return None if then is None else f"{said}; {then}"

    def _fill(self, said: str, values: list[str]) -> str:
        return said.format(*map(self._value, values))

    def _value(self, value: str) -> str:
        """A value in its hole: quoted it is somebody else's and stays, else it may be a word of the device."""
        if value.startswith(QUOTES):
            return value
        for before, behind in WRAPPED:
            if len(value) > len(before + behind) and value.startswith(before) and value.endswith(behind):
                return f"{before}{self._value(value[len(before) : len(value) - len(behind)])}{behind}"
        if " " not in value and value not in self.words:
            return value
        found = self.whole(value)
        return value if found is None else found


def _small(text: str) -> str:
    """With its first letter small: `explain` writes what a check says so."""
    return text[:1].lower() + text[1:]
