"""What handed viewers that do not keep up hold in memory: the pictures of which a part has not gone out yet."""

from __future__ import annotations

from collections.abc import Callable


class Backlog:
    """Pictures that wait, each counted once for however many it does; above `most` bytes the longest wait ends."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: dict[Callable[[], None], bytes] = {}  # in the order in which they began to wait
        self._waiters: dict[int, int] = {}  # of a picture, by its identity: it is kept as long as it is here
        self._held = 0

    def enter(self, give_up: Callable[[], None], part: bytes) -> None:
        """Somebody waits for the rest of a picture to go out; `give_up` ends that, and leaves."""
        self._waiting[give_up] = part
        if id(part) not in self._waiters:
            self._waiters[id(part)] = 0
            self._held += len(part)
        self._waiters[id(part)] += 1
        while self._held > self._most:
            next(iter(self._waiting))()

    def leave(self, give_up: Callable[[], None]) -> None:
        """It waits no more."""
        part = self._waiting.pop(give_up)
        self._waiters[id(part)] -= 1
        if not self._waiters[id(part)]:
            del self._waiters[id(part)]
            self._held -= len(part)
