"""What crosses a picture stream: everything that is sent is read as it was, and nothing else is."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.core.stream.pace import Pace
from firmware.core.stream.wire import (
    FPS_MAX,
    LONGEST_WISH,
    MOST_BYTES,
    Cut,
    Jpeg,
    LineReader,
    NoSignal,
    StreamError,
    Unpacker,
    pack,
    pack_cut,
    read_cut,
)
from firmware.video.frames import FrameTap
from hal.pictures import Frame, Picture
from hal.sim.time import VirtualClock, virtual_run

JPEGS = st.builds(
    Jpeg,
    st.binary(max_size=3000),
    st.integers(1, 8192),
    st.integers(1, 8192),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
)
MESSAGES = st.lists(JPEGS | st.builds(NoSignal, st.text(max_size=40)), max_size=6)
CUTS = st.builds(
    Cut,
    width=st.integers(1, 8192),
    height=st.integers(1, 8192),
    compression=st.none() | st.integers(0, 100),
    fps=st.integers(0, FPS_MAX),
)


@given(messages=MESSAGES, pieces=st.lists(st.integers(1, 500), max_size=30))
def test_messages_come_out_as_they_went_in_however_the_bytes_are_cut(
    messages: list[Jpeg | NoSignal], pieces: list[int]
) -> None:
    data = b"".join(pack(message) for message in messages)
    unpacker, found, at = Unpacker(), [], 0
    for piece in [*pieces, len(data)]:
        found += unpacker.feed(data[at : at + piece])
        at += piece
    assert found == messages


@given(data=st.binary(max_size=200))
def test_bytes_that_are_no_message_are_refused_or_waited_for_and_never_kept_without_bound(data: bytes) -> None:
    unpacker = Unpacker()
    try:
        found = list(unpacker.feed(data))
    except StreamError:
        return
    for message in found:
        assert isinstance(message, Jpeg | NoSignal)


def test_a_length_that_is_a_lie_is_refused_at_its_header() -> None:
    header = bytearray(pack(Jpeg(b"", 1, 1, 1, 1)))
    header[8:12] = (MOST_BYTES + 1).to_bytes(4, "big")
    with pytest.raises(StreamError, match="no message has"):
        list(Unpacker().feed(bytes(header)))


@given(cut=CUTS)
def test_a_wish_is_read_as_it_was_written(cut: Cut) -> None:
    (line,) = LineReader().feed(pack_cut(cut))
    assert read_cut(line) == cut


GOOD = {"width": 640, "height": 360, "compression": 30, "fps": 10}
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(name=st.sampled_from(sorted(GOOD)), value=ODD)
def test_a_fuzzed_wish_is_a_valid_one_or_an_error_and_nothing_else(name: str, value: object) -> None:
    try:
        cut = read_cut(json.dumps({**GOOD, name: value}).encode())
    except StreamError:
        return
    assert type(getattr(cut, name)) is int or (name == "compression" and value is None)
    assert read_cut(pack_cut(cut).strip()) == cut


@given(line=st.binary(max_size=LONGEST_WISH))
def test_a_line_of_noise_is_refused(line: bytes) -> None:
    try:
        cut = read_cut(line)
    except StreamError:
        return
    assert isinstance(cut, Cut)


@pytest.mark.parametrize("data", [b"x" * (LONGEST_WISH + 1), b"x" * (LONGEST_WISH + 1) + b"\n", b"[" * 200_000 + b"\n"])
def test_a_line_that_does_not_end_is_refused(data: bytes) -> None:
    with pytest.raises(StreamError, match="at most"):
        LineReader().feed(data)


@given(hz=st.integers(1, 60), source=st.integers(1, 60), jitter=st.lists(st.integers(-3, 3), min_size=5, max_size=40))
def test_a_pace_leaves_the_rate_that_is_wished_or_that_of_the_source(hz: int, source: int, jitter: list[int]) -> None:
    """Over ten seconds of frames that come up to three milliseconds early or late."""
    pace, period_ns, taken = Pace(hz), 1_000_000_000 // source, 0
    for number in range(10 * source):
        t_ns = 1_000_000_000 + number * period_ns + 1_000_000 * jitter[number % len(jitter)]
        taken += pace.takes(t_ns)
    wished = 10 * min(hz, source)
    assert 0.85 * wished - 1 <= taken <= 1.05 * wished + 1


@given(st.integers(0, 60), st.lists(st.integers(-20_000_000, 200_000_000), max_size=60))
def test_a_pace_takes_what_it_says_that_it_will(hz: int, steps: list[int]) -> None:
    pace, t_ns = Pace(hz), 1_000_000_000
    for step in steps:
        t_ns += step
        due = t_ns >= pace.next_ns
        assert pace.takes(t_ns) is due


@given(st.integers(0, 30), st.lists(st.integers(1_000_000, 200_000_000), min_size=1, max_size=60))
def test_a_follower_is_offered_each_frame_that_its_pace_takes(hz: int, steps: list[int]) -> None:
    async def main(clock: VirtualClock) -> None:
        tap, pace, t_ns = FrameTap(), Pace(hz), 1_000_000_000
        picture = Picture.of(bytes(6), 2, 2)
        with tap.follow(hz) as follower:
            for number, step in enumerate(steps):
                t_ns += step
                frame = Frame(t_ns, number + 1, picture)
                tap.put(frame)
                if pace.takes(t_ns):
                    fetching = asyncio.ensure_future(follower.next())
                    await clock.sleep(0)
                    assert fetching.done(), f"frame {number + 1} was not offered"
                    assert fetching.result() is frame
            assert follower.skipped == 0

    virtual_run(main)


def test_a_pace_without_a_rate_takes_everything_once() -> None:
    pace = Pace(0)
    assert [pace.takes(t_ns) for t_ns in (5, 5, 6, 1_000_000_000)] == [True, False, True, True]
