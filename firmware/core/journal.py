"""The product's log: every fact of the device with its cause, kept on disk, readable as a chain.

A tap on the bus only queues; one writer puts batches into segment files through the store. While the
disk fails, lines wait in a bounded buffer; what is dropped is counted and said once it recovers.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

from firmware.core.actions import ActionTable, Invocation, Level
from firmware.core.bus import Bus
from firmware.core.errors import NotFound, Unavailable
from firmware.core.events import Notice, Operation
from firmware.core.journal_lines import id_of, line_of, packed, unpacked
from firmware.core.journal_segments import QUOTA_BYTES, SEGMENT_BYTES, Segments
from firmware.core.store import Store
from firmware.core.vocabulary.station import JournalLine, JournalLost, JournalPage, JournalQuery
from hal.clock import Clock, Timer

# Lines in memory, for `tail` and `chain`; and lines that may wait for a disk that fails.
RING = 1000
BUFFER = 5000
BATCH = 500
# Lines of one moment are written together; the medium is waited for at most once a second.
GATHER_S = 0.05
SYNC_S = 1.0
RETRY_S = 1.0
RETRY_MAX_S = 30.0

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Batch:
    """Facts being written; jobs run in order, so one that is asked for twice is still written once."""

    notices: list[Notice]
    written: bool = False

    def append_to(self, segments: Segments, *, sync: bool) -> None:
        """Write them, on the store's thread. Raises OSError."""
        segments.append([] if self.written else [packed(line_of(notice)) for notice in self.notices], sync=sync)
        self.written = True


class Journal:
    """The journal of one role's bus, as a service."""

    name: ClassVar[str] = "journal"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        bus: Bus,
        store: Store,
        clock: Clock,
        *,
        actions: ActionTable | None = None,
        ring: int = RING,
        buffer: int = BUFFER,
        segment_bytes: int = SEGMENT_BYTES,
        quota_bytes: int = QUOTA_BYTES,
    ) -> None:
        """Listens to `bus` from now on; with `actions` it offers `journal.read`."""
        self._bus = bus
        self._store = store
        self._clock = clock
        self._actions = actions
        self._buffer = buffer
        self._segments = Segments(
            store.root / "journal", store.disk, segment_bytes=segment_bytes, quota_bytes=quota_bytes
        )
        # Facts of this run, and packed lines of former ones: made into lines only when somebody reads.
        self._ring: deque[Notice | bytes] = deque(maxlen=ring)
        self._unwritten: deque[Notice] = deque()
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()
        self._started = False
        self._lost = 0
        self._batch: _Batch | None = None
        self._synced_ns: int | None = None
        self._unsynced = False
        self._sync: Timer | None = None
        bus.tap(self._note)

    @property
    def lost(self) -> int:
        """Lines dropped and not yet reported."""
        return self._lost

    async def start(self) -> None:
        """Read the newest lines of former runs and offer the action; a disk that fails leaves memory only."""
        if self._actions is not None:
            self._actions.register(
                "journal.read",
                JournalQuery,
                self._read,
                summary="Read the newest journal lines, or those before a line",
                level=Level.OPERATOR,
                answer=JournalPage,
            )
        if self._started:
            return
        try:
            room = (self._ring.maxlen or RING) - len(self._ring)
            former = await self._store.run(lambda: self._segments.open(room), what="journal")
        except (Unavailable, OSError) as error:
            log.warning("the journal of former runs cannot be read: %s", error)
        else:
            room = (self._ring.maxlen or RING) - len(self._ring)  # facts of this run came in between
            self._ring.extendleft(reversed(former[-room:] if room else []))
        self._started = True

    async def run(self) -> None:
        """Write what happens, until cancelled."""
        retry_s = RETRY_S
        while True:
            await self._wake.wait()
            await self._clock.sleep(GATHER_S)
            try:
                await self._write()
                retry_s = RETRY_S
            except (Unavailable, OSError) as error:
                log.warning("the journal cannot be written, next try in %g s: %s", retry_s, error)
                await self._clock.sleep(retry_s)
                retry_s = min(RETRY_MAX_S, retry_s * 2)

    async def stop(self) -> None:
        """Write what still waits, where the disk allows."""
        try:
            await self._write(last=True)
        except (Unavailable, OSError) as error:
            log.error("the last journal lines could not be written: %s", error)
        finally:
            self._no_timer()

    close = stop

    def tail(self, limit: int = 100) -> tuple[JournalLine, ...]:
        """The newest lines in memory, oldest of them first."""
        return self._before(len(self._ring), limit)

    def page(self, limit: int, before: str | None = None) -> JournalPage:
        """The newest `limit` lines, or the ones before the line `before`. Raises NotFound when it is not in memory."""
        end = len(self._ring)
        if before is not None:
            found = (n for n in range(end - 1, -1, -1) if _id(self._ring[n]) == before)
            place = next(found, None)
            if place is None:
                raise NotFound("journal.read.before", f"no line {before!r} among the newest {end}")
            end = place
        lines = self._before(end, limit + 1)
        return JournalPage(lines=lines[-limit:], more=len(lines) > limit)

    def chain(self, id: str) -> tuple[JournalLine, ...]:
        """How it came to the line `id`: its causes, first cause first, as far as they are in memory."""
        by_id = {_id(kept): kept for kept in self._ring}
        found: list[JournalLine] = []
        link: str | None = id
        while link is not None and (kept := by_id.pop(link, None)) is not None and (line := _line(kept)) is not None:
            found.append(line)
            link = line.cause
        return tuple(reversed(found))

    def _before(self, end: int, limit: int) -> tuple[JournalLine, ...]:
        """Up to `limit` lines that end before place `end` of the ring; only these are made."""
        newest: list[JournalLine] = []
        for kept in islice(reversed(self._ring), len(self._ring) - end, None):
            if len(newest) >= limit:
                break
            if (line := _line(kept)) is not None:
                newest.append(line)
        return tuple(reversed(newest))

    def _note(self, notice: Notice) -> None:
        if notice.operation is Operation.INITIALISED or not notice.event.journalled:
            return
        self._ring.append(notice)
        if len(self._unwritten) >= self._buffer:
            self._unwritten.popleft()
            self._lost += 1
        self._unwritten.append(notice)
        self._wake.set()

    async def _write(self, *, last: bool = False) -> None:
        """Write all that waits and, when it is time, wait for the medium. Raises Unavailable, OSError."""
        async with self._writing:
            self._wake.clear()
            while self._batch is not None or self._unwritten or self._lost:
                if self._batch is None and not self._unwritten:
                    # Said only now that there is room again, or it would push out another line.
                    lost, self._lost = self._lost, 0
                    self._bus.publish(JournalLost(lines=lost))
                if self._batch is None:
                    self._batch = _Batch([self._unwritten.popleft() for _ in range(min(BATCH, len(self._unwritten)))])
                await self._put(self._batch, sync=last or self._sync_due())
                self._batch = None
            if self._unsynced and (last or self._sync_due()):
                await self._put(_Batch([]), sync=True)
            if self._unsynced and self._sync is None:
                self._sync = self._clock.call_later(SYNC_S, self._wake.set)

    async def _put(self, batch: _Batch, *, sync: bool) -> None:
        try:
            await self._store.run(lambda: batch.append_to(self._segments, sync=sync), what="journal")
        except BaseException:
            self._wake.set()  # it is still there to be written
            raise
        self._unsynced = not sync
        if sync:
            self._synced_ns = self._clock.now_ns()
            self._no_timer()

    def _no_timer(self) -> None:
        if self._sync is not None:
            self._sync.cancel()
            self._sync = None

    def _sync_due(self) -> bool:
        return self._synced_ns is None or self._clock.now_ns() - self._synced_ns >= SYNC_S * 1e9

    async def _read(self, invocation: Invocation) -> JournalPage:
        query = invocation.params
        assert isinstance(query, JournalQuery)
        return self.page(query.limit, query.before)


def _id(kept: Notice | bytes) -> str:
    """The id of a line without making it; of a line of a former run, as it begins."""
    return id_of(kept) if isinstance(kept, bytes) else kept.event.id


def _line(kept: Notice | bytes) -> JournalLine | None:
    return unpacked(kept) if isinstance(kept, bytes) else line_of(kept)
