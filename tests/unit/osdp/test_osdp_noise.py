"""A noisy line in virtual time, 60 s at 9600 baud. Hardening row 7: no card doubled, outages short."""

from __future__ import annotations

import pytest

from hal.osdp.codes import ReplyCode
from hal.osdp.facts import Delivered, Dropped, PeripheralSettings, ReaderSettings
from hal.osdp.frame import Frame, parse
from hal.osdp.replies import Raw
from hal.types import LinkPhase
from tests.effort import examples
from tests.unit.osdp.bus import KEY, MS, Bus, Flips, S, connected, keeps_keys

SEEDS = range(min(40, examples(4)))


def talk(bus: Bus, share: float, seed: int) -> tuple[list[str], int]:
    """Cards every 500 ms for 60 s on a noisy line, then 5 quiet seconds; returns what was sent and the worst outage."""
    keeps_keys(bus)
    bus.until(lambda: connected(bus), 2 * S)
    bus.damage = Flips(share, seed)
    sent: list[str] = []
    worst_ns = lost_ns = 0
    end_ns = bus.t_ns + 60 * S
    while bus.t_ns < end_ns:
        card = f"{len(sent) * 7919 + seed:026b}"
        bus.peripherals[0].report(bus.t_ns, Raw(0, 1, card))
        sent.append(card)
        for _ in range(50):
            bus.run(10 * MS)
            lost_ns = 0 if connected(bus) else lost_ns + 10 * MS
            worst_ns = max(worst_ns, lost_ns)
    assert bus.damage.flipped > 20
    bus.damage = lambda up, data: data
    bus.run(5 * S)
    return sent, worst_ns


def line(secure: bool) -> Bus:
    if secure:
        return Bus([ReaderSettings(keys=(KEY,))], [PeripheralSettings(keys=(KEY,))])
    return Bus([ReaderSettings(plain=True)], [PeripheralSettings(plain=True)])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("secure", [True, False])
def test_row_7_one_percent_of_flipped_chunks_loses_and_doubles_no_card(seed: int, secure: bool) -> None:
    bus = line(secure)
    sent, worst_ns = talk(bus, 0.01, seed)
    assert bus.cards() == sent
    assert worst_ns <= 2 * S


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("secure", [True, False])
def test_row_7_five_percent_of_flipped_chunks_doubles_no_card_and_the_reader_comes_back(
    seed: int, secure: bool
) -> None:
    bus = line(secure)
    sent, worst_ns = talk(bus, 0.05, seed)
    arrived = bus.cards()
    assert len(arrived) == len(set(arrived))
    assert set(arrived) <= set(sent)
    assert arrived == sorted(arrived, key=sent.index)
    assert worst_ns <= 5 * S
    assert connected(bus)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("secure", [True, False])
def test_row_7_a_line_that_breaks_again_and_again_still_doubles_no_card(seed: int, secure: bool) -> None:
    bus = line(secure)
    sent, _ = talk(bus, 0.3, seed)
    arrived = bus.cards()
    assert arrived == sorted(set(arrived), key=sent.index)
    assert connected(bus)


def test_a_card_whose_answer_was_lost_until_the_link_broke_arrives_once_on_the_next_link() -> None:
    bus = line(True)
    bus.until(lambda: connected(bus))
    lost: list[bytes] = []

    def lose_the_card(up: bool, data: bytes) -> bytes:
        frame = parse(data)
        if lost or (up and isinstance(frame, Frame) and frame.code == ReplyCode.RAW):
            lost.append(data)
            return b""
        return data

    bus.edit = lose_the_card
    bus.peripherals[0].report(bus.t_ns, Raw(0, 1, "1" * 26))
    bus.until(lambda: not connected(bus), 3 * S)
    assert lost
    assert bus.cards() == []
    bus.edit = lambda up, data: data
    bus.until(lambda: connected(bus), 1 * S)
    bus.run(2 * S)
    assert bus.cards() == ["1" * 26]
    assert [fact.ticket for fact in bus.told(Delivered)] == [1]


def test_a_card_that_arrived_right_before_the_link_broke_is_not_told_again() -> None:
    bus = line(True)
    bus.until(lambda: connected(bus))
    bus.peripherals[0].report(bus.t_ns, Raw(0, 1, "1" * 26))
    bus.until(lambda: bus.cards() == ["1" * 26])
    bus.damage = lambda up, chunk: b""
    bus.until(lambda: not connected(bus), 2 * S)
    bus.damage = lambda up, chunk: chunk
    bus.until(lambda: connected(bus), 1 * S)
    bus.run(2 * S)
    assert bus.cards() == ["1" * 26]
    bus.peripherals[0].report(bus.t_ns, Raw(0, 1, "1" * 26))
    bus.run(1 * S)
    assert bus.cards() == ["1" * 26] * 2


def test_a_card_that_waited_too_long_is_given_up_and_opens_nothing_later() -> None:
    bus = line(True)
    bus.until(lambda: connected(bus))
    bus.plugged[0] = False
    bus.peripherals[0].report(bus.t_ns, Raw(0, 1, "1" * 26))
    bus.run(6 * S)
    bus.plugged[0] = True
    bus.until(lambda: connected(bus))
    bus.run(3 * S)
    assert bus.cards() == []
    assert [fact.reason for fact in bus.told(Dropped)] == ["no panel took it in time"]


def test_row_7_a_cut_cable_costs_no_other_reader_its_polls() -> None:
    places = [0, 1, 2]
    bus = Bus(
        [ReaderSettings(address=n, plain=True) for n in places],
        [PeripheralSettings(address=n, plain=True) for n in places],
    )
    bus.until(lambda: all(connected(bus, n) for n in places), 3 * S)
    bus.run(10 * S)
    polls = [frame.address for frame in bus.frames() if not frame.reply]
    whole = {n: polls.count(n) for n in places}
    bus.plugged[1] = False
    bus.until(lambda: bus.panel.status(1).phase is LinkPhase.NOT_CONNECTED, 2 * S)
    bus.wire.clear()
    bus.run(10 * S)
    polls = [frame.address for frame in bus.frames() if not frame.reply]
    for n in (0, 2):
        assert connected(bus, n)
        assert polls.count(n) > 0.6 * whole[n]
    bus.plugged[1] = True
    bus.until(lambda: connected(bus, 1), 2 * S)


def test_row_7_a_line_of_pure_garbage_ends_in_a_clear_word_and_costs_no_memory() -> None:
    bus = line(True)
    bus.until(lambda: connected(bus))
    bus.damage = lambda up, chunk: bytes(byte ^ 0x5A for byte in chunk) if up else chunk
    bus.until(lambda: bus.panel.status(0).phase is LinkPhase.NOT_CONNECTED, 2 * S)
    bus.damage = lambda up, chunk: chunk[:-1] + b"\x00" if up else chunk
    bus.run(30 * S)
    assert bus.panel.status(0).reason.startswith("garbled answers")
    bus.damage = lambda up, chunk: chunk
    bus.until(lambda: connected(bus), 1 * S)
