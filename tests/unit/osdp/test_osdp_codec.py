"""Frames, payloads and checks, with the standard's own vectors. Hardening row 6: damage costs nothing."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.errors import OutOfRange
from hal.osdp import commands as c
from hal.osdp import replies as r
from hal.osdp import special as x
from hal.osdp.check import check_bytes, checksum, crc16
from hal.osdp.codes import LONGEST_FRAME, CommandCode, ReplyCode
from hal.osdp.frame import Decoder, Frame, Garbled, Trouble, encode
from hal.osdp.payload import Malformed, Payload

MS = 1_000_000
byte = st.integers(0, 0xFF)
word = st.integers(0, 0xFFFF)
long = st.integers(0, 0xFFFFFFFF)
blob = st.binary(max_size=200)
ascii_text = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=32)

frames = st.builds(
    Frame,
    address=st.integers(0, 0x7F),
    reply=st.booleans(),
    sequence=st.integers(0, 3),
    code=byte,
    data=blob,
    crc=st.booleans(),
)

COMMANDS = st.one_of(
    st.sampled_from(
        [c.Poll(), c.Id(), c.Cap(), c.LocalStatus(), c.InputStatus(), c.OutputStatus(), c.ReaderStatus(), c.Abort()]
    ),
    st.builds(c.Out, st.lists(st.builds(c.OutputRecord, byte, byte, word), min_size=1, max_size=8).map(tuple)),
    st.builds(
        c.Led,
        st.lists(
            st.builds(
                c.LedRecord,
                byte,
                byte,
                st.builds(c.LedTemporary, byte, byte, byte, byte, byte, word),
                st.builds(c.LedPermanent, byte, byte, byte, byte, byte),
            ),
            min_size=1,
            max_size=4,
        ).map(tuple),
    ),
    st.builds(c.Buz, byte, byte, byte, byte, byte),
    st.builds(c.Text, byte, byte, byte, byte, byte, ascii_text),
    st.builds(x.ReaderMode, byte, byte),
    st.builds(x.TimeSet, word, byte, byte, byte, byte, byte),
    st.builds(c.ComSet, byte, long),
    st.builds(x.BioRead, byte, byte, byte, byte),
    st.builds(x.BioMatch, byte, byte, byte, byte, blob),
    st.builds(c.KeySet, st.binary(min_size=16, max_size=16), st.just(1)),
    st.builds(c.Chlng, st.binary(min_size=8, max_size=8)),
    st.builds(c.Scrypt, st.binary(min_size=16, max_size=16)),
    st.builds(c.AcuRxSize, word),
    st.builds(c.FileTransfer, byte, long, long, blob),
    st.builds(c.Mfg, st.binary(min_size=3, max_size=3), blob),
    st.builds(x.Xwr, byte, byte, blob),
    st.builds(x.PivData, st.binary(min_size=3, max_size=3), byte, word),
    st.builds(x.GenAuth, word, word, blob),
    st.builds(x.CrAuth, word, word, blob),
    st.builds(x.KeepActive, word),
    st.builds(c.RawCommand, byte.filter(lambda code: code not in c.COMMANDS), blob),
)

REPLIES = st.one_of(
    st.sampled_from([r.Ack(), r.Busy()]),
    st.builds(r.Nak, byte, st.binary(max_size=3)),
    st.builds(r.PdId, st.binary(min_size=3, max_size=3), byte, byte, long, byte, byte, byte),
    st.builds(r.PdCap, st.lists(st.builds(r.Capability, byte, byte, byte), max_size=17).map(tuple)),
    st.builds(r.LocalStatusReply, byte, byte),
    st.builds(r.InputStatusReply, blob),
    st.builds(r.OutputStatusReply, blob),
    st.builds(r.ReaderStatusReply, blob),
    st.builds(r.Raw, byte, byte, st.text("01", min_size=1, max_size=256)),
    st.builds(x.Fmt, byte, byte, byte, blob),
    st.builds(r.Keypad, byte, st.text("0123456789*#", min_size=1, max_size=20)),
    st.builds(r.Com, byte, long),
    st.builds(x.BioReadReply, byte, byte, byte, byte, blob),
    st.builds(x.BioMatchReply, byte, byte, byte),
    st.builds(
        r.CCrypt,
        st.binary(min_size=8, max_size=8),
        st.binary(min_size=8, max_size=8),
        st.binary(min_size=16, max_size=16),
    ),
    st.builds(r.RMacI, st.binary(min_size=16, max_size=16)),
    st.builds(r.FileStatus, byte, word, st.integers(-0x8000, 0x7FFF), word),
    st.builds(x.PivDataReply, word, word, blob),
    st.builds(x.GenAuthReply, word, word, blob),
    st.builds(x.CrAuthReply, word, word, blob),
    st.builds(r.MfgStatus, blob),
    st.builds(r.MfgError, blob),
    st.builds(r.MfgReply, st.binary(min_size=3, max_size=3), blob),
    st.builds(x.Xrd, byte, byte, blob),
    st.builds(r.RawReply, byte.filter(lambda code: code not in r.REPLIES), blob),
)


@pytest.mark.parametrize(
    ("body", "crc", "check"),
    [
        ("537F0D00046E0080250000", True, "6E38"),
        ("53000900046100", True, "C066"),
        ("537F0C00006E0080250000", False, "0F"),
        ("53000800006100", False, "44"),
    ],
)
def test_the_standards_examples_of_both_checks_hold(body: str, crc: bool, check: str) -> None:
    assert check_bytes(bytes.fromhex(body), crc=crc).hex().upper() == check


@given(st.binary(max_size=64))
def test_a_checksum_makes_the_sum_zero_and_a_crc_notices_every_flipped_bit(data: bytes) -> None:
    assert (sum(data) + checksum(data)) & 0xFF == 0
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        assert crc16(bytes(flipped)) != crc16(data)


@given(COMMANDS)
def test_every_command_reads_itself_back(command: Payload) -> None:
    assert c.decode_command(c.code_of(command), command.encode()) == command


@given(REPLIES)
def test_every_reply_reads_itself_back(reply: Payload) -> None:
    assert r.decode_reply(c.code_of(reply), reply.encode()) == reply


def test_every_code_of_the_standard_has_a_class_and_is_tested_above() -> None:
    assert set(c.COMMANDS) == set(CommandCode)
    assert set(r.REPLIES) == set(ReplyCode)


@given(byte, blob)
def test_a_payload_of_any_bytes_is_read_or_refused_and_never_breaks(code: int, data: bytes) -> None:
    for decode in (c.decode_command, r.decode_reply):
        payload: Payload | None = None
        with suppress(Malformed):
            payload = decode(code, data)
        assert payload is None or c.code_of(payload) == code


def test_a_card_of_26_and_of_37_bits_is_left_justified() -> None:
    assert r.Raw(0, 1, "1" * 26).encode() == bytes.fromhex("00011A00 FFFFFFC0")
    assert r.Raw(0, 1, "1" * 37).encode() == bytes.fromhex("00012500 FFFFFFFFF8")


def test_star_and_hash_have_their_own_codes_and_are_understood_as_ascii_too() -> None:
    assert r.Keypad(0, "1*#").encode() == bytes.fromhex("0003 31 7F 0D")
    assert r.Keypad.decode(bytes.fromhex("0002 2A 23")).keys == "*#"


@pytest.mark.parametrize(
    "payload",
    [r.Raw(0, 0, ""), r.Raw(0, 0, "012"), r.Keypad(0, "A"), c.Text(0, 1, 0, 1, 1, "x" * 33), c.Text(0, 1, 0, 1, 1, "ü"),
     c.ComSet(300, 9600), x.KeepActive(70_000)],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused_by_name(payload: Payload) -> None:
    with pytest.raises(OutOfRange):
        payload.encode()


@given(st.lists(frames, max_size=6), st.lists(st.integers(1, 40), min_size=1, max_size=40))
def test_frames_arrive_whole_however_the_bytes_are_cut(sent: list[Frame], cuts: list[int]) -> None:
    stream = b"".join(b"\xff" * (n % 3) + encode(frame) for n, frame in enumerate(sent))
    decoder, found, at, n = Decoder(), [], 0, 0
    while at < len(stream):
        size = cuts[n % len(cuts)]
        found += decoder.feed(n * MS, stream[at : at + size])
        at, n = at + size, n + 1
    assert found == sent
    assert decoder.waiting == 0


@given(frames, st.integers(0, 7), st.data())
def test_row_6_a_frame_with_a_flipped_bit_never_arrives_as_another(frame: Frame, bit: int, data: st.DataObject) -> None:
    raw = bytearray(encode(frame))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << bit
    found = [one for one in Decoder().feed(0, bytes(raw)) if isinstance(one, Frame) and len(one.raw) == len(raw)]
    assert found == [] or (at == 4 and 1 << bit == 4)  # the bit that chooses the check itself


@given(st.lists(st.tuples(st.integers(0, 100), st.binary(max_size=3000)), max_size=20))
def test_row_6_noise_never_makes_the_decoder_grow_nor_break(chunks: list[tuple[int, bytes]]) -> None:
    decoder, t_ns = Decoder(), 0
    for pause_ms, data in chunks:
        t_ns += pause_ms * MS
        decoder.feed(t_ns, data)
        assert decoder.waiting <= LONGEST_FRAME


@given(st.binary(max_size=300).filter(lambda noise: b"\x53" not in noise), frames)
def test_a_frame_behind_noise_is_found(noise: bytes, frame: Frame) -> None:
    assert Decoder().feed(0, noise + encode(frame))[-1] == frame


def test_a_damaged_length_costs_one_frame_and_not_the_line() -> None:
    poll = encode(Frame(address=0, reply=False, sequence=1, code=0x60))
    longer = poll[:2] + b"\xff" + poll[3:]
    decoder = Decoder(9600)
    assert decoder.feed(0, longer) == []
    assert decoder.feed(200 * MS, poll) == [
        Garbled(Trouble.CUT, 8),
        Frame(address=0, reply=False, sequence=1, code=0x60),
    ]


def test_a_late_process_does_not_lose_the_frame_it_reads_in_two_halves() -> None:
    poll = Frame(address=0, reply=False, sequence=1, code=0x60)
    raw = encode(poll)
    decoder = Decoder(115200)
    assert decoder.feed(0, raw[:4]) == []
    assert decoder.feed(150 * MS, raw[4:]) == [poll]
