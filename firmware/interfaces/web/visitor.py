"""How a visitor likes the pages: language and colours, from two cookies that hold nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from firmware.interfaces.web.words import Catalogue, catalogue, chosen

LANGUAGE_COOKIE = "lintel-language"
THEME_COOKIE = "lintel-theme"
# What the toolkit takes: dark, light, or as the browser likes it.
THEMES: dict[str, bool | None] = {"auto": None, "light": False, "dark": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Taste:
    """Language and theme of one visitor."""

    language: str
    theme: str

    @property
    def catalogue(self) -> Catalogue:
        """The words of the language."""
        return catalogue(self.language)


def taste_of(request: Request) -> Taste:
    """What the cookies say, and what the browser accepts."""
    wish = request.cookies.get(LANGUAGE_COOKIE, "")
    theme = request.cookies.get(THEME_COOKIE, "")
    language = chosen(wish, request.headers.get("accept-language", ""))
    return Taste(language=language, theme=theme if theme in THEMES else "auto")
