"""The entry list: decisions read it in memory, changes are on disk before they are answered.

Changes run one after the other in `run`, whether or not whoever asked still waits. Nothing that decides
ever waits for storage, with one exception: a use of an entry with a limited number of uses counts only
when it is recorded, and is refused when that takes longer than `USE_WITHIN_S`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from firmware.access.decision import Entry, Policy
from firmware.access.entry_book import Book
from firmware.access.entry_copies import Copies
from firmware.access.entry_forms import Surroundings, changed, entry_of
from firmware.access.entry_table import Copying, EntryTable, Loaded
from firmware.access.settings import AccessParams
from firmware.core.context import Core
from firmware.core.errors import Busy, Exhausted, NotFound, StationError, Unavailable
from firmware.core.local_time import zone_name
from firmware.core.store import Damaged
from firmware.core.vocabulary.access import EntriesChanged
from firmware.core.vocabulary.entries import EntryAdd, EntryChange, Limit
from firmware.core.vocabulary.station import StorageAlarm, StorageProblem
from hal.errors import nearest

USE_WITHIN_S = 0.5
LOAD_AGAIN_S = 10.0
STOP_WITHIN_S = 2.0
CHANGES = 64
# A shorter PIN inside of a number is chance, not a slip of the finger.
TELLING_DIGITS = 4

WHAT = "entries"
FILE = "entries.db"
KEY_FILE = "entries-key"

log = logging.getLogger("firmware.access")

T = TypeVar("T")


@dataclass(slots=True)
class _Change:
    work: Callable[[], Awaitable[object]]
    done: asyncio.Future[object]


@dataclass(slots=True)
class _Use:
    id: str
    cause: str | None
    done: asyncio.Future[bool]

    def give_up(self) -> None:
        if not self.done.done():
            self.done.set_result(False)


class EntryList:
    """The entries of this device; `firmware.access.entry_commands` offers it as actions.

    A PIN or QR text is kept as HMAC-SHA256 under a key of this device, which lies in the store beside the list: that
    finds it with one lookup and keeps it out of sight, but not from somebody who takes the storage away.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._doors: tuple[str, ...] = ()
        self._table = EntryTable(core.store.root)
        self.book = Book()
        self.index = self.book.index
        self._key = b""
        self._loaded = False
        self._changes: asyncio.Queue[_Change] = asyncio.Queue(CHANGES)
        self._uses: asyncio.Queue[_Use] = asyncio.Queue()
        self._copies = Copies(core.clock, self, self._damaged)

    # life

    async def start(self, doors: Iterable[str], group: type[AccessParams] = AccessParams) -> None:
        """Load the list; what is damaged comes from the last good copy, what cannot be read stays closed.

        `doors` are the doors an entry may name; `group` is the parameter group as it is made for the board.
        """
        self._doors = tuple(doors)
        self._core.params.declare(group)
        await self._core.params.load(group)
        await self._load()

    async def run(self) -> None:
        """Record changes, uses and copies until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._change_all())
                tasks.create_task(self._record_uses())
                tasks.create_task(self._copies.run())
                tasks.create_task(self._load_later())
        finally:
            self._drop_waiting()

    async def stop(self) -> None:
        """Bring the last good copy up to date, as far as the storage answers, and close the file."""
        self._copies.stop()
        if not self._loaded:
            return
        try:
            if not self._copies.current:
                await self._on_disk(self._table.back_up, within_s=STOP_WITHIN_S)
            await self._on_disk(self._table.close, within_s=STOP_WITHIN_S)
        except Unavailable as error:
            log.error("the entry list was closed without a fresh copy: %s", error)
            self._core.store.post(self._table.close, what=FILE, writes=False)
        self._loaded = False

    async def _load(self) -> None:
        try:
            key = await self._core.store.load(KEY_FILE)
        except Damaged:
            key = b""  # the store has raised the alarm; the list carries the key too
        except Unavailable as error:
            log.error("the key of the entry list cannot be read: %s", error)
            return
        try:
            loaded = await self._on_disk(lambda: self._table.open(key or None))
        except Unavailable as error:
            log.error("the entry list cannot be read, nobody is let in by it: %s", error)
            return
        self._take(loaded)
        if key != loaded.key:
            await self._keep_key(loaded.key)
        self._copies.changed(now=False)  # or at least nobody has looked at the copy yet
        if loaded.damage is not None or (key == b"" and not loaded.entries):
            self._damaged(loaded.damage or "the key of the entry list is damaged")

    def _take(self, loaded: Loaded) -> None:
        self._key = loaded.key
        self.book.fill(loaded.entries)
        self._loaded = True

    async def _keep_key(self, key: bytes) -> None:
        try:
            await self._core.store.save(KEY_FILE, key)
        except Unavailable as error:
            log.error("the key of the entry list lies in the list only: %s", error)

    async def _load_later(self) -> None:
        while not self._loaded:
            await self._core.clock.sleep(LOAD_AGAIN_S)
            await self._load()
        await asyncio.Event().wait()

    def _drop_waiting(self) -> None:
        for queue in (self._changes, self._uses):
            while not queue.empty():
                waiting = queue.get_nowait()
                if not waiting.done.done():
                    waiting.done.set_exception(Unavailable(WHAT, "the entry list is closing"))

    def _damaged(self, detail: str) -> None:
        log.error("the entry list is damaged: %s", detail)
        self._core.bus.publish(
            StorageAlarm(role=self._core.role, what=WHAT, problem=StorageProblem.DAMAGED, detail=detail)
        )

    # what decisions read

    def policy(self) -> Policy:
        """What the parameters say of decisions, now."""
        params = self._core.params.get(AccessParams)
        return Policy(
            use_entry_list=params.use_entry_list,
            untrusted_clock=params.untrusted_clock,
            schedules=params.schedules,
            zone=zone_name(self._core.bus),
        )

    def pin_hash(self, pin: str) -> bytes:
        """What the index knows a PIN by."""
        return hmac.digest(self._key, pin.encode(), hashlib.sha256)

    def qr_hash(self, text: str) -> bytes:
        """What the index knows a QR text by."""
        return hmac.digest(self._key, b"qr:" + text.encode("utf-8", "surrogatepass"), hashlib.sha256)

    def is_pin(self, digits: str) -> bool:
        """Whether some entry has this PIN, alone or with its card."""
        hashed = self.pin_hash(digits)
        return hashed in self.index.pins or self.book.has_pin(hashed)

    def holds_pin(self, digits: str) -> bool:
        """Whether these are a PIN, or a PIN of four digits and more stands in them (a stray key came before it)."""
        count = len(digits)
        parts = {digits[start:end] for start in range(count) for end in range(start + TELLING_DIGITS, count + 1)}
        return self.is_pin(digits) or any(map(self.is_pin, parts))

    async def spend(self, entry: Entry, *, cause: str | None) -> bool:
        """Take one use of a limited entry; True once it is on disk, False when that failed or took too long.

        The use is taken from memory at once, so that nobody else gets the same one. It comes back only when
        the disk certainly did not take it; a use that was recorded too late is lost, never given twice.
        """
        assert entry.uses_left is not None
        self.book.put(replace(entry, uses_left=entry.uses_left - 1))
        use = _Use(entry.id, cause, asyncio.get_running_loop().create_future())
        self._uses.put_nowait(use)
        timer = self._core.clock.call_later(USE_WITHIN_S, use.give_up)
        try:
            return await use.done
        except Unavailable:
            return False
        finally:
            timer.cancel()

    async def _record_uses(self) -> None:
        while True:
            use = await self._uses.get()
            if use.done.done():
                self._give_back(use.id)  # given up before the disk was asked
                continue
            try:
                await self._on_disk(lambda id=use.id: self._table.use(id))  # type: ignore[misc]
            except LookupError:
                use.give_up()
                continue
            except Unavailable as error:
                log.error("a use of entry %s could not be recorded: %s", use.id, error)
                self._give_back(use.id)
                use.give_up()
                continue
            self._changed(use.id, "used", use.cause)
            if use.done.done():
                log.warning("a use of entry %s was recorded too late and is lost", use.id)
            else:
                use.done.set_result(True)

    def _give_back(self, id: str) -> None:
        entry = self.book.get(id)
        if entry is not None and entry.uses_left is not None:
            self.book.put(replace(entry, uses_left=entry.uses_left + 1))

    # changes, each on disk before it is answered

    async def add(self, wish: EntryAdd, *, cause: str | None) -> Entry:
        """Add an entry. Raises Invalid, Exhausted, Busy, Unavailable."""

        async def work() -> Entry:
            self.room_for(self.book, "entries.add")
            entry = entry_of(wish, self.around(self.book), id=self.fresh_id(self.book))
            await self._write((entry,), keep_uses=frozenset())
            self._changed(entry.id, "added", cause)
            return entry

        return await self.in_turn(work)

    async def change(self, wish: EntryChange, *, cause: str | None) -> Entry:
        """Change an entry. Raises NotFound, Invalid, Busy, Unavailable."""

        async def work() -> Entry:
            before = self._found(wish.id, "entries.change")
            entry = changed(before, wish, self.around(self.book))
            if entry != before:
                keeps = wish.uses is None and Limit.USES not in wish.clear
                await self._write((entry,), keep_uses=frozenset({entry.id} if keeps else ()))
                self._changed(entry.id, "changed", cause)
            found = self.book.get(wish.id)
            assert found is not None
            return found

        return await self.in_turn(work)

    async def remove(self, id: str, *, cause: str | None) -> None:
        """Take an entry away. Raises NotFound, Busy, Unavailable."""

        async def work() -> None:
            self._found(id, "entries.remove")
            await self._on_disk(lambda: self._table.remove(id))
            self.book.forget(id)
            self._changed(id, "removed", cause)

        await self.in_turn(work)

    async def write_all(self, added: Sequence[Entry], changed: Sequence[Entry], *, cause: str | None) -> None:
        """Write many entries, all or none; only inside `in_turn`. Raises Unavailable."""
        await self._write((*added, *changed), keep_uses=frozenset())
        for change, entries in (("added", added), ("changed", changed)):
            for entry in entries:
                self._changed(entry.id, change, cause)

    def around(self, book: Book) -> Surroundings:
        """What an entry of a book is judged by."""
        return Surroundings(
            index=book.index,
            named=book.named,
            doors=self._doors,
            params=self._core.params.get(AccessParams),
            pin_hash=self.pin_hash,
            qr_hash=self.qr_hash,
        )

    def room_for(self, book: Book, where: str) -> None:
        """Raises Exhausted when a book has no place for one more."""
        limit = self._core.params.get(AccessParams).holders
        if len(book) >= limit:
            raise Exhausted(where, f"the list has {len(book)} of {limit} entries (access.holders)")

    @staticmethod
    def fresh_id(book: Book) -> str:
        """An id that no entry of a book has."""
        while (id := secrets.token_hex(6)) in book:
            pass
        return id

    async def in_turn(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do a change when those before it are done. Raises Busy, and what the change raises."""
        change = _Change(work, asyncio.get_running_loop().create_future())
        try:
            self._changes.put_nowait(change)
        except asyncio.QueueFull:
            raise Busy(WHAT, f"{CHANGES} changes wait already; try again") from None
        result: T = await change.done  # type: ignore[assignment]
        return result

    def _found(self, id: str, action: str) -> Entry:
        entry = self.book.get(id)
        if entry is None:
            raise NotFound(f"{action}.id", f"no entry {id!r}{nearest(id, (each.id for each in self.book))}")
        return entry

    async def _write(self, entries: Sequence[Entry], *, keep_uses: frozenset[str]) -> None:
        """Write entries, all or none; those in `keep_uses` keep the uses that disk and memory have meanwhile."""
        await self._on_disk(lambda: self._table.put(entries, keep_uses=keep_uses))
        for entry in entries:
            now = self.book.get(entry.id)
            kept = now is not None and entry.id in keep_uses
            self.book.put(replace(entry, uses_left=now.uses_left) if kept and now is not None else entry)

    def _changed(self, id: str, change: str, cause: str | None) -> None:
        self._copies.changed(now=change in ("removed", "changed"))  # a right taken away must not come back
        self._core.bus.publish(EntriesChanged(entry=id, change=change), cause=cause)

    async def _change_all(self) -> None:
        while True:
            change = await self._changes.get()
            try:
                if not self._loaded:
                    raise Unavailable(WHAT, "the entry list could not be read; nothing was changed")
                result = await change.work()
            except StationError as error:
                if not change.done.done():
                    change.done.set_exception(error)
            except Exception as error:  # a fault in one change must not end the service that opens doors
                log.exception("a change of the entry list failed")
                if not change.done.done():
                    change.done.set_exception(Unavailable(WHAT, f"failed inside ({type(error).__name__})"))
            else:
                if not change.done.done():
                    change.done.set_result(result)

    async def _on_disk(self, work: Callable[[], T], *, within_s: float | None = None, writes: bool = True) -> T:
        try:
            return await self._core.store.run(work, what=FILE, within_s=within_s, writes=writes)
        except (OSError, sqlite3.Error) as error:
            raise Unavailable(WHAT, f"storage fails ({error}); nothing was changed") from error

    # what the copies need of the disk

    async def begin(self) -> Copying:
        """Begin to copy the list. Raises Unavailable."""
        return await self._on_disk(self._table.copying, writes=False)

    async def step(self, copying: Copying) -> bool:
        """Copy a part of it. Raises Unavailable."""
        return await self._on_disk(copying.step, writes=False)

    def end(self, copying: Copying) -> None:
        """Give a copy up."""
        self._core.store.post(copying.close, what=FILE, writes=False)
