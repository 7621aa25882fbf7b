"""An entry as a row of the table, with a checksum over all of its columns; pure.

The digest of the whole table is the sum of all row checksums and of that of its head: it notices a
row that is gone, doubled or exchanged, and is kept up to date without reading the table.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from firmware.access.decision import Entry
from firmware.core.cards.credential import RAW, Credential, parse
from firmware.core.vocabulary.entries import EntryEvent

SUM_BYTES = 16


def to_row(entry: Entry) -> tuple[Any, ...]:
    """The columns of an entry, in the table's order, without the checksum."""
    return (
        entry.id,
        entry.name,
        entry.last_name,
        None if entry.card is None else str(entry.card),
        entry.pin,
        entry.qr,
        entry.uses_left,
        None if entry.valid_from is None else entry.valid_from.isoformat(),
        None if entry.valid_to is None else entry.valid_to.isoformat(),
        entry.schedule,
        json.dumps(entry.doors),
        entry.event.value,
    )


def from_row(row: tuple[Any, ...]) -> Entry:
    """The entry of a row whose checksum was right. Raises ValueError."""
    id, name, last_name, card, pin, qr, uses_left, valid_from, valid_to, schedule, doors, event = row
    return Entry(
        id=id,
        name=name,
        last_name=last_name,
        card=None if card is None else _card(card),
        pin=pin,
        qr=qr,
        uses_left=uses_left,
        valid_from=None if valid_from is None else datetime.fromisoformat(valid_from),
        valid_to=None if valid_to is None else datetime.fromisoformat(valid_to),
        schedule=schedule,
        doors=tuple(json.loads(doors)),
        event=EntryEvent(event),
    )


def from_first_row(row: tuple[Any, ...]) -> Entry:
    """The entry of a row as version 1 of the table had it. Raises ValueError."""
    id, name, card, pin, *limits = row
    return from_row((id, name, "", card, pin, None, *limits, EntryEvent.GRANTED.value))


def _card(text: str) -> Credential:
    name, facility, number = text.split(":")
    return parse(text) if name == RAW else Credential(name, int(facility), int(number))


def row_sum(row: tuple[Any, ...]) -> bytes:
    """The checksum of a row; any change of a value or of its type changes it."""
    text = json.dumps([{"hex": each.hex()} if isinstance(each, bytes) else each for each in row])
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=SUM_BYTES).digest()


def head_sum(key: bytes, generation: int) -> bytes:
    """The checksum of the table's head: the key that PINs are hashed with, and the count of changes."""
    return hashlib.blake2b(f"{key.hex()} {generation}".encode(), digest_size=SUM_BYTES, person=b"entries-head").digest()


def moved(digest: bytes, *, plus: Iterable[bytes] = (), minus: Iterable[bytes] = ()) -> bytes:
    """The digest of a table after rows with these checksums came and went."""
    total = int.from_bytes(digest, "big")
    total += sum(int.from_bytes(each, "big") for each in plus)
    total -= sum(int.from_bytes(each, "big") for each in minus)
    return (total % (1 << 8 * SUM_BYTES)).to_bytes(SUM_BYTES, "big")
