"""A built-in reader of chips over its serial line: driver and module were written apart and must agree."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wires_in_memory import running

from hal.assemble import assemble
from hal.board import parse_board
from hal.drivers.card_lines import LONGEST, Card, Complaint, Garbled, Lines, Pressed, Ready, line, read_line
from hal.errors import BoardError, OutOfRange
from hal.ports import Hardware
from hal.sim.peers.card_module import CardModulePeer
from hal.sim.time import VirtualClock, virtual_run
from hal.sim.wires import SimWires
from hal.sim.world import World
from hal.types import (
    BlockPlace,
    CardChip,
    FilePlace,
    Key,
    PagePlace,
    ReaderFact,
    ReaderFault,
    ReaderTrouble,
    SecureRead,
)

BOARD = """
[buses]
uart3 = { kind = "uart", device = "/dev/lintel/card-module" }

[product]
name = "Module board"
model = "MODULE-1"

[nodes]
reader1 = { compatible = "card-module", bus = "uart3", alias = "built_in" }
"""
SECOND = 'reader2 = { compatible = "card-module", bus = "uart3" }\n'
KEY6, KEY16 = bytes.fromhex("A0A1A2A3A4A5"), bytes.fromhex("00112233445566778899AABBCCDDEEFF")
READS = (
    SecureRead(name="a", chip="block-chip", place=BlockPlace(block=4, key=KEY6, key_b=True)),
    SecureRead(name="b", chip="page-chip", place=PagePlace(page=4, count=2)),
    SecureRead(name="c", chip="file-chip", place=FilePlace(application=0x123456, file=1, key_number=0, key=KEY16)),
)


def on_the_board(test: Callable[[VirtualClock, CardModulePeer, Hardware, list[ReaderFact]], Awaitable[None]]) -> None:
    """Run a test with the driver of a module working."""

    async def main(clock: VirtualClock) -> None:
        world = World(clock, parse_board(BOARD, "module board"))
        wires = SimWires(world)
        assembled = await assemble(world.board, wires, clock)
        async with running(assembled.run()):
            facts: list[ReaderFact] = []
            assembled.hardware.readers["reader1"].watch(facts.append)
            await clock.sleep(0.1)
            await test(clock, cast(CardModulePeer, world.find("reader:built_in")), assembled.hardware, facts)
        await assembled.close()
        await wires.close()
        world.close()

    virtual_run(main)


def test_cards_and_keys_arrive_as_they_were_put_and_pressed() -> None:
    async def test(clock: VirtualClock, module: CardModulePeer, hardware: Hardware, facts: list[ReaderFact]) -> None:
        await module.swipe("page-chip:04a1b2c3")
        await module.keys("47#")
        await clock.sleep(0.1)
        card, *keys = facts
        assert isinstance(card, CardChip)
        assert (card.reader, card.chip, card.csn, card.data) == ("reader1", "page-chip", bytes.fromhex("04A1B2C3"), ())
        assert [key.key for key in keys if isinstance(key, Key)] == ["4", "7", "#"]

    on_the_board(test)


@pytest.mark.parametrize(
    ("card", "data"),
    [
        (f"block-chip:01;b4@{KEY6.hex()}=AABB", (("a", b"\xaa\xbb"),)),
        ("block-chip:01;b4@FFFFFFFFFFFF=AABB", ()),
        ("page-chip:01;p4=01020304;p5=05060708", (("b", bytes(range(1, 9))),)),
        ("page-chip:01;p4=01020304", ()),
        (f"file-chip:01;f123456.1@{KEY16.hex()}=CAFE", (("c", b"\xca\xfe"),)),
        (f"other-chip:01;f123456.1@{KEY16.hex()}=CAFE", ()),
    ],
)
def test_data_is_read_where_place_and_key_are_right(card: str, data: tuple[tuple[str, bytes], ...]) -> None:
    async def test(clock: VirtualClock, module: CardModulePeer, hardware: Hardware, facts: list[ReaderFact]) -> None:
        hardware.chip_readers["reader1"].read_also(READS)
        await clock.sleep(0.1)
        await module.swipe(card)
        await clock.sleep(0.1)
        assert isinstance(facts[0], CardChip)
        assert facts[0].data == data

    on_the_board(test)


def test_a_module_that_restarted_is_told_its_reads_again() -> None:
    async def test(clock: VirtualClock, module: CardModulePeer, hardware: Hardware, facts: list[ReaderFact]) -> None:
        hardware.chip_readers["reader1"].read_also(READS)
        await clock.sleep(0.1)
        module.fault("dead")
        await module.swipe("page-chip:01")
        await clock.sleep(0.1)
        assert facts == []
        module.clear("dead")
        await clock.sleep(0.1)
        assert sorted(module.reads) == ["a", "b", "c"]
        hardware.chip_readers["reader1"].read_also(())
        await clock.sleep(0.1)
        assert module.reads == {}

    on_the_board(test)


def test_row_9_a_line_whose_check_does_not_fit_is_counted_and_is_no_card() -> None:
    async def test(clock: VirtualClock, module: CardModulePeer, hardware: Hardware, facts: list[ReaderFact]) -> None:
        module.fault("garbled")
        await module.swipe("page-chip:04A1B2C3")
        await clock.sleep(0.1)
        module.clear("garbled")
        await module.swipe("page-chip:04A1B2C3")
        await clock.sleep(0.1)
        assert len(facts) == 2, facts
        fault, card = facts
        assert isinstance(fault, ReaderFault)
        assert fault.trouble is ReaderTrouble.GARBLED
        assert isinstance(card, CardChip)

    on_the_board(test)


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ("page-chip", "write CHIP:CSN"),
        ("page-chip:0", "write CHIP:CSN"),
        ("page-chip:01;x4=00", "is not what a card stores"),
    ],
)
def test_a_card_nobody_can_put_is_refused(card: str, words: str) -> None:
    async def test(clock: VirtualClock, module: CardModulePeer, hardware: Hardware, facts: list[ReaderFact]) -> None:
        with pytest.raises(OutOfRange, match=words):
            module.swipe(card)

    on_the_board(test)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('uart3", alias', 'uart4", alias'), "did you mean 'uart3'"),
        (("reader1 =", SECOND + "reader1 ="), "a bus with a card module has nothing else"),
    ],
)  # fmt: skip
def test_a_module_needs_a_serial_port_of_its_own(change: tuple[str, str], words: str) -> None:
    with pytest.raises(BoardError, match=words):
        parse_board(BOARD.replace(*change), "module board")


# the lines


names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._/+-]{0,31}", fullmatch=True)
pairs = st.lists(st.tuples(names, st.binary(max_size=64)), max_size=4).map(tuple)
cards = st.builds(Card, chip=names, csn=st.binary(min_size=1, max_size=32), data=pairs)


def said(card: Card) -> str:
    data = [f"{name}={value.hex().upper()}" for name, value in card.data]
    return " ".join(["CARD", card.chip, card.csn.hex().upper(), *data])


@given(st.lists(cards, max_size=4), st.lists(st.integers(1, 40), max_size=40))
def test_lines_are_whole_however_their_bytes_arrive(some: list[Card], cuts: list[int]) -> None:
    stream, lines, found = b"".join(line(said(card)) for card in some), Lines(), []
    for cut in [*cuts, len(stream)]:
        found += lines.feed(stream[:cut])
        stream = stream[cut:]
    assert found == some


@given(st.lists(st.binary(max_size=400), max_size=20))
def test_row_9_no_bytes_raise_or_cost_memory(chunks: list[bytes]) -> None:
    lines = Lines()
    for chunk in chunks:
        for each in lines.feed(chunk):
            assert isinstance(each, Garbled)
        assert len(lines._kept) <= LONGEST


@given(cards, st.data())
def test_row_9_a_changed_character_is_never_another_card(card: Card, data: st.DataObject) -> None:
    raw = bytearray(line(said(card)))
    at = data.draw(st.integers(0, len(raw) - 2))
    raw[at] ^= 1 << data.draw(st.integers(0, 6))
    assert all(each == card or isinstance(each, Garbled) for each in Lines().feed(bytes(raw)))


def test_a_line_without_end_is_one_fault_and_the_next_line_is_read() -> None:
    lines = Lines()
    assert lines.feed(b"x" * 100_000) == ()
    assert lines.feed(b"\n" + line("KEY 5")) == (Garbled(100_000), Pressed("5"))


def test_what_a_module_says_is_understood() -> None:
    assert Lines().feed(line("READY module 1.2") + line("ERR no such block")) == (
        Ready("module", "1.2"),
        Complaint("no such block"),
    )
    assert Lines().feed(b"KEY 5 *0000\n") == (Garbled(11),)
    assert Lines().feed(line("KEY 5").replace(b"\n", b"\r\n")) == (Pressed("5"),)


def test_reads_are_lines_that_anybody_can_read() -> None:
    texts = [read_line(read).decode().rpartition(" *")[0] for read in READS]
    assert texts == [
        "READ a block-chip block 4 B A0A1A2A3A4A5",
        "READ b page-chip pages 4 2",
        "READ c file-chip file 123456 1 0 00112233445566778899AABBCCDDEEFF",
    ]
