"""Password hashes (argon2id, RFC 9106) in one worker thread, and the memory of verified ones.

A hash costs 19 MiB and tens of milliseconds on purpose. So it never runs on the loop, never twice at a
time, and a client that sends its password with every request pays for it once in a while only.
"""

from __future__ import annotations

import asyncio
import ctypes
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from firmware.core.errors import Unavailable
from hal.clock import Clock

T = TypeVar("T")

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16, type=Type.ID)
# Tries of addresses that have failed lately wait in a short queue of their own: guessers hold nobody else up.
WAITING = 64
GUESSING = 8
REMEMBERED = 64
REMEMBER_S = 300.0
# mallopt(3): from this size on, memory is taken from and given back to the kernel directly.
M_MMAP_THRESHOLD = -3
LARGE_BYTES = 1024 * 1024


class Worker:
    """One thread for hashes; at most `WAITING` jobs wait for it, `GUESSING` of them for addresses that have failed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pool: ThreadPoolExecutor | None = None
        self._waiting = 0
        self._guessing = 0

    def start(self) -> None:
        """Be ready; the thread itself starts with the first job."""
        if self._pool is None:
            _return_large_blocks()
            self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")

    def close(self) -> None:
        """Take no more jobs and let the running one finish."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    async def hash(self, password: str) -> str:
        """The encoded hash of a password. Raises Unavailable when too many wait."""
        return await self._job(lambda: HASHER.hash(password))

    async def verify(self, encoded: str, password: str, *, guess: bool = False) -> bool:
        """Whether a password fits a hash; `guess`: it comes from an address that has failed.

        Raises Unavailable when too many wait.
        """
        if not guess:
            return await self._job(lambda: _fits(encoded, password))
        if self._guessing >= GUESSING:
            raise Unavailable("accounts", "too many log-ins at once; try again in a moment")
        self._guessing += 1
        try:
            return await self._job(lambda: _fits(encoded, password))
        finally:
            self._guessing -= 1

    async def _job(self, job: Callable[[], T]) -> T:
        if self._pool is None or self._waiting >= WAITING:
            raise Unavailable("accounts", "too many log-ins at once; try again in a moment")
        outside = self._clock.outside()
        outside.__enter__()
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, job)

        def done(_: asyncio.Future[T]) -> None:
            self._waiting -= 1
            outside.__exit__(None, None, None)

        future.add_done_callback(done)
        # A caller that goes away does not stop the thread, so the job stays counted until it ends.
        return await asyncio.shield(future)


def _return_large_blocks() -> None:
    """Have the C library give large blocks back when they are freed.

    Left alone, glibc learns from the first hash to keep its 19 MiB for the next one, for ever.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


def _fits(encoded: str, password: str) -> bool:
    try:
        return HASHER.verify(encoded, password)
    except (VerificationError, InvalidHashError):
        return False


class Remembered:
    """Passwords verified lately, known by a keyed hash only; the key lives as long as the process."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._until: OrderedDict[bytes, tuple[str, int]] = OrderedDict()

    def _tag(self, name: str, password: str) -> bytes:
        return hmac.digest(self._key, f"{name}\0{password}".encode(), "sha256")

    def knows(self, name: str, password: str, now_ns: int) -> bool:
        """Whether this password of this account was verified less than `REMEMBER_S` ago."""
        tag = self._tag(name, password)
        found = self._until.get(tag)
        if found is None:
            return False
        if found[1] <= now_ns:
            del self._until[tag]
            return False
        self._until.move_to_end(tag)
        return True

    def add(self, name: str, password: str, now_ns: int) -> None:
        """Remember a verified password."""
        self._until[self._tag(name, password)] = (name, now_ns + int(REMEMBER_S * 1e9))
        while len(self._until) > REMEMBERED:
            self._until.popitem(last=False)

    def forget(self, name: str) -> None:
        """Forget an account whose password or existence changed."""
        for tag in [tag for tag, (owner, _) in self._until.items() if owner == name]:
            del self._until[tag]

    def __len__(self) -> int:
        return len(self._until)
