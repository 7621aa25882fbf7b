"""The entry list on disk: what survives, what is noticed, and what is never given back."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware.access.decision import Entry
from firmware.access.entry_rows import from_row, head_sum, moved, row_sum, to_row
from firmware.access.entry_table import EntryTable, Loaded
from firmware.core.cards.credential import Credential
from firmware.core.vocabulary.entries import EntryEvent
from tests.effort import examples

KEY = b"k" * 32
ADA = Entry(id="a1", name="Ada", card=Credential("H10301", 42, 1234))
BO = Entry(
    id="b2",
    name="Bo Ångström",
    pin=b"\x00\xff" * 16,
    uses_left=3,
    valid_from=datetime(2026, 1, 1, tzinfo=UTC),
    valid_to=datetime(2027, 1, 1, 0, 0, 0, 5, tzinfo=UTC),
    schedule="office",
    doors=("door", "gate"),
)


def opened(folder: Path, key: bytes | None = KEY) -> Loaded:
    """What a fresh start of the firmware would load."""
    table = EntryTable(folder)
    loaded = table.open(key)
    table.close()
    return loaded


def made(folder: Path, *entries: Entry) -> EntryTable:
    """A table with these entries, still open."""
    folder.mkdir(parents=True, exist_ok=True)
    table = EntryTable(folder)
    table.open(None)
    for entry in entries:
        table.add(entry)
    return table


def ids(loaded: Loaded) -> set[str]:
    return {entry.id for entry in loaded.entries}


def spoil(path: Path, statement: str) -> None:
    """Change a row behind the table's back, as rotten bits would."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(statement)
    db.close()


names = st.text(min_size=1, max_size=64).filter(lambda text: "\x00" not in text and text.isprintable())
entries = st.builds(
    Entry,
    id=st.from_regex(r"[0-9a-f]{12}", fullmatch=True),
    name=names,
    card=st.just(Credential("RAW", 8, 255)) | st.builds(Credential, st.just("H10301"), st.integers(0, 255), st.just(1)),
    uses_left=st.none() | st.integers(0, 10**6),
    valid_from=st.none() | st.datetimes().map(lambda at: at.replace(tzinfo=UTC)),
    schedule=st.none() | names,
    doors=st.lists(names, max_size=3).map(tuple),
    last_name=st.just("") | names,
    pin=st.none() | st.binary(min_size=32, max_size=32),
    qr=st.none() | st.binary(min_size=32, max_size=32),
    event=st.sampled_from(EntryEvent),
)


@given(entries)
def test_an_entry_survives_being_a_row(entry: Entry) -> None:
    assert from_row(to_row(entry)) == entry


@given(entries, st.integers(0, 11))
def test_a_changed_column_changes_the_checksum(entry: Entry, column: int) -> None:
    row = list(to_row(entry))
    row[column] = "something else"
    assert row_sum(tuple(row)) != row_sum(to_row(entry))


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=8))
def test_a_digest_forgets_what_goes(sums: list[bytes]) -> None:
    start = head_sum(KEY, 1)
    assert moved(moved(start, plus=sums), minus=reversed(sums)) == start


def test_a_first_start_makes_an_empty_list_without_alarm(tmp_path: Path) -> None:
    loaded = opened(tmp_path, None)
    assert loaded.entries == ()
    assert loaded.damage is None
    assert len(loaded.key) == 32


def test_what_was_added_is_there_after_a_power_cut(tmp_path: Path) -> None:
    table = made(tmp_path / "on", ADA, BO)
    # Copied before the close: the files as a power cut leaves them.
    shutil.copytree(tmp_path / "on", tmp_path / "cut")
    table.close()
    loaded = opened(tmp_path / "cut")
    assert set(loaded.entries) == {ADA, BO}
    assert loaded.damage is None


def test_what_was_removed_stays_removed(tmp_path: Path) -> None:
    table = made(tmp_path, ADA, BO)
    table.remove("a1")
    table.remove("a1")
    table.close()
    assert opened(tmp_path).entries == (BO,)


def test_row_23_a_use_is_counted_over_a_kill(tmp_path: Path) -> None:
    table = made(tmp_path / "on", BO)
    assert table.use("b2") == 2
    shutil.copytree(tmp_path / "on", tmp_path / "killed")
    table.close()
    assert opened(tmp_path / "killed").entries == (replace(BO, uses_left=2),)


def test_a_use_that_is_not_there_is_not_given(tmp_path: Path) -> None:
    table = made(tmp_path, ADA, replace(BO, uses_left=1))
    assert table.use("b2") == 0
    for id in ("b2", "a1", "nobody"):
        with pytest.raises(LookupError):
            table.use(id)
    table.close()
    assert opened(tmp_path).damage is None


def test_row_21_a_changed_row_comes_back_from_the_good_copy(tmp_path: Path) -> None:
    table = made(tmp_path, ADA, BO)
    assert table.back_up() is None
    table.close()
    spoil(tmp_path / "entries.db", "UPDATE entries SET valid_to = '2099-01-01T00:00:00+00:00' WHERE id = 'b2'")
    loaded = opened(tmp_path)
    assert set(loaded.entries) == {ADA, BO}
    assert loaded.damage is not None
    assert "restored" in loaded.damage
    assert opened(tmp_path).damage is None
    assert (tmp_path / "entries.damaged").exists()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM entries WHERE id = 'a1'",
        "UPDATE meta SET digest = zeroblob(16)",
        "UPDATE meta SET key = zeroblob(32)",
        "UPDATE meta SET generation = generation + 100",
        "DELETE FROM meta",
        "DROP TABLE entries",
    ],
)
def test_row_21_damage_of_any_kind_is_noticed_and_repaired(tmp_path: Path, statement: str) -> None:
    table = made(tmp_path, ADA, BO)
    table.back_up()
    table.close()
    spoil(tmp_path / "entries.db", statement)
    loaded = opened(tmp_path)
    assert set(loaded.entries) == {ADA, BO}
    assert loaded.damage is not None


def test_row_21_a_spent_use_does_not_come_back_with_an_older_copy(tmp_path: Path) -> None:
    table = made(tmp_path, ADA, BO)
    table.back_up()
    table.use("b2")
    table.use("b2")
    table.close()
    spoil(tmp_path / "entries.db", "UPDATE entries SET name = 'Eve' WHERE id = 'a1'")
    loaded = opened(tmp_path)
    assert {entry.id: entry.uses_left for entry in loaded.entries} == {"a1": None, "b2": 1}
    assert ADA in loaded.entries


def test_row_21_an_entry_newer_than_the_copy_is_kept(tmp_path: Path) -> None:
    table = made(tmp_path, ADA)
    table.back_up()
    table.add(BO)
    table.close()
    spoil(tmp_path / "entries.db", "UPDATE entries SET name = 'Eve' WHERE id = 'a1'")
    assert set(opened(tmp_path).entries) == {ADA, BO}


def test_row_21_a_list_older_than_its_copy_does_not_bring_back_who_was_removed(tmp_path: Path) -> None:
    table = made(tmp_path / "on", ADA, BO)
    table.close()
    shutil.copy(tmp_path / "on" / "entries.db", tmp_path / "old")
    table = EntryTable(tmp_path / "on")
    table.open(KEY)
    table.remove("a1")
    table.back_up()
    table.close()
    shutil.copy(tmp_path / "old", tmp_path / "on" / "entries.db")
    loaded = opened(tmp_path / "on")
    assert ids(loaded) == {"b2"}
    assert loaded.damage is not None


def test_row_21_nothing_readable_is_an_empty_list_with_an_alarm(tmp_path: Path) -> None:
    table = made(tmp_path, ADA, BO)
    table.back_up()
    table.close()
    (tmp_path / "entries.db").write_bytes(b"\x00" * 8192)
    (tmp_path / "entries.good").write_bytes(b"rubbish" * 1000)
    loaded = opened(tmp_path)
    assert loaded.entries == ()
    assert loaded.damage is not None
    assert "empty" in loaded.damage


def test_row_21_a_list_that_vanished_is_not_a_first_start(tmp_path: Path) -> None:
    loaded = opened(tmp_path, KEY)
    assert loaded.entries == ()
    assert loaded.damage is not None
    assert loaded.key == KEY


def test_row_21_readable_rows_are_kept_when_there_is_no_copy(tmp_path: Path) -> None:
    table = made(tmp_path, ADA, BO)
    table.close()
    spoil(tmp_path / "entries.db", "UPDATE entries SET name = 'Eve' WHERE id = 'a1'")
    loaded = opened(tmp_path)
    assert loaded.entries == (BO,)
    assert loaded.damage is not None


def test_a_copy_is_taken_only_when_it_reads_back(tmp_path: Path) -> None:
    table = made(tmp_path, ADA)
    table.back_up()
    good = (tmp_path / "entries.good").read_bytes()
    spoil(tmp_path / "entries.db", "UPDATE entries SET name = 'Eve'")
    table.add(BO)
    assert table.back_up() is not None
    assert (tmp_path / "entries.good").read_bytes() == good
    assert not (tmp_path / "entries.good.new").exists()
    table.close()


def test_a_use_is_recorded_between_the_steps_of_copying_a_long_list(tmp_path: Path) -> None:
    many = [replace(BO, id=f"{number:012x}") for number in range(5000)]
    table = EntryTable(tmp_path)
    table.open(None)
    table._owed = (Loaded(tuple(many), KEY, None), 1)
    table.close()
    copying = table.copying()
    steps = 0
    while not copying.step():
        steps += 1
        table.use(many[0].id)
        if steps == 2:
            break
    while not copying.step():
        steps += 1
    assert steps >= 3
    assert copying.damage is None
    table.close()
    (tmp_path / "entries.db").unlink()
    left = {entry.id: entry.uses_left for entry in opened(tmp_path).entries}
    assert left[many[0].id] == 3  # as it was when the copy was begun
    assert len(left) == 5000


def test_a_rotten_copy_of_a_sound_list_is_made_anew(tmp_path: Path) -> None:
    table = made(tmp_path, ADA, BO)
    table.back_up()
    table.close()
    spoil(tmp_path / "entries.good", "UPDATE entries SET name = 'Eve' WHERE id = 'a1'")
    table = EntryTable(tmp_path)
    assert table.open(KEY).damage is None
    assert table.back_up() is None
    table.close()
    (tmp_path / "entries.db").unlink()
    assert set(opened(tmp_path).entries) == {ADA, BO}


def test_the_good_copy_is_not_touched_by_reading_it(tmp_path: Path) -> None:
    table = made(tmp_path, ADA)
    table.back_up()
    table.close()
    before = (tmp_path / "entries.good").read_bytes()
    opened(tmp_path)
    assert (tmp_path / "entries.good").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["entries.db", "entries.good"]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed list with its copy, both sound."""
    folder = tmp_path_factory.mktemp("sound")
    table = made(folder, ADA, BO)
    table.back_up()
    table.close()
    return folder


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["entries.db", "entries.good"]), place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7)
)
def test_row_21_a_flipped_bit_anywhere_changes_nobodys_rights(
    sound: Path, tmp_path: Path, name: str, place: float, bit: int
) -> None:
    folder = tmp_path / "flipped"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sound, folder)
    data = bytearray((folder / name).read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    (folder / name).write_bytes(data)
    assert set(opened(folder).entries) == {ADA, BO}
    assert set(opened(folder).entries) == {ADA, BO}


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keep=st.floats(0, 1))
def test_row_21_a_file_cut_short_is_repaired(sound: Path, tmp_path: Path, keep: float) -> None:
    folder = tmp_path / "cut"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sound, folder)
    data = (folder / "entries.db").read_bytes()
    (folder / "entries.db").write_bytes(data[: int(keep * len(data))])
    assert set(opened(folder).entries) == {ADA, BO}
