"""Reading the files of the entry list without believing them: row by row, then all together.

Blocking, on the writer thread. A check can be done in steps, so that a long list lets others in between.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from firmware.access.decision import Entry
from firmware.access.entry_rows import SUM_BYTES, from_first_row, from_row, head_sum, moved, row_sum

VERSION = 2
KEY_BYTES = 32
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_SCHEMA)
SELECT = (
    "SELECT id, name, last_name, card, pin, qr, uses_left, valid_from, valid_to, schedule, doors, event, sum"
    " FROM entries"
)
SELECT_FIRST = "SELECT id, name, card, pin, uses_left, valid_from, valid_to, schedule, doors, sum FROM entries"
# How the rows of each version that can be read are asked for and understood.
READERS: dict[int, tuple[str, Callable[[tuple[Any, ...]], Entry]]] = {
    1: (SELECT_FIRST, from_first_row),
    VERSION: (SELECT, from_row),
}


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds; `damage` says what of it could not be believed, `version` how it is written."""

    entries: dict[str, Entry]
    key: bytes | None
    generation: int
    damage: str | None
    version: int = VERSION


class FileCheck:
    """Checks one file. Raises sqlite3.Error when the storage, not the content, is the trouble."""

    def __init__(self, db: sqlite3.Connection, *, keep: bool) -> None:
        """`keep` the entries, or only look at them."""
        self._db = db
        self._keep = keep
        self._entries: dict[str, Entry] = {}
        self._key: bytes | None = None
        self._generation = 0
        self._version = VERSION
        self._digest = b""
        self._total = b""
        self._rows: sqlite3.Cursor | None = None
        self.damage: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def step(self, rows: int) -> bool:
        """Look at the next `rows` rows; True when there are no more and the verdict is there."""
        try:
            if self._rows is None:
                self._head()
                self._rows = self._db.execute(READERS[self._version][0])
            found = self._rows.fetchmany(rows)
            self._look_at(found)
            if len(found) == rows:
                return False
            self._whole()
        except sqlite3.Error as error:
            if kind_of(error) not in DAMAGED:
                raise
            self.damage = self.damage or str(error)
        except UnicodeError as error:
            self.damage = self.damage or str(error)
        return True

    def content(self) -> Content:
        """Everything that could be believed."""
        return Content(self._entries, self._key, self._generation, self.damage, self._version)

    def close(self) -> None:
        """Let go of the file."""
        self._rows = None
        self._db.close()

    def _head(self) -> None:
        row = self._db.execute("SELECT version, generation, key, digest FROM meta").fetchone()
        self.damage = _head_damage(row)
        if self.damage is None:
            self._version, self._generation, self._key, self._digest = row
            assert self._key is not None
            self._total = head_sum(self._key, self._generation)

    def _look_at(self, rows: list[tuple[object, ...]]) -> None:
        sums = []
        for row in rows:
            entry = _believable(row, READERS[self._version][1])
            if entry is None:
                self.damage = self.damage or "a row does not fit its checksum"
                continue
            check = row[-1]
            assert isinstance(check, bytes)
            sums.append(check)
            if self._keep:
                self._entries[entry.id] = entry
        self._total = moved(self._total, plus=sums)

    def _whole(self) -> None:
        if self.damage is None and self._total != self._digest:
            self.damage = "rows are missing or too many"
        if self.damage is None and self._db.execute("PRAGMA quick_check").fetchone() != ("ok",):
            self.damage = "its structure is damaged"


def main_content(path: Path) -> Content | None:
    """Everything believable in `entries.db`; None when there is none. Raises OSError, sqlite3.Error."""
    if not path.exists():
        return None
    try:
        return _all_of(connect(path))
    except sqlite3.Error:
        # The disk does not let it be opened for writing (or its head says so): look at a copy that is writable.
        with tempfile.TemporaryDirectory(prefix="entries-") as folder:
            for suffix in ("", "-wal"):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copyfile(f"{path}{suffix}", Path(folder, f"copy{suffix}"))
            try:
                return _all_of(connect(Path(folder, "copy")))
            except sqlite3.Error as error:
                if kind_of(error) == sqlite3.SQLITE_FULL:
                    raise
                return Content({}, None, 0, str(error))


def good_content(path: Path) -> Content | None:
    """Everything believable in the last good copy, which is never written in place."""
    if not path.exists():
        return None
    try:
        return _all_of(connect_read_only(path))
    except sqlite3.Error as error:
        return Content({}, None, 0, str(error))


def claimed_generation(path: Path) -> int:
    """The count of changes the last good copy claims to hold, unchecked; -1 when it claims nothing."""
    if not path.exists():
        return -1
    try:
        with contextlib.closing(connect_read_only(path)) as db:
            (generation,) = db.execute("SELECT generation FROM meta").fetchone()
    except (sqlite3.Error, UnicodeError, TypeError):
        return -1
    return generation if isinstance(generation, int) else -1


def connect(path: Path) -> sqlite3.Connection:
    """Open for writing ahead, every commit on the medium. Raises sqlite3.Error."""
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


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Open a file nobody writes; nothing beside it is made."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True, isolation_level=None)


def kind_of(error: sqlite3.Error) -> int:
    """The primary result code of SQLite."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF


def _all_of(db: sqlite3.Connection) -> Content:
    with FileCheck(db, keep=True) as check:
        while not check.step(10_000):
            pass
        return check.content()


def _head_damage(row: tuple[object, ...] | None) -> str | None:
    if row is None:
        return "its head is missing"
    version, generation, key, digest = row
    if version not in READERS:
        return f"version {version!r} is not one of {', '.join(map(str, READERS))}"
    sizes = isinstance(key, bytes) and len(key) == KEY_BYTES and isinstance(digest, bytes) and len(digest) == SUM_BYTES
    if not sizes or not isinstance(generation, int):
        return "its head is damaged"
    return None


def _believable(row: tuple[object, ...], read: Callable[[tuple[Any, ...]], Entry]) -> Entry | None:
    try:
        if row_sum(row[:-1]) != row[-1]:
            return None
        return read(row[:-1])
    except (ValueError, TypeError):
        return None
