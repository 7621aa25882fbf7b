"""Cards as somebody's controller wants them: the data formats of the reader connector's output; pure.

Source: manual 001, Reader, Output format. What the manual leaves open is decided here:

* a number longer than the field is cut to its low bits, as every reader of that format does with a card's
  serial number; `SentCard.dropped_bits` says how much was lost, so that a preview can warn;
* a format without a facility code (Wiegand37) takes the card's whole data as its number, facility above number,
  so that two cards never look alike;
* the byte order is turned of cards that are known by their bits only, in whole bytes (a serial number): a card
  whose layout is known has fields and no bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from firmware.core.cards.credential import RAW, Credential
from firmware.core.cards.formats import FORMATS, MAX_BITS, CardFormat, Parity, Rule
from hal.errors import nearest


class DataFormat(StrEnum):
    """How card data is sent (manual 001, Select data format)."""

    RAW = "Raw"
    WIEGAND26 = "Wiegand26"
    WIEGAND34 = "Wiegand34"
    WIEGAND37 = "Wiegand37"
    WIEGAND37_FACILITY = "Wiegand37FacilityCode"
    CUSTOM = "Custom"


class FacilityMode(StrEnum):
    """Where the facility code comes from (manual 001, Facility code override mode)."""

    AUTO = "Auto"
    OPTIONAL = "Optional"
    OVERRIDE = "Override"


class ParityKind(StrEnum):
    """A parity bit of a custom layout."""

    NONE = "None"
    EVEN = "Even"
    ODD = "Odd"
    FIX0 = "Fix0"
    FIX1 = "Fix1"


_RULES = {
    ParityKind.EVEN: Rule.EVEN,
    ParityKind.ODD: Rule.ODD,
    ParityKind.FIX0: Rule.FIXED_0,
    ParityKind.FIX1: Rule.FIXED_1,
}
LAYOUTS = {alias: layout for layout in FORMATS.values() for alias in layout.aliases}


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomLayout:
    """A layout of one's own: field sizes in bits, and how many data bits each parity covers.

    Start parity covers from the first data bit on, stop parity backwards from the last one; both sizes count for
    Even and Odd only. Raises ValueError naming the field, its value and what is valid.
    """

    facility_code_size: int = 0
    card_number_size: int = 32
    start_parity: ParityKind = ParityKind.NONE
    stop_parity: ParityKind = ParityKind.NONE
    start_parity_bits: int = 0
    stop_parity_bits: int = 0

    def __post_init__(self) -> None:
        data = self.facility_code_size + self.card_number_size
        parities = sum(kind is not ParityKind.NONE for kind in (self.start_parity, self.stop_parity))
        _within("facility_code_size", self.facility_code_size, 0, MAX_BITS - parities - 1)
        _within("card_number_size", self.card_number_size, 1, MAX_BITS - parities - self.facility_code_size)
        for which, kind, covered in (
            ("start_parity_bits", self.start_parity, self.start_parity_bits),
            ("stop_parity_bits", self.stop_parity, self.stop_parity_bits),
        ):
            if kind in (ParityKind.EVEN, ParityKind.ODD):
                _within(which, covered, 1, data)

    def layout(self) -> CardFormat:
        """The same as every other layout is kept."""
        return CardFormat(
            "Custom",
            self.facility_code_size,
            self.card_number_size,
            _parity(self.start_parity, self.start_parity_bits),
            _parity(self.stop_parity, self.stop_parity_bits),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFormat:
    """What is made of a card. Raises ValueError for a facility code that the format cannot hold.

    `facility_code` counts in the modes Optional and Override, `custom` for the data format Custom.
    """

    data_format: DataFormat = DataFormat.RAW
    facility_mode: FacilityMode = FacilityMode.AUTO
    facility_code: int = 0
    custom: CustomLayout = field(default_factory=CustomLayout)
    reverse_bytes: bool = False

    def __post_init__(self) -> None:
        layout = self.layout()
        if layout is not None and layout.facility_bits and self.facility_mode is not FacilityMode.AUTO:
            _within(f"facility_code ({self.data_format})", self.facility_code, 0, layout.max_facility)

    def layout(self) -> CardFormat | None:
        """The layout that is written; None for Raw."""
        if self.data_format is DataFormat.RAW:
            return None
        return self.custom.layout() if self.data_format is DataFormat.CUSTOM else LAYOUTS[self.data_format]


@dataclass(frozen=True, slots=True)
class SentCard:
    """The bits for the wire; `facility` and `number` as a controller will read them (None in Raw and without field).

    `dropped_bits` is how many high bits of the card found no place.
    """

    bits: str
    facility: int | None
    number: int | None
    dropped_bits: int
    layout: CardFormat | None


@dataclass(frozen=True, slots=True)
class Preview:
    """Bits for people: groups of `bits`, and below each what it is (F facility, N number, P parity, D data)."""

    bits: str
    marks: str

    def __str__(self) -> str:
        return f"{self.bits}\n{self.marks}"


def encode_card(bits: str, card: Credential | None, output: OutputFormat) -> SentCard:
    """Write a card: its `bits` as read, and what the preferred format read in them (None or RAW: nothing).

    Raises ValueError for a text that is no card, or a credential of no known format.
    """
    if not 1 <= len(bits) <= MAX_BITS or set(bits) - {"0", "1"}:
        raise ValueError(f"a card is 1 to {MAX_BITS} bits of 0 and 1, not {bits[:40]!r} ({len(bits)} characters)")
    known = None if card is None or card.format == RAW else _layout_of(card)
    if output.reverse_bytes and known is None and len(bits) % 8 == 0:
        bits = "".join(bits[at : at + 8] for at in range(len(bits) - 8, -1, -8))
    layout = output.layout()
    if layout is None:
        return SentCard(bits, None, None, 0, None)
    own = None if card is None or known is None or not known.facility_bits else card.facility
    number = int(bits, 2) if card is None or known is None else card.number
    if not layout.facility_bits:
        if own is not None and known is not None:
            number |= own << known.number_bits
        kept, dropped = _cut(number, layout.number_bits)
        return SentCard(layout.encode(0, kept), None, kept, dropped, layout)
    kept, _ = _cut(number, layout.number_bits)
    return _with_facility(layout, output, own, kept, number >> layout.number_bits)


def _with_facility(layout: CardFormat, output: OutputFormat, own: int | None, number: int, excess: int) -> SentCard:
    """Choose the facility code; `excess` is what of the card's number lies above the field."""
    if output.facility_mode is FacilityMode.OVERRIDE:
        facility, dropped = output.facility_code, excess.bit_length()
    elif own is not None:
        facility, cut = _cut(own, layout.facility_bits)
        dropped = cut + excess.bit_length()
    elif output.facility_mode is FacilityMode.OPTIONAL:
        facility, dropped = output.facility_code, excess.bit_length()
    else:
        facility, dropped = _cut(excess, layout.facility_bits)
    return SentCard(layout.encode(facility, number), facility, number, dropped, layout)


def preview(layout: CardFormat | None, bits: str) -> Preview:
    """Show how bits are read: `1 00101010 0000010011010010 0` over `P FFFFFFFF NNNNNNNNNNNNNNNN P`.

    Without a layout all is data. Raises ValueError for bits of another length.
    """
    if layout is None:
        return Preview(bits, "D" * len(bits))
    if len(bits) != layout.bits:
        raise ValueError(f"{layout.name} has {layout.bits} bits, not {len(bits)}")
    fields = (
        ("P", int(layout.start is not None)),
        ("F", layout.facility_bits),
        ("N", layout.number_bits),
        ("P", int(layout.stop is not None)),
    )
    groups, at = [], 0
    for mark, size in fields:
        if size:
            groups.append((bits[at : at + size], mark * size))
            at += size
    return Preview(" ".join(group for group, _ in groups), " ".join(marks for _, marks in groups))


def _layout_of(card: Credential) -> CardFormat:
    if card.format not in FORMATS:
        raise ValueError(f"no card format {card.format[:40]!r}{nearest(card.format, FORMATS)}")
    return FORMATS[card.format]


def _parity(kind: ParityKind, over: int) -> Parity | None:
    if kind is ParityKind.NONE:
        return None
    return Parity(_RULES[kind], over if kind in (ParityKind.EVEN, ParityKind.ODD) else 0)


def _cut(value: int, size: int) -> tuple[int, int]:
    """The low `size` bits, and how many bits of the value lie above them."""
    return value & ((1 << size) - 1), max(0, value.bit_length() - size)


def _within(what: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{what} {value} is not between {low} and {high}")
