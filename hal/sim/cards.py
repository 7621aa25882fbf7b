"""Cards: the bits a card of a format sends, written from the format's layout.

The simulation's own encoder: the firmware has another one, and the two must agree through the wire.
Layout: an even parity bit over the first data bits, facility, number, an odd parity bit over the last ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hal.errors import OutOfRange, nearest

LONGEST_BITS = 256


@dataclass(frozen=True, slots=True)
class Layout:
    """Widths of the fields and of the two parity ranges, in bits; in 37-bit formats the ranges overlap."""

    facility: int
    number: int
    parity: int


LAYOUTS = {
    "H10301": Layout(facility=8, number=16, parity=12),
    "H10302": Layout(facility=0, number=35, parity=18),
    "H10304": Layout(facility=16, number=19, parity=18),
    "H10306": Layout(facility=16, number=16, parity=16),
}


def card_bits(card: str) -> str:
    """The bits of `FORMAT:FACILITY:NUMBER`, or of a text of bits as it is. Raises OutOfRange."""
    if re.fullmatch(r"[01]+", card):
        if len(card) > LONGEST_BITS:
            raise OutOfRange("card", f"{len(card)} bits; the longest is {LONGEST_BITS}")
        return card
    match = re.fullmatch(r"([A-Za-z0-9]+):(\d{0,20}):(\d{1,20})", card)
    if match is None:
        raise OutOfRange(
            "card", f"{card!r} is not a card; write FORMAT:FACILITY:NUMBER, such as H10301:42:1234, or bits"
        )
    name = match[1].upper()
    if name not in LAYOUTS:
        raise OutOfRange("card", f"no format {match[1]!r}{nearest(name, LAYOUTS)}")
    return encode(name, int(match[2] or 0), int(match[3]))


def encode(name: str, facility: int, number: int) -> str:
    """The bits of one card, first on the wire first. Raises OutOfRange for values the format cannot hold."""
    layout = LAYOUTS[name]
    if facility >= 1 << layout.facility:
        raise OutOfRange("card", f"facility {facility}; {name} has 0 to {(1 << layout.facility) - 1}")
    if number >= 1 << layout.number:
        raise OutOfRange("card", f"number {number}; {name} has 0 to {(1 << layout.number) - 1}")
    width = layout.facility + layout.number
    data = f"{facility << layout.number | number:0{width}b}"
    even = data[: layout.parity].count("1") % 2
    odd = 1 - data[-layout.parity :].count("1") % 2
    return f"{even}{data}{odd}"
