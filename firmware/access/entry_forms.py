"""What people say of an entry becomes an entry, and an entry becomes what people may see; pure.

Every complaint names the place, the value and the nearest valid name. A PIN or a QR text is never repeated.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime

from firmware.access.decision import Entry, Index
from firmware.access.settings import AccessParams
from firmware.core.cards.credential import Credential, Reading, encode, parse, read
from firmware.core.errors import Invalid
from firmware.core.vocabulary.entries import EntryAdd, EntryChange, EntryView, Limit
from hal.errors import nearest

UID = "UID:"
LONGEST_UID = 32

# What stands in an entry when a limit is taken away; the secret ones are kept as hashes.
CLEARED: Mapping[Limit, object] = {Limit.LAST_NAME: "", Limit.DOORS: ()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an entry is judged by: the others, the doors there are, the parameters, and the device's keyed hashes."""

    index: Index
    named: Callable[[str], Sequence[str]]  # ids of the entries with a first name
    doors: tuple[str, ...]
    params: AccessParams
    pin_hash: Callable[[str], bytes]
    qr_hash: Callable[[str], bytes]


def entry_of(
    wish: EntryAdd, around: Surroundings, *, id: str, where: str = "entries.add", before: Entry | None = None
) -> Entry:
    """The entry that was wished for; one that takes the place of `before` keeps its PIN or QR text. Raises Invalid."""
    pin = None if wish.pin is None else _pin(wish.pin, around, where)
    qr = None if wish.qr is None else around.qr_hash(wish.qr)
    if before is not None:
        pin, qr = pin or before.pin, qr or before.qr
    entry = Entry(
        id=id,
        name=wish.name,
        last_name=wish.last_name,
        card=None if wish.card is None else card_of(wish.card, f"{where}.card"),
        pin=pin,
        qr=qr,
        uses_left=wish.uses,
        valid_from=_utc(f"{where}.valid_from", wish.valid_from),
        valid_to=_utc(f"{where}.valid_to", wish.valid_to),
        schedule=wish.schedule,
        doors=wish.doors,
        event=wish.event,
    )
    return _checked(entry, around, where)


def changed(entry: Entry, wish: EntryChange, around: Surroundings, *, where: str = "entries.change") -> Entry:
    """The entry after a change. Raises Invalid."""
    named = {each.name for each in fields(wish) if getattr(wish, each.name) is not None} - {"id", "clear"}
    for limit in wish.clear:
        if limit.value in named:
            raise Invalid(f"{where}.clear", f"{limit.value} is given and taken away at once")
    cleared = {"uses_left" if each is Limit.USES else each.value: CLEARED.get(each) for each in wish.clear}
    new: dict[str, object] = {
        each: getattr(wish, each) for each in named & {"name", "last_name", "schedule", "doors", "event"}
    }
    if wish.card is not None:
        new["card"] = card_of(wish.card, f"{where}.card")
    if wish.pin is not None:
        new["pin"] = _pin(wish.pin, around, where)
    if wish.qr is not None:
        new["qr"] = around.qr_hash(wish.qr)
    if wish.uses is not None:
        new["uses_left"] = wish.uses
    for name in named & {"valid_from", "valid_to"}:
        new[name] = _utc(f"{where}.{name}", getattr(wish, name))
    after = replace(entry, **cleared, **new)  # type: ignore[arg-type]
    return _checked(after, around, where)


def view_of(entry: Entry) -> EntryView:
    """An entry as it may be shown."""
    return EntryView(
        id=entry.id,
        name=entry.name,
        last_name=entry.last_name,
        kind=entry.kind,
        card=None if entry.card is None else str(entry.card),
        uses_left=entry.uses_left,
        valid_from=entry.valid_from,
        valid_to=entry.valid_to,
        schedule=entry.schedule,
        doors=entry.doors,
        event=entry.event,
    )


def card_of(text: str, where: str) -> Credential:
    """A card as people write it, also by its serial number (`UID:04A1B2C3`). Raises Invalid."""
    try:
        if text.strip().upper().startswith(UID):
            return parse(bits_of_uid(text.strip()[len(UID) :]))
        return parse(text)
    except ValueError as error:
        raise Invalid(where, str(error)) from None


def bits_of_uid(text: str) -> str:
    """The bits of a serial number in hex, with or without separators. Raises ValueError."""
    digits = text.replace(":", "").replace("-", "").replace(" ", "")
    try:
        uid = bytes.fromhex(digits)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not a serial number; write pairs of hex digits, such as 04A1B2C3") from None
    if not 1 <= len(uid) <= LONGEST_UID:
        raise ValueError(f"a serial number has 1 to {LONGEST_UID} bytes, not {len(uid)}")
    return f"{int.from_bytes(uid, 'big'):0{8 * len(uid)}b}"


def _checked(entry: Entry, around: Surroundings, where: str) -> Entry:
    _check_credentials(entry, where)
    if entry.valid_from is not None and entry.valid_to is not None and entry.valid_from >= entry.valid_to:
        raise Invalid(f"{where}.valid_to", f"{entry.valid_to.isoformat()} is not after {entry.valid_from.isoformat()}")
    for place, text in (("name", entry.name), ("last_name", entry.last_name)):
        if not all(_printable(each) for each in text):
            raise Invalid(f"{where}.{place}", f"{text!r} has characters that cannot be shown")
    for door in entry.doors:
        if door not in around.doors:
            raise Invalid(f"{where}.doors", f"no door {door!r}{nearest(door, around.doors)}")
    schedules = around.params.schedules
    if entry.schedule is not None and entry.schedule not in schedules:
        hint = nearest(entry.schedule, schedules) or "; there are none"
        raise Invalid(f"{where}.schedule", f"no schedule {entry.schedule!r}{hint}")
    _check_unique(entry, around, where)
    return entry


def _check_credentials(entry: Entry, where: str) -> None:
    if entry.card is None and entry.pin is None and entry.qr is None:
        raise Invalid(where, "give a card, a PIN, both, or a QR text (card, pin, qr)")
    if entry.qr is not None and (entry.card is not None or entry.pin is not None):
        raise Invalid(f"{where}.qr", "a QR text stands alone; add another entry for the card or PIN")


def _printable(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _check_unique(entry: Entry, around: Surroundings, where: str) -> None:
    index = around.index
    namesakes = [id for id in around.named(entry.name) if id != entry.id] if around.params.unique_names else []
    if namesakes:
        raise Invalid(f"{where}.name", f"{entry.name!r} is the first name of entry {namesakes[0]} already")
    if entry.card is not None:
        for each in same_card(entry.card):
            other = index.cards.get(each)
            if other is not None and other.id != entry.id:
                raise Invalid(f"{where}.card", f"{entry.card} is the card of entry {other.id} already")
    if entry.pin is not None and entry.card is None:
        other = index.pins.get(entry.pin)
        if other is not None and other.id != entry.id:
            raise Invalid(f"{where}.pin", f"entry {other.id} has this PIN already")
    if entry.qr is not None:
        other = index.qrs.get(entry.qr)
        if other is not None and other.id != entry.id:
            raise Invalid(f"{where}.qr", f"entry {other.id} has this QR text already")


def same_card(card: Credential) -> tuple[Credential, ...]:
    """Every way to write the same card: it may be enrolled in another format or by its bits."""
    reading = read(encode(card))
    return (*reading.fitting, reading.raw) if isinstance(reading, Reading) else (card,)


def _pin(pin: str, around: Surroundings, where: str) -> bytes:
    length = around.params.pin_length
    if length == 0:
        raise Invalid(f"{where}.pin", "no PINs are used here (access.pin_length is 0)")
    if length is not None and len(pin) != length:
        raise Invalid(f"{where}.pin", f"has {len(pin)} digits; a PIN has {length} (access.pin_length)")
    return around.pin_hash(pin)


def _utc(where: str, at: datetime | None) -> datetime | None:
    if at is None:
        return None
    if at.tzinfo is None:
        raise Invalid(where, f"{at.isoformat()} has no time zone; end it with Z or an offset")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise Invalid(where, f"{at.isoformat()} is out of range") from None
