"""The entry list as actions: add, change, remove, list, carry in and carry out."""

from __future__ import annotations

from firmware.access.decision import Entry
from firmware.access.entries import EntryList
from firmware.access.entry_book import Book
from firmware.access.entry_forms import entry_of, view_of
from firmware.access.portable import Row, Writer, rows
from firmware.core.actions import NOTHING, Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.deletions import deletions_kept
from firmware.core.errors import Invalid
from firmware.core.vocabulary.entries import (
    EntryAdd,
    EntryChange,
    EntryExport,
    EntryFile,
    EntryImport,
    EntryImported,
    EntryKind,
    EntryPage,
    EntryQuery,
    EntryRef,
    EntryView,
)

# A long file is read and written in pieces of so many; between them cards are served.
ROWS_AT_ONCE = 10
ENTRIES_AT_ONCE = 50
WITH_PIN = (EntryKind.PIN, EntryKind.CARD_AND_PIN)


class Draft:
    """The list as it would be after an import."""

    def __init__(self, book: Book) -> None:
        self.book = book.draft()
        self.added: dict[str, Entry] = {}
        self.changed: dict[str, Entry] = {}
        self.unchanged: set[str] = set()

    def take(self, row: Row, entries: EntryList) -> None:
        """Work one row in. Raises Invalid, Exhausted."""
        before = self.book.get(row.id) if row.id else None
        if row.id in self.added or row.id in self.changed or row.id in self.unchanged:
            raise Invalid(f"{row.where}.id", f"{row.id!r} is there twice")
        _check_secrets(row, before)
        if before is None:
            entries.room_for(self.book, row.where)
            id = row.id or entries.fresh_id(self.book)  # a claimed id is kept: the same file twice changes nothing
            entry = entry_of(row.wish, entries.around(self.book), id=id, where=row.where)
            self.added[entry.id] = entry
        else:
            entry = entry_of(row.wish, entries.around(self.book), id=before.id, where=row.where, before=before)
            if entry == before:
                self.unchanged.add(before.id)
            else:
                self.changed[entry.id] = entry
        self.book.put(entry)


def _check_secrets(row: Row, before: Entry | None) -> None:
    """A carried file has no PINs and QR texts: only an entry that is here already can go without."""
    if row.kind in WITH_PIN and row.wish.pin is None and (before is None or before.pin is None):
        raise Invalid(f"{row.where}.pin", f"is missing: a {row.kind} entry needs its PIN, which no export holds")
    if row.kind is EntryKind.QR and row.wish.qr is None and (before is None or before.qr is None):
        raise Invalid(f"{row.where}.qr", "is missing: a qr entry needs its text, which no export holds")


class EntryCommands:
    """Owns `entries.add`, `.change`, `.remove`, `.list`, `.export` and `.import`."""

    def __init__(self, core: Core, entries: EntryList) -> None:
        self._core = core
        self._entries = entries

    def register(self) -> None:
        """Offer the actions."""
        actions, admin = self._core.actions, Level.ADMIN
        actions.register(
            "entries.add",
            EntryAdd,
            self._add,
            summary="Add a credential holder with a card, a PIN, both or a QR text, and limits if wanted.",
            level=admin,
            answer=EntryView,
        )
        actions.register(
            "entries.change",
            EntryChange,
            self._change,
            summary="Change a credential holder; what is not named stays.",
            level=admin,
            answer=EntryView,
        )
        actions.register("entries.remove", EntryRef, self._remove, summary="Remove a credential holder.", level=admin)
        actions.register(
            "entries.list", EntryQuery, self._list, summary="List credential holders by name.", answer=EntryPage
        )
        actions.register(
            "entries.export",
            EntryExport,
            self._export,
            summary="The entry list as a file, without PINs and QR texts.",
            level=admin,
            answer=EntryFile,
        )
        actions.register(
            "entries.import",
            EntryImport,
            self._import,
            summary="Add and change entries from a file, all or none.",
            level=admin,
            answer=EntryImported,
        )

    async def _add(self, invocation: Invocation) -> EntryView:
        wish = invocation.params
        assert isinstance(wish, EntryAdd)
        return view_of(await self._entries.add(wish, cause=invocation.cause))

    async def _change(self, invocation: Invocation) -> EntryView:
        wish = invocation.params
        assert isinstance(wish, EntryChange)
        return view_of(await self._entries.change(wish, cause=invocation.cause))

    async def _remove(self, invocation: Invocation) -> Nothing:
        wish = invocation.params
        assert isinstance(wish, EntryRef)
        await self._entries.remove(wish.id, cause=invocation.cause)
        await deletions_kept(self._core, cause=invocation.cause)
        return NOTHING

    async def _list(self, invocation: Invocation) -> EntryPage:
        query = invocation.params
        assert isinstance(query, EntryQuery)
        book = self._entries.book
        return EntryPage(total=len(book), entries=tuple(view_of(each) for each in book.page(query.offset, query.limit)))

    async def _export(self, invocation: Invocation) -> EntryFile:
        wish = invocation.params
        assert isinstance(wish, EntryExport)
        book, end = self._entries.book, wish.offset + wish.limit
        page, total, writer = book.page(wish.offset, wish.limit), len(book), Writer(wish.format)
        for begin in range(0, len(page), ENTRIES_AT_ONCE):
            writer.add(page[begin : begin + ENTRIES_AT_ONCE])
            await self._core.clock.sleep(0)
        return EntryFile(format=wish.format, text=writer.text(), total=total, next=end if end < total else None)

    async def _import(self, invocation: Invocation) -> EntryImported:
        wish = invocation.params
        assert isinstance(wish, EntryImport)
        return await self._entries.in_turn(lambda: self._import_now(wish, invocation.cause))

    async def _import_now(self, wish: EntryImport, cause: str | None) -> EntryImported:
        draft = Draft(self._entries.book)
        for number, row in enumerate(rows(wish.text, wish.format)):
            if number % ROWS_AT_ONCE == 0:
                await self._core.clock.sleep(0)
            draft.take(row, self._entries)
        if not wish.dry_run and (draft.added or draft.changed):
            await self._entries.write_all(tuple(draft.added.values()), tuple(draft.changed.values()), cause=cause)
        return EntryImported(
            added=len(draft.added), changed=len(draft.changed), unchanged=len(draft.unchanged), dry_run=wish.dry_run
        )
