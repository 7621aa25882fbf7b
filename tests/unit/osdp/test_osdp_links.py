"""Links as their owners see them: keys that are kept or not, busy readers, files, moves, discovery, several readers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hal.errors import Absent, DeviceError, OutOfRange
from hal.osdp.codes import CommandCode, ReplyCode
from hal.osdp.commands import Buz, ComSet, KeySet, Led, LedPermanent, LedRecord, Mfg
from hal.osdp.facts import (
    Fact,
    FileProgress,
    FileReceived,
    Finished,
    Found,
    Identified,
    KeyWanted,
    LinkChanged,
    Outcome,
    PeripheralSettings,
    ReaderSettings,
    Rekeyed,
    Reported,
    Searched,
)
from hal.osdp.finder import Finder
from hal.osdp.frame import Frame, parse
from hal.osdp.panel import Panel
from hal.osdp.peripheral import Peripheral
from hal.osdp.replies import Keypad, LocalStatusReply, OutputStatusReply, Raw
from hal.types import LinkPhase, PanelPlace
from tests.effort import examples
from tests.unit.osdp.bus import KEY, KEY2, KEY3, MS, START_NS, WHO, Bus, S, connected, keeps_keys, plain_bus, secure_bus


def ended(bus: Bus, ticket: int) -> Finished:
    """How a ticket ended; it must have, once."""
    (found,) = [fact for fact in bus.found(Finished) if fact.ticket == ticket]
    return found


# keys


def test_a_key_is_acknowledged_only_after_the_owner_kept_it_and_the_panel_waits() -> None:
    bus = secure_bus()
    wanted: list[bytes] = []

    def slowly(n: int, fact: Fact) -> None:
        if isinstance(fact, KeyWanted):
            wanted.append(fact.key)

    bus.on_peripheral = slowly
    ticket = bus.panel.set_key(0, KEY2)
    bus.poke()
    bus.run(3 * S)
    assert wanted == [KEY2]
    assert bus.found(Finished) == []
    assert bus.peripherals[0].keys == (KEY,)
    assert ReplyCode.BUSY in {frame.code for frame in bus.frames() if frame.reply}
    assert connected(bus)
    bus.peripherals[0].accept_key(bus.t_ns)
    bus.poke(0)
    bus.until(lambda: bool(bus.found(Finished)), 1 * S)
    assert ended(bus, ticket).outcome is Outcome.DONE
    bus.run(1 * S)
    assert (bus.panel.keys(0), bus.peripherals[0].keys) == ((KEY2,), (KEY2,))
    assert connected(bus)


def test_a_panel_that_begins_anew_while_a_key_is_being_kept_is_understood_with_both_keys() -> None:
    bus = secure_bus()
    bus.panel.set_key(0, KEY2)
    bus.poke()
    bus.until(lambda: bool(bus.told(KeyWanted)), 1 * S)
    bus.panel.add(ReaderSettings(keys=(KEY,)))  # a restart that knows the old key only
    bus.until(lambda: connected(bus), 2 * S)
    bus.wire.clear()
    lost: list[bytes] = []
    bus.edit = lambda up, data: data if lost or not up else (lost.append(data), b"")[1]
    bus.run(1 * S)
    assert bus.panel.status(0).retries == 1
    assert ReplyCode.BUSY not in {frame.code for frame in bus.frames() if frame.reply}
    bus.peripherals[0].accept_key(bus.t_ns)
    bus.poke(0)
    bus.run(1 * S)
    assert bus.peripherals[0].keys == (KEY2, KEY)
    assert connected(bus)
    bus.panel.add(ReaderSettings(keys=(KEY2,)))
    bus.until(lambda: connected(bus), 2 * S)
    bus.run(1 * S)
    assert bus.peripherals[0].keys == (KEY2,)


def test_a_second_key_is_refused_while_the_owner_still_keeps_the_first() -> None:
    bus = secure_bus()
    bus.panel.set_key(0, KEY2)
    bus.poke()
    bus.until(lambda: bool(bus.told(KeyWanted)), 1 * S)
    bus.panel.add(ReaderSettings(keys=(KEY,)))
    bus.until(lambda: connected(bus), 2 * S)
    other = bus.panel.set_key(0, KEY3)
    bus.poke()
    bus.until(lambda: any(fact.ticket == other for fact in bus.found(Finished)), 2 * S)
    assert ended(bus, other).outcome is Outcome.REFUSED
    bus.peripherals[0].accept_key(bus.t_ns)
    bus.poke(0)
    assert bus.peripherals[0].keys == (KEY2, KEY)
    assert [fact.key for fact in bus.told(KeyWanted)] == [KEY2]


def test_a_key_the_owner_could_not_keep_is_refused_and_the_old_one_stays() -> None:
    bus = secure_bus()

    def refuse(n: int, fact: Fact) -> None:
        if isinstance(fact, KeyWanted):
            bus.peripherals[n].refuse_key(bus.t_ns)
            bus.poke(n)

    bus.on_peripheral = refuse
    ticket = bus.panel.set_key(0, KEY2)
    bus.poke()
    bus.run(2 * S)
    assert ended(bus, ticket).outcome is Outcome.REFUSED
    assert (bus.panel.keys(0), bus.peripherals[0].keys) == ((KEY,), (KEY,))
    assert connected(bus)


@pytest.mark.parametrize("kept", [True, False])
def test_a_rotation_whose_answer_is_lost_ends_with_both_ends_on_one_key(kept: bool) -> None:
    bus = secure_bus()
    keeps_keys(bus)

    def lose(up: bool, data: bytes) -> bytes:
        frame = parse(data)
        asked = isinstance(frame, Frame) and not frame.reply and frame.code == CommandCode.KEYSET
        return b"" if (up and bus.told(KeyWanted) if kept else asked) else data

    ticket = bus.panel.set_key(0, KEY2)
    bus.edit = lose
    bus.poke()
    bus.until(lambda: bool(bus.found(Finished)), 3 * S)
    assert ended(bus, ticket).outcome is Outcome.LOST
    bus.edit = lambda up, data: data
    bus.until(lambda: connected(bus), 5 * S)
    bus.run(1 * S)
    key = KEY2 if kept else KEY
    assert bus.peripherals[0].keys == (key,)
    assert bus.panel.keys(0)[0] == key
    assert [fact.key for fact in bus.found(Rekeyed)] == ([KEY2] if kept else [])


@settings(max_examples=examples(40))
@given(st.integers(1, 900))
def test_row_3_a_window_that_closes_at_any_moment_leaves_both_ends_sound(for_ms: int) -> None:
    bus = Bus([ReaderSettings()], [PeripheralSettings()])
    bus.peripherals[0].arm_install(bus.t_ns, bus.t_ns + 600 * S)
    keeps_keys(bus)
    ticket = bus.panel.install(0, KEY, t_ns=bus.t_ns, until_ns=bus.t_ns + for_ms * MS)
    bus.run(5 * S)
    outcome = ended(bus, ticket).outcome
    assert connected(bus) is (bus.peripherals[0].keys == (KEY,))
    assert outcome is not Outcome.DONE or connected(bus)
    assert outcome is not Outcome.REFUSED or bus.peripherals[0].keys == ()


def test_a_reader_with_two_keys_is_found_with_the_older_one_and_the_panel_too() -> None:
    for panel_keys, reader_keys in (((KEY,), (KEY2, KEY)), ((KEY2, KEY), (KEY,)), ((KEY, KEY2), (KEY2, KEY))):
        bus = Bus([ReaderSettings(keys=panel_keys)], [PeripheralSettings(keys=reader_keys)])
        bus.until(lambda: connected(bus), 3 * S)  # noqa: B023
        assert bus.peripherals[0].status.secure


def test_commands_during_a_rotation_wait_and_are_done_after_it() -> None:
    bus = secure_bus()
    keeps_keys(bus)
    bus.panel.set_key(0, KEY2)
    bus.poke()
    bus.until(lambda: bool(bus.found(Rekeyed)), 2 * S)
    ticket = bus.panel.submit(0, Buz())
    bus.run(2 * S)
    assert ended(bus, ticket).outcome is Outcome.DONE


def test_the_engines_own_commands_cannot_be_submitted_by_hand() -> None:
    bus = secure_bus()
    with pytest.raises(OutOfRange, match="set_key"):
        bus.panel.submit(0, KeySet(KEY2))
    with pytest.raises(Absent):
        bus.panel.submit(5, Buz())
    with pytest.raises(DeviceError, match="no secure channel to carry a key"):
        plain_bus().panel.set_key(0, KEY)


# what is lost is said


def test_every_ticket_ends_once_when_the_reader_dies_is_taken_away_or_comes_back() -> None:
    bus = secure_bus()
    tickets = [bus.panel.submit(0, Buz()) for _ in range(5)]
    bus.plugged[0] = False
    bus.until(lambda: not connected(bus), 2 * S)
    assert [ended(bus, ticket).outcome for ticket in tickets] == [Outcome.LOST] * 5
    bus.plugged[0] = True
    bus.until(lambda: connected(bus), 1 * S)
    tickets = [bus.panel.submit(0, Buz()) for _ in range(3)]
    bus.panel.remove(0)
    bus.run(1 * S)
    assert [ended(bus, ticket).outcome for ticket in tickets] == [Outcome.LOST] * 3


def test_a_reader_that_stays_busy_for_ever_is_given_up() -> None:
    bus = secure_bus()
    bus.panel.set_key(0, KEY2)
    bus.poke()
    bus.run(30 * S)  # the owner never says a word
    (fact,) = bus.found(Finished)
    assert fact.outcome in (Outcome.LOST, Outcome.REFUSED)
    assert connected(bus)


# states and moves


def test_tamper_power_inputs_and_outputs_are_told_by_themselves_and_again_on_a_new_link() -> None:
    bus = Bus([ReaderSettings(plain=True)], [PeripheralSettings(plain=True, inputs=1, outputs=1)])
    bus.until(lambda: connected(bus))
    bus.run(1 * S)
    bus.facts.clear()
    reader = bus.peripherals[0]
    reader.set_tamper(True)
    reader.set_outputs((True,))
    bus.run(1 * S)
    told = [fact.reply for fact in bus.found(Reported)]
    assert told == [LocalStatusReply(1, 0), OutputStatusReply(b"\x01")]
    bus.plugged[0] = False
    bus.until(lambda: not connected(bus), 2 * S)
    bus.facts.clear()
    bus.plugged[0] = True
    bus.run(2 * S)
    assert LocalStatusReply(1, 0) in [fact.reply for fact in bus.found(Reported)]


def test_a_comset_in_the_secure_channel_moves_the_reader_and_the_panel_finds_it_there() -> None:
    bus = secure_bus()
    ticket = bus.panel.submit(0, ComSet(7, 9600))
    bus.poke()
    bus.until(lambda: bool(bus.found(Finished)))
    assert ended(bus, ticket).outcome is Outcome.DONE
    assert [(fact.address, fact.baud) for fact in bus.told(PanelPlace)] == [(7, 9600)]
    bus.panel.add(ReaderSettings(address=7, keys=(KEY,)))
    bus.panel.remove(0)
    bus.until(lambda: connected(bus, 7), 2 * S)


def test_keys_of_a_keypad_arrive_in_order_between_cards() -> None:
    bus = secure_bus()
    reader = bus.peripherals[0]
    for event in (Keypad(0, "1"), Raw(0, 1, "1" * 26), Keypad(0, "2#")):
        reader.report(bus.t_ns, event)
    bus.run(1 * S)
    told = [fact.reply for fact in bus.found(Reported) if not isinstance(fact.reply, LocalStatusReply)]
    assert told == [Keypad(0, "1"), Raw(0, 1, "1" * 26), Keypad(0, "2#")]
    with pytest.raises(OutOfRange, match="is no event"):
        reader.report(bus.t_ns, Buz())


def test_marks_before_a_frame_and_a_missing_data_byte_are_understood() -> None:
    bus = secure_bus()
    bus.edit = lambda up, data: b"\xff\xff" + data
    bus.run(2 * S)
    assert bus.panel.status(0).retries == 0
    assert len(bus.found(LinkChanged)) == 1


# files


def file_bus() -> Bus:
    """A fast bus with a reader that takes files of up to 10,000 bytes."""
    takes = PeripheralSettings(keys=(KEY,), baud=115200, file_limit=10_000)
    bus = Bus([ReaderSettings(keys=(KEY,))], [takes], baud=115200)
    bus.until(lambda: connected(bus))
    return bus


@pytest.mark.parametrize("size", [1, 200, 5000])
def test_a_file_arrives_whole_while_cards_are_still_told(size: int) -> None:
    bus = file_bus()
    data = bytes(n * 7 & 0xFF for n in range(size))
    ticket = bus.panel.send_file(0, 1, data)
    bus.peripherals[0].report(bus.t_ns, Raw(0, 1, "1" * 26))
    bus.poke()
    bus.until(lambda: bool(bus.found(Finished)), 10 * S)
    assert ended(bus, ticket).outcome is Outcome.DONE
    assert [(fact.kind, fact.data) for fact in bus.told(FileReceived)] == [(1, data)]
    assert bus.found(FileProgress)[-1].done == size
    bus.until(lambda: bus.cards() == ["1" * 26], 1 * S)


@pytest.mark.parametrize(
    ("limit", "reason"),
    [(100, "the reader does not accept this file"), (0, "the reader takes no files: unknown command")],
)
def test_a_file_that_is_too_large_or_not_wanted_is_refused_in_words(limit: int, reason: str) -> None:
    bus = Bus([ReaderSettings(plain=True)], [PeripheralSettings(plain=True, file_limit=limit)])
    bus.until(lambda: connected(bus))
    ticket = bus.panel.send_file(0, 1, bytes(1000))
    bus.poke()
    bus.until(lambda: bool(bus.found(Finished)))
    assert (ended(bus, ticket).outcome, ended(bus, ticket).reason) == (Outcome.REFUSED, reason)
    assert connected(bus)


def test_a_file_survives_a_noisy_line() -> None:
    bus = file_bus()
    count = [0]

    def flip(up: bool, chunk: bytes) -> bytes:
        count[0] += 1
        return bytes((chunk[0] ^ 1,)) + chunk[1:] if count[0] % 97 == 0 else chunk

    bus.damage = flip
    data = bytes(range(256)) * 20
    ticket = bus.panel.send_file(0, 1, data)
    bus.poke()
    bus.until(lambda: bool(bus.found(Finished)), 30 * S)
    assert ended(bus, ticket).outcome is Outcome.DONE
    assert [fact.data for fact in bus.told(FileReceived)] == [data]


# several readers, discovery


def test_readers_at_one_bus_do_not_hear_each_others_commands_nor_answers() -> None:
    places = [0, 1, 126]
    bus = Bus(
        [ReaderSettings(address=n, keys=(KEY,)) for n in places],
        [PeripheralSettings(address=n, keys=(KEY,)) for n in places],
    )
    bus.until(lambda: all(connected(bus, n) for n in places), 5 * S)
    bus.panel.submit(1, Led((LedRecord(permanent=LedPermanent(1, 1, 0, 1, 0)),)))
    bus.peripherals[2].report(bus.t_ns, Raw(0, 1, "1" * 26))
    bus.run(2 * S)
    lit = [any(type(fact).__name__ == "PanelLight" for fact in facts) for facts in bus.peripheral_facts]
    assert lit == [False, True, False]
    assert [fact.address for fact in bus.found(Reported) if isinstance(fact.reply, Raw)] == [126]


def test_two_readers_at_one_address_are_told_as_garble_and_not_as_cards() -> None:
    bus = Bus([ReaderSettings(plain=True)], [PeripheralSettings(plain=True)])
    bus.edit = lambda up, data: bytes(a ^ b for a, b in zip(data, data[1:] + b"\x55", strict=True)) if up else data
    bus.run(3 * S)
    assert bus.panel.status(0).phase is LinkPhase.NOT_CONNECTED
    assert bus.cards() == []


def test_discovery_finds_who_answers_and_says_when_it_is_over() -> None:
    readers = [Peripheral(PeripheralSettings(address=n, keys=(KEY,)), WHO) for n in (2, 5)]
    finder = Finder(range(8), baud=9600)
    t_ns, facts = START_NS, []
    for _ in range(200):
        step = finder.step(t_ns)
        facts += step.facts
        if step.next_ns is None:
            break
        t_ns = max(t_ns, step.next_ns)
        for reader in readers if step.send else ():
            reader.receive(t_ns, step.send)
            answer = reader.step(t_ns).send
            if answer:
                finder.receive(t_ns - 100 * MS, answer)
    found = [fact for fact in facts if isinstance(fact, Found)]
    assert [(fact.address, fact.identity, fact.capabilities.can_secure) for fact in found] == [
        (2, WHO, True),
        (5, WHO, True),
    ]
    assert isinstance(facts[-1], Searched)
    with pytest.raises(OutOfRange, match="127"):
        Finder([127], baud=9600)


def test_an_identified_reader_is_told_with_its_capabilities() -> None:
    bus = secure_bus()
    (fact,) = bus.found(Identified)
    assert fact.identity == WHO
    assert fact.capabilities.can_secure


def test_a_makers_command_nobody_answers_is_refused_as_unknown() -> None:
    bus = plain_bus()
    ticket = bus.panel.submit(0, Mfg(b"abc", b"1"))
    bus.poke()
    bus.until(lambda: bool(bus.found(Finished)))
    assert ended(bus, ticket).reason == "unknown command"


@pytest.mark.parametrize("address", [-1, 127, 300])
def test_an_impossible_address_is_refused_at_both_ends(address: int) -> None:
    with pytest.raises(OutOfRange, match="between 0 and 126"):
        Panel([ReaderSettings(address=address)])
    with pytest.raises(OutOfRange, match="between 0 and 126"):
        Peripheral(PeripheralSettings(address=address), WHO)
    with pytest.raises(OutOfRange, match="rate 1234"):
        Peripheral(PeripheralSettings(baud=1234), WHO)
