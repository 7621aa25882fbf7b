"""Keys become PINs or a number to call; pure: the caller says what time it is.

Digits are collected until `#`; `*` forgets them, and so does a pause. While a card waits for its PIN and PINs have
a fixed length, the last digit completes it and `#` is not needed. Nothing here is ever printed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

NS = 1_000_000_000
MAX_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Typed:
    """A finished PIN; `pin` is None when it was longer than any PIN can be."""

    digits: int
    pin: str | None = field(repr=False)


class Keypad:
    """The unfinished keys of one reader."""

    def __init__(self) -> None:
        self._digits: list[str] = []
        self._count = 0
        self._last_ns = 0

    def press(self, key: str, t_ns: int, *, timeout_s: float, complete_at: int | None = None) -> Typed | None:
        """Take a key; returns the PIN it finishes. A key after a pause of `timeout_s` begins anew.

        `complete_at` is the number of digits that need no `#`; None or 0: all need it.
        """
        self._forget_after_pause(t_ns, timeout_s)
        self._last_ns = t_ns
        if key == "*":
            self.clear()
        elif key == "#":
            return self._finish()
        elif key.isdigit():
            self._count += 1
            if self._count <= MAX_DIGITS:
                self._digits.append(key)
            if complete_at and self._count == complete_at:
                return self._finish()
        return None

    def take(self, t_ns: int, *, timeout_s: float) -> str:
        """The digits typed so far, which are forgotten; empty after a pause, or when they are too many."""
        self._forget_after_pause(t_ns, timeout_s)
        typed = self._finish()
        return "" if typed is None else typed.pin or ""

    def clear(self) -> None:
        """Forget what was typed."""
        self._digits.clear()
        self._count = 0

    def _forget_after_pause(self, t_ns: int, timeout_s: float) -> None:
        if t_ns - self._last_ns >= timeout_s * NS:
            self.clear()

    def _finish(self) -> Typed | None:
        count, text = self._count, "".join(self._digits)
        self.clear()
        if count == 0:
            return None
        return Typed(count, text if count <= MAX_DIGITS else None)
