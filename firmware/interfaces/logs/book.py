"""One log on disk, its newest lines in memory. Files are bounded, and a disk that fails costs lines, not time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice

from firmware.core.errors import NotFound, Unavailable
from firmware.core.journal_segments import Segments
from firmware.core.store import Store
from firmware.core.vocabulary.logs import LogKind, LogLine, LogPage, LogQuery
from firmware.interfaces.logs.lines import packed, unpacked

RING = 2000
WAITING = 2000
SEGMENT_BYTES = 256 * 1024
QUOTA_BYTES = 2 * 1024 * 1024


class LogBook:
    """The lines of one log."""

    def __init__(self, kind: LogKind, store: Store) -> None:
        self.kind = kind
        self.lost = 0
        self._store = store
        root = store.root / "logs" / kind.value
        self._segments = Segments(root, store.disk, segment_bytes=SEGMENT_BYTES, quota_bytes=QUOTA_BYTES)
        self._ring: deque[LogLine] = deque(maxlen=RING)
        self._waiting: deque[bytes] = deque()

    async def load(self) -> None:
        """Read the newest lines of former runs. Raises Unavailable, OSError."""
        raw = await self._store.run(lambda: self._segments.open(RING), what="logs")
        former = [line for line in map(unpacked, raw) if line is not None]
        self._ring.extendleft(reversed(former[-(RING - len(self._ring)) :]))

    def add(self, line: LogLine) -> None:
        """A line happened; the oldest unwritten one is given up when too many wait for the disk."""
        self._ring.append(line)
        if len(self._waiting) >= WAITING:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(packed(line))

    async def write(self) -> None:
        """Write what waits. Raises Unavailable, OSError; then it waits on."""
        batch = list(self._waiting)
        if not batch:
            return
        self._waiting.clear()
        try:
            await self._store.run(lambda: self._segments.append(batch, sync=True), what="logs")
        except (Unavailable, OSError):
            room = max(0, WAITING - len(self._waiting))
            self.lost += max(0, len(batch) - room)
            self._waiting.extendleft(reversed(batch[-room:] if room else []))
            raise

    def page(self, query: LogQuery) -> LogPage:
        """The lines that were asked for. Raises NotFound when `before` is none of those in memory."""
        found = list(islice(self._newest(query), query.limit + 1))
        return LogPage(lines=tuple(reversed(found[: query.limit])), more=len(found) > query.limit)

    def _newest(self, query: LogQuery) -> Iterator[LogLine]:
        lines = reversed(self._ring)
        if query.before and not any(line.id == query.before for line in lines):
            raise NotFound("logs.read.before", f"no line {query.before!r} among the newest {len(self._ring)}")
        wanted = query.text.lower()
        return (line for line in lines if not wanted or wanted in line.text.lower())
