"""A list written by the first version of the firmware: brought up to date in place, whole or not at all."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from firmware.access.decision import Entry
from firmware.access.entry_rows import head_sum, moved, row_sum
from firmware.access.entry_table import EntryTable
from firmware.core.cards.credential import Credential

KEY = b"k" * 32
ADA = Entry(id="a1", name="Ada", card=Credential("H10301", 42, 1234), uses_left=3, doors=("door",))
BO = Entry(id="b2", name="Bo", pin=b"\x01" * 32)
ROWS: list[tuple[Any, ...]] = [
    ("a1", "Ada", "H10301:42:1234", None, 3, None, None, None, json.dumps(["door"])),
    ("b2", "Bo", None, b"\x01" * 32, None, None, None, None, json.dumps([])),
]


def first_version(path: Path, generation: int = 7) -> None:
    """The file as version 1 wrote it: its schema, its rows, its sums."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(
        "CREATE TABLE meta (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL,"
        " generation INTEGER NOT NULL, key BLOB NOT NULL, digest BLOB NOT NULL)"
    )
    db.execute(
        "CREATE TABLE entries (id TEXT PRIMARY KEY, name TEXT NOT NULL, card TEXT, pin BLOB, uses_left INTEGER,"
        " valid_from TEXT, valid_to TEXT, schedule TEXT, doors TEXT NOT NULL, sum BLOB NOT NULL) WITHOUT ROWID"
    )
    sums = [row_sum(row) for row in ROWS]
    db.executemany(
        "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(*row, check) for row, check in zip(ROWS, sums, strict=True)],
    )
    digest = moved(head_sum(KEY, generation), plus=sums)
    db.execute("INSERT INTO meta VALUES (1, 1, ?, ?, ?)", (generation, KEY, digest))
    db.close()


def version_of(path: Path) -> int:
    db = sqlite3.connect(path)
    try:
        (version,) = db.execute("SELECT version FROM meta").fetchone()
    finally:
        db.close()
    assert isinstance(version, int)
    return version


def test_a_list_of_the_first_version_is_read_and_brought_up_to_date(tmp_path: Path) -> None:
    first_version(tmp_path / "entries.db")
    table = EntryTable(tmp_path)
    loaded = table.open(KEY)
    assert (set(loaded.entries), loaded.key, loaded.damage) == ({ADA, BO}, KEY, None)
    assert version_of(tmp_path / "entries.db") == 2
    assert table.use("a1") == 2
    assert table.back_up() is None
    table.close()
    again = EntryTable(tmp_path)
    assert {entry.id: entry.uses_left for entry in again.open(KEY).entries} == {"a1": 2, "b2": None}
    again.close()
    assert version_of(tmp_path / "entries.good") == 2


def test_row_17_a_power_cut_while_it_is_brought_up_to_date_leaves_the_old_list_whole(tmp_path: Path) -> None:
    first_version(tmp_path / "entries.db")
    table = EntryTable(tmp_path)
    real = table._renew
    seen: list[int] = []

    def cut(db: sqlite3.Connection, loaded: Any) -> None:
        def trace(statement: str) -> None:
            if statement.startswith("UPDATE meta"):
                shutil.copytree(tmp_path, tmp_path.parent / "cut")
                seen.append(1)

        db.set_trace_callback(trace)
        real(db, loaded)
        db.set_trace_callback(None)

    table._renew = cut  # type: ignore[method-assign, assignment]
    table.open(KEY)
    table.close()
    assert seen
    loaded = EntryTable(tmp_path.parent / "cut").open(KEY)
    assert (set(loaded.entries), loaded.damage) == ({ADA, BO}, None)


def test_row_18_a_list_that_cannot_be_brought_up_to_date_is_used_as_it_is(tmp_path: Path) -> None:
    first_version(tmp_path / "entries.db")
    table = EntryTable(tmp_path)

    def full(db: sqlite3.Connection, loaded: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    real, table._renew = table._renew, full  # type: ignore[method-assign, assignment]
    assert set(table.open(KEY).entries) == {ADA, BO}
    with pytest.raises(sqlite3.OperationalError):
        table.use("a1")
    assert version_of(tmp_path / "entries.db") == 1
    table._renew = real  # type: ignore[method-assign]
    assert table.use("a1") == 2
    table.close()


def test_row_21_a_rotten_list_comes_back_from_a_copy_of_the_first_version(tmp_path: Path) -> None:
    first_version(tmp_path / "entries.db")
    db = sqlite3.connect(tmp_path / "entries.db")
    db.execute("PRAGMA journal_mode = DELETE")
    db.close()
    shutil.copy(tmp_path / "entries.db", tmp_path / "entries.good")
    db = sqlite3.connect(tmp_path / "entries.db", isolation_level=None)
    db.execute("UPDATE entries SET doors = '[]' WHERE id = 'a1'")
    db.close()
    table = EntryTable(tmp_path)
    loaded = table.open(KEY)
    assert set(loaded.entries) == {ADA, BO}
    assert loaded.damage is not None
    table.remove("b2")
    table.close()
    assert version_of(tmp_path / "entries.db") == 2


def test_a_list_of_a_later_version_is_not_guessed_at(tmp_path: Path) -> None:
    first_version(tmp_path / "entries.db")
    db = sqlite3.connect(tmp_path / "entries.db", isolation_level=None)
    db.execute("UPDATE meta SET version = 3")
    db.close()
    table = EntryTable(tmp_path)
    loaded = table.open(KEY)
    table.close()
    assert loaded.entries == ()
    assert loaded.damage is not None
    assert "version 3" in loaded.damage
