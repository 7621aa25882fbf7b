"""Wiegand framing, pure. Hardening rows 8 and 9: noise never makes a frame, and costs no memory."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hal.drivers.wiegand_framer import NOISE_EDGES, WiegandFramer
from hal.errors import OutOfRange
from hal.types import CardBits, Edge, Key, ReaderFact, ReaderFault, ReaderTrouble
from tests.effort import examples

US = 1_000
MS = 1_000_000
START_NS = 5_000_000_000

bit_strings = st.text("01", min_size=24, max_size=256)
gaps_ns = st.integers(200 * US, 20 * MS)


class Line:
    """What a reader sends, as edges of one group."""

    def __init__(self, framer: WiegandFramer) -> None:
        self.framer = framer
        self.t_ns = START_NS
        self.seq = 0
        self.facts: list[ReaderFact] = []

    def bit(self, bit: str, gap_ns: int, *, lost: int = 0) -> None:
        self.t_ns += gap_ns
        self.seq += 1 + lost
        self.facts += self.framer.feed(Edge(self.t_ns, int(bit), False, self.seq))

    def send(self, bits: str, *, gap_ns: int = 2 * MS, pause_ns: int = 100 * MS) -> None:
        for n, bit in enumerate(bits):
            self.bit(bit, gap_ns if n else pause_ns)

    def end(self) -> list[ReaderFact]:
        self.facts += self.framer.silence(self.t_ns + 100 * MS)
        return self.facts


def fault(trouble: ReaderTrouble, bits: int, t_ns: int) -> ReaderFault:
    return ReaderFault(t_ns, "front", trouble, bits)


@given(bit_strings, st.data())
@settings(max_examples=examples(150), deadline=None)
def test_row_9_any_frame_of_allowed_length_and_timing_arrives_whole(bits: str, data: st.DataObject) -> None:
    line = Line(WiegandFramer("front"))
    for bit in bits:
        line.bit(bit, data.draw(gaps_ns))
    assert line.end() == [CardBits(line.t_ns, "front", bits)]


@given(st.lists(st.one_of(bit_strings, st.text("01", min_size=1, max_size=23)), max_size=8))
@settings(max_examples=examples(100), deadline=None)
def test_frames_are_told_apart_by_the_times_of_their_edges_alone(frames: list[str]) -> None:
    line = Line(WiegandFramer("front"))
    for bits in frames:
        line.send(bits, gap_ns=MS, pause_ns=25 * MS)
    sent = [bits for bits in frames if len(bits) >= 24]
    assert [fact.bits for fact in line.end() if isinstance(fact, CardBits)] == sent
    assert len(line.facts) == len(frames)


edges = st.builds(
    Edge,
    t_ns=st.integers(0, 400 * MS),
    line=st.integers(0, 1),
    level=st.booleans(),
    seq=st.integers(0, 50),
)


@given(st.lists(edges, max_size=200), st.lists(st.integers(0, 500 * MS), max_size=5))
@settings(max_examples=examples(200), deadline=None)
def test_row_9_no_list_of_edges_raises(given_edges: list[Edge], silences: list[int]) -> None:
    framer = WiegandFramer("front")
    for n, edge in enumerate(given_edges):
        framer.feed(edge)
        if n < len(silences):
            framer.silence(silences[n])
    framer.silence(10**12)
    assert framer.deadline_ns is None


@given(bit_strings, st.data())
@settings(max_examples=examples(150), deadline=None)
def test_row_9_a_frame_with_a_lost_edge_is_discarded_whole(bits: str, data: st.DataObject) -> None:
    line = Line(WiegandFramer("front"))
    at = data.draw(st.integers(0, len(bits) - 1))
    for n, bit in enumerate(bits):
        line.bit(bit, MS, lost=data.draw(st.integers(1, 3)) if n == at else 0)
    assert line.end() == [fault(ReaderTrouble.LOST, len(bits), line.t_ns)]
    line.send(bits)
    assert line.end()[1:] == [CardBits(line.t_ns, "front", bits)]


@given(bit_strings, st.data())
@settings(max_examples=examples(150), deadline=None)
def test_row_9_no_part_of_a_disturbed_frame_is_taken_for_a_card(bits: str, data: st.DataObject) -> None:
    """One wrong gap anywhere, then the rest: neither the part before nor the part after comes out."""
    line = Line(WiegandFramer("front"))
    at = data.draw(st.integers(1, len(bits) - 1))
    wrong_ns = data.draw(st.one_of(st.integers(0, 200 * US - 1), st.integers(20 * MS + 1, 25 * MS - 1)))
    for n, bit in enumerate(bits):
        line.bit(bit, wrong_ns if n == at else MS)
    overlap = wrong_ns < 20 * US and bits[at] != bits[at - 1]
    trouble = ReaderTrouble.OVERLAP if overlap else ReaderTrouble.TIMING
    assert line.end() == [fault(trouble, len(bits), line.t_ns)]


def test_row_9_edges_lost_between_two_frames_spoil_both() -> None:
    line = Line(WiegandFramer("front"))
    line.send("01" * 13)
    ended_ns = line.t_ns
    line.bit("1", 100 * MS, lost=2)
    line.send("01" * 12, pause_ns=MS)
    assert line.end() == [fault(ReaderTrouble.LOST, 26, ended_ns), fault(ReaderTrouble.LOST, 25, line.t_ns)]


def test_row_9_the_tail_of_a_frame_that_ended_too_early_is_no_frame_of_its_own() -> None:
    line = Line(WiegandFramer("front"))
    line.send("01" * 5)
    line.facts += line.framer.silence(line.t_ns + 25 * MS)
    line.send("0110" * 8, pause_ns=2 * MS)
    assert [fact.trouble for fact in line.end() if isinstance(fact, ReaderFault)] == [
        ReaderTrouble.SHORT,
        ReaderTrouble.LOST,
    ]


@pytest.mark.parametrize("late", [False, True])
def test_a_frame_ends_idle_time_after_its_last_edge(late: bool) -> None:
    line = Line(WiegandFramer("front", idle_s=0.030))
    line.send("10" * 13)
    assert line.framer.deadline_ns == line.t_ns + 30 * MS
    assert line.framer.silence(line.t_ns + 30 * MS - 1) == ()
    assert line.framer.silence(line.t_ns + (900 if late else 30) * MS) == (CardBits(line.t_ns, "front", "10" * 13),)
    assert line.framer.deadline_ns is None


@pytest.mark.parametrize(("number", "key"), list(enumerate("0123456789*#")))
def test_keys_come_as_four_bits_or_as_eight_with_the_high_half_inverted(number: int, key: str) -> None:
    line = Line(WiegandFramer("front"))
    line.send(f"{number:04b}")
    line.send(f"{number ^ 0xF:04b}{number:04b}")
    assert [fact.key for fact in line.end() if isinstance(fact, Key)] == [key, key]


@given(st.integers(1, 255).map(lambda value: f"{value:08b}"))
@settings(max_examples=examples(200), deadline=None)
def test_eight_bits_that_are_no_key_are_too_short_for_anything(bits: str) -> None:
    value = int(bits, 2)
    line = Line(WiegandFramer("front"))
    line.send(bits)
    if value >> 4 == value & 0xF ^ 0xF and value & 0xF < 12:
        assert isinstance(line.end()[0], Key)
    else:
        assert line.end() == [fault(ReaderTrouble.SHORT, 8, line.t_ns)]


def test_a_reader_without_a_keypad_has_no_keys() -> None:
    line = Line(WiegandFramer("front", keypad=False))
    line.send("0101")
    assert line.end() == [fault(ReaderTrouble.SHORT, 4, line.t_ns)]


@pytest.mark.parametrize("bits", [1, 2, 5, 23, 257, 300, 500])
def test_row_9_frames_too_short_or_too_long_are_counted_and_discarded(bits: int) -> None:
    line = Line(WiegandFramer("front"))
    line.send("1" * bits)
    trouble = ReaderTrouble.SHORT if bits < 24 else ReaderTrouble.LONG
    assert line.end() == [fault(trouble, bits, line.t_ns)]
    assert line.framer.discarded == {trouble: 1}


def test_row_9_noise_without_end_is_reported_now_and_then_and_costs_no_memory() -> None:
    line = Line(WiegandFramer("front"))
    line.send("01" * 1000, gap_ns=MS)
    size = sys.getsizeof(line.framer._bits)
    line.send("01" * 5 * NOISE_EDGES, gap_ns=MS, pause_ns=MS)
    assert sys.getsizeof(line.framer._bits) == size
    assert len(line.framer._bits) <= 256
    assert [type(fact) for fact in line.facts] == [ReaderFault] * 10
    line.send("0110" * 8)
    assert line.end()[-1] == CardBits(line.t_ns, "front", "0110" * 8)


def test_row_8_both_lines_low_at_once_is_an_overlap_even_among_other_troubles() -> None:
    line = Line(WiegandFramer("front"))
    line.send("01" * 13)
    line.bit("0", 100 * US)
    line.bit("1", 10 * US)
    assert line.end() == [fault(ReaderTrouble.OVERLAP, 28, line.t_ns)]


@pytest.mark.parametrize(
    "limits", [{"idle_s": 0.019}, {"idle_s": 0.2}, {"min_bits": 0}, {"max_bits": 20}, {"max_bits": 5000}]
)
def test_limits_that_cannot_work_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(OutOfRange, match="front"):
        WiegandFramer("front", **limits)  # type: ignore[arg-type]
