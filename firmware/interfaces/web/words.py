"""The words of the web interface in the languages it speaks: gettext catalogues, read from their source (`.po`).

English is the language of the code. `N_` marks a text that is translated where it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from gettext import NullTranslations
from importlib.resources import files

from firmware.interfaces.web.phrases import Phrases

# As the language says it of itself, never translated.
LANGUAGES: Mapping[str, str] = {
    "en": "English",
    "de": "Deutsch",
    "fr": "Français",
    "sv": "Svenska",
    "zh": "中文",
}
# What the toolkit calls them.
QUASAR = {"en": "en-US", "de": "de", "fr": "fr", "sv": "sv", "zh": "zh-CN"}
ENGLISH = "en"
# Languages that write figures with a comma.
COMMA = frozenset({"de", "fr", "sv"})
PLACE = "place"  # the parameter group of what people call the device, and where it is
_QUOTED = re.compile(r'"(?:[^"\\]|\\[nrt"\\])*"')
_ESCAPED = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_CHOICE = re.compile(r"\s*([a-zA-Z]{1,8})(?:-[a-zA-Z0-9-]*)?\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?$")


def N_(text: str) -> str:
    """A text that is translated later."""
    return text


class PoError(ValueError):
    """A catalogue cannot be read; says the line."""


def read_po(text: str) -> dict[str, str]:
    """The messages of a catalogue without plurals and contexts. Raises PoError naming the line.

    Source: GNU gettext manual, "The Format of PO Files".
    """
    found: dict[str, str] = {}
    parts: dict[str, str] = {}
    field = ""
    for number, line in enumerate([*text.split("\n"), ""], 1):
        words = line.strip()
        if not words or words.startswith("#"):
            if "msgstr" in parts:
                found[parts["msgid"]] = parts["msgstr"]
                parts, field = {}, ""
            continue
        keyword, _, rest = words.partition(" ")
        if not words.startswith('"'):
            if keyword not in ("msgid", "msgstr") or (keyword == "msgid") is ("msgid" in parts):
                raise PoError(f"line {number}: {words[:40]!r} does not fit here")
            field, words, parts[keyword] = keyword, rest.strip(), ""
        if not field:
            raise PoError(f"line {number}: text before msgid")
        if _QUOTED.fullmatch(words) is None:
            raise PoError(f"line {number}: {words[:40]!r} is not a quoted text")
        parts[field] += _ESCAPED.sub(lambda found: _ESCAPES[found[1]], words[1:-1]) if "\\" in words else words[1:-1]
    return found


class Catalogue(NullTranslations):
    """One language; what it does not know stays English."""

    def __init__(self, messages: Mapping[str, str]) -> None:
        super().__init__()
        self.messages = messages
        self._phrases: Phrases | None = None

    def gettext(self, message: str) -> str:
        """The text in this language."""
        return self.messages.get(message) or message

    def told(self, text: str) -> str:
        """What the device says, in this language; what is not known stays English."""
        if not self.messages:
            return text
        if self._phrases is None:  # once a language: no page before the first that needs it waits for it
            from firmware.interfaces.web.values import WORDS  # which marks them with what this module has

            self._phrases = Phrases(self.messages, WORDS)
        return self._phrases.said(text)


@cache
def catalogue(language: str) -> Catalogue:
    """The catalogue of a language of `LANGUAGES`."""
    if language == ENGLISH:
        return Catalogue({})
    path = files("firmware.interfaces.web") / "locale" / f"{language}.po"
    return Catalogue(read_po(path.read_text(encoding="utf-8")))


def chosen(wish: str, accepted: str) -> str:
    """The language to speak: the visitor's own choice, or the best of what the browser accepts (RFC 9110, 12.5.4)."""
    if wish in LANGUAGES:
        return wish
    best, weight = ENGLISH, 0.0
    for part in accepted[:200].split(","):
        match = _CHOICE.match(part)
        if match is None or match[1].lower() not in LANGUAGES:
            continue
        liked = float(match[2]) if match[2] is not None else 1.0
        if liked > weight:
            best, weight = match[1].lower(), liked
    return best
