"""Guessing costs time: unknown PINs, wrong PINs and unknown cards are counted for each reader (hardening rows 10, 11).

After `FREE_FAILURES` in a row a reader refuses what it does not know for 30 s, after each further failure for twice as
long, up to 15 minutes. Counts are in memory first; they are saved behind the decision, which never waits for it, and
a restart goes on where they were. What is left of a pause is kept by monotonic time; the time without power
counts only while the time of day is known, and never makes a pause longer.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from firmware.core.context import Core
from firmware.core.errors import Invalid, Unavailable
from firmware.core.values import decode, encode
from firmware.core.vocabulary.access import Guess, ReaderThrottle
from hal.clock import Timer

NS = 1_000_000_000
FREE_FAILURES = 5
FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 900.0

FILE = "access-throttle"
SAVE_AGAIN_S = 10.0

log = logging.getLogger("firmware.access")


class Throttle:
    """Counts failures of one kind at one reader; pure."""

    def __init__(self) -> None:
        self.failures = 0
        self.pause_s = 0.0
        self.closed_until_ns = 0

    def closed(self, now_ns: int) -> bool:
        """Whether it refuses unread now."""
        return now_ns < self.closed_until_ns

    def left_s(self, now_ns: int) -> float:
        """How much of the pause is left."""
        return max(0.0, (self.closed_until_ns - now_ns) / NS)

    def failed(self, now_ns: int) -> float:
        """One more failure; returns for how many seconds it refuses now, 0 when it does not."""
        self.failures += 1
        if self.failures < FREE_FAILURES:
            return 0.0
        doublings = min(self.failures - FREE_FAILURES, 10)
        self.close(min(FIRST_PAUSE_S * (1 << doublings), LONGEST_PAUSE_S), now_ns)
        return self.pause_s

    def close(self, pause_s: float, now_ns: int) -> None:
        """Refuse for so long."""
        self.pause_s = pause_s
        self.closed_until_ns = now_ns + round(pause_s * NS)

    def succeeded(self) -> None:
        """Somebody known came: the count starts anew; a pause goes on."""
        self.failures = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A throttle on disk: `left_s` of a pause when it was saved, `until` its end where the time of day was known."""

    failures: Annotated[int, Field(ge=0, le=1_000_000)]
    left_s: Annotated[float, Field(ge=0, le=LONGEST_PAUSE_S)]
    until: datetime | None


class Throttles:
    """All throttles of all readers, with their states on the bus and their file behind."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._all: dict[tuple[str, Guess], Throttle] = {}
        self._timers: dict[tuple[str, Guess], Timer] = {}
        self._unsaved = asyncio.Event()

    def closed(self, reader: str, guess: Guess) -> bool:
        """Whether a reader refuses what it does not know of this kind."""
        throttle = self._all.get((reader, guess))
        return throttle is not None and throttle.closed(self._core.clock.now_ns())

    def failed(self, reader: str, guess: Guess, *, cause: str | None) -> bool:
        """One more failure; True when it closed the reader."""
        key = (reader, guess)
        throttle = self._all.setdefault(key, Throttle())
        pause_s = throttle.failed(self._core.clock.now_ns())
        self._tell(key, cause)
        self._unsaved.set()
        if pause_s:
            log.warning("reader %s refuses every unknown %s for %g s after too many", reader, guess.value, pause_s)
        return pause_s > 0

    def succeeded(self, reader: str, guess: Guess, *, cause: str | None) -> None:
        """Somebody known came."""
        throttle = self._all.get((reader, guess))
        if throttle is not None and throttle.failures:
            throttle.succeeded()
            self._tell((reader, guess), cause)
            self._unsaved.set()

    # the bus

    def _tell(self, key: tuple[str, Guess], cause: str | None = None) -> None:
        """Say how a throttle stands, and again when its pause is over."""
        throttle, clock = self._all[key], self._core.clock
        closed = throttle.closed(clock.now_ns())
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if closed:
            self._timers[key] = clock.call_at(throttle.closed_until_ns, self._tell, key)
        self._core.bus.publish(
            ReaderThrottle(
                reader=key[0],
                guess=key[1],
                failures=throttle.failures,
                closed=closed,
                pause_s=throttle.pause_s if closed else 0.0,
            ),
            cause=cause,
        )

    # the disk

    async def load(self) -> None:
        """Go on where the firmware stopped; what cannot be read starts at nothing, and the store tells."""
        try:
            data = await self._core.store.load(FILE)
        except Unavailable as error:
            log.error("the counts of failures at the readers cannot be read: %s", error)
            return
        if data is None:
            return
        try:
            found = decode(dict[str, Saved], json.loads(data), where=FILE)
        except (ValueError, Invalid) as error:
            log.error("the counts of failures at the readers cannot be used: %s", error)
            return
        for name, saved in found.items():
            reader, _, guess = name.partition(" ")
            if guess in list(Guess):
                self._restore((reader, Guess(guess)), saved)

    def _restore(self, key: tuple[str, Guess], saved: Saved) -> None:
        clock = self._core.clock
        left_s = saved.left_s
        if saved.until is not None and clock.trusted():
            left_s = min(left_s, max(0.0, (saved.until - clock.utc()).total_seconds()))
        throttle = self._all.setdefault(key, Throttle())
        throttle.failures = saved.failures
        if left_s:
            throttle.close(left_s, clock.now_ns())
        self._tell(key)

    async def run(self) -> None:
        """Save what has changed, until cancelled; a disk that refuses is asked again."""
        while True:
            await self._unsaved.wait()
            self._unsaved.clear()
            try:
                await self._save()
            except Unavailable as error:
                log.error("the counts of failures at the readers are in memory only: %s", error)
                await self._core.clock.sleep(SAVE_AGAIN_S)
                self._unsaved.set()

    async def stop(self) -> None:
        """End the timers, and save what is not saved yet as far as the storage answers."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._unsaved.is_set():
            try:
                await self._save(within_s=2.0)
            except Unavailable as error:
                log.error("the counts of failures at the readers were not saved: %s", error)

    async def _save(self, within_s: float | None = None) -> None:
        text = json.dumps({f"{reader} {guess.value}": encode(each) for (reader, guess), each in self._saved().items()})
        await self._core.store.save(FILE, text.encode(), within_s=within_s)

    def _saved(self) -> Mapping[tuple[str, Guess], Saved]:
        clock = self._core.clock
        now_ns, utc = clock.now_ns(), clock.utc() if clock.trusted() else None
        found = {}
        for key, throttle in self._all.items():
            left_s = throttle.left_s(now_ns)
            until = utc + timedelta(seconds=left_s) if utc is not None and left_s else None
            found[key] = Saved(failures=throttle.failures, left_s=left_s, until=until)
        return found
