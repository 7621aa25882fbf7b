"""Attacks on the wire and on the keys. Hardening rows 1 to 6, engine level."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hal.errors import DeviceError, OutOfRange
from hal.osdp.check import check_bytes
from hal.osdp.codes import CapabilityCode, CommandCode, ReplyCode, Scs
from hal.osdp.commands import KeySet, Poll
from hal.osdp.describe import mask
from hal.osdp.facts import (
    INSTALL_LONGEST_NS,
    Downgrade,
    Finished,
    FrameSeen,
    KeyWanted,
    LinkChanged,
    Outcome,
    PeripheralSettings,
    ReaderSettings,
    Rekeyed,
    SecureSeen,
)
from hal.osdp.frame import Decoder, Frame, encode, parse
from hal.osdp.keys import PUBLISHED, SCBK_D, weak_key
from hal.osdp.panel import Panel
from hal.osdp.peripheral import Peripheral
from hal.osdp.replies import PdCap, Raw
from hal.osdp.secure import Session
from hal.types import LinkPhase
from tests.effort import examples
from tests.unit.osdp.bus import KEY, KEY2, KEY3, MS, WHO, Bus, S, connected, keeps_keys, secure_bus

WEAK = st.sampled_from([*PUBLISHED, bytes(16), bytes(range(1, 17)), b"\xaa\x55" * 8])


def said_codes(bus: Bus) -> set[int]:
    """Every command the panel ever sent."""
    return {frame.code for frame in bus.frames() if not frame.reply}


def without_security(up: bool, data: bytes) -> bytes:
    """A man in the middle takes AES out of every PDCAP he can read."""
    frame = parse(data)
    if not up or not isinstance(frame, Frame) or frame.code != ReplyCode.PDCAP or frame.secured:
        return data
    found = PdCap.decode(frame.data)
    lines = tuple(line for line in found.capabilities if line.function != CapabilityCode.SECURITY)
    head = bytearray(data[: len(data) - 2 - len(frame.data)] + PdCap(lines).encode())
    head[2:4] = (len(head) + 2).to_bytes(2, "little")
    return bytes(head) + check_bytes(bytes(head), crc=True)


# row 1


def test_row_1_a_reader_without_a_secure_channel_is_refused_and_never_polled() -> None:
    bus = Bus([ReaderSettings()], [PeripheralSettings(plain=True)])
    bus.peripherals[0].report(bus.t_ns, Raw(0, 1, "1" * 26))
    bus.run(4 * S)
    status = bus.panel.status(0)
    assert status.phase is LinkPhase.NOT_CONNECTED
    assert status.reason.startswith("no secure channel")
    assert said_codes(bus) == {CommandCode.ID, CommandCode.CAP}
    with pytest.raises(DeviceError, match="no secure channel"):
        bus.panel.submit(0, Poll())


def test_row_1_only_its_own_switch_lets_a_reader_talk_in_clear_text() -> None:
    bus = Bus(
        [ReaderSettings(address=0, plain=True), ReaderSettings(address=1)],
        [PeripheralSettings(address=0, plain=True), PeripheralSettings(address=1, plain=True)],
    )
    bus.run(4 * S)
    assert (connected(bus, 0), bus.panel.status(0).secure) == (True, False)
    assert not connected(bus, 1)


def test_row_1_a_reader_that_loses_its_channel_is_refused_until_it_stands_again() -> None:
    bus = secure_bus()
    bus.peripherals[0] = Peripheral(PeripheralSettings(plain=True), WHO)  # swapped for one that knows no key
    bus.peripherals[0].report(bus.t_ns, Raw(0, 1, "1" * 26))
    bus.until(lambda: bus.panel.status(0).phase is LinkPhase.NOT_CONNECTED, 2 * S)
    bus.run(10 * S)
    assert bus.cards() == []
    assert bus.panel.status(0).reason.startswith("no secure channel")


# row 2


def test_row_2_edited_capabilities_do_not_lead_a_known_reader_into_clear_text() -> None:
    bus = Bus([ReaderSettings(plain=True, secure_seen=True)], [PeripheralSettings(plain=True)])
    bus.edit = without_security
    bus.run(5 * S)
    assert bus.panel.status(0).phase is LinkPhase.NOT_CONNECTED
    assert bus.found(Downgrade)
    assert CommandCode.POLL not in said_codes(bus)


def test_row_2_a_reader_seen_secure_gets_no_clear_text_although_its_key_is_gone_and_its_switch_is_on() -> None:
    bus = Bus([ReaderSettings(plain=True, secure_seen=True)], [PeripheralSettings(plain=True)])
    bus.run(5 * S)
    assert bus.panel.status(0).phase is LinkPhase.NOT_CONNECTED
    assert CommandCode.POLL not in said_codes(bus)


def test_row_2_edited_capabilities_take_a_keyed_reader_off_line_with_a_tamper_fact() -> None:
    bus = secure_bus()
    assert [fact.address for fact in bus.found(SecureSeen)] == [0]
    bus.edit = without_security
    bus.plugged[0] = False
    bus.until(lambda: not connected(bus), 2 * S)
    bus.plugged[0] = True
    bus.until(lambda: bool(bus.found(Downgrade)), 2 * S)
    bus.run(3 * S)
    assert bus.panel.status(0).reason == "no secure channel: the reader denies it, but had one before"
    bus.edit = lambda up, data: data
    bus.until(lambda: connected(bus), 2 * S)


def test_row_2_an_edit_on_first_contact_is_found_out_inside_the_channel() -> None:
    bus = Bus([ReaderSettings(keys=(KEY,))], [PeripheralSettings(keys=(KEY,))])
    bus.edit = without_security
    bus.until(lambda: connected(bus), 2 * S)
    assert [fact.reason for fact in bus.found(Downgrade)] == ["the reader's capabilities were changed on the wire"]
    assert bus.panel.status(0).can_secure is True


# row 3


def open_reader() -> Bus:
    """A panel and a factory-fresh reader whose install window is open."""
    bus = Bus([ReaderSettings()], [PeripheralSettings()])
    bus.peripherals[0].arm_install(bus.t_ns, bus.t_ns + 600 * S)
    keeps_keys(bus)
    return bus


def test_row_3_an_armed_install_gives_the_key_once_and_closes() -> None:
    bus = open_reader()
    ticket = bus.panel.install(0, KEY, t_ns=bus.t_ns, until_ns=bus.t_ns + 600 * S)
    bus.until(lambda: connected(bus), 3 * S)
    (done,) = bus.found(Finished)
    assert (done.ticket, done.outcome) == (ticket, Outcome.DONE)
    assert [(fact.key, fact.installed) for fact in bus.found(Rekeyed)] == [(KEY, True)]
    assert bus.peripherals[0].keys == (KEY,)
    assert bus.panel.status(0).secure
    with pytest.raises(OutOfRange, match="rotate it instead"):
        bus.panel.install(0, KEY2, t_ns=bus.t_ns, until_ns=bus.t_ns + 60 * S)
    with pytest.raises(OutOfRange, match="install key stays off"):
        bus.peripherals[0].arm_install(bus.t_ns, bus.t_ns + 60 * S)


def test_row_3_a_reader_with_a_key_is_never_installed() -> None:
    bus = Bus([ReaderSettings()], [PeripheralSettings(keys=(KEY2,))])
    ticket = bus.panel.install(0, KEY, t_ns=bus.t_ns, until_ns=bus.t_ns + 600 * S)
    bus.run(5 * S)
    (done,) = bus.found(Finished)
    assert (done.ticket, done.outcome, done.reason) == (ticket, Outcome.REFUSED, "the reader has a key already")
    assert CommandCode.KEYSET not in said_codes(bus)


def test_row_3_the_window_closes_by_itself_and_is_at_most_ten_minutes() -> None:
    bus = Bus([ReaderSettings()], [PeripheralSettings()])  # the reader's own window is shut
    with pytest.raises(OutOfRange, match="longer than 600 s"):
        bus.panel.install(0, KEY, t_ns=bus.t_ns, until_ns=bus.t_ns + INSTALL_LONGEST_NS + 1 * S)
    with pytest.raises(OutOfRange, match="longer than 600 s"):
        bus.peripherals[0].arm_install(bus.t_ns, bus.t_ns + INSTALL_LONGEST_NS + 1 * S)
    bus.panel.install(0, KEY, t_ns=bus.t_ns, until_ns=bus.t_ns + 60 * S)
    bus.run(61 * S)
    (done,) = bus.found(Finished)
    assert (done.outcome, done.reason) == (Outcome.REFUSED, "the install window closed")
    bus.peripherals[0].arm_install(bus.t_ns, bus.t_ns + 60 * S)
    bus.run(30 * S)
    assert CommandCode.KEYSET not in said_codes(bus)
    late = Bus([], [PeripheralSettings()])
    late.peripherals[0].arm_install(late.t_ns, late.t_ns + 60 * S)
    late.run(61 * S)
    assert answer_to_challenge(late.peripherals[0], late.t_ns, b"\0").code == ReplyCode.NAK


def answer_to_challenge(reader: Peripheral, t_ns: int, slot: bytes) -> Frame:
    """What a reader answers to a challenge for a key slot."""
    asked = Frame(address=0, reply=False, sequence=0, code=0x76, data=bytes(8), block=Scs.CHALLENGE, block_data=slot)
    reader.receive(t_ns, encode(asked))
    (answer,) = Decoder().feed(t_ns, reader.step(t_ns).send)
    assert isinstance(answer, Frame)
    return answer


@pytest.mark.parametrize("strict", [False, True])
def test_row_3_a_keyed_reader_asked_for_the_install_key_answers_with_its_own_or_refuses(strict: bool) -> None:
    reader = Peripheral(PeripheralSettings(keys=(KEY,), strict_slot=strict), WHO)
    answer = answer_to_challenge(reader, 0, b"\0")
    if strict:
        assert (answer.code, answer.data) == (ReplyCode.NAK, b"\x06")
    else:
        assert (answer.code, answer.block_data) == (ReplyCode.CCRYPT, b"\x01")
        assert Session(KEY, bytes(8), answer.data[8:16]).proofs.client == answer.data[16:]


def test_row_3_over_the_install_key_a_reader_tells_no_card_and_takes_one_key() -> None:
    bus = open_reader()
    bus.peripherals[0].report(bus.t_ns, Raw(0, 1, "1" * 26))
    session, sequence = manual_session(bus.peripherals[0], SCBK_D, b"\0")

    def sealed(code: int, data: bytes = b"") -> Frame:
        nonlocal sequence
        sequence = sequence % 3 + 1
        frame = Frame(address=0, reply=False, sequence=sequence, code=code, data=data)
        bus.peripherals[0].receive(bus.t_ns, session.seal(frame))
        step = bus.peripherals[0].step(bus.t_ns)
        if any(isinstance(fact, KeyWanted) for fact in step.facts):
            bus.peripherals[0].accept_key(bus.t_ns)
            step = bus.peripherals[0].step(bus.t_ns)
        (answer,) = Decoder().feed(bus.t_ns, step.send)
        assert isinstance(answer, Frame)
        assert session.open(answer) is not None
        return answer

    assert sealed(CommandCode.POLL).code == ReplyCode.ACK
    assert sealed(CommandCode.OUT, bytes.fromhex("00020000")).code == ReplyCode.NAK
    assert sealed(CommandCode.KEYSET, KeySet(KEY).encode()).code == ReplyCode.ACK
    assert sealed(CommandCode.KEYSET, KeySet(KEY2).encode()).code == ReplyCode.NAK
    assert bus.peripherals[0].keys == (KEY,)
    assert sealed(CommandCode.POLL).code == ReplyCode.ACK


def manual_session(reader: Peripheral, key: bytes, slot: bytes, t_ns: int = 7 * S) -> tuple[Session, int]:
    """Open a channel by hand; returns it and the sequence number used last."""
    answer = answer_to_challenge(reader, t_ns, slot)
    session = Session(key, bytes(8), answer.data[8:16])
    proof = Frame(
        address=0,
        reply=False,
        sequence=1,
        code=0x77,
        data=session.proofs.server,
        block=Scs.CRYPTOGRAM,
        block_data=slot,
    )
    reader.receive(t_ns, encode(proof))
    (done,) = Decoder().feed(t_ns, reader.step(t_ns).send)
    assert isinstance(done, Frame)
    assert done.code == ReplyCode.RMAC_I
    return session, 1


# row 4


@given(WEAK)
def test_row_4_a_weak_key_is_refused_at_every_door(key: bytes) -> None:
    assert weak_key(key) is not None
    bus = Bus([ReaderSettings()], [])
    with pytest.raises(OutOfRange, match="key 1"):
        Panel([ReaderSettings(keys=(key,))])
    with pytest.raises(OutOfRange, match="key 2"):
        Peripheral(PeripheralSettings(keys=(KEY, key)), WHO)
    with pytest.raises(OutOfRange, match="the key"):
        bus.panel.install(0, key, t_ns=bus.t_ns, until_ns=bus.t_ns + 60 * S)


def test_row_4_a_weak_key_set_by_a_panel_is_refused() -> None:
    reader = Peripheral(PeripheralSettings(keys=(KEY,)), WHO)
    session, sequence = manual_session(reader, KEY, b"\x01")
    frame = Frame(
        address=0, reply=False, sequence=sequence + 1, code=CommandCode.KEYSET, data=KeySet(bytes(16)).encode()
    )
    reader.receive(7 * S, session.seal(frame))
    step = reader.step(7 * S)
    (answer,) = Decoder().feed(7 * S, step.send)
    assert isinstance(answer, Frame)
    assert (answer.code, session.open(answer)) == (ReplyCode.NAK, b"\x09")
    assert not any(isinstance(fact, KeyWanted) for fact in step.facts)


@given(st.binary(min_size=16, max_size=16))
def test_row_4_a_reason_never_tells_the_key(key: bytes) -> None:
    reason = weak_key(key)
    assert reason is None or key.hex() not in reason.lower()


# row 5


def keys_on(wire: list[tuple[int, bool, bytes]], base: bytes) -> list[bytes]:
    """What a tap that knows one key can read: follow every handshake and open every KEYSET."""
    learned: list[bytes] = []
    nonce, session = b"", None
    for _, _, raw in wire:
        frame = parse(raw)
        if not isinstance(frame, Frame):
            continue
        if frame.block == Scs.CHALLENGE:
            nonce = frame.data
        elif frame.block == Scs.CHALLENGE_REPLY:
            session = Session(base, nonce, frame.data[8:16])
        elif frame.secured and session is not None:
            clear = session.open(frame)
            if clear is not None and not frame.reply and frame.code == CommandCode.KEYSET:
                learned.append(KeySet.decode(clear).key)
    return learned


def test_row_5_a_recorded_rotation_does_not_tell_the_new_key_without_the_old_one() -> None:
    bus = secure_bus()
    keeps_keys(bus)
    bus.panel.set_key(0, KEY2)
    bus.poke()
    bus.until(lambda: bool(bus.found(Rekeyed)))
    bus.run(2 * S)
    assert CommandCode.KEYSET in said_codes(bus)
    assert keys_on(bus.wire, SCBK_D) == []
    assert keys_on(bus.wire, KEY3) == []
    assert keys_on(bus.wire, KEY) == [KEY2]  # the tap works: who has the old key reads the new one
    assert not any(KEY2 in raw for _, _, raw in bus.wire)


def test_row_5_only_the_attended_window_shows_a_key_and_the_key_after_it_is_safe() -> None:
    bus = open_reader()
    bus.panel.install(0, KEY, t_ns=bus.t_ns, until_ns=bus.t_ns + 600 * S)
    bus.until(lambda: connected(bus), 3 * S)
    assert keys_on(bus.wire, SCBK_D) == [KEY]  # this is why somebody must stand by
    window = len(bus.wire)
    bus.panel.set_key(0, KEY2)
    bus.poke()
    bus.run(2 * S)
    assert connected(bus)
    assert keys_on(bus.wire[window:], SCBK_D) == []
    assert bus.panel.keys(0) == (KEY2,)


def test_row_5_neither_trace_nor_fact_tells_a_key() -> None:
    bus = Bus([ReaderSettings()], [PeripheralSettings()], trace=True)
    bus.peripherals[0].arm_install(bus.t_ns, bus.t_ns + 600 * S)
    keeps_keys(bus)
    bus.panel.install(0, KEY, t_ns=bus.t_ns, until_ns=bus.t_ns + 600 * S)
    bus.until(lambda: connected(bus), 3 * S)
    bus.panel.set_key(0, KEY2)
    bus.poke()
    bus.run(2 * S)
    both = bus.facts + bus.peripheral_facts[0]
    text = repr(both)
    for key in (KEY, KEY2):
        assert key.hex() not in text.lower()
        assert repr(key)[2:-1] not in text
    for facts in (bus.facts, bus.peripheral_facts[0]):
        traced = [(fact.t_ns, fact.sent, fact.data) for fact in facts if isinstance(fact, FrameSeen)]
        assert len(traced) > 20
        for base in (SCBK_D, KEY):
            assert not [key for key in keys_on(traced, base) if key in (KEY, KEY2)]
        assert any("KEYSET (masked)" in fact.text for fact in facts if isinstance(fact, FrameSeen))


@given(st.binary(max_size=100))
def test_row_5_masking_never_breaks_and_keeps_the_length(noise: bytes) -> None:
    assert len(mask(noise)) == len(noise)
    framed = encode(Frame(address=3, reply=False, sequence=1, code=CommandCode.KEYSET, data=noise))
    masked = parse(mask(framed))
    assert isinstance(masked, Frame)
    assert masked.data == bytes(len(noise))


# row 6


def test_row_6_a_replayed_command_is_not_done_twice_and_a_stale_one_ends_the_session() -> None:
    bus = secure_bus()
    bus.run(1 * S)
    bus.until(lambda: bus.wire[-1][1])  # the reader said something last
    reader = bus.peripherals[0]
    sealed = [raw for _, up, raw in bus.wire if not up and isinstance(f := parse(raw), Frame) and f.secured]
    reader.receive(bus.t_ns, sealed[-1])
    assert reader.step(bus.t_ns).send == bus.wire[-1][2]  # the last one again: the same answer again
    for stale in sealed[:-1]:
        reader.receive(bus.t_ns, stale)
        (answer,) = Decoder().feed(bus.t_ns, reader.step(bus.t_ns).send)
        assert isinstance(answer, Frame)
        assert answer.code == ReplyCode.NAK
    bus.until(lambda: connected(bus) and bus.panel.status(0).secure, 2 * S)


def test_row_6_a_forged_answer_is_ignored_and_the_genuine_one_counts() -> None:
    bus = secure_bus()
    bus.peripherals[0].report(bus.t_ns, Raw(0, 1, "1" * 26))

    def forge(up: bool, data: bytes) -> bytes:
        frame = parse(data)
        if not up or not isinstance(frame, Frame) or not frame.secured:
            return data
        evil = bytearray(data)
        evil[-7] ^= 1
        evil[-2:] = check_bytes(bytes(evil[:-2]), crc=True)
        return bytes(evil) + data

    bus.edit = forge
    bus.until(lambda: bus.cards() == ["1" * 26], 2 * S)
    bus.run(2 * S)
    assert bus.cards() == ["1" * 26]
    assert connected(bus)
    assert bus.panel.status(0).check_errors > 0


def test_row_6_a_wrong_proof_of_a_panel_is_refused_and_opens_no_channel() -> None:
    reader = Peripheral(PeripheralSettings(keys=(KEY,)), WHO)
    assert answer_to_challenge(reader, 0, b"\x01").code == ReplyCode.CCRYPT
    wrong = Frame(
        address=0, reply=False, sequence=1, code=0x77, data=bytes(16), block=Scs.CRYPTOGRAM, block_data=b"\x01"
    )
    reader.receive(0, encode(wrong))
    (answer,) = Decoder().feed(0, reader.step(0).send)
    assert isinstance(answer, Frame)
    assert (answer.code, answer.data) == (ReplyCode.NAK, b"\x06")
    assert (reader.status.secure, reader.status.reason) == (False, "wrong key")


def test_row_6_a_clear_answer_slipped_in_before_the_sealed_one_is_passed_over() -> None:
    bus = secure_bus()
    bus.peripherals[0].report(bus.t_ns, Raw(0, 1, "1" * 26))

    def slip_in(up: bool, data: bytes) -> bytes:
        frame = parse(data)
        if not up or not isinstance(frame, Frame) or not frame.secured:
            return data
        card = Raw(0, 1, "0" * 26).encode()
        return encode(Frame(address=0, reply=True, sequence=frame.sequence, code=ReplyCode.RAW, data=card)) + data

    bus.edit = slip_in
    bus.run(3 * S)
    assert bus.cards() == ["1" * 26]
    assert len(bus.found(LinkChanged)) == 1


def test_row_6_a_clear_answer_to_a_sealed_question_is_never_believed() -> None:
    bus = secure_bus()

    def undress(up: bool, data: bytes) -> bytes:
        frame = parse(data)
        if not up or not isinstance(frame, Frame) or not frame.secured:
            return data
        card = Raw(0, 1, "1" * 26)
        return encode(Frame(address=0, reply=True, sequence=frame.sequence, code=ReplyCode.RAW, data=card.encode()))

    bus.edit = undress
    bus.run(5 * S)
    assert bus.cards() == []


@pytest.mark.parametrize("status", [b"\x00", b"\xff"])
def test_row_6_a_proof_that_the_reader_did_not_accept_opens_no_channel(status: bytes) -> None:
    bus = Bus([ReaderSettings(keys=(KEY,))], [PeripheralSettings(keys=(KEY,))])

    def not_accepted(up: bool, data: bytes) -> bytes:
        frame = parse(data)
        if not up or not isinstance(frame, Frame) or frame.code != ReplyCode.RMAC_I:
            return data
        return encode(replace(frame, block_data=status, raw=b""))

    bus.edit = not_accepted
    bus.run(5 * S)
    assert (bus.panel.status(0).phase, bus.panel.status(0).reason) == (LinkPhase.NOT_CONNECTED, "wrong key")


def test_row_6_a_truncated_and_an_oversize_frame_change_nothing() -> None:
    bus = secure_bus()
    reader = bus.peripherals[0]
    poll = encode(Frame(address=0, reply=False, sequence=0, code=CommandCode.POLL))
    giant = bytes((0x53, 0, 0xFF, 0xFF, 4)) + bytes(3000)
    reader.receive(bus.t_ns, giant)
    reader.receive(bus.t_ns, poll[:-1])
    assert reader.step(bus.t_ns).send == b""
    bus.run(1 * S)
    assert connected(bus)
    assert reader.status.secure


hostile = st.one_of(
    st.binary(max_size=80),
    st.builds(
        lambda address, reply, sequence, code, data, crc, block, block_data: encode(
            Frame(
                address=address,
                reply=reply,
                sequence=sequence,
                code=code,
                data=data,
                crc=crc,
                block=block,
                block_data=block_data,
                mac=b"abcd" if block in (0x15, 0x16, 0x17, 0x18) else b"",
            )
        ),
        st.sampled_from([0, 1, 0x7F]),
        st.booleans(),
        st.integers(0, 3),
        st.sampled_from([*CommandCode, *ReplyCode, 0x00, 0xFF]),
        st.binary(max_size=60),
        st.booleans(),
        st.sampled_from([None, None, *Scs, 0x19, 0xFF]),
        st.binary(max_size=4),
    ),
)


@settings(max_examples=examples(120))
@given(
    st.lists(st.tuples(st.integers(0, 400), hostile), max_size=40), st.sampled_from(["plain", "keyed", "installing"])
)
def test_row_6_nothing_a_line_can_carry_breaks_a_reader_or_makes_it_grow(
    said: list[tuple[int, bytes]], kind: str
) -> None:
    chosen = {
        "plain": PeripheralSettings(plain=True, inputs=1, outputs=2, file_limit=1000),
        "keyed": PeripheralSettings(keys=(KEY,), outputs=2),
        "installing": PeripheralSettings(),
    }[kind]
    reader = Peripheral(chosen, WHO, trace=True)
    if kind == "installing":
        reader.arm_install(0, 600 * S)
    t_ns = 0
    for pause_ms, raw in said:
        t_ns += pause_ms * MS
        reader.receive(t_ns, raw)
        step = reader.step(t_ns)
        assert len(step.facts) < 400
        assert step.send == b"" or isinstance(parse(step.send), Frame)
        assert step.next_ns is None or step.next_ns > t_ns
        if kind != "plain":
            assert not any(isinstance(fact, LinkChanged) and fact.status.secure for fact in step.facts)


@settings(max_examples=examples(120))
@given(st.lists(st.tuples(st.integers(0, 400), hostile), max_size=40), st.booleans())
def test_row_6_nothing_a_line_can_carry_breaks_a_panel_or_makes_it_trust(
    said: list[tuple[int, bytes]], with_key: bool
) -> None:
    panel = Panel([ReaderSettings(keys=(KEY,)) if with_key else ReaderSettings(plain=True)], trace=True)
    t_ns = 0
    for pause_ms, raw in said:
        t_ns += pause_ms * MS
        panel.step(t_ns)
        panel.receive(t_ns, raw)
        step = panel.step(t_ns)
        assert len(step.facts) < 100
        assert step.next_ns is not None
        if with_key:
            assert not any(isinstance(fact, LinkChanged) and fact.status.phase == "connected" for fact in step.facts)


@settings(max_examples=examples(25))
@given(st.integers(0, 2**32), st.floats(0.02, 0.5))
def test_row_6_both_ends_survive_any_damage_and_find_each_other_again(seed: int, share: float) -> None:
    bus = secure_bus(baud=115200)
    source = random.Random(seed)

    def damage(up: bool, chunk: bytes) -> bytes:
        if source.random() > share:
            return chunk
        kind = source.randrange(4)
        if kind == 0:
            return b""
        if kind == 1:
            return chunk + chunk
        if kind == 2:
            return source.randbytes(len(chunk))
        return chunk[: source.randrange(len(chunk) + 1)]

    bus.damage = damage
    bus.run(5 * S)
    bus.damage = lambda up, chunk: chunk
    bus.until(lambda: connected(bus) and bus.panel.status(0).secure, 3 * S)
