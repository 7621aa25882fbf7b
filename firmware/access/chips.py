"""From a card's chip to the bits that are decided on: chip types, data sets, byte order; pure.

Source: manual 001, Reader (Chip types, Data sets). A card whose chip type is not active is not there. The first data
set of its chip type that is enabled and authenticates says which bits count: data on the card, or the serial number
(CSN), from `offset_bits` on, `length_bits` long. Without such a data set the whole CSN counts. Data that could not be
read, or is shorter than the data set says, gives way to the CSN, unless the data set requires it: then nothing is
decided and nothing sent. Bytes are turned round first, then offset and length are counted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from firmware.access.latest import reversed_bytes
from firmware.core.cards.formats import MAX_BITS
from firmware.core.params import Group, param
from hal.errors import nearest
from hal.types import BlockPlace, CardChip, FilePlace, PagePlace, SecurePlace, SecureRead

ChipType = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/+-]{0,31}$")]
DataName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
KeyText = Annotated[str, StringConstraints(pattern=r"^([0-9A-Fa-f]{12}|[0-9A-Fa-f]{32})$")]


class _Place(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Block(_Place):
    """A block behind a sector key of 6 bytes; `key` names one of `chips.keys`."""

    kind: Literal["block"]
    block: int = Field(ge=0, le=255)
    key: DataName
    key_b: bool = False


class Pages(_Place):
    """Pages that anybody may read."""

    kind: Literal["pages"]
    page: int = Field(ge=0, le=255)
    count: int = Field(ge=1, le=16)


class File(_Place):
    """A file of an application, behind a key of 16 bytes; `key` names one of `chips.keys`."""

    kind: Literal["file"]
    application: int = Field(ge=1, le=0xFFFFFF)
    file: int = Field(ge=0, le=31)
    key_number: int = Field(ge=0, le=13)
    key: DataName


PlaceOnCard = Annotated[Block | Pages | File, Field(discriminator="kind")]
KEY_HEX = {"block": 12, "file": 32}


class DataSet(BaseModel):
    """What of a chip type is read and what it is used for; the names are those of the manual."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: DataName
    chip: ChipType
    enabled: bool = True
    required: bool = False
    authenticator: bool = True
    offset_bits: int = Field(default=0, ge=0, le=4096)
    length_bits: int = Field(default=0, ge=0, le=MAX_BITS)
    use_card_data: bool = True
    place: PlaceOnCard | None = None

    @model_validator(mode="after")
    def _data_has_a_place(self) -> Self:
        if self.use_card_data and self.place is None:
            raise ValueError(f"data set {self.name!r} uses data on the card and does not say where (place)")
        return self


class ChipParams(Group):
    """How cards with chips are read."""

    group: ClassVar[str] = "chips"

    active: Annotated[tuple[ChipType, ...], Field(max_length=32)] | None = param(
        None, "Chip types that are read; none: every type."
    )
    reverse_csn: bool = param(False, "Invert byte order for all chip types using the full card serial number.")
    reverse_secure: bool = param(False, "Invert byte order for all chip types using secure card data.")
    data_sets: tuple[DataSet, ...] = param((), "Data sets, the preferred one of a chip type first.", max_length=32)
    keys: dict[DataName, KeyText] = param(
        dict, "Keys of cards in hex, by name, for data sets.", secret=True, max_length=32
    )

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        twice = [name for name, count in Counter(each.name for each in self.data_sets).items() if count > 1]
        if twice:
            raise ValueError(f"two data sets are called {twice[0]!r}")
        for each in self.data_sets:
            if each.place is None or isinstance(each.place, Pages):
                continue
            key = self.keys.get(each.place.key)
            if key is None:
                hint = nearest(each.place.key, self.keys) or "; there are none"
                raise ValueError(f"data set {each.name!r}: no key {each.place.key!r}{hint}")
            if len(key) != KEY_HEX[each.place.kind]:
                digits = KEY_HEX[each.place.kind]
                raise ValueError(f"data set {each.name!r}: key {each.place.key!r} must have {digits} hex digits")
        return self

    def reads(self) -> tuple[SecureRead, ...]:
        """What readers of chips are asked to read."""
        return tuple(
            SecureRead(name=each.name, chip=each.chip, place=_place(each.place, self.keys))
            for each in self.data_sets
            if each.enabled and each.use_card_data and each.place is not None
        )


@dataclass(frozen=True, slots=True)
class Chosen:
    """The bits that count; none when data that is required is `missing` (the data set's name)."""

    bits: str
    missing: str = ""


def choose(card: CardChip, params: ChipParams) -> Chosen | None:
    """What of a card counts; None for a chip type that is not active."""
    if params.active is not None and card.chip not in params.active:
        return None
    data = dict(card.data)
    csn = reversed_bytes(card.csn) if params.reverse_csn else card.csn
    used = ""
    for each in params.data_sets:
        if each.chip != card.chip or not each.enabled:
            continue
        bits = _bits(csn, each) if not each.use_card_data else _secure_bits(data.get(each.name), each, params)
        if not bits and each.required:
            return Chosen("", missing=each.name)
        if each.authenticator and not used:
            used = bits or _whole(csn)
    return Chosen(used or _whole(csn))


def _secure_bits(data: bytes | None, data_set: DataSet, params: ChipParams) -> str:
    if data is None:
        return ""
    return _bits(reversed_bytes(data) if params.reverse_secure else data, data_set)


def _bits(data: bytes, data_set: DataSet) -> str:
    """The bits a data set asks for; empty when the data is too short."""
    whole = _whole(data)
    if data_set.length_bits == 0:
        return whole[data_set.offset_bits :]
    bits = whole[data_set.offset_bits : data_set.offset_bits + data_set.length_bits]
    return bits if len(bits) == data_set.length_bits else ""


def _whole(data: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in data)


def _place(place: Block | Pages | File, keys: dict[str, str]) -> SecurePlace:
    match place:
        case Block():
            return BlockPlace(block=place.block, key=bytes.fromhex(keys[place.key]), key_b=place.key_b)
        case Pages():
            return PagePlace(page=place.page, count=place.count)
        case File():
            return FilePlace(
                application=place.application,
                file=place.file,
                key_number=place.key_number,
                key=bytes.fromhex(keys[place.key]),
            )
