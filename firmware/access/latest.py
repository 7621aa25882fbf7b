"""The cards read last, for enrolment ("get latest") and for the configuration check of manual 001."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from firmware.access.entries import EntryList
from firmware.access.entry_forms import same_card
from firmware.core.cards.credential import raw
from firmware.core.vocabulary.access import CardRead
from firmware.core.vocabulary.entries import LatestCard


def reversed_bytes(data: bytes) -> bytes:
    """The same bytes in the other order; doing it twice gives the first back."""
    return data[::-1]


def bytes_of(bits: str) -> bytes:
    """Bits as bytes; empty when they are not whole bytes."""
    return b"" if not bits or len(bits) % 8 else int(bits, 2).to_bytes(len(bits) // 8, "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCard:
    """A card as it was read; `card` is its preferred text, `uid` its serial number where the reader told one."""

    reader: str
    at: datetime
    bits: str
    card: str
    fitting: tuple[str, ...]
    chip: str = ""
    uid: bytes = b""

    @classmethod
    def of(cls, fact: CardRead, card: str) -> SeenCard:
        """What a card's event says, with its preferred text."""
        return cls(
            reader=fact.reader,
            at=fact.at,
            bits=fact.bits,
            card=card,
            fitting=fact.fitting,
            chip=fact.chip,
            uid=bytes.fromhex(fact.uid),
        )


class LatestCards:
    """The latest card of every reader, in memory only."""

    def __init__(self) -> None:
        self._seen: dict[str, SeenCard] = {}

    def note(self, card: SeenCard) -> None:
        """A card was read."""
        self._seen.pop(card.reader, None)
        self._seen[card.reader] = card

    def of(self, reader: str) -> SeenCard | None:
        """The latest card of a reader; of any when it is empty."""
        if reader:
            return self._seen.get(reader)
        return next(reversed(self._seen.values()), None)


def shown(card: SeenCard, entries: EntryList, *, reverse: bool) -> LatestCard:
    """A card as enrolment sees it, its UID in the order of the card or turned round."""
    uid = card.uid or bytes_of(card.bits)
    turned = reverse and bool(uid)
    if turned:
        uid = reversed_bytes(uid)
    # bits that no format understands are a card by themselves
    known = raw(card.bits) if card.bits else None
    entry = None
    for each in () if known is None else same_card(known):
        entry = entry or entries.index.cards.get(each)
    return LatestCard(
        reader=card.reader,
        at=card.at,
        card=f"UID:{uid.hex().upper()}" if turned else card.card,
        fitting=card.fitting,
        bits=card.bits,
        uid=uid.hex().upper(),
        reversed=turned,
        chip=card.chip,
        entry="" if entry is None else entry.id,
        holder="" if entry is None else entry.holder,
    )
