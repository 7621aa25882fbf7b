"""What an examination finds: one line a thing, with the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How a thing stands. `NOTE` is worth knowing, and no reason to fail."""

    OK = "ok"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing: in which check, how it stands, in words; `mend` is a command line, or empty where nothing is to do."""

    check: str
    grade: Grade
    text: str
    mend: str = ""

    def line(self) -> str:
        """The finding as one line for people."""
        words = f"{self.grade:<4}  {self.check:<8} {self.text}"
        return f"{words}; mend it with: {self.mend}" if self.mend else words


def ok(check: str, text: str) -> Finding:
    """A thing that is as it should be."""
    return Finding(check, Grade.OK, text)


def note(check: str, text: str, mend: str = "") -> Finding:
    """A thing worth knowing."""
    return Finding(check, Grade.NOTE, text, mend)


def bad(check: str, text: str, mend: str) -> Finding:
    """A thing that is missing or wrong; every one has the command that mends it."""
    return Finding(check, Grade.BAD, text, mend)
