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
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from firmware.access.decision import Entry
from firmware.access.entry_rows import SUM_BYTES, from_row, head_sum, moved, row_sum, to_row

VERSION = 1
KEY_BYTES = 32
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_SCHEMA)

SCHEMA = (
    "CREATE TABLE meta (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL,"
    " generation INTEGER NOT NULL, key BLOB NOT NULL, digest BLOB NOT NULL)",
    "CREATE TABLE entries (id TEXT PRIMARY KEY, name TEXT NOT NULL, card TEXT, pin BLOB, uses_left INTEGER,"
    " valid_from TEXT, valid_to TEXT, schedule TEXT, doors TEXT NOT NULL, sum BLOB NOT NULL) WITHOUT ROWID",
)
INSERT = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
SELECT = "SELECT id, name, card, pin, uses_left, valid_from, valid_to, schedule, doors, sum FROM entries"
SELECT_ONE = SELECT + " WHERE id = ?"


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds; `damage` says what of it could not be believed."""

    entries: dict[str, Entry]
    key: bytes | None
    generation: int
    damage: str | None


@dataclass(frozen=True, slots=True)
class Loaded:
    """The list as it starts: its entries, the key of its PINs, what was wrong; `copied`: its copy is up to date."""

    entries: tuple[Entry, ...]
    key: bytes
    damage: str | None
    copied: bool


class EntryTable:
    """The files `entries.db` and `entries.good` of one directory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "entries.db"
        self._good = folder / "entries.good"
        self._db: sqlite3.Connection | None = None
        self._owed: tuple[Loaded, int] | None = None

    def open(self, known_key: bytes | None) -> Loaded:
        """Read the list, repaired where it must be. `known_key` says that a list existed before.

        Raises OSError, sqlite3.Error when the storage refuses even that.
        """
        main = _main_content(self._path)
        good = _good_content(self._good)
        content, damage = _choose(main, good, known_key)
        key = content.key or known_key or secrets.token_bytes(KEY_BYTES)
        copied = damage is None and good is not None and good.damage is None and good.generation == content.generation
        loaded = Loaded(tuple(content.entries.values()), key, damage, copied)
        if damage is not None or main is None:
            self._owed = (loaded, content.generation + 1)
            with contextlib.suppress(OSError, sqlite3.Error):  # every later change tries again and tells its caller
                self._rewrite()
        return loaded

    def close(self) -> None:
        """Bring everything into the one file and let go of it."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def add(self, entry: Entry) -> None:
        """Add a row, durably."""
        row = to_row(entry)
        check = row_sum(row)
        with self._change() as db:
            db.execute(INSERT, (*row, check))
            _turn(db, plus=[check])

    def remove(self, id: str) -> None:
        """Take a row away, durably; harmless when it is gone."""
        with self._change() as db:
            found = db.execute("SELECT sum FROM entries WHERE id = ?", (id,)).fetchone()
            if found is not None:
                db.execute("DELETE FROM entries WHERE id = ?", (id,))
                _turn(db, minus=[found[0]])

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

    def back_up(self) -> str | None:
        """Make the last good copy anew, read it back and only then let it take the old one's place.

        Returns what is wrong when the copy cannot be believed: then the old copy stays.
        """
        new = self._folder / "entries.good.new"
        _discard(new)
        db = self._connection()
        copy = sqlite3.connect(new)
        try:
            db.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
        finally:
            copy.close()
        damage = _verified(new, immutable=True).damage
        if damage is not None:
            _discard(new)
            return damage
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        _sync(new)
        os.replace(new, self._good)
        _sync(self._folder)
        return None

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            self._rewrite()
            self._db = _connect(self._path)
        return self._db

    @contextlib.contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        db = self._connection()
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

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


def _main_content(path: Path) -> Content | None:
    """Everything believable in `entries.db`; None when there is none. Raises OSError, sqlite3.Error."""
    if not path.exists():
        return None
    try:
        return _verified(path)
    except sqlite3.Error:
        # The disk does not let it be opened for writing (or its head says so): look at a copy that is writable.
        with tempfile.TemporaryDirectory(prefix="entries-") as folder:
            for suffix in ("", "-wal"):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copyfile(f"{path}{suffix}", Path(folder, f"copy{suffix}"))
            try:
                return _verified(Path(folder, "copy"))
            except sqlite3.Error as error:
                if _kind(error) == sqlite3.SQLITE_FULL:
                    raise
                return Content({}, None, 0, str(error))


def _good_content(path: Path) -> Content | None:
    """Everything believable in the last good copy, which is never written in place."""
    if not path.exists():
        return None
    try:
        return _verified(path, immutable=True)
    except sqlite3.Error as error:
        return Content({}, None, 0, str(error))


def _kind(error: sqlite3.Error) -> int:
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF


def _verified(path: Path, *, immutable: bool = False) -> Content:
    """Read and check every row. Raises sqlite3.Error when the storage, not the content, is the trouble."""
    db = _connect_read_only(path) if immutable else _connect(path)
    entries: dict[str, Entry] = {}
    key: bytes | None = None
    generation = 0
    damage: str | None = None
    try:
        damage = _meta_damage(db)
        if damage is None:
            generation, key, digest = db.execute("SELECT generation, key, digest FROM meta").fetchone()
        total = b"" if key is None else head_sum(key, generation)
        for row in db.execute(SELECT):
            entry = _believable(row)
            if entry is None:
                damage = damage or "a row does not fit its checksum"
                continue
            entries[entry.id] = entry
            total = moved(total, plus=[row[-1]])
        if damage is None and total != digest:
            damage = "rows are missing or too many"
        if damage is None and db.execute("PRAGMA quick_check").fetchone() != ("ok",):
            damage = "its structure is damaged"
    except sqlite3.Error as error:
        if _kind(error) not in DAMAGED:
            raise
        damage = damage or str(error)
    except UnicodeError as error:
        damage = damage or str(error)
    finally:
        db.close()
    return Content(entries, key, generation, damage)


def _meta_damage(db: sqlite3.Connection) -> str | None:
    row = db.execute("SELECT version, generation, key, digest FROM meta").fetchone()
    if row is None:
        return "its head is missing"
    version, generation, key, digest = row
    if version != VERSION:
        return f"version {version!r} is not {VERSION}"
    sizes = isinstance(key, bytes) and len(key) == KEY_BYTES and isinstance(digest, bytes) and len(digest) == SUM_BYTES
    if not sizes or not isinstance(generation, int):
        return "its head is damaged"
    return None


def _believable(row: tuple[object, ...]) -> Entry | None:
    try:
        if row_sum(row[:-1]) != row[-1]:
            return None
        return from_row(row[:-1])
    except (ValueError, TypeError):
        return None


def _turn(db: sqlite3.Connection, *, plus: Iterable[bytes] = (), minus: Iterable[bytes] = ()) -> None:
    key, generation, digest = db.execute("SELECT key, generation, digest FROM meta").fetchone()
    turned = moved(
        digest,
        plus=[*plus, head_sum(key, generation + 1)],
        minus=[*minus, head_sum(key, generation)],
    )
    db.execute("UPDATE meta SET digest = ?, generation = ?", (turned, generation + 1))


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE meta SET one = one")  # what cannot be written says so now, not at the first change
        db.execute("ROLLBACK")
    except sqlite3.Error:
        db.close()
        raise
    except UnicodeError as error:  # sqlite3 cannot even say what is wrong with the damaged schema
        db.close()
        raise sqlite3.DatabaseError(f"its schema is damaged ({error})") from error
    return db


def _connect_read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True, isolation_level=None)


def _discard(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
