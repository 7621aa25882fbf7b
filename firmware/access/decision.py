"""May this credential pass this door now? A pure function over memory.

The checks, in order; the first that fails is the reason:

1. the entry list is in use             DISABLED
2. an entry has the card or the PIN     UNKNOWN
3. the entry is for this door           DOOR
4. it has uses left                     USED_UP
5. its time limits can be judged        CLOCK     (untrusted clock and policy `deny`; `grant` skips 6 to 8)
6. it is valid already                  NOT_YET
7. it is valid still                    EXPIRED   (`valid_to` itself is too late)
8. its schedule is open                 SCHEDULE  (also when the schedule no longer exists)

An entry without time limits never needs the clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from firmware.access.schedule import Schedule
from firmware.access.settings import UntrustedClock
from firmware.core.cards.credential import Credential
from firmware.core.vocabulary.access import EntryKind, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One credential of one holder, with its limits; exactly one of `card` and `pin` (a keyed hash)."""

    id: str
    name: str
    card: Credential | None = None
    pin: bytes | None = field(default=None, repr=False)
    uses_left: int | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    schedule: str | None = None
    doors: tuple[str, ...] = ()

    @property
    def kind(self) -> EntryKind:
        """What the holder presents."""
        return EntryKind.CARD if self.pin is None else EntryKind.PIN

    @property
    def timed(self) -> bool:
        """Whether a check needs the time of day."""
        return self.valid_from is not None or self.valid_to is not None or self.schedule is not None


@dataclass(frozen=True, slots=True)
class Index:
    """Entries by what is presented; a lookup costs the same for one and for 100,000."""

    cards: Mapping[Credential, Entry]
    pins: Mapping[bytes, Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Somebody at a reader: a card (all credentials it may be, the preferred first) or a PIN's keyed hash.

    `at` is None while the clock is not trusted.
    """

    door: str
    reader: str
    at: datetime | None
    credentials: tuple[Credential, ...] = ()
    pin: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the parameters say of decisions."""

    use_entry_list: bool = True
    untrusted_clock: UntrustedClock = UntrustedClock.DENY
    schedules: Mapping[str, Schedule] = field(default_factory=dict)


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
    reason = _obstacle(entry, attempt, policy)
    if reason is not None:
        return Decision(False, reason, entry)
    return Decision(True, Reason.GRANTED, entry)


def _match(attempt: Attempt, index: Index) -> Entry | None:
    if attempt.pin is not None:
        return index.pins.get(attempt.pin)
    for credential in attempt.credentials:
        entry = index.cards.get(credential)
        if entry is not None:
            return entry
    return None


def _obstacle(entry: Entry, attempt: Attempt, policy: Policy) -> Reason | None:
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
        if schedule is None or not schedule.open_at(at):
            return Reason.SCHEDULE
    return None
