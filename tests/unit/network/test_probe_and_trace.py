"""Echo requests and network traces, byte for byte: what is sent, what counts as an answer, what a file of frames is."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from firmware.interfaces.net.capture import HEAD, record
from firmware.interfaces.net.probe import checksum, is_reply, request

TOKENS = st.binary(min_size=16, max_size=16)


def answered(packet: bytes, kind: int) -> bytes:
    """The reply to a request, as the other host makes it."""
    return bytes((kind,)) + packet[1:]


@given(TOKENS, st.integers(0, 65535))
def test_an_echo_request_carries_a_sum_that_the_receiver_finds_right(token: bytes, number: int) -> None:
    packet = request(4, number, token)
    assert packet[:2] == b"\x08\x00"
    assert checksum(packet) == 0  # RFC 1071: over all, with the sum in its place


@given(TOKENS, TOKENS, st.binary(max_size=60))
def test_only_the_reply_with_our_token_counts_with_and_without_the_header_of_ip(
    token: bytes, other: bytes, noise: bytes
) -> None:
    sent = request(4, 1, token)
    reply = answered(sent, 0)
    header = bytes((0x46,)) + bytes(23)  # version 4, six words
    assert is_reply(4, reply, token)
    assert is_reply(4, header + reply, token)
    assert not is_reply(4, header + sent, token)  # our own request, heard on the loopback
    assert not is_reply(4, header + answered(sent, 3), token)
    assert is_reply(4, reply, other) is (token == other)
    assert is_reply(6, answered(request(6, 1, token), 129), token)
    assert not is_reply(6, request(6, 1, token), token)
    is_reply(4, noise, token)  # whatever comes, nothing breaks
    is_reply(6, noise, token)


@given(st.lists(st.tuples(st.binary(max_size=100), st.integers(0, 2**31 * 1000)), max_size=5))
def test_a_trace_reads_back_as_the_frames_and_times_it_was_made_of(frames: list[tuple[bytes, int]]) -> None:
    data = HEAD + b"".join(record(frame, at_ms / 1000) for frame, at_ms in frames)
    assert struct.unpack_from("<IHH", data) == (0xA1B2C3D4, 2, 4)
    at, found = len(HEAD), []
    while at < len(data):
        seconds, micros, kept, whole = struct.unpack_from("<IIII", data, at)
        assert kept == whole
        assert micros < 1_000_000
        found.append((data[at + 16 : at + 16 + kept], round((seconds + micros / 1e6) * 1000)))
        at += 16 + kept
    assert found == frames
