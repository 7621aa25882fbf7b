"""What guards one reader: guessing is counted, odd things are told of, floods and repeats are kept away.

Hardening rows 8, 10 and 11. Cards and PINs of entries are decided whatever else goes on at the reader, except that
PINs are refused while the keypad is closed.
"""

from __future__ import annotations

from firmware.access.decision import Decision
from firmware.access.oddity import RateLimit, Repeats, Strangers, Whereabouts
from firmware.access.settings import AccessParams, DoubleUse
from firmware.access.throttle import Throttles
from firmware.access.visit import Visit
from firmware.core.context import Core
from firmware.core.events import Event
from firmware.core.vocabulary.access import By, Guess, Oddity, Reason, Suspicious
from hal.types import CardBits

ODD_EVERY_S = 1.0


class Guard:
    """The guard of one reader; `throttles` and `whereabouts` are those of all readers."""

    def __init__(self, core: Core, throttles: Throttles, whereabouts: Whereabouts, *, reader: str, door: str) -> None:
        self._core = core
        self._throttles = throttles
        self._whereabouts = whereabouts
        self._reader = reader
        self._door = door
        self._rate = RateLimit()
        self._repeats = Repeats()
        self._strangers = {Guess.CARD: Strangers(), Guess.QR: Strangers()}
        self._odd_told: dict[Oddity, int] = {}

    def repeated(self, fact: CardBits) -> bool:
        """Whether this is the frame before once more: one card held to the reader, or a replay. It is told of."""
        again = self._repeats.again(fact.bits, fact.t_ns)
        if again:
            self._odd(Oddity.REPEATED)
        return again

    def flooded(self, fact: CardBits) -> bool:
        """Whether this unknown card is one more than hands can hold. It is told of."""
        flooded = not self._rate.take(fact.t_ns)
        if flooded:
            self._odd(Oddity.FLOOD)
        return flooded

    def pins_closed(self) -> bool:
        """Whether PINs are refused unread now."""
        return self._throttles.closed(self._reader, Guess.PIN)

    def judged(self, visit: Visit, decision: Decision, params: AccessParams) -> Decision:
        """A decision after all that was noticed: counted, told of, and perhaps denied after all."""
        return self._counted(visit, self._elsewhere(visit, decision, params))

    def _elsewhere(self, visit: Visit, decision: Decision, params: AccessParams) -> Decision:
        """A card that was at another reader a moment ago is told of, or denied (hardening row 8)."""
        entry = decision.entry
        if entry is None or not decision.granted or not visit.bits or visit.by is By.CHECK:
            return decision
        place = self._whereabouts.elsewhere(
            entry.id, self._reader, self._core.clock.now_ns(), within_s=params.double_use_s
        )
        if not place:
            return decision
        self._odd(Oddity.TWO_PLACES, f"it was at {place} a moment ago", entry=entry.id, cause=visit.cause)
        return Decision(False, Reason.DOUBLE_USE, entry) if params.double_use is DoubleUse.DENY else decision

    def _counted(self, visit: Visit, decision: Decision) -> Decision:
        """The same decision, with failures counted: too many, and what is not known is refused unread."""
        throttles, reader = self._throttles, self._reader
        if decision.granted:
            self.known(visit)
        elif decision.reason in (Reason.UNKNOWN, Reason.WRONG_PIN):
            if throttles.closed(reader, visit.guess):
                return Decision(False, Reason.THROTTLED)
            self.unknown(visit)
        return decision

    def known(self, visit: Visit) -> None:
        """Somebody known came: failures are forgotten."""
        guesses = {visit.guess, Guess.CARD} if visit.bits and visit.guess is Guess.PIN else {visit.guess}
        for guess in guesses:
            self._throttles.succeeded(self._reader, guess, cause=visit.cause.id)
            if guess in self._strangers:
                self._strangers[guess].forget()

    def unknown(self, visit: Visit) -> None:
        """Somebody unknown came: one more failure, unless it is the same card again."""
        strangers = self._strangers.get(visit.guess)
        if strangers is not None and not strangers.new(visit.bits):
            return
        if self._throttles.failed(self._reader, visit.guess, cause=visit.cause.id):
            self._odd(Oddity.GUESSING if visit.guess is Guess.PIN else Oddity.WALKING, cause=visit.cause)

    def _odd(self, oddity: Oddity, detail: str = "", *, entry: str = "", cause: Event | None = None) -> None:
        """Tell of something odd, a storm of the same once a second."""
        now_ns = self._core.clock.now_ns()
        if now_ns - self._odd_told.get(oddity, -(10**18)) < ODD_EVERY_S * 1e9:
            return
        self._odd_told[oddity] = now_ns
        self._core.bus.publish(
            Suspicious(reader=self._reader, door=self._door, oddity=oddity, detail=detail, entry=entry),
            cause=cause,
        )
