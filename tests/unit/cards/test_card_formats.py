"""Card formats against outside vectors, and from text to bits and back."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.core.cards.credential import Credential, Reading, Unreadable, encode, parse, raw, read
from firmware.core.cards.formats import FORMATS, CardFormat, Parity, Rule

# Computed with an independent public implementation; no published 37-bit vector has bit 18 set, these do.
VECTORS = {
    "H10302:0:1": "0000000000000000000000000000000000010",
    "H10302:0:131072": "1000000000000000001000000000000000000",
    "H10302:0:1234567890": "1000010010011001011000000010110100101",
    "H10302:0:9876543210": "1010010011001011000000010110111010101",
    "H10302:0:34359738367": "0111111111111111111111111111111111111",
    "H10304:1:1": "1000000000000000100000000000000000010",
    "H10304:118:1603": "1000000000111011000000000110010000110",
    "H10304:4660:131072": "0000100100011010001000000000000000000",
    "H10304:0:262144": "1000000000000000010000000000000000001",
    "H10304:123:456789": "0000000000111101111011111000010101011",
    "H10304:65535:524287": "0111111111111111111111111111111111111",
    "H10306:1:1": "1000000000000000100000000000000010",
    "H10306:256:256": "1000000010000000000000001000000000",
    "H10306:12345:54321": "0001100000011100111010100001100010",
    "H10301:1:1": "10000000100000000000000010",
    "H10301:255:65535": "01111111111111111111111111",
}


@st.composite
def credentials(draw: st.DrawFn) -> Credential:
    layout = draw(st.sampled_from(list(FORMATS.values())))
    return Credential(
        layout.name,
        draw(st.integers(0, layout.max_facility)),
        draw(st.integers(0, layout.max_number)),
    )


@pytest.mark.parametrize(("text", "bits"), VECTORS.items())
def test_a_vector_is_written_bit_for_bit(text: str, bits: str) -> None:
    assert encode(parse(text)) == bits


@pytest.mark.parametrize(("text", "bits"), VECTORS.items())
def test_a_vector_is_read_as_its_credential(text: str, bits: str) -> None:
    reading = read(bits)
    assert isinstance(reading, Reading)
    assert text in [str(each) for each in reading.fitting]


def test_every_37_bit_card_fits_two_formats_and_the_first_listed_is_preferred() -> None:
    bits = VECTORS["H10304:118:1603"]
    reading = read(bits)
    assert isinstance(reading, Reading)
    assert [each.format for each in reading.fitting] == ["H10302", "H10304"]
    other = read(bits, [FORMATS["H10304"], FORMATS["H10302"]])
    assert isinstance(other, Reading)
    assert str(other.preferred) == "H10304:118:1603"


@given(credentials())
def test_a_credential_survives_bits_and_text(credential: Credential) -> None:
    bits = encode(credential)
    reading = read(bits)
    assert isinstance(reading, Reading)
    assert credential in reading.fitting
    assert parse(str(credential)) == credential
    assert parse(str(reading.raw)) == parse(bits) == reading.raw
    assert encode(reading.raw) == bits


@given(credentials(), st.data())
def test_one_flipped_bit_never_reads_as_the_same_card(credential: Credential, data: st.DataObject) -> None:
    bits = encode(credential)
    at = data.draw(st.integers(0, len(bits) - 1))
    flipped = bits[:at] + ("1" if bits[at] == "0" else "0") + bits[at + 1 :]
    reading = read(flipped)
    fitting = reading.fitting if isinstance(reading, Reading) else ()
    assert credential not in fitting


@pytest.mark.parametrize("name", ["H10301", "H10306", "H10302", "H10304"])
def test_a_wrong_parity_is_unreadable_and_keeps_its_bits(name: str) -> None:
    bits = FORMATS[name].encode(0, 1234)
    wrong = ("1" if bits[0] == "0" else "0") + bits[1:]
    reading = read(wrong)
    assert isinstance(reading, Unreadable)
    assert name in reading.reason
    assert reading.raw == raw(wrong)


def test_bits_of_no_known_length_have_only_their_raw_credential() -> None:
    bits = "0110" * 8
    reading = read(bits)
    assert reading == Reading(None, (), raw(bits))
    assert str(raw(bits)) == f"RAW:32:{bits}"


@given(st.text(max_size=40))
def test_anything_that_is_no_text_of_bits_is_unreadable(text: str) -> None:
    reading = read(text)
    if not text or set(text) - {"0", "1"}:
        assert isinstance(reading, Unreadable)
        assert reading.raw is None


def test_513_bits_are_unreadable() -> None:
    assert isinstance(read("1" * 513), Unreadable)


@given(st.text(max_size=60))
def test_any_text_is_a_credential_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        credential = parse(text)
        assert parse(str(credential)) == credential


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("H1301:1:2", "did you mean 'H10301'"),
        ("h10302:5:9", "no facility code"),
        ("H10301:256:1", "not between 0 and 255"),
        ("H10301:1:65536", "not between 0 and 65535"),
        ("H10301:1:x", "card number 'x' is not a number"),
        ("H10301:-1:5", "facility code '-1' is not a number"),
        ("1234", "FORMAT:FACILITY:NUMBER"),
        ("RAW:3:10", "RAW says 3 bits and has 2"),
        ("RAW:26:1012", "not a text of 0 and 1"),
        ("101", "8 to 512 bits"),
    ],
)
def test_a_wrong_card_text_names_its_fault(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        parse(text)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("wiegand26:42:1234", "H10301:42:1234"),
        (" H10302::7 ", "H10302:0:7"),
        ("Wiegand37FacilityCode:1:2", "H10304:1:2"),
    ],
)
def test_other_names_of_a_format_mean_the_same(text: str, same: str) -> None:
    assert str(parse(text)) == same


def test_fixed_parity_bits_are_checked() -> None:
    layout = CardFormat("FIXED", 4, 4, Parity(Rule.FIXED_1), Parity(Rule.FIXED_0))
    assert layout.encode(3, 5) == "1001101010"
    assert layout.decode("1001101010") == (3, 5)
    assert layout.decode("0001101010") is None
    assert layout.decode("1001101011") is None


def test_a_format_with_more_parity_than_data_is_refused() -> None:
    with pytest.raises(ValueError, match="parity over 9 of 8"):
        CardFormat("WRONG", 4, 4, Parity(Rule.ODD, 9), None)
