"""The entry list in memory: by id, by name and by what is presented; pure.

A copy of a book is a draft: an import is tried out on one before anything is written.
"""

from __future__ import annotations

import hmac
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

from firmware.access.decision import Entry, Index
from firmware.core.cards.credential import Credential


class Book:
    """All entries. `index` is what decisions read and follows every change."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries: dict[str, Entry] = {}
        self._by_name: list[tuple[str, str]] = []
        self._cards: dict[Credential, Entry] = {}
        self._pins: dict[bytes, Entry] = {}
        self._qrs: dict[bytes, Entry] = {}
        self._both: dict[str, Entry] = {}
        self.index = Index(self._cards, self._pins, self._qrs)
        self.fill(entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, id: object) -> bool:
        return id in self._entries

    def get(self, id: str) -> Entry | None:
        """The entry with this id."""
        return self._entries.get(id)

    def named(self, name: str) -> tuple[str, ...]:
        """The ids of the entries with this first name, capitals or not."""
        key = name.casefold()
        found = []
        for at in range(bisect_left(self._by_name, (key, "")), len(self._by_name)):
            if self._by_name[at][0] != key:
                break
            found.append(self._by_name[at][1])
        return tuple(found)

    def has_pin(self, hashed: bytes) -> bool:
        """Whether an entry has this PIN together with its card; walks through those that have both."""
        return any(entry.pin is not None and hmac.compare_digest(entry.pin, hashed) for entry in self._both.values())

    def page(self, offset: int, limit: int) -> tuple[Entry, ...]:
        """Some entries in the order of their names."""
        return tuple(self._entries[id] for _, id in self._by_name[offset : offset + limit])

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def fill(self, entries: Iterable[Entry]) -> None:
        """Put many at once."""
        for entry in entries:
            self._index(entry)
        self._by_name = sorted((entry.name.casefold(), entry.id) for entry in self._entries.values())

    def put(self, entry: Entry) -> None:
        """Add an entry, or put it in the place of the one with its id."""
        before = self._entries.get(entry.id)
        if before is None or before.name != entry.name:
            self.forget(entry.id)
            insort(self._by_name, (entry.name.casefold(), entry.id))
        elif (before.card, before.pin, before.qr) != (entry.card, entry.pin, entry.qr):
            self._unindex(before)
        self._index(entry)

    def forget(self, id: str) -> None:
        """Take an entry away; harmless when it is gone."""
        entry = self._entries.pop(id, None)
        if entry is not None:
            del self._by_name[bisect_left(self._by_name, (entry.name.casefold(), entry.id))]
            self._unindex(entry)

    def draft(self) -> Book:
        """A copy that can be changed without changing this one."""
        copy = Book()
        copy._entries.update(self._entries)
        copy._by_name = self._by_name.copy()
        copy._cards.update(self._cards)
        copy._pins.update(self._pins)
        copy._qrs.update(self._qrs)
        copy._both.update(self._both)
        return copy

    def _index(self, entry: Entry) -> None:
        self._entries[entry.id] = entry
        if entry.card is not None:
            self._cards[entry.card] = entry
            if entry.pin is not None:
                self._both[entry.id] = entry
        elif entry.pin is not None:  # a PIN that goes with a card opens nothing alone, and need not be unlike others
            self._pins[entry.pin] = entry
        if entry.qr is not None:
            self._qrs[entry.qr] = entry

    def _unindex(self, entry: Entry) -> None:
        if entry.card is not None:
            self._cards.pop(entry.card, None)
            self._both.pop(entry.id, None)
        elif entry.pin is not None:
            self._pins.pop(entry.pin, None)
        if entry.qr is not None:
            self._qrs.pop(entry.qr, None)
