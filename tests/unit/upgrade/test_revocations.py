"""The revocation journal: what was deleted stays known, whatever the power cut off."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.upgrade.revocations import Revocation, RevocationJournal, RevokedKind, line_of, parse_line

REVOCATIONS = st.builds(Revocation, st.sampled_from(RevokedKind), st.text(max_size=40))


@given(REVOCATIONS)
def test_a_line_comes_back_as_it_was_written(revocation: Revocation) -> None:
    line = line_of(revocation)
    assert line.endswith(b"\n")
    assert b"\n" not in line[:-1]
    assert parse_line(line[:-1]) == revocation


@given(st.binary(max_size=80))
def test_whatever_lies_there_is_a_line_or_nothing(data: bytes) -> None:
    found = parse_line(data)
    assert found is None or line_of(found) == data + b"\n"


@given(REVOCATIONS, st.data())
def test_row_17_a_line_that_the_power_cut_off_harms_neither_those_before_nor_those_after(
    revocation: Revocation, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "revocations"
        journal = RevocationJournal(path)
        ann, bob = Revocation(RevokedKind.ACCOUNT, "ann"), Revocation(RevokedKind.ACCOUNT, "bob")
        journal.append(ann)
        whole = line_of(revocation)
        cut = data.draw(st.integers(0, len(whole) - 1))
        with path.open("ab") as file:
            file.write(whole[:cut])
        assert journal.since(0) == (ann,)
        journal.append(bob)
        found = journal.since(0)
        assert (found[0], found[-1]) == (ann, bob)
        assert set(found) <= {ann, bob, revocation}


def test_only_what_came_after_a_position_is_due(tmp_path: Path) -> None:
    journal = RevocationJournal(tmp_path / "shared" / "revocations")
    assert (journal.length(), journal.since(0)) == (0, ())
    one, two = Revocation(RevokedKind.ENTRY, "e1"), Revocation(RevokedKind.ENTRY, "e2")
    journal.append(one)
    position = journal.length()
    journal.append(two)
    assert RevocationJournal(tmp_path / "shared" / "revocations").since(position) == (two,)
    assert journal.since(99) == (one, two), "a journal that is shorter than it was is applied whole"


@given(
    st.lists(st.integers(0, 12), max_size=8),
    st.data(),
)
def test_who_drops_lines_changes_no_position_of_those_that_stay(drops: list[int], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "revocations"
        journal, count, gone = RevocationJournal(path), 0, 0
        journal.append(Revocation(RevokedKind.ENTRY, "0"))
        count = 1
        for before in drops:
            journal.drop(before)
            gone = max(gone, min(before, count))
            for _ in range(data.draw(st.integers(0, 3))):
                journal.append(Revocation(RevokedKind.ENTRY, str(count)))
                count += 1
            assert journal.length() == count
        for position in range(gone, count + 1):
            assert [each.id for each in journal.since(position)] == [str(at) for at in range(position, count)]
        # Whoever asks for what was dropped, or for what never was, gets all there is: one too many is harmless.
        everything = tuple(Revocation(RevokedKind.ENTRY, str(at)) for at in range(gone, count))
        assert journal.since(count + 5) == everything
        assert gone == 0 or journal.since(gone - 1) == everything


def test_row_17_lines_are_dropped_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = RevocationJournal(tmp_path / "revocations")
    for number in range(5):
        journal.append(Revocation(RevokedKind.ENTRY, str(number)))

    def cut(*_: object) -> None:
        raise OSError(5, "the power goes")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", cut)
        with pytest.raises(OSError, match="the power goes"):
            journal.drop(3)
    assert [each.id for each in journal.since(0)] == list("01234")
    journal.drop(3)
    assert [each.id for each in journal.since(3)] == list("34")
    assert journal.size() == (tmp_path / "revocations").stat().st_size
