"""What goes wrong with others' OSDP (the list D1 to D12 that this engine was written against) cannot go wrong here."""

from __future__ import annotations

import gc
import random
import subprocess
import sys
import tracemalloc
from collections.abc import Callable

import pytest

from hal.errors import DeviceError
from hal.osdp.codes import CommandCode, NakCode, ReplyCode, Scs
from hal.osdp.commands import (
    Buz,
    ComSet,
    InputStatus,
    Led,
    LedPermanent,
    LedRecord,
    LedTemporary,
    LocalStatus,
    Mfg,
    Out,
    OutputRecord,
    OutputStatus,
    ReaderStatus,
)
from hal.osdp.facts import ComSetPolicy, Fact, Finished, LinkChanged, Outcome, PeripheralSettings, ReaderSettings
from hal.osdp.frame import Decoder, Frame, encode
from hal.osdp.orders import MOST_COMMANDS
from hal.osdp.payload import Payload
from hal.osdp.peripheral import Peripheral
from hal.osdp.replies import (
    InputStatusReply,
    LocalStatusReply,
    MfgReply,
    OutputStatusReply,
    Raw,
    ReaderStatusReply,
)
from hal.osdp.reports import MOST_REPORTS
from hal.osdp.secure import Session
from hal.osdp.special import TimeSet
from hal.types import Colour, LinkPhase, PanelLight, Pattern
from tests.unit.osdp.bus import KEY, KEY2, MS, WHO, Bus, S, connected, keeps_keys, plain_bus, secure_bus

NONCES = """
from hal.osdp.channel import Channel
from hal.osdp.facts import PeripheralSettings
from hal.osdp.frame import Decoder, Frame, encode
from hal.osdp.peripheral import Peripheral
from hal.osdp.replies import PdId
import secrets
key = bytes.fromhex("5F1D3A9902C47EB688AB10E5D3427C6F")
command, slot = Channel((key,), secrets.token_bytes).challenge(installing=False)
print(command.random.hex())
reader = Peripheral(PeripheralSettings(keys=(key,)), PdId(bytes(3), 1, 1, 1, 1, 1, 1))
asked = Frame(address=0, reply=False, sequence=0, code=0x76, data=command.random, block=0x11, block_data=slot)
reader.receive(0, encode(asked))
(answer,) = Decoder().feed(0, reader.step(0).send)
print(answer.data[8:16].hex())
"""


def clear(peripheral: Peripheral, sequence: int, code: int, data: bytes = b"") -> Frame:
    """What a peripheral answers to a command in clear text, said by hand."""
    peripheral.receive(0, encode(Frame(address=0, reply=False, sequence=sequence, code=code, data=data)))
    (answer,) = Decoder().feed(0, peripheral.step(0).send)
    assert isinstance(answer, Frame)
    return answer


def ask(bus: Bus, command: Payload) -> Finished:
    """Have a command done and return how it ended."""
    ticket = bus.panel.submit(0, command)
    bus.poke()
    bus.until(lambda: any(fact.ticket == ticket for fact in bus.found(Finished)))
    return next(fact for fact in bus.found(Finished) if fact.ticket == ticket)


def until_refused(ask_for: Callable[[], object]) -> int:
    """How often something can be asked for before the queue is full."""
    for count in range(1000):
        try:
            ask_for()
        except DeviceError:
            return count
    raise AssertionError("the queue never filled")


def test_d1_two_process_starts_never_share_a_nonce_at_either_end() -> None:
    seen: list[str] = []
    for _ in range(2):
        out = subprocess.run([sys.executable, "-c", NONCES], capture_output=True, text=True, check=True).stdout
        seen += out.split()
    assert len(seen) == 4
    assert len(set(seen)) == 4


def test_d1_a_session_recorded_without_the_key_opens_neither_a_new_panel_nor_a_new_reader() -> None:
    recorded = secure_bus()
    recorded.peripherals[0].report(recorded.t_ns, Raw(0, 1, "1" * 26))
    recorded.until(lambda: recorded.cards() == ["1" * 26])
    said = {False: [raw for _, up, raw in recorded.wire if not up], True: [raw for _, up, raw in recorded.wire if up]}

    fresh = Bus([ReaderSettings(keys=(KEY,))], [])
    answers = iter(said[True] * 3)
    for at in range(40):  # whatever the new panel asks, the replayer answers the next recorded reply
        step = fresh.panel.step(fresh.t_ns + at * 300 * MS)
        fresh.facts += step.facts
        if step.send:
            fresh.panel.receive(fresh.t_ns + at * 300 * MS + 50 * MS, next(answers, b""))
    assert fresh.cards() == []
    assert not any(fact.status.secure for fact in fresh.found(LinkChanged))

    reader = Peripheral(PeripheralSettings(keys=(KEY,)), WHO)
    for n, raw in enumerate(said[False]):
        reader.receive(n * 50 * MS, raw)
        reader.step(n * 50 * MS)
        assert not reader.status.secure


def test_d2_thousands_of_commands_leave_the_interpreter_as_it_was() -> None:
    bus = secure_bus(baud=115200)
    gc.collect()  # what other tests left behind holds references of its own
    before = sys.getrefcount(None)
    for n in range(1000):
        colour = 1 + n % 2
        done = ask(bus, Led((LedRecord(permanent=LedPermanent(1, 1, 0, colour, 0)),)))
        assert done.outcome is Outcome.DONE
    assert sys.getrefcount(None) > before - 500
    assert len(bus.told(PanelLight)) == 1000


@pytest.mark.parametrize("baud", [9600, 115200])
def test_d3_frames_that_arrive_in_pieces_are_not_thrown_away(baud: int) -> None:
    bus = secure_bus(baud=baud)
    bus.damage = lambda up, chunk: chunk
    assert bus.t_ns - 7 * S < 1 * S
    begun_ns = bus.t_ns
    bus.peripherals[0].report(bus.t_ns, Raw(0, 1, "01" * 13))
    bus.until(lambda: bus.cards() == ["01" * 13])
    assert bus.t_ns - begun_ns < 200 * MS
    assert bus.panel.status(0).retries == 0


def test_d4_a_refused_command_does_not_take_the_reader_off_line() -> None:
    bus = secure_bus()
    refused = ask(bus, TimeSet(2026, 11, 25, 12, 0, 0))
    assert (refused.outcome, refused.reason) == (Outcome.REFUSED, "unknown command")
    bus.run(3 * S)
    assert connected(bus)
    assert len([fact for fact in bus.found(LinkChanged)]) == 1


def test_d4_a_flipped_bit_is_repeated_and_does_not_take_the_reader_off_line() -> None:
    bus = secure_bus()
    left = [1]

    def flip(up: bool, chunk: bytes) -> bytes:
        if left and up:
            left.clear()
            return bytes((chunk[0], chunk[1] ^ 4)) + chunk[2:]
        return chunk

    bus.damage = flip
    bus.peripherals[0].report(bus.t_ns, Raw(0, 1, "1" * 26))
    bus.run(2 * S)
    assert bus.cards() == ["1" * 26]
    assert bus.panel.status(0).retries == 1
    assert len(bus.found(LinkChanged)) == 1


def test_d4_a_restarted_reader_is_back_within_a_second() -> None:
    bus = secure_bus()
    bus.peripherals[0] = Peripheral(PeripheralSettings(keys=(KEY,)), WHO)
    bus.until(lambda: not connected(bus), 2 * S)
    bus.until(lambda: connected(bus), 1 * S)


def test_d4_a_dead_reader_is_noticed_within_two_seconds_and_back_within_one_of_answering() -> None:
    bus = secure_bus()
    for pause_ns in (3 * S, 3 * S + 333 * MS, 30 * S + 777 * MS):
        bus.plugged[0] = False
        bus.until(lambda: bus.panel.status(0).phase is LinkPhase.NOT_CONNECTED, 2 * S)
        assert bus.panel.status(0).reason == "no answer"
        bus.run(pause_ns)
        bus.plugged[0] = True
        bus.until(lambda: connected(bus), 1 * S)


def test_d5_every_status_is_told_as_it_is() -> None:
    bus = Bus([ReaderSettings(plain=True)], [PeripheralSettings(plain=True, inputs=2, outputs=2)])
    bus.until(lambda: connected(bus))
    reader = bus.peripherals[0]
    reader.set_inputs((False, True))
    reader.set_tamper(True)
    assert ask(bus, Out((OutputRecord(1, 2),))).outcome is Outcome.DONE
    for command, told in (
        (LocalStatus(), LocalStatusReply(1, 0)),
        (InputStatus(), InputStatusReply(b"\x00\x01")),
        (OutputStatus(), OutputStatusReply(b"\x00\x01")),
        (ReaderStatus(), ReaderStatusReply(b"\x02")),
    ):
        done = ask(bus, command)
        assert (done.outcome, done.reply) == (Outcome.DONE, told)


def test_d6_a_light_keeps_its_permanent_colour_when_a_temporary_one_ends() -> None:
    bus = plain_bus()
    both = LedRecord(0, 0, LedTemporary(2, 1, 1, 2, 0, 10), LedPermanent(1, 1, 0, 1, 0))
    assert ask(bus, Led((both,))).outcome is Outcome.DONE
    bus.run(2 * S)
    first, second = bus.told(PanelLight)
    assert first.pattern == Pattern.flash(Colour.GREEN, on_ms=100)
    assert second.pattern == Pattern.steady(Colour.RED)
    assert second.t_ns - first.t_ns == 1 * S


def test_d7_a_makers_command_is_answered_at_once_with_the_owners_own_bytes() -> None:
    def respond(command: Payload) -> Payload | None:
        return MfgReply(command.vendor, command.data[::-1]) if isinstance(command, Mfg) else None

    bus = Bus([ReaderSettings(plain=True)], [PeripheralSettings(plain=True)])
    bus.peripherals[0] = Peripheral(PeripheralSettings(plain=True), WHO, respond=respond)
    bus.until(lambda: connected(bus))
    assert ask(bus, Mfg(b"abc", b"12345")).reply == MfgReply(b"abc", b"54321")


def test_d8_a_card_can_be_reported_while_a_command_is_being_handled() -> None:
    bus = plain_bus()
    bits = "10" * 13

    def answer_with_a_card(n: int, fact: Fact) -> None:
        if isinstance(fact, PanelLight):
            bus.peripherals[n].report(bus.t_ns, Raw(0, 1, bits))

    bus.on_peripheral = answer_with_a_card
    assert ask(bus, Led((LedRecord(permanent=LedPermanent(1, 1, 0, 2, 0)),))).outcome is Outcome.DONE
    bus.until(lambda: bus.cards() == [bits])


def test_d9_a_wrong_key_never_leads_to_clear_text() -> None:
    bus = Bus([ReaderSettings(keys=(KEY,), plain=True)], [PeripheralSettings(keys=(KEY2,), plain=True)])
    bus.run(10 * S)
    status = bus.panel.status(0)
    assert (status.phase, status.reason) == (LinkPhase.NOT_CONNECTED, "wrong key")
    assert CommandCode.POLL not in {frame.code for frame in bus.frames() if not frame.reply}


def test_d9_a_key_is_never_sent_over_the_published_one_unless_an_install_was_armed() -> None:
    bus = Bus([ReaderSettings(keys=(KEY,))], [PeripheralSettings()])
    bus.peripherals[0].arm_install(bus.t_ns, bus.t_ns + 600 * S)
    bus.run(20 * S)
    assert bus.panel.status(0).reason == "the reader has no key"
    asked = [frame for frame in bus.frames() if not frame.reply]
    assert {frame.code for frame in asked} == {CommandCode.ID, CommandCode.CAP, CommandCode.CHLNG}
    assert {frame.block_data for frame in asked if frame.code == CommandCode.CHLNG} == {b"\x01"}


def test_d10_a_thousand_events_leave_the_memory_flat_and_queues_are_bounded() -> None:
    panel_reader = plain_bus()
    reader = panel_reader.peripherals[0]

    def events(count: int) -> None:
        for n in range(count):
            reader.report(panel_reader.t_ns, Raw(0, 1, f"{n:026b}"))
            panel_reader.until(lambda: bool(panel_reader.cards()))
            panel_reader.facts.clear()
            panel_reader.peripheral_facts[0].clear()
            panel_reader.wire.clear()

    events(100)
    tracemalloc.start()
    try:
        events(100)
        before = tracemalloc.get_traced_memory()[0]
        events(1000)
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()
    assert until_refused(lambda: reader.report(panel_reader.t_ns, Raw(0, 1, "1" * 26))) == MOST_REPORTS
    assert until_refused(lambda: panel_reader.panel.submit(0, Buz())) == MOST_COMMANDS


def test_d10_status_has_no_field_that_nobody_filled_in() -> None:
    bus = secure_bus()
    status = bus.panel.status(0)
    assert (status.vendor, status.model, status.serial, status.version) == ("A1B2C3", "7.2", "00C0FFEE", "1.4.9")
    assert (status.baud, status.address, status.secure, status.key, status.can_secure) == (9600, 0, True, 0, True)
    assert status.round_trip_us > 0


def test_d11_a_keyed_reader_lets_through_what_the_standard_says_and_refuses_the_rest() -> None:
    reader = Peripheral(PeripheralSettings(keys=(KEY,)), WHO)
    assert clear(reader, 0, CommandCode.ID, b"\0").code == ReplyCode.PDID
    assert clear(reader, 1, CommandCode.CAP).code == ReplyCode.PDCAP
    for sequence, code, data in ((2, CommandCode.POLL, b""), (3, CommandCode.COMSET, ComSet(1, 9600).encode())):
        refused = clear(reader, sequence, code, data)
        assert (refused.code, refused.data) == (ReplyCode.NAK, bytes((NakCode.NOT_SECURE,)))


def test_d11_a_clear_poll_is_answered_when_no_key_is_required_and_comset_follows_the_policy() -> None:
    reader = Peripheral(PeripheralSettings(plain=True), WHO)
    assert clear(reader, 0, CommandCode.POLL).code == ReplyCode.ACK
    moving = Peripheral(PeripheralSettings(keys=(KEY,), comset=ComSetPolicy.ALWAYS), WHO)
    answer = clear(moving, 0, CommandCode.COMSET, ComSet(5, 115200).encode())
    assert (answer.code, answer.data) == (ReplyCode.COM, ComSet(5, 115200).encode())
    staying = Peripheral(PeripheralSettings(plain=True, comset=ComSetPolicy.NEVER), WHO)
    answer = clear(staying, 0, CommandCode.COMSET, ComSet(5, 115200).encode())
    assert answer.data == ComSet(0, 9600).encode()


def test_d12_the_old_session_goes_on_after_a_new_key_until_the_next_challenge() -> None:
    reader = Peripheral(PeripheralSettings(keys=(KEY,)), WHO)
    nonce = random.Random(1).randbytes(8)
    challenge = Frame(
        address=0, reply=False, sequence=0, code=0x76, data=nonce, block=Scs.CHALLENGE, block_data=b"\x01"
    )
    answer = said(reader, encode(challenge))
    session = Session(KEY, nonce, answer.data[8:16])
    proof = Frame(
        address=0,
        reply=False,
        sequence=1,
        code=0x77,
        data=session.proofs.server,
        block=Scs.CRYPTOGRAM,
        block_data=b"\x01",
    )
    assert said(reader, encode(proof)).code == ReplyCode.RMAC_I

    def sealed(sequence: int, code: int, data: bytes = b"") -> Frame:
        return said(reader, session.seal(Frame(address=0, reply=False, sequence=sequence, code=code, data=data)))

    reader.receive(0, session.seal(Frame(address=0, reply=False, sequence=2, code=0x75, data=b"\x01\x10" + KEY2)))
    assert reader.step(0).send == b""
    reader.accept_key(1)
    (kept,) = Decoder().feed(1, reader.step(1).send)
    assert isinstance(kept, Frame)
    assert (kept.code, session.open(kept)) == (ReplyCode.ACK, b"")
    for sequence in (3, 1, 2):  # and on, in the old session
        answer = sealed(sequence, CommandCode.POLL)
        assert (answer.code, session.open(answer)) == (ReplyCode.ACK, b"")
    assert reader.status.secure


def said(reader: Peripheral, raw: bytes) -> Frame:
    """What a reader answers to bytes."""
    reader.receive(0, raw)
    (answer,) = Decoder().feed(0, reader.step(0).send)
    assert isinstance(answer, Frame)
    return answer


def test_d12_a_panel_of_ours_uses_the_new_key_at_once_and_the_link_stands_all_the_time() -> None:
    bus = secure_bus()
    keeps_keys(bus)
    ticket = bus.panel.set_key(0, KEY2)
    bus.poke()
    bus.run(2 * S)
    done = [fact for fact in bus.found(Finished) if fact.ticket == ticket]
    assert [fact.outcome for fact in done] == [Outcome.DONE]
    assert bus.panel.keys(0) == (KEY2,)
    assert bus.peripherals[0].keys == (KEY2,)
    assert {fact.status.phase for fact in bus.found(LinkChanged)} == {LinkPhase.CONNECTED}
