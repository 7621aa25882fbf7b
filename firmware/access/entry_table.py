"""The entry list on disk: one SQLite table, checked row by row, with a verified second copy.

Blocking: every method runs on the writer thread of the role's store. `entries.db` is written ahead
(WAL) with full synchronisation, so a change that was answered survives a power cut; `entries.good` is
the last copy that was read back whole. Damage is repaired from it, and a use that either of the two
knows as spent stays spent (hardening rows 17, 21, 23).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from firmware.access.decision import Entry
from firmware.access.entry_check import (
    KEY_BYTES,
    SELECT,
    VERSION,
    Content,
    FileCheck,
    claimed_generation,
    connect,
    connect_read_only,
    good_content,
    main_content,
)
from firmware.access.entry_rows import from_row, head_sum, moved, row_sum, to_row

STEP_ROWS = 2000

SCHEMA = (
    "CREATE TABLE meta (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL,"
    " generation INTEGER NOT NULL, key BLOB NOT NULL, digest BLOB NOT NULL)",
    "CREATE TABLE entries (id TEXT PRIMARY KEY, name TEXT NOT NULL, last_name TEXT NOT NULL, card TEXT, pin BLOB,"
    " qr BLOB, uses_left INTEGER, valid_from TEXT, valid_to TEXT, schedule TEXT, doors TEXT NOT NULL,"
    " event TEXT NOT NULL, sum BLOB NOT NULL) WITHOUT ROWID",
)
INSERT = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
SET_META = "UPDATE meta SET version = ?, generation = ?, digest = ?"
SELECT_ONE = SELECT + " WHERE id = ?"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The list as it starts: its entries, the key of its PINs, and what was wrong."""

    entries: tuple[Entry, ...]
    key: bytes
    damage: str | None


class EntryTable:
    """The files `entries.db` and `entries.good` of one directory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "entries.db"
        self._good = folder / "entries.good"
        self._db: sqlite3.Connection | None = None
        self._owed: tuple[Loaded, int] | None = None
        self._old: Loaded | None = None

    def open(self, known_key: bytes | None) -> Loaded:
        """Read the list, repaired where it must be. `known_key` says that a list existed before.

        Raises OSError, sqlite3.Error when the storage refuses even that.
        """
        main = main_content(self._path)
        sound = main is not None and main.damage is None and claimed_generation(self._good) <= main.generation
        good = None if sound else good_content(self._good)
        content, damage = _choose(main, good, known_key)
        key = content.key or known_key or secrets.token_bytes(KEY_BYTES)
        loaded = Loaded(tuple(content.entries.values()), key, damage)
        if damage is not None or main is None:
            self._owed = (loaded, content.generation + 1)
            with contextlib.suppress(OSError, sqlite3.Error):  # every later change tries again and tells its caller
                self._rewrite()
        elif main.version != VERSION:
            self._old = loaded
            with contextlib.suppress(OSError, sqlite3.Error):  # the same: what was read is what counts meanwhile
                self._connection()
        return loaded

    def close(self) -> None:
        """Bring everything into the one file and let go of it."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def add(self, entry: Entry) -> None:
        """Add a row, durably."""
        self.put([entry])

    def put(self, entries: Sequence[Entry], *, keep_uses: Container[str] = ()) -> None:
        """Add rows, or put them in the place of those with the same id: all of them durably, or none.

        Those whose ids are in `keep_uses` keep the number of uses their rows have.
        """
        with self._change() as db:
            rows, minus = [], []
            for entry in entries:
                found = db.execute("SELECT uses_left FROM entries WHERE id = ?", (entry.id,)).fetchone()
                if found is not None and entry.id in keep_uses:
                    entry = replace(entry, uses_left=found[0])
                if (check := _take(db, entry.id)) is not None:
                    minus.append(check)
                rows.append(to_row(entry))
            sums = [row_sum(row) for row in rows]
            db.executemany(INSERT, [(*row, check) for row, check in zip(rows, sums, strict=True)])
            _turn(db, plus=sums, minus=minus)

    def remove(self, id: str) -> None:
        """Take a row away, durably; harmless when it is gone."""
        with self._change() as db:
            check = _take(db, id)
            if check is not None:
                _turn(db, minus=[check])

    def use(self, id: str) -> int:
        """Take one use away, durably; returns how many are left. Raises LookupError when there was none."""
        with self._change() as db:
            found = db.execute(SELECT_ONE, (id,)).fetchone()
            if found is None or row_sum(found[:-1]) != found[-1]:
                raise LookupError(id)
            entry = from_row(found[:-1])
            if entry.uses_left is None or entry.uses_left < 1:
                raise LookupError(id)
            left = entry.uses_left - 1
            check = row_sum(to_row(replace(entry, uses_left=left)))
            db.execute("UPDATE entries SET uses_left = ?, sum = ? WHERE id = ?", (left, check, id))
            _turn(db, plus=[check], minus=[found[-1]])
        return left

    def copying(self) -> Copying:
        """Begin to make the last good copy anew."""
        return Copying(self._connection(), self._good)

    def back_up(self) -> str | None:
        """Make the last good copy in one go; returns what is wrong when it cannot be believed."""
        copying = self.copying()
        while not copying.step():
            pass
        return copying.damage

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            self._rewrite()
            self._db = connect(self._path)
        if self._old is not None:
            self._renew(self._db, self._old)
            self._old = None
        return self._db

    @staticmethod
    def _renew(db: sqlite3.Connection, loaded: Loaded) -> None:
        """Bring a sound file of an older version to this one in place: one transaction, so it is whole either way."""
        rows = [to_row(entry) for entry in loaded.entries]
        sums = [row_sum(row) for row in rows]
        with _transaction(db):
            (generation,) = db.execute("SELECT generation FROM meta").fetchone()
            db.execute("DROP TABLE entries")
            db.execute(SCHEMA[1])
            db.executemany(INSERT, [(*row, check) for row, check in zip(rows, sums, strict=True)])
            digest = moved(head_sum(loaded.key, generation + 1), plus=sums)
            db.execute(SET_META, (VERSION, generation + 1, digest))

    @contextlib.contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with _transaction(self._connection()) as db:
            yield db

    def _rewrite(self) -> None:
        """Put a fresh file in the place of `entries.db` when one is owed; a damaged one is kept aside."""
        if self._owed is None:
            return
        loaded, generation = self._owed
        new = self._folder / "entries.new"
        _discard(new)
        db = sqlite3.connect(new, isolation_level=None)
        try:
            rows = [to_row(entry) for entry in loaded.entries]
            sums = [row_sum(row) for row in rows]
            db.execute("BEGIN")
            for statement in SCHEMA:
                db.execute(statement)
            db.executemany(INSERT, [(*row, check) for row, check in zip(rows, sums, strict=True)])
            digest = moved(head_sum(loaded.key, generation), plus=sums)
            db.execute("INSERT INTO meta VALUES (1, ?, ?, ?, ?)", (VERSION, generation, loaded.key, digest))
            db.execute("COMMIT")
        finally:
            db.close()
        _sync(new)
        if self._path.exists():
            os.replace(self._path, self._folder / "entries.damaged")
        for suffix in ("-wal", "-shm"):
            _discard(Path(f"{self._path}{suffix}"))
        os.replace(new, self._path)
        _sync(self._folder)
        self._owed = None


class Copying:
    """Makes the last good copy anew in steps: copied, read back whole, and only then put in the old one's place.

    A copy that is up to date already is only read back. `damage` says what is wrong when the new copy
    cannot be believed: then the old one stays.
    """

    def __init__(self, db: sqlite3.Connection, good: Path) -> None:
        self._db = db
        self._good = good
        self._new = good.with_suffix(".good.new")
        self._check: FileCheck | None = None
        self._fresh = False
        self.damage: str | None = None

    def step(self) -> bool:
        """Do a part of it, short enough for others to wait for; True when it is done."""
        if self._check is None:
            self._begin()
            return False
        if not self._check.step(STEP_ROWS):
            return False
        self._check.close()
        damage = self._check.damage
        if not self._fresh:
            if damage is not None:
                self._copy()
                return False
        elif damage is None:
            self._put()
        else:
            _discard(self._new)
            self.damage = damage
        return True

    def close(self) -> None:
        """Stop where it is; the old copy stays."""
        if self._check is not None:
            self._check.close()

    def _begin(self) -> None:
        (generation,) = self._db.execute("SELECT generation FROM meta").fetchone()
        if claimed_generation(self._good) == generation:
            self._check = FileCheck(connect_read_only(self._good), keep=False)
        else:
            self._copy()

    def _copy(self) -> None:
        _discard(self._new)
        with contextlib.closing(sqlite3.connect(self._new)) as copy:
            self._db.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        self._fresh = True
        self._check = FileCheck(connect_read_only(self._new), keep=False)

    def _put(self) -> None:
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        _sync(self._new)
        os.replace(self._new, self._good)
        _sync(self._good.parent)


def _choose(main: Content | None, good: Content | None, known_key: bytes | None) -> tuple[Content, str | None]:
    """Which content to start with, and what was wrong; never more rights than a believable row gives."""
    if main is not None and main.damage is None and (good is None or main.generation >= good.generation):
        return main, None
    if main is None and good is None:
        return Content({}, None, 0, None), None if known_key is None else "the list is gone; it is empty now"
    main = main or Content({}, None, 0, "it is gone")
    good = good or Content({}, None, 0, "there is none")
    why = main.damage or "it is older than its copy"
    generation = max(main.generation, good.generation)
    if good.damage is None:
        entries = {id: _fewer_uses(entry, main.entries.get(id)) for id, entry in good.entries.items()}
        if main.generation >= good.generation:  # what the copy lacks came after it
            entries = {**main.entries, **entries}
        return Content(entries, good.key, generation, None), f"{why}; restored from the last good copy"
    rest = {**good.entries, **main.entries}
    kept = f"{len(rest)} readable entries were kept" if rest else "nothing is readable, it is empty now"
    return Content(rest, main.key or good.key, generation, None), f"{why}; no good copy; {kept}"


def _fewer_uses(entry: Entry, also: Entry | None) -> Entry:
    if also is None or also.uses_left is None or entry.uses_left is None:
        return entry
    return replace(entry, uses_left=min(entry.uses_left, also.uses_left))


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _take(db: sqlite3.Connection, id: str) -> bytes | None:
    """Delete a row; returns its checksum, None when it is not there."""
    found: tuple[bytes] | None = db.execute("SELECT sum FROM entries WHERE id = ?", (id,)).fetchone()
    if found is None:
        return None
    db.execute("DELETE FROM entries WHERE id = ?", (id,))
    return found[0]


def _turn(db: sqlite3.Connection, *, plus: Iterable[bytes] = (), minus: Iterable[bytes] = ()) -> None:
    key, generation, digest = db.execute("SELECT key, generation, digest FROM meta").fetchone()
    turned = moved(
        digest,
        plus=[*plus, head_sum(key, generation + 1)],
        minus=[*minus, head_sum(key, generation)],
    )
    db.execute("UPDATE meta SET digest = ?, generation = ?", (turned, generation + 1))


def _discard(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
