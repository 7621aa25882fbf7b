"""The first administrator's window: 30 minutes without a code, then only with the set-up code.

The window is counted in time that has been paid for in advance: before each step of it is used, it is
saved as spent. So a power cut costs time and never gives any back (docs: hardening row 29). When the
count cannot be saved, the window is closed.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from firmware.core.errors import Invalid, Unavailable
from firmware.core.params import Keeper
from firmware.core.values import decode, encode
from hal.clock import Clock

OPEN_S = 1800.0
STEP_S = 30.0
FILE = "setup"
# Without 0 and O, 1 and I: the code is read off a console or a label.
SYMBOLS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
CODE_SYMBOLS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupFile:
    """What is kept of the set-up: finished or not, seconds spent of the window, its beginning if known, the code."""

    done: bool
    spent_s: float = 0.0
    began: datetime | None = None
    code: str = field(default="", repr=False)


def draw_code() -> str:
    """A set-up code of 60 random bits, in groups of four."""
    symbols = "".join(secrets.choice(SYMBOLS) for _ in range(CODE_SYMBOLS))
    return "-".join(symbols[start : start + 4] for start in range(0, CODE_SYMBOLS, 4))


def plain(code: str) -> str:
    """A code as compared: without hyphens and spaces, in upper case."""
    return code.replace("-", "").replace(" ", "").upper()


class SetupWindow:
    """Counts the window of one device and keeps the set-up file; `changed` is called when it closes."""

    def __init__(self, keeper: Keeper, clock: Clock, changed: Callable[[], None]) -> None:
        self._keeper = keeper
        self._clock = clock
        self._changed = changed
        self._kept = SetupFile(done=True)
        self._paid_until_ns = 0
        self._closed = True

    @property
    def done(self) -> bool:
        """Whether the first administrator was made."""
        return self._kept.done

    @property
    def code(self) -> str:
        """The code, while it can be asked for; empty afterwards."""
        return self._kept.code

    def code_required(self) -> bool:
        """Whether the window has passed."""
        return self._closed or self._clock.now_ns() >= self._paid_until_ns

    async def load(self) -> bool:
        """Read the file; False when there is none. Raises Unavailable, Invalid when it is damaged."""
        data = await self._keeper.load(FILE)
        if data is None:
            return False
        try:
            value = json.loads(data)
        except ValueError:
            raise Invalid(FILE, "is not JSON") from None
        self._kept = decode(SetupFile, value, where=FILE)
        return True

    async def begin(self, *, fresh: bool) -> None:
        """Open the window (`fresh`: a factory-default state begins), or go on with it, as far as time is left."""
        if fresh:
            self._kept = SetupFile(done=False, code=draw_code())
        elif not self._kept.code:
            self._kept = replace(self._kept, code=draw_code())
        self._closed = False
        await self._pay()

    async def finish(self) -> None:
        """The first administrator exists: forget the code. Raises Unavailable."""
        self._closed = True
        self._kept = SetupFile(done=True)
        await self._save()

    def fits(self, code: str) -> bool:
        """Whether this is the code."""
        return bool(self.code) and hmac.compare_digest(plain(code).encode(), plain(self.code).encode())

    async def run(self) -> None:
        """Count until the window closes or set-up is done."""
        while not self._closed:
            await self._clock.sleep(max(0.0, (self._paid_until_ns - self._clock.now_ns()) / 1e9))
            if not self._closed:
                await self._pay()

    async def _pay(self) -> None:
        """Save the next step as spent and use it, or close."""
        now_ns = self._clock.now_ns()
        trusted = self._clock.trusted()
        began = self._kept.began
        if began is None and trusted:
            began = self._clock.utc() - timedelta(seconds=self._kept.spent_s)
        by_date_s = (self._clock.utc() - began).total_seconds() if trusted and began is not None else 0.0
        spent_s = max(self._kept.spent_s, by_date_s)
        step_s = min(STEP_S, OPEN_S - spent_s)
        if step_s <= 0:
            self._kept = replace(self._kept, spent_s=OPEN_S, began=began)
            # Kept even if saving fails: the last step is on disk as paid, and this start is closed either way.
            with suppress(Unavailable):
                await self._save()
            self._close()
            return
        self._kept = replace(self._kept, spent_s=spent_s + step_s, began=began)
        try:
            await self._save()
        except Unavailable:
            self._close()
            return
        # Saving a step takes time too: the step began before it.
        self._paid_until_ns = now_ns + int(step_s * 1e9)

    async def _save(self) -> None:
        await self._keeper.save(FILE, json.dumps(encode(self._kept)).encode())

    def _close(self) -> None:
        self._closed = True
        self._changed()
