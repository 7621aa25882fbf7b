"""Card formats as data: how facility code, card number and parity lie in the bits of a card.

Layouts agree with the published tables of H10301, H10306, H10302 and H10304 (names used by most card
makers). Bit 0 is the first on the wire. Start parity stands before the data and covers the first
`over` data bits, stop parity stands behind and covers the last `over`; both may cover the same bit
(in 37-bit formats bit 18). Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MAX_BITS = 512


class Rule(StrEnum):
    """What a parity bit says."""

    EVEN = "even"
    ODD = "odd"
    FIXED_0 = "0"
    FIXED_1 = "1"


@dataclass(frozen=True, slots=True)
class Parity:
    """One parity bit: `rule` over `over` data bits (0 for a fixed bit)."""

    rule: Rule
    over: int = 0

    def bit(self, covered: str) -> str:
        """The bit that belongs to the covered data."""
        if self.rule in (Rule.FIXED_0, Rule.FIXED_1):
            return self.rule.value
        odd_ones = covered.count("1") % 2 == 1
        return "1" if odd_ones is (self.rule is Rule.EVEN) else "0"


@dataclass(frozen=True, slots=True)
class CardFormat:
    """A layout: `facility_bits`, then `number_bits`, most significant first, between the parity bits."""

    name: str
    facility_bits: int
    number_bits: int
    start: Parity | None
    stop: Parity | None
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        data = self.facility_bits + self.number_bits
        for parity in (self.start, self.stop):
            if parity is not None and not 0 <= parity.over <= data:
                raise ValueError(f"{self.name}: parity over {parity.over} of {data} data bits")
        if self.facility_bits < 0 or self.number_bits < 1 or self.bits > MAX_BITS:
            raise ValueError(f"{self.name}: {self.facility_bits}+{self.number_bits} bits cannot be")

    @property
    def bits(self) -> int:
        """How long a card of this format is."""
        return (self.start is not None) + self.facility_bits + self.number_bits + (self.stop is not None)

    @property
    def max_facility(self) -> int:
        """The largest facility code; 0 when the format has none."""
        return (1 << self.facility_bits) - 1

    @property
    def max_number(self) -> int:
        """The largest card number."""
        return (1 << self.number_bits) - 1

    def encode(self, facility: int, number: int) -> str:
        """The bits of a card. Raises ValueError for a value the format cannot hold."""
        if not 0 <= facility <= self.max_facility:
            if not self.facility_bits:
                raise ValueError(f"{self.name} has no facility code; write {self.name}:0:{number}")
            raise ValueError(f"facility code {facility} is not between 0 and {self.max_facility} ({self.name})")
        if not 0 <= number <= self.max_number:
            raise ValueError(f"card number {number} is not between 0 and {self.max_number} ({self.name})")
        data = f"{facility << self.number_bits | number:0{self.facility_bits + self.number_bits}b}"
        start = "" if self.start is None else self.start.bit(data[: self.start.over])
        stop = "" if self.stop is None else self.stop.bit(data[len(data) - self.stop.over :])
        return f"{start}{data}{stop}"

    def decode(self, bits: str) -> tuple[int, int] | None:
        """Facility code and card number, or None when length or parity do not fit."""
        if len(bits) != self.bits:
            return None
        data = bits[self.start is not None : len(bits) - (self.stop is not None)]
        if self.start is not None and bits[0] != self.start.bit(data[: self.start.over]):
            return None
        if self.stop is not None and bits[-1] != self.stop.bit(data[len(data) - self.stop.over :]):
            return None
        value = int(data, 2)
        return value >> self.number_bits, value & self.max_number


FORMATS = {
    layout.name: layout
    for layout in (
        CardFormat("H10301", 8, 16, Parity(Rule.EVEN, 12), Parity(Rule.ODD, 12), ("Wiegand26",)),
        CardFormat("H10306", 16, 16, Parity(Rule.EVEN, 16), Parity(Rule.ODD, 16), ("Wiegand34",)),
        CardFormat("H10302", 0, 35, Parity(Rule.EVEN, 18), Parity(Rule.ODD, 18), ("Wiegand37",)),
        CardFormat("H10304", 16, 19, Parity(Rule.EVEN, 18), Parity(Rule.ODD, 18), ("Wiegand37FacilityCode",)),
    )
}
