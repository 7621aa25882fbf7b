"""Cards written for somebody's controller, read back by the decoder."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.core.cards.credential import Credential, Reading, encode, parse, raw, read
from firmware.core.cards.formats import FORMATS
from firmware.core.cards.output import (
    LAYOUTS,
    CustomLayout,
    DataFormat,
    FacilityMode,
    OutputFormat,
    ParityKind,
    encode_card,
    preview,
)

# The same vectors as the decoder's, by the names of the output formats.
VECTORS = [
    (DataFormat.WIEGAND37, "H10302:0:1", "0000000000000000000000000000000000010"),
    (DataFormat.WIEGAND37, "H10302:0:131072", "1000000000000000001000000000000000000"),
    (DataFormat.WIEGAND37, "H10302:0:1234567890", "1000010010011001011000000010110100101"),
    (DataFormat.WIEGAND37, "H10302:0:9876543210", "1010010011001011000000010110111010101"),
    (DataFormat.WIEGAND37, "H10302:0:34359738367", "0111111111111111111111111111111111111"),
    (DataFormat.WIEGAND37_FACILITY, "H10304:1:1", "1000000000000000100000000000000000010"),
    (DataFormat.WIEGAND37_FACILITY, "H10304:118:1603", "1000000000111011000000000110010000110"),
    (DataFormat.WIEGAND37_FACILITY, "H10304:4660:131072", "0000100100011010001000000000000000000"),
    (DataFormat.WIEGAND37_FACILITY, "H10304:0:262144", "1000000000000000010000000000000000001"),
    (DataFormat.WIEGAND37_FACILITY, "H10304:123:456789", "0000000000111101111011111000010101011"),
    (DataFormat.WIEGAND37_FACILITY, "H10304:65535:524287", "0111111111111111111111111111111111111"),
    (DataFormat.WIEGAND34, "H10306:1:1", "1000000000000000100000000000000010"),
    (DataFormat.WIEGAND34, "H10306:256:256", "1000000010000000000000001000000000"),
    (DataFormat.WIEGAND34, "H10306:12345:54321", "0001100000011100111010100001100010"),
    (DataFormat.WIEGAND26, "H10301:1:1", "10000000100000000000000010"),
    (DataFormat.WIEGAND26, "H10301:255:65535", "01111111111111111111111111"),
]
UID = f"{0x04A1B2C3:032b}"


def auto(data_format: DataFormat) -> OutputFormat:
    return OutputFormat(data_format=data_format)


@pytest.mark.parametrize(("data_format", "card", "bits"), VECTORS)
def test_a_card_of_the_output_format_goes_out_bit_for_bit_as_it_came(
    data_format: DataFormat, card: str, bits: str
) -> None:
    assert encode_card(bits, parse(card), auto(data_format)).bits == bits
    assert encode_card(bits, parse(card), auto(DataFormat.RAW)).bits == bits


def test_the_card_keeps_its_facility_code_in_a_larger_format() -> None:
    card = parse("H10301:42:1234")
    sent = encode_card(encode(card), card, auto(DataFormat.WIEGAND34))
    assert read(sent.bits) == read(FORMATS["H10306"].encode(42, 1234))
    assert (sent.facility, sent.number, sent.dropped_bits) == (42, 1234, 0)


def test_without_a_facility_code_of_its_own_one_is_forged_from_the_excess_bits_of_the_number() -> None:
    sent = encode_card(UID, None, auto(DataFormat.WIEGAND34))
    assert (sent.facility, sent.number, sent.dropped_bits) == (0x04A1, 0xB2C3, 0)
    short = encode_card(UID, None, auto(DataFormat.WIEGAND26))
    # 0x04 finds no place: three bits of it are more than zeros.
    assert (short.facility, short.number, short.dropped_bits) == (0xA1, 0xB2C3, 3)
    long_number = parse("H10302:0:131072")
    assert encode_card(encode(long_number), long_number, auto(DataFormat.WIEGAND26)).facility == 2


def test_the_raw_credential_of_a_card_is_no_format() -> None:
    assert encode_card(UID, raw(UID), auto(DataFormat.WIEGAND34)) == encode_card(UID, None, auto(DataFormat.WIEGAND34))


@pytest.mark.parametrize(
    ("mode", "with_its_own", "without"),
    [(FacilityMode.AUTO, 42, 0x4A1), (FacilityMode.OPTIONAL, 42, 7), (FacilityMode.OVERRIDE, 7, 7)],
)
def test_each_facility_mode_takes_the_code_from_where_the_manual_says(
    mode: FacilityMode, with_its_own: int, without: int
) -> None:
    output = OutputFormat(data_format=DataFormat.WIEGAND34, facility_mode=mode, facility_code=7)
    card = parse("H10301:42:1234")
    assert encode_card(encode(card), card, output).facility == with_its_own
    assert encode_card(UID, None, output).facility == without


def test_two_cards_that_differ_only_in_their_facility_code_differ_in_a_format_without_one() -> None:
    sent = []
    for facility in (1, 2):
        card = Credential("H10301", facility, 1234)
        sent.append(encode_card(encode(card), card, auto(DataFormat.WIEGAND37)).number)
    assert sent == [1 << 16 | 1234, 2 << 16 | 1234]


def test_the_byte_order_is_turned_of_a_serial_number_and_of_nothing_else() -> None:
    turned = OutputFormat(data_format=DataFormat.RAW, reverse_bytes=True)
    assert encode_card(UID, None, turned).bits == f"{0xC3B2A104:032b}"
    wide = OutputFormat(data_format=DataFormat.WIEGAND37, reverse_bytes=True)
    assert encode_card(UID, None, wide).number == 0xC3B2A104
    card = parse("H10301:42:1234")
    assert encode_card(encode(card), card, turned).bits == encode(card)
    assert encode_card("1" + UID, None, turned).bits == "1" + UID


def test_a_custom_layout_covers_start_parity_from_the_first_and_stop_parity_from_the_last_data_bit() -> None:
    custom = CustomLayout(
        facility_code_size=4,
        card_number_size=8,
        start_parity=ParityKind.ODD,
        stop_parity=ParityKind.EVEN,
        start_parity_bits=3,
        stop_parity_bits=5,
    )
    output = OutputFormat(data_format=DataFormat.CUSTOM, custom=custom)
    sent = encode_card("010110010111", None, output)
    # 1 | 0101 | 10010111 | 1: one 1 in 010 is odd already, so 0; 10111 has four, so 0
    assert sent.bits == "0" + "0101" + "10010111" + "0"
    assert str(preview(sent.layout, sent.bits)) == "0 0101 10010111 0\nP FFFF NNNNNNNN P"
    fixed = CustomLayout(card_number_size=8, start_parity=ParityKind.FIX1, stop_parity=ParityKind.FIX0)
    assert encode_card("10010111", None, OutputFormat(data_format=DataFormat.CUSTOM, custom=fixed)).bits == "1100101110"
    bare = CustomLayout(card_number_size=8)
    assert encode_card("10010111", None, OutputFormat(data_format=DataFormat.CUSTOM, custom=bare)).bits == "10010111"


def test_wiegand26_written_as_a_custom_layout_is_wiegand26() -> None:
    custom = CustomLayout(
        facility_code_size=8,
        card_number_size=16,
        start_parity=ParityKind.EVEN,
        stop_parity=ParityKind.ODD,
        start_parity_bits=12,
        stop_parity_bits=12,
    )
    assert (
        encode_card(UID, None, OutputFormat(data_format=DataFormat.CUSTOM, custom=custom)).bits
        == encode_card(UID, None, auto(DataFormat.WIEGAND26)).bits
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"card_number_size": 0}, "card_number_size 0 is not between 1 and 512"),
        ({"facility_code_size": -1}, "facility_code_size -1 is not between 0 and 511"),
        ({"facility_code_size": 500, "card_number_size": 20}, "card_number_size 20 is not between 1 and 12"),
        (
            {"card_number_size": 24, "start_parity": ParityKind.EVEN, "start_parity_bits": 25},
            "start_parity_bits 25 is not between 1 and 24",
        ),
        ({"stop_parity": ParityKind.ODD}, "stop_parity_bits 0 is not between 1 and 32"),
    ],
)
def test_an_impossible_custom_layout_is_refused_with_its_field_and_range(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        CustomLayout(**wrong)  # type: ignore[arg-type]


def test_a_facility_code_that_the_format_cannot_hold_is_refused_before_any_card_is_read() -> None:
    with pytest.raises(ValueError, match=r"^facility_code \(Wiegand26\) 256 is not between 0 and 255$"):
        OutputFormat(data_format=DataFormat.WIEGAND26, facility_mode=FacilityMode.OVERRIDE, facility_code=256)
    OutputFormat(data_format=DataFormat.WIEGAND26, facility_mode=FacilityMode.AUTO, facility_code=256)


@pytest.mark.parametrize("bits", ["", "0" * 513, "01x"])
def test_what_is_no_card_is_not_sent(bits: str) -> None:
    with pytest.raises(ValueError, match="a card is 1 to 512 bits of 0 and 1"):
        encode_card(bits, None, auto(DataFormat.RAW))


def test_a_preview_marks_every_bit() -> None:
    bits = LAYOUTS["Wiegand26"].encode(42, 1234)
    shown = preview(LAYOUTS["Wiegand26"], bits)
    assert shown.bits == "1 00101010 0000010011010010 0"
    assert shown.marks == "P FFFFFFFF NNNNNNNNNNNNNNNN P"
    assert preview(None, "0101").marks == "DDDD"
    with pytest.raises(ValueError, match="H10301 has 26 bits, not 4"):
        preview(LAYOUTS["Wiegand26"], "0101")


@given(
    st.text("01", min_size=8, max_size=64), st.sampled_from(DataFormat), st.sampled_from(FacilityMode), st.booleans()
)
def test_whatever_card_goes_in_the_decoder_reads_what_the_encoder_says_it_sent(
    bits: str, data_format: DataFormat, mode: FacilityMode, reverse: bool
) -> None:
    output = OutputFormat(data_format=data_format, facility_mode=mode, facility_code=5, reverse_bytes=reverse)
    reading = read(bits)
    card = reading.preferred if isinstance(reading, Reading) else None
    sent = encode_card(bits, card, output)
    layout = output.layout()
    if layout is None:
        assert sorted(sent.bits) == sorted(bits)
        return
    assert layout.decode(sent.bits) == (sent.facility or 0, sent.number)
    again = read(sent.bits)
    if data_format is not DataFormat.CUSTOM:
        assert isinstance(again, Reading)
        assert Credential(layout.name, sent.facility or 0, sent.number or 0) in again.fitting


@st.composite
def custom_layouts(draw: st.DrawFn) -> CustomLayout:
    facility, number = draw(st.integers(0, 40)), draw(st.integers(1, 60))
    covered = st.integers(1, facility + number)
    return CustomLayout(
        facility_code_size=facility,
        card_number_size=number,
        start_parity=draw(st.sampled_from(ParityKind)),
        stop_parity=draw(st.sampled_from(ParityKind)),
        start_parity_bits=draw(covered),
        stop_parity_bits=draw(covered),
    )


@given(custom_layouts(), st.data())
def test_every_custom_layout_reads_back_what_it_wrote(custom: CustomLayout, data: st.DataObject) -> None:
    width = custom.facility_code_size + custom.card_number_size
    bits = data.draw(st.text("01", min_size=width, max_size=width))
    sent = encode_card(bits, None, OutputFormat(data_format=DataFormat.CUSTOM, custom=custom))
    assert sent.dropped_bits == 0
    decoded = custom.layout().decode(sent.bits)
    assert decoded is not None
    assert decoded[0] << custom.card_number_size | decoded[1] == int(bits, 2)
