"""Places for clients that stay: so many in all, so many from one address (hardening rows 32 and 45)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from firmware.core.errors import Exhausted, StationError
from firmware.interfaces.http.limits import place_of


class Seats:
    """Counts those who are there; `doing` says in errors what they do, as in `64 clients listen already`."""

    def __init__(
        self, where: str, doing: str, *, most: int, per_address: int, error: type[StationError] = Exhausted
    ) -> None:
        self._where = where
        self._doing = doing
        self._most = most
        self._per_address = per_address
        self._error = error
        self._taken: Counter[str] = Counter()

    def check(self, address: str) -> None:
        """Raises what the constructor was given when there is no room for one more from there."""
        home = place_of(address)
        if self._taken.total() >= self._most:
            raise self._error(self._where, f"{self._most} {self._doing} already")
        if self._taken[home] >= self._per_address:
            raise self._error(self._where, f"{self._per_address} {self._doing} already from {home}")

    @contextmanager
    def taken(self, address: str) -> Iterator[None]:
        """Be there as long as the block lasts. Raises as `check`."""
        self.check(address)
        home = place_of(address)
        self._taken[home] += 1
        try:
            yield
        finally:
            self._taken[home] -= 1
            if not self._taken[home]:
                del self._taken[home]
