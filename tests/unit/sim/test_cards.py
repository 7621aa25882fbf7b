"""The simulation's own card encoder against published vectors and the rules of its layouts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.errors import OutOfRange
from hal.sim.cards import LAYOUTS, card_bits

VECTORS = {
    "H10301:1:1": "10000000100000000000000010",
    "H10301:255:65535": "01111111111111111111111111",
    "H10302::1": "0000000000000000000000000000000000010",
    "H10302::131072": "1000000000000000001000000000000000000",
    "H10302:0:9876543210": "1010010011001011000000010110111010101",
    "H10302:0:34359738367": "0111111111111111111111111111111111111",
    "H10304:118:1603": "1000000000111011000000000110010000110",
    "H10304:4660:131072": "0000100100011010001000000000000000000",
    "H10304:0:262144": "1000000000000000010000000000000000001",
    "H10304:123:456789": "0000000000111101111011111000010101011",
    "H10306:256:256": "1000000010000000000000001000000000",
    "H10306:12345:54321": "0001100000011100111010100001100010",
}


@pytest.mark.parametrize(("card", "bits"), VECTORS.items())
def test_a_card_has_the_published_bits(card: str, bits: str) -> None:
    assert card_bits(card) == bits
    assert card_bits(card.lower()) == bits
    assert card_bits(bits) == bits


@given(st.sampled_from(sorted(LAYOUTS)), st.integers(min_value=0), st.integers(min_value=0))
def test_every_card_a_format_can_hold_has_good_parity(name: str, facility: int, number: int) -> None:
    layout = LAYOUTS[name]
    bits = card_bits(f"{name}:{facility % (1 << layout.facility)}:{number % (1 << layout.number)}")
    assert len(bits) == layout.facility + layout.number + 2
    assert bits[: layout.parity + 1].count("1") % 2 == 0
    assert bits[-layout.parity - 1 :].count("1") % 2 == 1


@given(st.text(max_size=40))
def test_any_text_is_a_card_or_a_clear_error(text: str) -> None:
    try:
        said = card_bits(text)
    except OutOfRange as error:
        said = error.where
    assert said == "card" or (said and set(said) <= {"0", "1"})
