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
from bisect import bisect_left, insort
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from firmware.access.decision import Entry, Index, Policy
from firmware.access.entry_forms import entry_of, view_of
from firmware.access.entry_table import Copying, EntryTable, Loaded
from firmware.access.settings import AccessParams
from firmware.core.actions import NOTHING, Invocation, Level, Nothing
from firmware.core.cards.credential import Credential
from firmware.core.context import Core
from firmware.core.errors import Busy, Exhausted, NotFound, StationError, Unavailable
from firmware.core.store import Damaged
from firmware.core.vocabulary.access import EntriesChanged, EntryAdd, EntryPage, EntryQuery, EntryRef, EntryView
from firmware.core.vocabulary.station import StorageAlarm, StorageProblem
from hal.clock import Timer

USE_WITHIN_S = 0.5
COPY_AFTER_S = 5.0
LOAD_AGAIN_S = 10.0
STOP_WITHIN_S = 2.0
CHANGES = 64

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
    """Owns `entries.add`, `entries.remove`, `entries.list` and the parameter group `access`.

    A PIN is kept as HMAC-SHA256 under a key of this device, which lies in the store beside the list: that
    finds it with one lookup and keeps it out of sight, but not from somebody who takes the storage away.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._doors: tuple[str, ...] = ()
        self._table = EntryTable(core.store.root)
        self._entries: dict[str, Entry] = {}
        self._by_name: list[tuple[str, str]] = []
        self._cards: dict[Credential, Entry] = {}
        self._pins: dict[bytes, Entry] = {}
        self._key = b""
        self._loaded = False
        self._changes: asyncio.Queue[_Change] = asyncio.Queue(CHANGES)
        self._uses: asyncio.Queue[_Use] = asyncio.Queue()
        self._copy_due = asyncio.Event()
        self._copy_timer: Timer | None = None
        self._copied = True
        self.index = Index(self._cards, self._pins)

    # life

    async def start(self, doors: Iterable[str]) -> None:
        """Load the list; what is damaged comes from the last good copy, what cannot be read stays closed.

        `doors` are the doors an entry may name.
        """
        self._doors = tuple(doors)
        self._core.params.declare(AccessParams)
        await self._core.params.load(AccessParams)
        self._register()
        await self._load()

    async def run(self) -> None:
        """Record changes, uses and copies until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._change_all())
                tasks.create_task(self._record_uses())
                tasks.create_task(self._copy_when_due())
                tasks.create_task(self._load_later())
        finally:
            self._drop_waiting()

    async def stop(self) -> None:
        """Bring the last good copy up to date, as far as the storage answers, and close the file."""
        self._stop_timer()
        if not self._loaded:
            return
        try:
            if not self._copied:
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
        self._copied = False  # or at least nobody has looked at the copy yet
        self._copy_soon(now=False)
        if loaded.damage is not None or (key == b"" and not loaded.entries):
            self._damaged(loaded.damage or "the key of the entry list is damaged")

    def _take(self, loaded: Loaded) -> None:
        self._key = loaded.key
        for entry in loaded.entries:
            self._put(entry)
        self._by_name = sorted((entry.name.casefold(), entry.id) for entry in loaded.entries)
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
        )

    def pin_hash(self, pin: str) -> bytes:
        """What the index knows a PIN by."""
        return hmac.digest(self._key, pin.encode(), hashlib.sha256)

    async def spend(self, entry: Entry, *, cause: str | None) -> bool:
        """Take one use of a limited entry; True once it is on disk, False when that failed or took too long.

        The use is taken from memory at once, so that nobody else gets the same one. It comes back only when
        the disk certainly did not take it; a use that was recorded too late is lost, never given twice.
        """
        assert entry.uses_left is not None
        self._put(replace(entry, uses_left=entry.uses_left - 1))
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
        entry = self._entries.get(id)
        if entry is not None and entry.uses_left is not None:
            self._put(replace(entry, uses_left=entry.uses_left + 1))

    # memory

    def _put(self, entry: Entry) -> None:
        if entry.id not in self._entries and self._loaded:
            insort(self._by_name, (entry.name.casefold(), entry.id))
        self._entries[entry.id] = entry
        if entry.card is not None:
            self._cards[entry.card] = entry
        if entry.pin is not None:
            self._pins[entry.pin] = entry

    def _forget(self, entry: Entry) -> None:
        del self._entries[entry.id]
        del self._by_name[bisect_left(self._by_name, (entry.name.casefold(), entry.id))]
        if entry.card is not None:
            self._cards.pop(entry.card, None)
        if entry.pin is not None:
            self._pins.pop(entry.pin, None)

    # the last good copy

    def _changed(self, id: str, change: str, cause: str | None) -> None:
        self._copied = False
        self._copy_soon(now=change == "removed")  # what was taken away must not come back with an older copy
        self._core.bus.publish(EntriesChanged(entry=id, change=change), cause=cause)

    def _copy_soon(self, *, now: bool) -> None:
        if now:
            self._stop_timer()
            self._copy_due.set()
        elif self._copy_timer is None and not self._copy_due.is_set():
            self._copy_timer = self._core.clock.call_later(COPY_AFTER_S, self._copy_due.set)

    def _stop_timer(self) -> None:
        if self._copy_timer is not None:
            self._copy_timer.cancel()
            self._copy_timer = None

    async def _copy_when_due(self) -> None:
        while True:
            await self._copy_due.wait()
            self._copy_due.clear()
            self._stop_timer()
            try:
                await self._copy()
            except Unavailable as error:
                log.error("the entry list could not be copied: %s", error)
                self._copy_soon(now=False)

    async def _copy(self) -> None:
        """Bring the copy up to date in steps, so that a use waits for one step and not for all of a long list."""
        self._copied = True
        copying: Copying | None = None
        try:
            copying = await self._on_disk(self._table.copying, writes=False)
            while not await self._on_disk(copying.step, writes=False):
                pass
        except BaseException:
            self._copied = False
            if copying is not None:
                self._core.store.post(copying.close, what=FILE, writes=False)
            raise
        if copying.damage is not None:
            self._damaged(f"{copying.damage}; the last good copy is kept")

    # actions

    def _register(self) -> None:
        actions = self._core.actions
        actions.register(
            "entries.add",
            EntryAdd,
            self._add,
            summary="Add a credential holder with a card or a PIN, and limits if wanted.",
            level=Level.ADMIN,
            answer=EntryView,
        )
        actions.register(
            "entries.remove", EntryRef, self._remove, summary="Remove a credential holder.", level=Level.ADMIN
        )
        actions.register(
            "entries.list", EntryQuery, self._list, summary="List credential holders by name.", answer=EntryPage
        )

    async def _add(self, invocation: Invocation) -> EntryView:
        wish = invocation.params
        assert isinstance(wish, EntryAdd)
        added = await self._in_turn(lambda: self._add_now(wish, invocation.cause))
        assert isinstance(added, EntryView)
        return added

    async def _add_now(self, wish: EntryAdd, cause: str | None) -> EntryView:
        limit = self._core.params.get(AccessParams).holders
        if len(self._entries) >= limit:
            raise Exhausted("entries.add", f"the list has {len(self._entries)} of {limit} entries (access.holders)")
        entry = entry_of(
            wish,
            id=self._fresh_id(),
            index=self.index,
            doors=self._doors,
            schedules=self._core.params.get(AccessParams).schedules,
            pin_hash=self.pin_hash,
        )
        await self._on_disk(lambda: self._table.add(entry))
        self._put(entry)
        self._changed(entry.id, "added", cause)
        return view_of(entry)

    async def _remove(self, invocation: Invocation) -> Nothing:
        wish = invocation.params
        assert isinstance(wish, EntryRef)
        await self._in_turn(lambda: self._remove_now(wish.id, invocation.cause))
        return NOTHING

    async def _remove_now(self, id: str, cause: str | None) -> None:
        if id not in self._entries:
            raise NotFound("entries.remove.id", f"no entry {id!r}")
        await self._on_disk(lambda: self._table.remove(id))
        self._forget(self._entries[id])
        self._changed(id, "removed", cause)

    async def _list(self, invocation: Invocation) -> EntryPage:
        query = invocation.params
        assert isinstance(query, EntryQuery)
        ids = self._by_name[query.offset : query.offset + query.limit]
        return EntryPage(total=len(self._entries), entries=tuple(view_of(self._entries[id]) for _, id in ids))

    async def _in_turn(self, work: Callable[[], Awaitable[object]]) -> object:
        change = _Change(work, asyncio.get_running_loop().create_future())
        try:
            self._changes.put_nowait(change)
        except asyncio.QueueFull:
            raise Busy(WHAT, f"{CHANGES} changes wait already; try again") from None
        return await change.done

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

    def _fresh_id(self) -> str:
        while (id := secrets.token_hex(6)) in self._entries:
            pass
        return id
