"""What people say of an entry becomes an entry, and an entry becomes what people may see; pure.

Every complaint names the place, the value and the nearest valid name. A PIN is never repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime

from firmware.access.decision import Entry, Index
from firmware.core.cards.credential import Credential, Reading, encode, parse, read
from firmware.core.errors import Invalid, Unsupported
from firmware.core.vocabulary.access import EntryAdd, EntryView
from hal.errors import nearest


def entry_of(
    wish: EntryAdd,
    *,
    id: str,
    index: Index,
    doors: Collection[str],
    schedules: Collection[str],
    pin_hash: Callable[[str], bytes],
) -> Entry:
    """The entry that was wished for. Raises Invalid, Unsupported."""
    if wish.qr is not None:
        raise Unsupported("entries.add.qr", "QR codes need a camera, which this device does not have yet")
    if (wish.card is None) == (wish.pin is None):
        raise Invalid("entries.add", "give exactly one of card and pin")
    valid_from = _utc("valid_from", wish.valid_from)
    valid_to = _utc("valid_to", wish.valid_to)
    if valid_from is not None and valid_to is not None and valid_from >= valid_to:
        raise Invalid("entries.add.valid_to", f"{valid_to.isoformat()} is not after {valid_from.isoformat()}")
    _check_names(wish, doors, schedules)
    return Entry(
        id=id,
        name=wish.name,
        card=None if wish.card is None else _new_card(wish.card, index),
        pin=None if wish.pin is None else _new_pin(pin_hash(wish.pin), index),
        uses_left=wish.uses,
        valid_from=valid_from,
        valid_to=valid_to,
        schedule=wish.schedule,
        doors=wish.doors,
    )


def view_of(entry: Entry) -> EntryView:
    """An entry as it may be shown."""
    return EntryView(
        id=entry.id,
        name=entry.name,
        kind=entry.kind,
        card=None if entry.card is None else str(entry.card),
        uses_left=entry.uses_left,
        valid_from=entry.valid_from,
        valid_to=entry.valid_to,
        schedule=entry.schedule,
        doors=entry.doors,
    )


def _check_names(wish: EntryAdd, doors: Collection[str], schedules: Collection[str]) -> None:
    for door in wish.doors:
        if door not in doors:
            raise Invalid("entries.add.doors", f"no door {door!r}{nearest(door, doors)}")
    if wish.schedule is not None and wish.schedule not in schedules:
        hint = nearest(wish.schedule, schedules) or "; there are none"
        raise Invalid("entries.add.schedule", f"no schedule {wish.schedule!r}{hint}")


def _new_card(text: str, index: Index) -> Credential:
    try:
        card = parse(text)
    except ValueError as error:
        raise Invalid("entries.add.card", str(error)) from None
    # The same card may be enrolled in another format or by its bits.
    reading = read(encode(card))
    same = (*reading.fitting, reading.raw) if isinstance(reading, Reading) else (card,)
    for each in same:
        if each in index.cards:
            raise Invalid("entries.add.card", f"{card} is the card of entry {index.cards[each].id} already")
    return card


def _new_pin(hashed: bytes, index: Index) -> bytes:
    if hashed in index.pins:
        raise Invalid("entries.add.pin", f"entry {index.pins[hashed].id} has this PIN already")
    return hashed


def _utc(name: str, at: datetime | None) -> datetime | None:
    if at is None:
        return None
    if at.tzinfo is None:
        raise Invalid(f"entries.add.{name}", f"{at.isoformat()} has no time zone; end it with Z or an offset")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise Invalid(f"entries.add.{name}", f"{at.isoformat()} is out of range") from None
