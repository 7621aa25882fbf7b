"""Who waits for file descriptors to become readable: the asyncio loop, or one thread of our own.

The firmware uses the loop, so an edge reaches its driver without a thread in between. A gpiozero script
has no loop; for it one thread sleeps in epoll and calls back, as with every other gpiozero factory.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

log = logging.getLogger(__name__)


class Readiness(Protocol):
    """Calls a function whenever a descriptor is readable."""

    def watch(self, fd: int, ready: Callable[[], None]) -> None:
        """Start calling `ready`."""

    def forget(self, fd: int) -> None:
        """Stop; harmless for a descriptor that is not watched."""

    def guard(self) -> AbstractContextManager[object]:
        """What a group holds during a call into its request: a lock where several threads may make one."""

    def close(self) -> None:
        """Stop everything."""


class LoopReadiness:
    """Readiness on a running asyncio loop; to be used on that loop's thread only."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._fds: set[int] = set()

    def watch(self, fd: int, ready: Callable[[], None]) -> None:
        self._loop.add_reader(fd, ready)
        self._fds.add(fd)

    def forget(self, fd: int) -> None:
        # A closed loop has forgotten everything by itself, and would refuse to be asked.
        if fd in self._fds and not self._loop.is_closed():
            self._loop.remove_reader(fd)
        self._fds.discard(fd)

    def guard(self) -> AbstractContextManager[object]:
        # One thread, no lock: Python reads the clock for every lock it takes, a system call without a vDSO clock.
        return nullcontext()

    def close(self) -> None:
        for fd in tuple(self._fds):
            self.forget(fd)


class ThreadReadiness:
    """Readiness on one daemon thread, started with the first descriptor and asleep between edges."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ready: dict[int, Callable[[], None]] = {}
        self._epoll: select.epoll | None = None
        self._thread: threading.Thread | None = None
        self._stop_fd = -1

    def watch(self, fd: int, ready: Callable[[], None]) -> None:
        with self._lock:
            if self._epoll is None:
                self._start()
            assert self._epoll is not None
            known = fd in self._ready
            self._ready[fd] = ready
            if not known:
                self._epoll.register(fd, select.EPOLLIN)

    def forget(self, fd: int) -> None:
        with self._lock:
            if self._ready.pop(fd, None) is not None and self._epoll is not None:
                self._epoll.unregister(fd)

    def guard(self) -> AbstractContextManager[object]:
        return threading.Lock()

    def close(self) -> None:
        with self._lock:
            thread, self._thread = self._thread, None
            epoll, self._epoll = self._epoll, None
            self._ready.clear()
            if thread is None or epoll is None:
                return
            os.eventfd_write(self._stop_fd, 1)
        if thread is not threading.current_thread():
            thread.join()

    def _start(self) -> None:
        self._epoll = select.epoll()
        self._stop_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._stop_fd, select.EPOLLIN)
        self._thread = threading.Thread(
            target=self._run, args=(self._epoll, self._stop_fd), name="gpio edges", daemon=True
        )
        self._thread.start()

    def _run(self, epoll: select.epoll, stop_fd: int) -> None:
        try:
            while True:
                for fd, _ in epoll.poll():
                    if fd == stop_fd:
                        return
                    ready = self._ready.get(fd)
                    if ready is not None:
                        self._call(ready)
        finally:
            epoll.close()
            os.close(stop_fd)

    @staticmethod
    def _call(ready: Callable[[], None]) -> None:
        try:
            ready()
        except Exception:
            # A script's callback that fails must not end the edges of all other pins.
            log.exception("a callback for an edge failed")
