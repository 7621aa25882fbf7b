"""Frames in words, and the trace format that others' tools read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.osdp.codes import CommandCode, ReplyCode
from hal.osdp.commands import Chlng, Led, LedRecord
from hal.osdp.describe import describe, mask
from hal.osdp.frame import Frame, encode, parse
from hal.osdp.osdpcap import BadTrace, Captured, line_of, parse_line, read, write
from hal.osdp.replies import Keypad, Nak, Raw

captured = st.builds(
    Captured,
    st.integers(0, 2**62),
    st.sampled_from(["input", "output", "trace"]),
    st.binary(min_size=1, max_size=100),
    st.text(max_size=20),
)


def frame(code: int, data: bytes = b"", *, reply: bool = False, block: int | None = None) -> Frame:
    return Frame(address=3, reply=reply, sequence=2, code=code, data=data, block=block)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (frame(CommandCode.POLL), "-> 3 sqn 2 POLL"),
        (frame(ReplyCode.NAK, Nak(6).encode(), reply=True), "3 -> sqn 2 NAK a secure channel is required"),
        (frame(ReplyCode.RAW, Raw(0, 1, "1011").encode(), reply=True), "3 -> sqn 2 RAW 4 bits 1011"),
        (frame(ReplyCode.KEYPAD, Keypad(0, "123").encode(), reply=True), "3 -> sqn 2 KEYPAD 3 keys"),
        (frame(0xE0, b"\x01\x02"), "-> 3 sqn 2 command E0 code=224, data=b'\\x01\\x02'"),
        (frame(CommandCode.LED, b"\x00"), "-> 3 sqn 2 LED unreadable: Led of 1 bytes is not made of records of 14"),
        (frame(CommandCode.LED, bytes(16), block=0x17), "-> 3 sqn 2 LED encrypted [SCS 17]"),
        (frame(CommandCode.KEYSET, b"\x01\x10" + bytes(16)), "-> 3 sqn 2 KEYSET (masked)"),
        (frame(CommandCode.CHLNG, Chlng(bytes(8)).encode()), "-> 3 sqn 2 CHLNG random=b'" + "\\x00" * 8 + "'"),
    ],
)
def test_a_frame_reads_as_one_line(found: Frame, words: str) -> None:
    assert describe(found) == words


def test_clear_data_of_a_sealed_frame_is_told_when_it_is_known() -> None:
    sealed = frame(CommandCode.LED, bytes(16), block=0x17)
    assert "records=" in describe(sealed, Led((LedRecord(),)).encode())


def test_what_is_masked_still_parses_and_nothing_else_changes() -> None:
    pin = encode(frame(ReplyCode.KEYPAD, Keypad(0, "1234").encode(), reply=True))
    masked = parse(mask(pin))
    assert isinstance(masked, Frame)
    assert masked.data == b"\x00\x04\x00\x00\x00\x00"
    proof = encode(frame(ReplyCode.CCRYPT, bytes(range(1, 33)), reply=True))
    masked = parse(mask(proof))
    assert isinstance(masked, Frame)
    assert masked.data == bytes(range(1, 17)) + bytes(16)
    poll = encode(frame(CommandCode.POLL))
    assert mask(poll) == poll
    assert mask(b"\x53junk") == bytes(5)


@given(st.lists(captured, max_size=8))
def test_a_trace_reads_itself_back(frames: list[Captured]) -> None:
    assert list(read(write(frames))) == frames


def test_a_line_has_the_fields_that_other_tools_read() -> None:
    line = line_of(Captured(1_764_081_600_000_000_123, "input", b"\x53\x80\x08"))
    assert line == (
        '{"timeSec":"1764081600","timeNano":"000000123","io":"input","data":"53-80-08",'
        '"osdpTraceVersion":"1","osdpSource":"lintel"}'
    )


def test_a_line_of_another_tool_is_read_with_spaces_and_without_dashes() -> None:
    line = '{"timeSec": "5", "timeNano": "7", "io": "output", "data": " 53 00 08", "osdpSource": "else"}'
    assert parse_line(line, 1) == Captured(5_000_000_007, "output", b"\x53\x00\x08", "else")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nonsense", "line 7: this is no JSON object"),
        ("[1]", "line 7: this is no JSON object"),
        ('{"timeSec":"x","timeNano":"0","io":"input","data":"53"}', "line 7: timeSec 'x' is no number"),
        ('{"timeSec":"1","timeNano":"0","io":"both","data":"53"}', "io 'both' is none of input, output, trace"),
        ('{"timeSec":"1","timeNano":"0","io":"input","data":"5"}', "line 7: data '5' is no row of hex bytes"),
        ("x" * 9000, "line 7: 9000 characters are more than 8192"),
    ],
)
def test_a_bad_line_is_refused_with_its_place(line: str, said: str) -> None:
    with pytest.raises(BadTrace, match=said):
        list(read(["\n"] * 6 + [line]))


@given(st.text(max_size=200))
def test_any_line_is_read_or_refused(line: str) -> None:
    try:
        parse_line(line, 1)
    except BadTrace as refused:
        assert refused.where == "line 1"  # noqa: PT017
