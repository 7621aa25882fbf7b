"""Cards with chips: which bits count, by chip type, data set and byte order, and what a reader is asked to read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from firmware.access.chips import ChipParams, Chosen, choose
from firmware.core.actions import Caller, Level
from firmware.core.cards.credential import encode, parse
from firmware.core.errors import Invalid
from firmware.core.vocabulary.access import AccessDenied, AccessGranted, CardRead, Reason
from hal.types import BlockPlace, CardChip, FilePlace, PagePlace, SecureRead

ADMIN = Caller("root", Level.ADMIN, "api")
CSN = bytes.fromhex("04A1B2C3")
PAGES = {"kind": "pages", "page": 4, "count": 2}
KEY6, KEY16 = "A0A1A2A3A4A5", "00112233445566778899AABBCCDDEEFF"
DOORS = {"doors": {"door": {"relay": "relay1", "readers": ["reader1", "reader4"]}}}


def bits(data: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in data)


def params(*data_sets: dict[str, Any], **more: Any) -> ChipParams:
    return ChipParams.model_validate({"data_sets": data_sets, **more})


def data_set(name: str = "badge", chip: str = "page-chip", **more: Any) -> dict[str, Any]:
    return {"name": name, "chip": chip, "place": PAGES, **more}


def card(chip: str = "page-chip", csn: bytes = CSN, **data: bytes) -> CardChip:
    return CardChip(t_ns=0, reader="r", chip=chip, csn=csn, data=tuple(data.items()))


def test_without_a_data_set_the_serial_number_counts() -> None:
    assert choose(card(), ChipParams()) == Chosen(bits(CSN))
    assert choose(card(), params(data_set(chip="other"))) == Chosen(bits(CSN))
    assert choose(card(), ChipParams(reverse_csn=True)) == Chosen(bits(CSN[::-1]))
    assert choose(card(), ChipParams(reverse_secure=True)) == Chosen(bits(CSN))


def test_a_chip_type_that_is_not_active_is_not_there() -> None:
    assert choose(card(), ChipParams(active=("other",))) is None
    assert choose(card(), ChipParams(active=())) is None
    assert choose(card(), ChipParams(active=("other", "page-chip"))) == Chosen(bits(CSN))


def test_secure_data_counts_from_its_offset_for_its_length() -> None:
    rule = params(data_set(offset_bits=4, length_bits=8))
    assert choose(card(badge=bytes.fromhex("ABCD")), rule) == Chosen("10111100")
    turned = params(data_set(offset_bits=4, length_bits=8), reverse_secure=True)
    assert choose(card(badge=bytes.fromhex("ABCD")), turned) == Chosen("11011010")
    assert choose(card(badge=bytes.fromhex("ABCD")), params(data_set(offset_bits=4))) == Chosen("101111001101")


@pytest.mark.parametrize("data", [{}, {"badge": b""}, {"badge": b"\x01"}])
def test_data_that_is_missing_or_too_short_gives_way_to_the_serial_number_unless_it_is_required(
    data: dict[str, bytes],
) -> None:
    assert choose(card(**data), params(data_set(length_bits=16))) == Chosen(bits(CSN))
    assert choose(card(**data), params(data_set(length_bits=16, required=True))) == Chosen("", missing="badge")
    off = params(data_set(length_bits=16, required=True, enabled=False))
    assert choose(card(**data), off) == Chosen(bits(CSN))


def test_data_that_does_not_authenticate_is_not_decided_on_but_may_be_required() -> None:
    extra = params(data_set("extra", authenticator=False), data_set("badge"))
    assert choose(card(extra=b"\x01", badge=b"\x02"), extra) == Chosen("00000010")
    needed = params(data_set("extra", authenticator=False, required=True), data_set("badge"))
    assert choose(card(badge=b"\x02"), needed) == Chosen("", missing="extra")


def test_a_data_set_may_use_a_part_of_the_serial_number() -> None:
    part = params({"name": "low", "chip": "page-chip", "use_card_data": False, "offset_bits": 8})
    assert choose(card(), part) == Chosen(bits(CSN[1:]))
    assert part.reads() == ()


datas = st.binary(max_size=40)


@given(
    csn=st.binary(min_size=1, max_size=10),
    data=st.none() | datas,
    offset=st.integers(0, 400),
    length=st.integers(0, 512),
    flags=st.fixed_dictionaries(
        {name: st.booleans() for name in ("enabled", "required", "authenticator", "use_card_data")}
    ),
    reverse=st.tuples(st.booleans(), st.booleans()),
)
def test_what_counts_is_a_stretch_of_what_was_read_or_nothing(
    csn: bytes, data: bytes | None, offset: int, length: int, flags: dict[str, bool], reverse: tuple[bool, bool]
) -> None:
    rule = params(
        data_set(offset_bits=offset, length_bits=length, **flags), reverse_csn=reverse[0], reverse_secure=reverse[1]
    )
    chosen = choose(card(csn=csn, **({} if data is None else {"badge": data})), rule)
    assert chosen is not None
    whole = bits(csn[::-1] if reverse[0] else csn)
    if chosen.missing:
        assert flags["required"]
        assert flags["enabled"]
        assert chosen.bits == ""
        return
    source = whole if not flags["use_card_data"] else bits((data or b"")[::-1] if reverse[1] else (data or b""))
    assert chosen.bits in (whole, source[offset : offset + length] if length else source[offset:])
    assert chosen.bits
    if not (flags["enabled"] and flags["authenticator"]):
        assert chosen.bits == whole


@given(st.binary(min_size=1, max_size=10))
def test_reversing_the_card_and_the_parameter_is_no_change(csn: bytes) -> None:
    assert choose(card(csn=csn[::-1]), ChipParams(reverse_csn=True)) == choose(card(csn=csn), ChipParams())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"data_sets": [data_set(), data_set(chip="other")]}, "two data sets are called 'badge'"),
        ({"data_sets": [{"name": "badge", "chip": "c"}]}, "does not say where"),
        ({"data_sets": [data_set(place={"kind": "block", "block": 4, "key": "sitte"})], "keys": {"site": KEY6}},
         "no key 'sitte'; did you mean 'site'"),
        ({"data_sets": [data_set(place={"kind": "block", "block": 4, "key": "k"})], "keys": {"k": KEY16}},
         "key 'k' must have 12 hex digits"),
        ({"data_sets": [data_set(offset_bits=-1)]}, "greater than or equal to 0"),
        ({"active": ["page chip"]}, "match pattern"),
    ],
)  # fmt: skip
def test_a_wrong_data_set_is_named(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ChipParams.model_validate(wrong)


def test_a_reader_is_asked_for_what_the_data_sets_need(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot(DOORS):
            assert station.chip_reader.asked == ()
            await station.patch(
                "chips",
                keys={"site": KEY6, "main": KEY16},
                data_sets=[
                    data_set("a", place={"kind": "block", "block": 4, "key": "site", "key_b": True}),
                    data_set("b"),
                    data_set("c", place={"kind": "file", "application": 1, "file": 2, "key_number": 0, "key": "main"}),
                    data_set("d", enabled=False),
                ],
            )
            await station.wait(0.1)
            assert station.chip_reader.asked == (
                SecureRead(name="a", chip="page-chip", place=BlockPlace(block=4, key=bytes.fromhex(KEY6), key_b=True)),
                SecureRead(name="b", chip="page-chip", place=PagePlace(page=4, count=2)),
                SecureRead(
                    name="c",
                    chip="page-chip",
                    place=FilePlace(application=1, file=2, key_number=0, key=bytes.fromhex(KEY16)),
                ),
            )
            assert KEY6 not in repr(station.chip_reader.asked)
        async with station.boot(DOORS):
            assert len(station.chip_reader.asked) == 3

    on_station(body)


def test_row_47_a_key_of_cards_is_not_shown_nor_repeated(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot(DOORS):
            await station.patch("chips", keys={"site": KEY6})
            shown = station.core.params.shown("chips", ADMIN)
            assert KEY6 not in repr(shown) + repr(station.facts)
            with pytest.raises(Invalid) as caught:
                await station.patch("chips", keys={"site": KEY6 + "77"})
            assert KEY6 not in str(caught.value)
            await station.patch("chips", keys=shown["keys"], reverse_csn=True)
            assert station.core.params.get(ChipParams).keys == {"site": KEY6}

    on_station(body)


def test_a_card_with_a_chip_opens_by_its_serial_number_or_its_data(on_station: Any) -> None:
    async def body(station: Any) -> None:
        async with station.boot(DOORS):
            reader = station.chip_reader
            await station.enrol("Ada", card="UID:04A1B2C3")
            await station.enrol("Bo", card="H10301:42:1234")
            reader.hold("page-chip", "04A1B2C3")
            await station.wait(1)
            read = station.last(CardRead)
            assert (read.chip, read.uid, read.reader) == ("page-chip", "04A1B2C3", "reader4")
            assert station.last(AccessGranted).holder == "Ada"
            await station.patch("chips", data_sets=[data_set(offset_bits=6, length_bits=26, required=True)])
            badge = f"{int(encode(parse('H10301:42:1234')), 2):08x}"
            reader.hold("page-chip", "99999999", badge=badge)
            await station.wait(1)
            assert station.last(AccessGranted).holder == "Bo"
            assert (await station.act("access.latest")).uid == "99999999"
            reader.hold("page-chip", "04A1B2C3")
            await station.wait(1)
            denied = station.last(AccessDenied)
            assert (denied.reason, denied.credential) == (Reason.NO_DATA, "")
            assert "'badge' is required" in station.last(CardRead).reason
            await station.patch("chips", active=["other"])
            station.facts.clear()
            reader.hold("page-chip", "04A1B2C3")
            await station.wait(1)
            assert station.facts == []

    on_station(body)
