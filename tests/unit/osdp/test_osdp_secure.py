"""The secure channel against the standard's Annex E, and both ends of it against each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hal.osdp.check import check_bytes
from hal.osdp.frame import Decoder, Frame
from hal.osdp.keys import SCBK_D, new_key, weak_key
from hal.osdp.secure import Aes, Session, derived, padded, unpadded

RANDOM_A = bytes(range(0xB0, 0xB8))
RANDOM_B = bytes(range(0xA0, 0xA8))
key_bytes = st.binary(min_size=16, max_size=16)


def test_session_keys_are_those_of_annex_e() -> None:
    base = Aes(SCBK_D)
    found = [derived(base, tag, RANDOM_A).hex().upper() for tag in (0x82, 0x01, 0x02)]
    assert found == [
        "BF8DC2A8329ACB8C67C6D0CD9A451682",
        "5E86C676603BDEE2D8BEAFE178637332",
        "6FDA86E857777E81132035758239172E",
    ]


def test_proofs_and_first_mac_are_those_of_annex_e() -> None:
    proofs = Session(SCBK_D, RANDOM_A, RANDOM_B).proofs
    assert proofs.server.hex().upper() == "26D3356E07762D262801FC8E6665A891"
    assert proofs.client.hex().upper() == "FDE5D2F428EC16312471EA3C02BD7796"
    assert proofs.rmac_i.hex().upper() == "B2A30057EB98BA2229EC1F875662B524"


@given(st.binary(max_size=200))
def test_padding_is_whole_blocks_and_comes_off_again(data: bytes) -> None:
    assert len(padded(data)) % 16 == 0
    assert unpadded(padded(data)) == data


@given(key_bytes, st.lists(st.tuples(st.binary(max_size=60), st.binary(max_size=60)), min_size=1, max_size=6))
def test_both_ends_understand_each_other_message_after_message(key: bytes, talk: list[tuple[bytes, bytes]]) -> None:
    panel, peripheral = (Session(key, RANDOM_A, RANDOM_B) for _ in range(2))
    for command, answer in talk:
        for sender, receiver, reply, data in ((panel, peripheral, False, command), (peripheral, panel, True, answer)):
            raw = sender.seal(Frame(address=1, reply=reply, sequence=2, code=0x60, data=data))
            (found,) = Decoder().feed(0, raw)
            assert isinstance(found, Frame)
            assert receiver.open(found) == data
            assert len(data) < 4 or data not in raw


@given(key_bytes, st.binary(max_size=40), st.data())
def test_row_6_a_changed_byte_under_a_good_crc_is_not_genuine(key: bytes, data: bytes, draw: st.DataObject) -> None:
    panel, peripheral = (Session(key, RANDOM_A, RANDOM_B) for _ in range(2))
    raw = bytearray(panel.seal(Frame(address=1, reply=False, sequence=2, code=0x69, data=data)))
    at = draw.draw(st.integers(7, len(raw) - 3))
    raw[at] ^= draw.draw(st.integers(1, 255))
    raw[-2:] = check_bytes(bytes(raw[:-2]), crc=True)
    (found,) = Decoder().feed(0, bytes(raw))
    assert isinstance(found, Frame)
    assert peripheral.open(found) is None


@given(st.integers(0, 255), st.integers(0, 255), st.sampled_from([2, 4, 8]), key_bytes)
def test_row_4_patterned_keys_are_weak(start: int, step: int, size: int, key: bytes) -> None:
    counting = bytes((start + n * step) & 0xFF for n in range(16))
    for weak in (counting, bytes([start]) * 16, key[:size] * (16 // size), key[:8] + key[:8][::-1], SCBK_D, key[:15]):
        assert weak_key(weak) is not None


def test_row_4_a_new_key_is_strong_and_comes_from_the_given_source() -> None:
    offered = iter([bytes(16), SCBK_D, bytes.fromhex("5F1D3A9902C47EB688AB10E5D3427C6F")])
    assert new_key(lambda size: next(offered)).hex() == "5f1d3a9902c47eb688ab10e5d3427c6f"
    assert len({new_key() for _ in range(100)}) == 100
