"""Durable storage of one directory: every byte that must survive goes through one writer thread.

`save` answers when the content is on the medium. Trouble (full, read-only, failing, slow, damaged) is
told to the caller as Unavailable and to `alarm` once, and is withdrawn when writing succeeds again.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from firmware.core.errors import Unavailable
from firmware.core.store_disk import Disk, FileDisk, problem_of, unavailable
from firmware.core.store_file import Damaged, DurableFiles, checked_name
from firmware.core.vocabulary.station import StorageProblem
from hal.clock import Clock, Timer, within

__all__ = ["Alarm", "Damaged", "Store"]

T = TypeVar("T")
Alarm = Callable[[str, StorageProblem | None, str], None]

QUEUE = 256
# A job that takes longer is an alarm, whether somebody waits for it or not.
SLOW_S = 2.0
# How long `close` waits for a disk that stalls; what is unfinished then is lost, and said so.
CLOSE_S = 5.0

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Job(Generic[T]):
    """Work for the writer thread; `done` lives on the loop, `writes` says that success proves the disk writable."""

    what: str
    work: Callable[[], T]
    writes: bool
    durable: bool = False
    done: asyncio.Future[T] | None = None
    watch: Timer | None = field(default=None, repr=False)


class Store:
    """A directory of durable named contents, and the thread on which all of its disk work runs, in order."""

    def __init__(self, root: Path, clock: Clock, *, alarm: Alarm, disk: Disk | None = None) -> None:
        """`alarm(what, problem, detail)` is called on the loop; problem None withdraws what was said of `what`."""
        self.root = root
        self.disk: Disk = FileDisk() if disk is None else disk
        self.dropped = 0
        self._clock = clock
        self._alarm = alarm
        self._files = DurableFiles(root, self.disk)
        self._queue: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._waiting: set[_Job[Any]] = set()
        self._idle = asyncio.Event()
        self._outside: AbstractContextManager[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._troubles: dict[str, StorageProblem] = {}
        self._damage: dict[str, str] = {}

    async def start(self) -> None:
        """Make the directory and start the thread; a disk that refuses is an alarm, not a failure."""
        self._loop = asyncio.get_running_loop()
        self._idle.set()
        # A daemon: a disk that stalls for ever must not keep the process from ending.
        self._thread = threading.Thread(target=self._work, name=f"store {self.root.name}", daemon=True)
        self._thread.start()
        try:
            await self.run(lambda: self.disk.folder(self.root), what="directory")
        except (OSError, Unavailable) as error:
            self._trouble("directory", StorageProblem.IO, str(error))

    async def close(self) -> None:
        """Finish what is queued, for at most `CLOSE_S`, and end the thread; closing twice is harmless."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            async with within(CLOSE_S):
                await self._idle.wait()
        except TimeoutError:
            log.error("%s: %d disk jobs were not finished in %g s", self.root.name, len(self._waiting), CLOSE_S)
        for job in self._waiting:
            _cancel(job)
        self._queue.put(None)
        if not self._waiting:
            thread.join()  # it has nothing left to do but end

    async def load(self, name: str) -> bytes | None:
        """The saved content, verified; None when nothing was ever saved.

        A damaged file falls back to the last good copy, with an alarm. Raises Damaged when no copy is
        good, Unavailable when the disk cannot be read.
        """
        checked_name(name)
        try:
            loaded = await self._do(_Job(name, lambda: self._files.load(name), writes=False))
        except Damaged as error:
            self._damaged(name, error.message)
            raise
        except OSError as error:
            self._trouble(name, StorageProblem.IO, str(error.strerror or error))
            raise Unavailable(name, f"cannot be read ({error.strerror or error})") from error
        if loaded.damage is not None:
            self._damaged(name, loaded.damage)
        return loaded.data

    async def save(self, name: str, data: bytes, *, within_s: float | None = None) -> None:
        """Replace the content of `name`; returns when it survives a power cut.

        Raises Unavailable (full, read-only, failing) and then the former content stands. With `within_s`
        it raises Unavailable when the disk takes longer; the job goes on and may still succeed.
        """
        checked_name(name)
        await self._write(_Job(name, lambda: self._files.save(name, data), writes=True, durable=True), within_s)

    async def remove(self, name: str) -> None:
        """Forget the content of `name` and its copies. Raises Unavailable."""
        checked_name(name)
        await self._write(_Job(name, lambda: self._files.remove(name), writes=True, durable=True), None)

    async def run(
        self, work: Callable[[], T], *, what: str = "database", within_s: float | None = None, writes: bool = True
    ) -> T:
        """Do disk work on the writer thread, in order with everything else; returns its result.

        Raises what `work` raises; a storage trouble in it (OSError, sqlite3.Error) is an alarm about `what`
        and raises Unavailable, as does a wait longer than `within_s` (the work goes on). Work that only reads
        (`writes` false) is no proof that the disk can be written again.
        """
        return await self._within(_Job(what, work, writes=writes), within_s)

    def post(self, work: Callable[[], None], *, what: str = "database", writes: bool = True) -> bool:
        """Do disk work some time, in order; failures go to the alarm. False (and counted) when too much waits."""
        if len(self._waiting) >= QUEUE or self._thread is None:
            self.dropped += 1
            self._trouble(what, StorageProblem.SLOW, f"{self.dropped} jobs dropped, {len(self._waiting)} wait")
            return False
        self._submit(_Job(what, work, writes=writes))
        return True

    # the loop's side

    async def _write(self, job: _Job[None], within_s: float | None) -> None:
        try:
            await self._within(job, within_s)
        except OSError as error:
            self._trouble(job.what, StorageProblem.IO, str(error.strerror or error))
            raise unavailable(job.what, StorageProblem.IO, error) from error

    async def _within(self, job: _Job[T], within_s: float | None) -> T:
        if within_s is None:
            return await self._do(job)
        limit: asyncio.Timeout | None = None
        try:
            async with within(within_s) as limit:
                return await self._do(job)
        except TimeoutError:
            if limit is None or not limit.expired():  # the disk's own
                raise
            detail = f"no answer in {within_s:g} s"
            if job in self._waiting:
                self._trouble(job.what, StorageProblem.SLOW, detail)
            raise Unavailable(job.what, f"storage is slow ({detail})") from None

    async def _do(self, job: _Job[T]) -> T:
        if self._thread is None or self._loop is None:
            raise Unavailable(job.what, "the store is closed")
        if len(self._waiting) >= QUEUE:
            self._trouble(job.what, StorageProblem.SLOW, f"{len(self._waiting)} jobs wait")
            raise Unavailable(job.what, f"storage is slow ({len(self._waiting)} jobs wait); nothing was changed")
        done: asyncio.Future[T] = self._loop.create_future()
        job.done = done
        self._submit(job)
        try:
            return await done
        except (OSError, sqlite3.Error) as error:
            problem = problem_of(error)
            if problem is None:
                raise
            raise unavailable(job.what, problem, error) from error

    def _submit(self, job: _Job[Any]) -> None:
        if self._outside is None:
            # One hold while the thread is busy, however many jobs wait.
            self._outside = self._clock.outside()
            self._outside.__enter__()
            self._idle.clear()
        self._waiting.add(job)
        job.watch = self._clock.call_later(SLOW_S, self._slow, job)
        self._queue.put(job)

    def _slow(self, job: _Job[Any]) -> None:
        self._trouble(job.what, StorageProblem.SLOW, f"no answer in {SLOW_S:g} s")

    def _finished(self, job: _Job[Any], result: Any, error: Exception | None) -> None:
        self._waiting.discard(job)
        if job.watch is not None:
            job.watch.cancel()
        self._judge(job, error)
        if job.done is not None and not job.done.done():
            if error is not None:
                job.done.set_exception(error)
            else:
                job.done.set_result(result)
        elif error is not None and problem_of(error) is None and not isinstance(error, OSError):
            log.error("%s: a disk job failed", job.what, exc_info=error)
        if not self._waiting and self._outside is not None:
            outside, self._outside = self._outside, None
            outside.__exit__(None, None, None)
            self._idle.set()

    def _judge(self, job: _Job[Any], error: Exception | None) -> None:
        if error is None:
            if job.durable:
                for what in tuple(self._troubles):
                    self._withdraw(what)
            elif job.writes or self._troubles.get(job.what) is StorageProblem.SLOW:
                self._withdraw(job.what)
            return
        problem = problem_of(error)
        if problem is None and isinstance(error, OSError) and job.done is None:
            problem = StorageProblem.IO
        if problem is StorageProblem.DAMAGED:
            self._damaged(job.what, str(error))
        elif problem is not None:
            self._trouble(job.what, problem, str(getattr(error, "strerror", None) or error))

    def _trouble(self, what: str, problem: StorageProblem, detail: str) -> None:
        if self._troubles.get(what) is not problem:
            self._troubles[what] = problem
            self._alarm(what, problem, detail)

    def _withdraw(self, what: str) -> None:
        if self._troubles.pop(what, None) is None:
            return
        if what in self._damage:
            self._alarm(what, StorageProblem.DAMAGED, self._damage[what])
        else:
            self._alarm(what, None, "")

    def _damaged(self, what: str, detail: str) -> None:
        """Damage stands until the role starts again: somebody has to see it."""
        if what not in self._damage:
            self._damage[what] = detail
            self._alarm(what, StorageProblem.DAMAGED, detail)

    # the thread's side

    def _work(self) -> None:
        assert self._loop is not None
        while (job := self._queue.get()) is not None:
            result: Any = None
            error: Exception | None = None
            try:
                result = job.work()
            except Exception as raised:  # noqa: BLE001 - whatever a job raises belongs to who asked for it
                error = raised
            try:
                self._loop.call_soon_threadsafe(self._finished, job, result, error)
            except RuntimeError:
                log.warning("%s: finished after the loop had ended", job.what)
                return


def _cancel(job: _Job[Any]) -> None:
    if job.watch is not None:
        job.watch.cancel()
    if job.done is not None and not job.done.done():
        job.done.set_exception(Unavailable(job.what, "the store was closed before the disk answered"))
