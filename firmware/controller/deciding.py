"""What a forwarded credential may, given what the controller said, pure."""

from __future__ import annotations

from firmware.controller.face import Said
from firmware.controller.settings import WhenLost
from firmware.core.cards.credential import Credential, parse
from firmware.core.cards.formats import FORMATS
from firmware.core.vocabulary.controller import ForwardAnswer, ForwardParams, Verdict

NOBODY_ASKED = "no door controller is connected"


def decide(said: Said, question: ForwardParams, when_lost: WhenLost) -> ForwardAnswer:
    """The answer for the reader's desk.

    Only GRANTED opens by what the controller said. LOST opens when `when_lost` says so and the card could be read in
    a format that is understood: noise, a PIN or a key alone never opens anything here.
    """
    granted = said.verdict is Verdict.GRANTED
    reason = said.reason
    if said.verdict is Verdict.LOST and when_lost is WhenLost.GRANT:
        granted = bool(question.bits) and preferred(question) is not None
        reason = f"{said.reason}; {'granted' if granted else 'denied'} as configured for a lost controller"
    return ForwardAnswer(verdict=said.verdict, granted=granted, reason=reason)


def preferred(question: ForwardParams) -> Credential | None:
    """The first reading of a card in a format with a layout; a serial number or raw bits are none."""
    for text in question.fitting:
        if text.partition(":")[0] in FORMATS:
            return parse(text)
    return None
