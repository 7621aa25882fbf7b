"""From the bits of a card to the credentials it may be, and back; pure.

Text form: `FORMAT:FACILITY:NUMBER` (`H10301:42:1234`; facility 0 where the format has none), or the
card's raw bits as `RAW:LENGTH:BITS` (`RAW:32:0110...`) for a card whose layout nobody knows.
A bare text of 0 and 1 means the same as its RAW form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from firmware.core.cards.formats import FORMATS, MAX_BITS, CardFormat
from hal.errors import nearest

RAW = "RAW"
MIN_RAW_BITS = 8

_BY_NAME = {name.upper(): layout for layout in FORMATS.values() for name in (layout.name, *layout.aliases)}


@dataclass(frozen=True, slots=True)
class Credential:
    """What a card is in one format; in RAW form `facility` is the number of bits and `number` their value."""

    format: str
    facility: int
    number: int

    def __str__(self) -> str:
        if self.format == RAW:
            return f"{RAW}:{self.facility}:{self.number:0{self.facility}b}"
        return f"{self.format}:{self.facility}:{self.number}"


@dataclass(frozen=True, slots=True)
class Reading:
    """A card that could be read: `fitting` in order of preference, `raw` its bits as a credential.

    `preferred` is None when no format fits its length: such a card is known by its raw bits only.
    """

    preferred: Credential | None
    fitting: tuple[Credential, ...]
    raw: Credential


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A card that could not; `raw` is there when the bits are whole and only a parity is wrong."""

    reason: str
    raw: Credential | None = None


def raw(bits: str) -> Credential:
    """The RAW credential of a text of 0 and 1."""
    return Credential(RAW, len(bits), int(bits, 2))


def read(bits: str, formats: Iterable[CardFormat] = tuple(FORMATS.values())) -> Reading | Unreadable:
    """Try every format, first the preferred one.

    37-bit cards fit two formats at once: both are in `fitting`, and an entry enrolled as either matches.
    """
    if not re.fullmatch(r"[01]+", bits):
        return Unreadable("no bits" if not bits else "not a text of bits")
    if len(bits) > MAX_BITS:
        return Unreadable(f"{len(bits)} bits are more than {MAX_BITS}")
    fitting: list[Credential] = []
    same_length: list[str] = []
    for layout in formats:
        if layout.bits != len(bits):
            continue
        same_length.append(layout.name)
        fields = layout.decode(bits)
        if fields is not None:
            fitting.append(Credential(layout.name, *fields))
    if same_length and not fitting:
        return Unreadable(f"parity of {' and '.join(same_length)} does not fit", raw(bits))
    return Reading(fitting[0] if fitting else None, tuple(fitting), raw(bits))


def encode(credential: Credential) -> str:
    """The bits a card with this credential sends. Raises ValueError."""
    if credential.format == RAW:
        return f"{credential.number:0{credential.facility}b}"
    return FORMATS[credential.format].encode(credential.facility, credential.number)


def parse(text: str) -> Credential:
    """Read the text form. Raises ValueError with the value and the nearest valid name."""
    text = text.strip()
    if re.fullmatch(r"[01]{2,}", text):
        return _raw_of(text)
    parts = text.split(":")
    if len(parts) != 3:
        shown = text if len(text) <= 40 else f"{text[:37]}..."
        raise ValueError(f"{shown!r} is not a card; write FORMAT:FACILITY:NUMBER, such as H10301:42:1234, or its bits")
    name, facility, number = parts
    if name.upper() == RAW:
        return _parse_raw(facility, number)
    layout = _BY_NAME.get(name.upper())
    if layout is None:
        raise ValueError(f"no card format {name[:40]!r}{nearest(name.upper(), [*FORMATS, RAW])}")
    credential = Credential(layout.name, _count("facility code", facility or "0"), _count("card number", number))
    layout.encode(credential.facility, credential.number)  # refuses what the format cannot hold
    return credential


def _parse_raw(length: str, bits: str) -> Credential:
    if not re.fullmatch(r"[01]+", bits):
        raise ValueError(f"{bits[:40]!r} is not a text of 0 and 1; write RAW:LENGTH:BITS")
    if _count("length", length) != len(bits):
        raise ValueError(f"RAW says {length} bits and has {len(bits)}")
    return _raw_of(bits)


def _raw_of(bits: str) -> Credential:
    if not MIN_RAW_BITS <= len(bits) <= MAX_BITS:
        raise ValueError(f"a raw card has {MIN_RAW_BITS} to {MAX_BITS} bits, not {len(bits)}")
    return raw(bits)


def _count(what: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,20}", text):
        raise ValueError(f"{what} {text[:40]!r} is not a number")
    return int(text)
