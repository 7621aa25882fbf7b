"""May this credential pass this door now? A pure function over memory.

The checks, in order; the first that fails is the reason:

1. the entry list is in use             DISABLED
2. an entry has the card, PIN or QR     UNKNOWN
3. the entry is not a blocked one       BLOCKED
4. the entry is for this door           DOOR
5. it has uses left                     USED_UP
6. its time limits can be judged        CLOCK     (untrusted clock and policy `deny`; `grant` skips 7 to 9)
7. it is valid already                  NOT_YET
8. it is valid still                    EXPIRED   (`valid_to` itself is too late)
9. its schedule is open                 SCHEDULE  (also when the schedule no longer exists)
10. it is enough at this reader         MODE      (a card alone where a PIN is asked for, and the like)
11. its PIN is there and right          NO_PIN, WRONG_PIN   (an entry with card and PIN opens with both only)

An entry without time limits never needs the clock. An entry with card and PIN is found by its card.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from firmware.access.schedule import Schedule
from firmware.access.settings import ReaderMode, UntrustedClock
from firmware.core.cards.credential import Credential
from firmware.core.vocabulary.access import Reason
from firmware.core.vocabulary.entries import EntryEvent, EntryKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One credential of one holder, with its limits: a card, a PIN, both together, or a QR text.

    PIN and QR text are keyed hashes.
    """

    id: str
    name: str
    last_name: str = ""
    card: Credential | None = None
    pin: bytes | None = field(default=None, repr=False)
    qr: bytes | None = field(default=None, repr=False)
    uses_left: int | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    schedule: str | None = None
    doors: tuple[str, ...] = ()
    event: EntryEvent = EntryEvent.GRANTED

    @property
    def holder(self) -> str:
        """Who it is, in full."""
        return f"{self.name} {self.last_name}".rstrip()

    @property
    def kind(self) -> EntryKind:
        """What the holder presents."""
        if self.qr is not None:
            return EntryKind.QR
        if self.pin is None:
            return EntryKind.CARD
        return EntryKind.PIN if self.card is None else EntryKind.CARD_AND_PIN

    @property
    def timed(self) -> bool:
        """Whether a check needs the time of day."""
        return self.valid_from is not None or self.valid_to is not None or self.schedule is not None


@dataclass(frozen=True, slots=True)
class Index:
    """Entries by what is presented first; a PIN that needs its card is not in `pins`.

    A lookup costs the same for one and for 100,000.
    """

    cards: Mapping[Credential, Entry]
    pins: Mapping[bytes, Entry]
    qrs: Mapping[bytes, Entry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Somebody at a reader: a card (all credentials it may be, the preferred first), a PIN, both, or a QR text.

    PIN and QR text are keyed hashes. `at` is None while the clock is not trusted.
    """

    door: str
    reader: str
    at: datetime | None
    credentials: tuple[Credential, ...] = ()
    pin: bytes | None = field(default=None, repr=False)
    qr: bytes | None = field(default=None, repr=False)
    mode: ReaderMode = ReaderMode.ANY


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the parameters say of decisions; `zone` is the time zone of the place."""

    use_entry_list: bool = True
    untrusted_clock: UntrustedClock = UntrustedClock.DENY
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer; `entry` is the one that matched, also when it was denied."""

    granted: bool
    reason: Reason
    entry: Entry | None = None


def decide(attempt: Attempt, index: Index, policy: Policy) -> Decision:
    """The decision on an attempt."""
    if not policy.use_entry_list:
        return Decision(False, Reason.DISABLED)
    entry = _match(attempt, index)
    if entry is None:
        return Decision(False, Reason.UNKNOWN)
    reason = _obstacle(entry, attempt, policy) or _too_little(entry, attempt)
    if reason is not None:
        return Decision(False, reason, entry)
    return Decision(True, Reason.GRANTED, entry)


def _match(attempt: Attempt, index: Index) -> Entry | None:
    if attempt.qr is not None:
        return index.qrs.get(attempt.qr)
    if attempt.credentials or attempt.pin is None:
        found = (index.cards.get(credential) for credential in attempt.credentials)
        return next((entry for entry in found if entry is not None), None)
    return index.pins.get(attempt.pin)


def _obstacle(entry: Entry, attempt: Attempt, policy: Policy) -> Reason | None:
    if entry.event is EntryEvent.DENIED:
        return Reason.BLOCKED
    if entry.doors and attempt.door not in entry.doors:
        return Reason.DOOR
    if entry.uses_left is not None and entry.uses_left <= 0:
        return Reason.USED_UP
    if not entry.timed:
        return None
    if attempt.at is None:
        return Reason.CLOCK if policy.untrusted_clock is UntrustedClock.DENY else None
    return _too_early_or_late(entry, attempt.at, policy)


def _too_early_or_late(entry: Entry, at: datetime, policy: Policy) -> Reason | None:
    if entry.valid_from is not None and at < entry.valid_from:
        return Reason.NOT_YET
    if entry.valid_to is not None and at >= entry.valid_to:
        return Reason.EXPIRED
    if entry.schedule is not None:
        schedule = policy.schedules.get(entry.schedule)
        if schedule is None or not schedule.open_at(at, policy.zone):
            return Reason.SCHEDULE
    return None


def _too_little(entry: Entry, attempt: Attempt) -> Reason | None:
    """Whether what was presented is not enough: by the reader's mode, or by the entry itself."""
    kind, mode = entry.kind, attempt.mode
    if mode is ReaderMode.CARD_AND_PIN and kind is not EntryKind.CARD_AND_PIN:
        return Reason.MODE
    if (mode is ReaderMode.PIN and kind is EntryKind.CARD) or (mode is ReaderMode.CARD and kind is EntryKind.PIN):
        return Reason.MODE
    if entry.card is None or entry.pin is None:
        return None
    if attempt.pin is None:
        return Reason.NO_PIN
    return None if hmac.compare_digest(entry.pin, attempt.pin) else Reason.WRONG_PIN
