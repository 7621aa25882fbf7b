"""Polling that survives its wire: planned times without drift, back-off while the wire fails.

`Problem` is what a driver knows about its own wire: the standing error, said once, and its end, said once.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from hal.clock import Clock
from hal.errors import HalError

log = logging.getLogger("hal.drivers")

BACK_OFF_FIRST_S = 0.05
BACK_OFF_LONGEST_S = 1.0

ProblemHandler = Callable[[HalError | None], None]


class Problem:
    """The standing error of one driver, or none; `watch` reports its beginning and its end."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._error: HalError | None = None
        self._back_off_s = BACK_OFF_FIRST_S
        self._handler: ProblemHandler | None = None

    @property
    def error(self) -> HalError | None:
        """The first error of the failure that lasts, or None."""
        return self._error

    def watch(self, handler: ProblemHandler | None) -> None:
        """Report the first error of a failure, and None when it is over; one that stands is reported at once."""
        self._handler = handler
        if handler is not None and self._error is not None:
            handler(self._error)

    def failed(self, error: HalError) -> float:
        """Note a failure; returns how long to wait before the next try, in seconds."""
        wait_s = self._back_off_s
        self._back_off_s = min(2 * self._back_off_s, BACK_OFF_LONGEST_S)
        if self._error is None:
            self._error = error
            log.warning("%s: fails, last state kept: %s", self._name, error)
            if self._handler is not None:
                self._handler(error)
        return wait_s

    def worked(self) -> None:
        """Note a success, which ends a failure."""
        if self._error is None:
            return
        self._error = None
        self._back_off_s = BACK_OFF_FIRST_S
        log.warning("%s: works again", self._name)
        if self._handler is not None:
            self._handler(None)


async def poll_forever(clock: Clock, period_s: float, problem: Problem, step: Callable[[], Awaitable[None]]) -> None:
    """Call `step` every `period_s` seconds; after an error of the HAL wait longer and longer, at most 1 s."""
    period_ns = round(period_s * 1e9)
    next_ns = clock.now_ns() + period_ns
    while True:
        await clock.sleep(max(0.0, (next_ns - clock.now_ns()) / 1e9))
        try:
            await step()
        except HalError as error:
            next_ns = clock.now_ns() + round(problem.failed(error) * 1e9)
        else:
            problem.worked()
            next_ns = max(next_ns + period_ns, clock.now_ns())
