"""What crosses between network and media about handed viewers: read as it was sent, and nothing else is; the page."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.core.stream.hand_wire import (
    SEATS,
    STALL_S_MAX,
    End,
    Hand,
    Here,
    Left,
    Mark,
    Opened,
    Page,
    Why,
    Word,
    pack_word,
    read_mark,
    read_word,
)
from firmware.core.stream.packets import LONGEST
from firmware.core.stream.wire import FPS_MAX, Cut

SEAT = st.integers(0, SEATS - 1)
CUTS = st.builds(
    Cut,
    width=st.integers(1, 8192),
    height=st.integers(1, 8192),
    compression=st.none() | st.integers(0, 100),
    fps=st.integers(0, FPS_MAX),
) | st.builds(Cut)
HANDS = st.builds(
    Hand,
    seat=SEAT,
    cut=CUTS,
    most=st.integers(0, 2**32 - 1),
    since_ns=st.integers(-1, 2**63 - 1),
    stall_s=st.integers(1, STALL_S_MAX * 1000).map(lambda ms: ms / 1000),
)
WORDS = (
    HANDS
    | st.builds(End, SEAT, st.booleans())
    | st.just(Here())
    | st.builds(Left, SEAT, st.sampled_from(Why))
    | st.just(Opened())
)


@given(word=WORDS)
def test_a_word_is_read_as_it_was_sent_and_is_short_enough_for_a_packet(word: Word) -> None:
    data = pack_word(word)
    assert read_word(data) == word
    assert len(data) <= LONGEST


@given(word=WORDS, at=st.integers(0, 30), byte=st.integers(0, 255))
def test_a_word_with_a_wrong_byte_is_another_word_or_refused(word: Word, at: int, byte: int) -> None:
    data = bytearray(pack_word(word))
    data[at % len(data)] = byte
    try:
        read = read_word(bytes(data))
    except ValueError:
        return
    if isinstance(read, Hand | End | Left):
        assert 0 <= read.seat < SEATS
    if isinstance(read, Hand):
        assert 0 < read.stall_s <= STALL_S_MAX


@given(data=st.binary(max_size=64))
def test_bytes_are_a_word_or_refused_and_nothing_else_happens(data: bytes) -> None:
    try:
        word = read_word(data)
    except ValueError:
        return
    assert isinstance(word, Hand | End | Here | Left | Opened)


def test_the_page_says_of_each_seat_what_its_writer_left_there_also_after_its_end() -> None:
    page = Page()
    reader = os.dup(page.file)
    try:
        page.marks[3] = 1
        page.count(3, 70_000)
        page.count(SEATS - 1, 5)
        page.close()
        assert read_mark(reader, 3) == Mark(torn=True, shown=70_000)
        assert read_mark(reader, 4) == Mark(torn=False, shown=0)
        assert read_mark(reader, SEATS - 1) == Mark(torn=False, shown=5)
    finally:
        os.close(reader)


def test_nobody_who_has_the_page_can_make_it_shorter_under_its_writer() -> None:
    page = Page()
    try:
        with pytest.raises(PermissionError):
            os.ftruncate(page.file, 0)
    finally:
        page.close()


def test_of_a_file_that_is_no_page_everything_is_torn() -> None:
    read, write = os.pipe()
    try:
        with open(os.devnull, "rb") as nothing:
            assert read_mark(nothing.fileno(), 0) == read_mark(read, 0) == Mark(torn=True, shown=0)
    finally:
        os.close(read)
        os.close(write)
