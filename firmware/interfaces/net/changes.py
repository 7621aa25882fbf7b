"""Told by the kernel that a link or an address of this machine has changed, by whoever would else look again and again.

What has changed is not read: whoever is told looks by itself, so a message that is lost or forged costs one look. On a
device systemd hands the socket over (systemd/lintel-links.socket), for the network role may open none of this kind.
Source: rtnetlink(7), groups of linux/rtnetlink.h; sd_listen_fds(3).
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hal.clock import Clock, Timer

# RTMGRP_LINK, RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR.
GROUPS = 0x1 | 0x10 | 0x100
HANDED_NAME, HANDED_FIRST = "links", 3
# A change comes in several messages, and whoever is on the network can cause many: so long they are gathered.
GATHER_S = 0.25
# Also when the kernel has said nothing: one may have been lost.
SELDOM_S = 60.0

log = logging.getLogger("lintel.net")


def by_kernel() -> socket.socket | None:
    """The socket that systemd has handed over, or one of our own; None where this process may have none."""
    try:
        told = _handed() or _own()
    except OSError:
        return None
    told.setblocking(False)
    return told


def _handed() -> socket.socket | None:
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    if HANDED_NAME not in names:
        return None
    # A copy, for it is let go of and taken again; and no child of ours has it.
    file = os.dup(HANDED_FIRST + names.index(HANDED_NAME))
    try:
        return socket.socket(fileno=file)
    except OSError:
        os.close(file)
        raise


def _own() -> socket.socket:
    told = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    try:
        told.bind((0, GROUPS))
    except OSError:
        told.close()
        raise
    return told


def by_nobody() -> socket.socket | None:
    """Nobody tells: whoever wants to know looks."""
    return None


class Watch:
    """One who wants to know."""

    def __init__(self, changes: Changes, clock: Clock) -> None:
        self._changes = changes
        self._clock = clock
        self._due = asyncio.Event()

    def ring(self) -> None:
        """Something may have changed."""
        self._due.set()

    async def next(self, untold_s: float) -> None:
        """Until something may have changed since the last time; where nobody tells, for `untold_s` seconds."""
        timer = self._clock.call_later(SELDOM_S if self._changes.told else untold_s, self._due.set)
        try:
            await self._due.wait()
        finally:
            timer.cancel()
        self._due.clear()


class Changes:
    """What the kernel says, for everybody in this process who wants to know; `opened` answers how it is heard."""

    def __init__(self, clock: Clock, opened: Callable[[], socket.socket | None] = by_kernel) -> None:
        self._clock = clock
        self._opened = opened
        self._watches: set[Watch] = set()
        self._socket: socket.socket | None = None
        self._gathering: Timer | None = None

    @property
    def told(self) -> bool:
        """Whether somebody tells."""
        return self._socket is not None

    @contextmanager
    def watching(self) -> Iterator[Watch]:
        """Be told, for the length of a block."""
        watch = Watch(self, self._clock)
        if not self._watches:
            self._begin()
        self._watches.add(watch)
        try:
            yield watch
        finally:
            self._watches.discard(watch)
            if not self._watches:
                self._end()

    def _begin(self) -> None:
        self._socket = self._opened()
        self._listen()

    def _listen(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().add_reader(self._socket, self._heard)

    def _heard(self) -> None:
        """The first message: however many follow at once, they are one change and wake nobody up."""
        assert self._socket is not None
        asyncio.get_running_loop().remove_reader(self._socket)
        self._gathering = self._clock.call_later(GATHER_S, self._gathered)

    def _gathered(self) -> None:
        self._gathering = None
        try:
            self._drain()
        except OSError as error:
            log.error("the kernel tells no more about the network: %s", error.strerror or error)
            self._end()
        self._listen()
        for watch in self._watches:
            watch.ring()

    def _drain(self) -> None:
        """Away with what waits, before anybody looks. Raises OSError when no more will come."""
        assert self._socket is not None
        while True:
            try:
                self._socket.recv(1)  # the rest of a message goes with its first byte
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # more than there was room for: that is a change as well
                    raise

    def _end(self) -> None:
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
