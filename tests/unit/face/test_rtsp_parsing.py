"""The readers of RTSP under any bytes: messages or one refusal, whatever the pieces, and never much kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.core.errors import Invalid
from firmware.interfaces.rtsp.carriage import LEAST_PORT, MOST_PORT, Udp, choose
from firmware.interfaces.rtsp.message import (
    MOST_BODY_BYTES,
    MOST_FRAME_BYTES,
    MOST_HEAD_BYTES,
    Frame,
    Malformed,
    Parser,
    Request,
    frame,
)
from firmware.interfaces.rtsp.rtp import MOST_PAYLOAD, Packets, is_report
from firmware.interfaces.rtsp.target import TRACK, read_target
from tests.effort import examples

PEER = "192.0.2.7"
visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
names = st.from_regex("X-[A-Za-z]{1,20}", fullmatch=True)
requests = st.builds(
    lambda method, target, cseq, headers, body: Request(
        method=method,
        target=target,
        cseq=str(cseq),
        headers={name.lower(): value for name, value in headers.items()},
        body=body,
    ),
    st.from_regex("[A-Z_]{1,32}", fullmatch=True),
    visible,
    st.integers(0, 10**10 - 1),
    st.dictionaries(names, visible, max_size=8),
    st.binary(max_size=200),
)
frames = st.builds(Frame, st.integers(0, 255), st.binary(max_size=300))
pieces_of = st.lists(st.integers(1, 40), min_size=1, max_size=20)


def written(message: Request | Frame, end: str) -> bytes:
    """A message as a client writes it."""
    if isinstance(message, Frame):
        return frame(message.channel, message.data)
    lines = [f"{message.method} {message.target} RTSP/1.0", f"CSeq: {message.cseq}"]
    lines += [f"{name}:  {value} " for name, value in message.headers.items()]
    lines += [f"Content-Length:{len(message.body)}"] if message.body else []
    return end.join((*lines, "", "")).encode() + message.body


def read(data: bytes, sizes: list[int]) -> tuple[list[Request | Frame], str]:
    """What a parser makes of bytes in pieces of these sizes, and the refusal it ends with."""
    parser, at, number = Parser(), 0, 0
    found: list[Request | Frame] = []
    while at < len(data):
        size = sizes[number % len(sizes)]
        parser.feed(data[at : at + size])
        at, number = at + size, number + 1
        try:
            while (message := parser.take()) is not None:
                found.append(message)
        except Malformed as error:
            return found, f"{error.status} {error.why}"
        # An incomplete message is at most a whole head and body; what came with it was taken.
        assert parser.size <= MOST_HEAD_BYTES + MOST_BODY_BYTES + max(sizes) + 8
    return found, ""


@given(st.lists(st.one_of(requests, frames), max_size=6), pieces_of, st.sampled_from(["\r\n", "\n"]))
@settings(max_examples=examples(30))
def test_messages_are_read_as_they_were_written_whatever_pieces_they_come_in(
    messages: list[Request | Frame], sizes: list[int], end: str
) -> None:
    data = b"\r\n".join(written(message, end) for message in messages)
    found, why = read(data, sizes)
    assert why == ""
    assert len(found) == len(messages)
    for message, given_ in zip(found, messages, strict=True):
        if isinstance(message, Frame):
            assert message == given_
        else:
            assert isinstance(given_, Request)
            assert (message.method, message.target, message.cseq) == (given_.method, given_.target, given_.cseq)
            assert message.body == given_.body
            assert {name: message.header(name) for name in given_.headers} == given_.headers


@given(st.binary(max_size=600) | st.lists(st.sampled_from(
    [b"\r\n", b"\n", b"$", b"\x00", b"OPTIONS * RTSP/1.0\r\n", b"CSeq: 1\r\n", b": ", b" ", b"Content-Length: 9\r\n",
     b"\xff\xff", b"Session: ;;;\r\n", b"x" * 300, b"\r\n\r\n"]), max_size=40).map(b"".join), pieces_of)  # fmt: skip
@settings(max_examples=examples(200))
def test_row_32_any_bytes_give_messages_or_one_refusal_and_pieces_make_no_difference(
    data: bytes, sizes: list[int]
) -> None:
    whole = read(data, [len(data) or 1])
    assert read(data, sizes) == whole
    for message in whole[0]:
        if isinstance(message, Frame):
            assert len(message.data) <= MOST_FRAME_BYTES
        else:
            assert "\n" not in "".join((message.method, message.target, *message.headers.values()))


@given(st.text(max_size=200))
@settings(max_examples=examples(150))
def test_row_38_no_transport_header_leads_anywhere_but_to_unprivileged_ports_of_its_sender(header: str) -> None:
    chosen = choose(header, PEER)
    if isinstance(chosen, Udp):
        assert LEAST_PORT <= min(chosen.rtp, chosen.rtcp) < max(chosen.rtp, chosen.rtcp) <= MOST_PORT


PARTS = (
    "unicast", f"destination={PEER}", "client_port=6000-6001", "client_port=80-81", "client_port=6000", "client_port=-",
    "interleaved=2-3", "interleaved=0-256", 'mode="PLAY"', "ttl=1", "append", "=",
)  # fmt: skip
PROFILES = ("RTP/AVP", "RTP/AVP/TCP", "RTP/AVP/UDP", "RAW/RAW/UDP")


@given(
    st.sampled_from(PROFILES),
    st.lists(st.sampled_from(PARTS), max_size=5),
    st.sampled_from(["multicast", "destination=::1", "destination=198.51.100.1", "mode=record"]),
)
@settings(max_examples=examples(100))
def test_row_38_a_destination_elsewhere_and_multicast_are_never_taken(
    profile: str, parts: list[str], wrong: str
) -> None:
    assert choose(";".join((profile, *parts, wrong)), PEER) is None


@given(st.text(max_size=100) | visible.map(lambda text: f"rtsp://h/{text}"))
@settings(max_examples=examples(150))
def test_an_address_is_read_or_refused_and_its_track_leads_back_to_it(text: str) -> None:
    try:
        target = read_target(text)
    except Invalid:
        return
    assert TRACK in target.track
    again = read_target(target.track)
    assert again.stream.replace("/?", "?").rstrip("/") == target.stream.replace("/?", "?").rstrip("/")
    assert again.path == target.path


@given(st.binary(min_size=1, max_size=10_000), st.integers(0, 2**62))
@settings(max_examples=examples(60))
def test_a_document_is_whole_again_after_its_packets(document: bytes, t_ns: int) -> None:
    packets = list(Packets("name").of(document, t_ns))
    assert b"".join(packet[12:] for packet in packets) == document
    assert all(len(packet) <= 12 + MOST_PAYLOAD for packet in packets)
    assert [packet[1] >> 7 for packet in packets] == [0] * (len(packets) - 1) + [1]
    assert len({packet[4:12] for packet in packets}) == 1


@given(st.text(max_size=400), st.integers(0, 2**62), st.timedeltas(min_value=timedelta(0), max_value=timedelta(36500)))
@settings(max_examples=examples(60))
def test_reports_are_whole_packets_of_whole_words(name: str, t_ns: int, since: timedelta) -> None:
    utc = datetime(1970, 1, 1, tzinfo=UTC) + since
    for packet, kinds in (
        (Packets(name).report(utc, t_ns), [200, 202]),
        (Packets(name).goodbye(utc, t_ns), [200, 202, 203]),
    ):
        assert is_report(packet)
        at, found = 0, []
        while at < len(packet):
            found.append(packet[at + 1])
            at += 4 + 4 * int.from_bytes(packet[at + 2 : at + 4], "big")
        assert (at, found) == (len(packet), kinds)
