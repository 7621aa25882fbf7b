"""The record of upgrades: its two copies, whatever the medium makes of them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.upgrade import record as room
from firmware.upgrade.medium import FileMedium
from firmware.upgrade.ports import Slot
from firmware.upgrade.record import (
    COPY_BYTES,
    Found,
    Last,
    Ledger,
    Mode,
    Outcome,
    Record,
    Reset,
    ResetKind,
    SlotInfo,
    SlotState,
    Stage,
    Upgrade,
    decode,
    encode,
)

WORDS = st.text(max_size=40)
COUNTS = st.integers(0, 2**31)
SLOTS = st.builds(
    SlotInfo,
    state=st.sampled_from(SlotState),
    version=WORDS,
    manifest_sha256=WORDS,
    counter=COUNTS,
    revoked_at=st.none() | COUNTS,
)
UPGRADES = st.builds(
    Upgrade,
    id=WORDS,
    mode=st.sampled_from(Mode),
    source=st.sampled_from(Slot),
    target=st.sampled_from(Slot),
    version=WORDS,
    manifest_sha256=WORDS,
    signer=WORDS,
    counter=COUNTS,
    attempts_left=st.integers(0, 9),
    window_s=COUNTS,
    elapsed_s=COUNTS,
    verdict=WORDS,
)
RECORDS = st.builds(
    Record,
    home=st.sampled_from(Slot),
    stage=st.sampled_from(Stage),
    up=st.none() | UPGRADES,
    a=SLOTS,
    b=SLOTS,
    rollback_ok=st.booleans(),
    floor=COUNTS,
    reset=st.none() | st.builds(Reset, id=WORDS, kind=st.sampled_from(ResetKind), by=WORDS),
    last=st.none()
    | st.builds(Last, id=WORDS, what=WORDS, outcome=st.sampled_from(Outcome), why=WORDS, before=WORDS, after=WORDS),
    walks=st.integers(0, 9),
)
PLAIN = Record(home=Slot.A)


@given(RECORDS, st.integers(0, 2**63))
def test_a_record_comes_back_as_it_was_written(record: Record, seq: int) -> None:
    copy = encode(seq, record)
    assert len(copy) == COPY_BYTES
    assert decode(copy) == (seq, record)


@given(RECORDS, st.integers(0, COPY_BYTES * 8 - 1))
def test_a_copy_with_one_wrong_bit_is_no_copy(record: Record, bit: int) -> None:
    copy = bytearray(encode(7, record))
    copy[bit // 8] ^= 1 << bit % 8
    assert decode(bytes(copy)) is None


@given(st.binary(max_size=COPY_BYTES + 10))
def test_whatever_lies_there_is_a_record_or_nothing(data: bytes) -> None:
    assert decode(data) is None
    assert decode(data[:COPY_BYTES].ljust(COPY_BYTES, b"\0")) is None


@given(RECORDS, st.sets(st.integers(0, 7)))
def test_row_17_a_write_that_was_torn_is_the_old_copy_the_new_one_or_none(new: Record, sectors: set[int]) -> None:
    before, after = encode(5, PLAIN), encode(7, new)
    torn = b"".join((after if at in sectors else before)[at * 512 : at * 512 + 512] for at in range(8))
    assert decode(torn) in (None, (5, PLAIN), (7, new))


def test_a_newer_version_may_have_added_fields_and_the_older_one_still_reads_it() -> None:
    longer = room._RECORD.dump_json(PLAIN)[:-1] + b',"colour":"green"}'
    crc = zlib.crc32(struct.pack("<QI", 1, len(longer)) + longer)
    copy = room._HEAD.pack(room.MAGIC, 1, len(longer), crc) + longer
    assert decode(copy.ljust(COPY_BYTES, b"\0")) == (1, PLAIN)


@pytest.fixture
def ledger(tmp_path: Path) -> Callable[[], Ledger]:
    return lambda: Ledger(FileMedium(tmp_path))


def test_copies_are_written_in_turn_and_the_newest_whole_one_counts(
    ledger: Callable[[], Ledger], tmp_path: Path
) -> None:
    first = ledger()
    assert first.load() == (None, Found.BLANK)
    first.create(PLAIN)
    inodes = [(tmp_path / path).stat().st_ino for path in first.paths]
    records = [Record(home=Slot.B, floor=number) for number in range(5)]
    for record in records:
        first.save(record)
        assert ledger().load() == (record, Found.WHOLE)
    assert [(tmp_path / path).stat().st_ino for path in first.paths] == inodes, "the copies are written in place"
    newest = max(first.paths, key=lambda path: decode((tmp_path / path).read_bytes())[0])  # type: ignore[index]
    (tmp_path / newest).write_bytes(b"\xff" * COPY_BYTES)
    again = ledger()
    assert again.load() == (records[-2], Found.ONE_BAD)
    again.save(records[0])
    assert ledger().load() == (records[0], Found.WHOLE), "the bad copy was the one written over"


def test_two_bad_copies_are_a_lost_record_and_not_a_new_device(ledger: Callable[[], Ledger], tmp_path: Path) -> None:
    ledger().create(PLAIN)
    for path in ledger().paths:
        (tmp_path / path).write_bytes(b"\xff" * COPY_BYTES)
    assert ledger().load() == (None, Found.LOST)


def test_a_write_that_fails_is_not_written_over_the_copy_that_counts(
    ledger: Callable[[], Ledger], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = ledger()
    one.create(PLAIN)
    kept, lost, last = (Record(home=Slot.A, floor=number) for number in (1, 2, 3))
    one.save(kept)
    with monkeypatch.context() as patch:
        patch.setattr(FileMedium, "overwrite", _fails)
        with pytest.raises(OSError, match="no space"):
            one.save(lost)
    assert ledger().load() == (kept, Found.WHOLE)
    one.save(last)
    assert ledger().load() == (last, Found.WHOLE)


def _fails(self: FileMedium, path: str, data: bytes) -> None:
    raise OSError(28, "no space")
