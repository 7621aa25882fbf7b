"""Keys and PINs written for somebody's controller."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.core.cards.formats import FORMATS
from firmware.core.cards.keypress import KEYS, KeypressFormat, Unsendable, key_frame, pin_frames
from hal.drivers.wiegand_framer import key_of

WHOLE = [each for each in KeypressFormat if each.layout is not None]
SINGLE = [each for each in KeypressFormat if each.layout is None]


def nibbles(frames: tuple[str, ...]) -> list[str]:
    return [f"{int(frame, 2):0{len(frame) // 4}X}" for frame in frames]


def test_the_manuals_pin_goes_out_as_the_manual_says() -> None:
    assert nibbles(pin_frames("1234", KeypressFormat.FOUR_BIT)) == ["1", "2", "3", "4"]
    assert nibbles(pin_frames("1234", KeypressFormat.EIGHT_BIT_ZERO_PADDED)) == ["01", "02", "03", "04"]
    assert nibbles(pin_frames("1234", KeypressFormat.EIGHT_BIT_INVERT_PADDED)) == ["E1", "D2", "C3", "B4"]


def test_star_and_hash_are_a_and_b() -> None:
    assert nibbles(pin_frames("*#", KeypressFormat.FOUR_BIT)) == ["A", "B"]
    assert nibbles(pin_frames("*#", KeypressFormat.EIGHT_BIT_ZERO_PADDED)) == ["0A", "0B"]
    assert nibbles(pin_frames("*#", KeypressFormat.EIGHT_BIT_INVERT_PADDED)) == ["5A", "4B"]


@pytest.mark.parametrize(
    ("keypress", "facility", "bits"),
    [
        (KeypressFormat.WIEGAND26, 0, "00000000000000100110100100"),
        (KeypressFormat.WIEGAND26, 5, "00000010100000100110100100"),
        (KeypressFormat.WIEGAND34, 5, "0000000000000010100000100110100100"),
        (KeypressFormat.WIEGAND37, 0, "0000000000000000000000000100110100100"),
        (KeypressFormat.WIEGAND37, 5, "0000000000000000000000000100110100100"),
        (KeypressFormat.WIEGAND37_FACILITY, 5, "0000000000000010100000000100110100100"),
    ],
)
def test_a_whole_pin_is_the_number_of_a_card(keypress: KeypressFormat, facility: int, bits: str) -> None:
    assert pin_frames("1234", keypress, facility) == (bits,)


@pytest.mark.parametrize(
    ("keypress", "pin", "message"),
    [
        (KeypressFormat.WIEGAND26, "65536", "a PIN of 5 digits is above 65535, the largest of Wiegand26"),
        (KeypressFormat.WIEGAND34, "123456", "a PIN of 6 digits is above 65535, the largest of Wiegand34"),
        (KeypressFormat.WIEGAND37_FACILITY, "524288", "a PIN of 6 digits is above 524287"),
        (KeypressFormat.WIEGAND37, "34359738368", "a PIN of 11 digits is above 34359738367"),
        (KeypressFormat.WIEGAND37, "9" * 32, "a PIN of 32 digits is above"),
        (KeypressFormat.WIEGAND26, "0123", "leading zeros would be lost"),
        (KeypressFormat.WIEGAND26, "00", "leading zeros would be lost"),
        (KeypressFormat.WIEGAND26, "12#", "Wiegand26 sends digits only"),
        (KeypressFormat.WIEGAND26, "", "an empty PIN"),
        (KeypressFormat.FOUR_BIT, "12x", "valid: 0 1 2"),
    ],
)
def test_a_pin_that_would_arrive_as_another_is_refused_without_being_told(
    keypress: KeypressFormat, pin: str, message: str
) -> None:
    with pytest.raises(Unsendable, match=re.escape(message)) as refused:
        pin_frames(pin, keypress)
    assert len(pin) < 4 or pin not in str(refused.value)


def test_a_facility_code_above_the_field_and_a_key_for_a_whole_pin_format_are_refused() -> None:
    with pytest.raises(Unsendable, match=r"^facility code 256 is not between 0 and 255 \(Wiegand26\)$"):
        pin_frames("1", KeypressFormat.WIEGAND26, 256)
    with pytest.raises(Unsendable, match="Wiegand34 sends whole PINs, not single keys"):
        key_frame("1", KeypressFormat.WIEGAND34)


@given(st.sampled_from(WHOLE), st.integers(0, 255), st.from_regex(r"[0-9]{1,12}", fullmatch=True))
def test_two_pins_never_go_out_alike(keypress: KeypressFormat, facility: int, pin: str) -> None:
    layout = keypress.layout
    assert layout is not None
    try:
        (frame,) = pin_frames(pin, keypress, facility)
    except Unsendable:
        assert str(int(pin)) != pin or int(pin) > layout.max_number
        return
    decoded = layout.decode(frame)
    assert decoded is not None
    assert str(decoded[1]) == pin
    assert decoded[0] == (facility if layout.facility_bits else 0)
    assert layout in FORMATS.values()


@pytest.mark.parametrize("key", KEYS)
def test_our_own_reader_reads_every_key_that_it_knows_how_to(key: str) -> None:
    assert key_of(key_frame(key, KeypressFormat.FOUR_BIT)) == key
    assert key_of(key_frame(key, KeypressFormat.EIGHT_BIT_INVERT_PADDED)) == key
    assert len({key_frame(each, keypress) for each in KEYS for keypress in SINGLE}) == 3 * len(KEYS)
