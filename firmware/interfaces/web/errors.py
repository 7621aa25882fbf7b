"""Errors of the device as a visitor reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from firmware.core.errors import StationError
from firmware.interfaces.web.words import N_

KINDS: Mapping[str, str] = {
    "invalid": N_("Not valid"),
    "not_found": N_("Not there"),
    "forbidden": N_("Not allowed"),
    "refused": N_("Refused"),
    "busy": N_("Busy"),
    "unavailable": N_("Not available now"),
    "unsupported": N_("This device cannot do that"),
    "exhausted": N_("No room left"),
}


class Speaker(Protocol):
    """Who translates."""

    def say(self, text: str, **holes: object) -> str:
        """A text in the visitor's language."""

    def told(self, text: str) -> str:
        """What the device says, in the visitor's language."""


def explained(speaker: Speaker, error: StationError) -> str:
    """One line in the visitor's language: what kind of error, then place and reason."""
    codes = [error.code, *(kind.code for kind in type(error).__mro__ if issubclass(kind, StationError))]
    known = next((code for code in codes if code in KINDS), "")
    kind = speaker.say(KINDS[known]) if known else error.code
    return f"{kind}: {error.where}: {speaker.told(error.message)}"
