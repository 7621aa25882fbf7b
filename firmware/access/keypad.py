"""Keys become PINs, and wrong PINs cost time; pure: the caller says what time it is.

Digits are collected until `#`; `*` forgets them, and so does a pause. Nothing here is ever printed.
After `FREE_FAILURES` unknown PINs in a row a reader refuses PINs for 30 s, after each further one for
twice as long, up to 15 minutes; cards are not concerned (hardening row 10). The count lives in memory:
it starts anew with the firmware.
"""

from __future__ import annotations

from dataclasses import dataclass, field

NS = 1_000_000_000
MAX_DIGITS = 32
FREE_FAILURES = 5
FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 900.0


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

    def press(self, key: str, t_ns: int, *, timeout_s: float) -> Typed | None:
        """Take a key; returns the PIN it finishes. A key after a pause of `timeout_s` begins anew."""
        if t_ns - self._last_ns >= timeout_s * NS:
            self.clear()
        self._last_ns = t_ns
        if key == "*":
            self.clear()
        elif key == "#":
            return self._finish()
        elif key.isdigit():
            self._count += 1
            if self._count <= MAX_DIGITS:
                self._digits.append(key)
        return None

    def clear(self) -> None:
        """Forget what was typed."""
        self._digits.clear()
        self._count = 0

    def _finish(self) -> Typed | None:
        count, text = self._count, "".join(self._digits)
        self.clear()
        if count == 0:
            return None
        return Typed(count, text if count <= MAX_DIGITS else None)


class Throttle:
    """Counts unknown PINs of one reader."""

    def __init__(self) -> None:
        self._failures = 0
        self._closed_until_ns = 0

    def closed(self, now_ns: int) -> bool:
        """Whether PINs are refused unread now."""
        return now_ns < self._closed_until_ns

    def failed(self, now_ns: int) -> float:
        """An unknown PIN was tried; returns for how many seconds PINs are refused now, 0 when they are not."""
        self._failures += 1
        if self._failures < FREE_FAILURES:
            return 0.0
        doublings = min(self._failures - FREE_FAILURES, 10)
        pause_s = min(FIRST_PAUSE_S * (1 << doublings), LONGEST_PAUSE_S)
        self._closed_until_ns = now_ns + round(pause_s * NS)
        return pause_s

    def succeeded(self) -> None:
        """A PIN was granted: the count starts anew."""
        self._failures = 0
