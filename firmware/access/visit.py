"""One credential at one reader, from the moment it is presented until it is answered; pure."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from firmware.access.decision import Attempt, Decision
from firmware.core.events import Event
from firmware.core.vocabulary.access import AccessDenied, AccessGranted, By, Guess, Reason
from firmware.core.vocabulary.controller import ForwardAnswer, Verdict
from firmware.core.vocabulary.entries import Outcome, PresentAnswer

PIN = "PIN"
CONTROLLER = "controller"


@dataclass(frozen=True, slots=True)
class Presented:
    """What somebody presents who is not at the reader: bits of a card, a PIN or a QR text, and who waits."""

    by: By
    done: asyncio.Future[PresentAnswer]
    bits: str = ""
    pin: str | None = field(default=None, repr=False)
    qr: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Beat:
    """Nothing at all: it wakes a desk that has nothing to do, so that it says that it still serves."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What is presented: the attempt, how it is shown, the event it began with, and what it would be a guess of.

    `bits` is what tells it from others; `pin` is the PIN in clear, for the door controller only.
    """

    attempt: Attempt
    shown: str
    cause: Event
    guess: Guess
    bits: str = ""
    pin: str = field(default="", repr=False)
    by: By = By.ENTRIES
    presented: Presented | None = None

    def tell(self, outcome: Outcome | PresentAnswer, decision: Decision | None = None) -> None:
        """Answer whoever presented it from afar."""
        if self.presented is None or self.presented.done.done():
            return
        if isinstance(outcome, Outcome):
            entry = None if decision is None else decision.entry
            outcome = PresentAnswer(
                outcome=outcome,
                reader=self.attempt.reader,
                reason=None if decision is None else decision.reason,
                entry="" if entry is None else entry.id,
                holder="" if entry is None else entry.holder,
            )
        self.presented.done.set_result(outcome)


def verdict(visit: Visit, decision: Decision) -> AccessGranted | AccessDenied:
    """The event of a decision."""
    entry = decision.entry
    if decision.granted and entry is not None:
        return AccessGranted(
            door=visit.attempt.door,
            reader=visit.attempt.reader,
            credential=visit.shown,
            entry=entry.id,
            holder=entry.holder,
            by=visit.by,
        )
    return AccessDenied(
        door=visit.attempt.door,
        reader=visit.attempt.reader,
        credential=visit.shown,
        reason=decision.reason,
        entry="" if entry is None else entry.id,
        holder="" if entry is None else entry.holder,
        by=visit.by,
    )


def forwarded(visit: Visit, said: ForwardAnswer) -> tuple[AccessGranted | AccessDenied, PresentAnswer]:
    """The event of a controller's answer, and the answer itself."""
    by = By.CHECK if visit.by is By.CHECK else By.CONTROLLER
    granted = said.granted and said.verdict in (Verdict.GRANTED, Verdict.LOST)
    door, reader = visit.attempt.door, visit.attempt.reader
    if granted:
        reason = Reason.GRANTED
        fact: AccessGranted | AccessDenied = AccessGranted(
            door=door, reader=reader, credential=visit.shown, entry="", holder=CONTROLLER, by=by
        )
    else:
        reason = {Verdict.LOST: Reason.CONTROLLER_AWAY, Verdict.OFF: Reason.UNKNOWN}.get(
            said.verdict, Reason.CONTROLLER
        )
        fact = AccessDenied(door=door, reader=reader, credential=visit.shown, reason=reason, holder=CONTROLLER, by=by)
    outcome = Outcome.GRANTED if granted else Outcome.DENIED
    return fact, PresentAnswer(outcome=outcome, reader=reader, reason=reason, holder=CONTROLLER)
