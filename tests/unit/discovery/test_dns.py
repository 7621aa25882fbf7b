"""Messages of DNS: what is written can be read, and what is broken is refused at a bounded cost."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firmware.core.errors import Invalid
from firmware.interfaces.discovery import dns
from firmware.interfaces.discovery.dns import Message, Question, Record

LABEL = st.binary(min_size=1, max_size=20)
NAME = st.lists(LABEL, max_size=5).map(tuple)
U16, U32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
QUESTION = st.builds(Question, NAME, U16, st.booleans())
POINTERS = st.builds(Record, NAME, st.just(dns.PTR), U32, NAME.map(dns.pointer), st.booleans())
PLACES = st.builds(Record, NAME, st.just(dns.SRV), U32, st.builds(dns.service, NAME, U16), st.booleans())
TEXTS = st.builds(Record, NAME, st.sampled_from((dns.A, dns.TXT, 99)), U32, st.binary(max_size=50), st.booleans())
RECORDS = st.lists(POINTERS | PLACES | TEXTS, max_size=5).map(tuple)
MESSAGE = st.builds(
    Message, id=U16, flags=U16, questions=st.lists(QUESTION, max_size=3).map(tuple), answers=RECORDS,
    authorities=RECORDS, additionals=RECORDS,
)  # fmt: skip


@given(MESSAGE)
def test_a_message_is_read_as_it_was_written(message: Message) -> None:
    assert dns.parse(dns.pack(message)) == message


HEAD = struct.pack("!6H", 0, 0, 1, 0, 0, 0)
LOOP = HEAD + b"\xc0\x0c\x00\x0c\x00\x01"
FORWARD = HEAD + b"\xc0\x10\x00\x0c\x00\x01\x00"


@given(st.binary(max_size=600))
@example(LOOP)
@example(FORWARD)
@example(HEAD + b"\x05abc")
@example(HEAD + b"\x80")
@example(b"")
def test_anything_at_all_is_read_or_refused(data: bytes) -> None:
    with suppress(Invalid):
        dns.parse(data)


@given(MESSAGE.map(dns.pack), st.data())
def test_a_damaged_message_is_read_or_refused(data: bytes, draw: st.DataObject) -> None:
    broken = bytearray(data[: draw.draw(st.integers(0, len(data)))])
    for at in draw.draw(st.lists(st.integers(0, max(0, len(broken) - 1)), max_size=4)) if broken else ():
        broken[at] = draw.draw(st.integers(0, 255))
    with suppress(Invalid):
        dns.parse(bytes(broken))


@pytest.mark.parametrize("data", [LOOP, FORWARD, HEAD[:11], HEAD + b"\x05abc", HEAD + b"\x41a\0\0\1\0\1"])
def test_row_50_names_that_lead_in_circles_or_out_of_the_message_are_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        dns.parse(data)


def test_row_50_reading_costs_no_more_than_its_bounds_whatever_the_packet_points_to() -> None:
    """The worst that a packet can do: as many records as are read, each with the longest name, by a pointer."""
    name = b"".join(b"\1a" for _ in range(100)) + b"\0"
    record = b"\xc0\x0c\x00\x01\x00\x01\0\0\0\0\0\0"
    body = name + b"\x00\x01\x00\x01" + record * 127
    read = dns.parse(struct.pack("!6H", 0, 0, 1, 127, 0, 0) + body)
    assert sum(len(each.name) for each in read.answers) == 127 * 100
    with pytest.raises(Invalid, match="more than 128 records"):
        dns.parse(struct.pack("!6H", 0, 0, 1, 128, 0, 0) + body + record)
    with pytest.raises(Invalid, match="more than 255 bytes"):
        dns.parse(struct.pack("!6H", 0, 0, 1, 0, 0, 0) + b"\1a" * 128 + b"\0\0\1\0\1")


def test_names_that_were_written_before_are_pointed_to() -> None:
    name = dns.name("_http", "_tcp", "local")
    twice = Message(questions=(Question(name, dns.PTR), Question(name, dns.TXT)))
    assert len(dns.pack(twice)) == 12 + len(dns.packed_name(name)) + 4 + 2 + 4


def test_a_label_that_is_too_long_is_refused() -> None:
    with pytest.raises(Invalid, match="is no label of 1 to 63 bytes"):
        dns.name("a" * 64)


@given(RECORDS, st.integers(100, 400))
def test_parts_hold_all_records_and_fit(records: tuple[Record, ...], largest: int) -> None:
    parts = dns.split(records, largest)
    assert tuple(record for part in parts for record in part) == records
    for part in parts:
        assert len(part) == 1 or len(dns.pack(Message(answers=part))) <= largest
