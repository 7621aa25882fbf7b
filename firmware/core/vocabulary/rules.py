"""Words of the rules room: what became of a rule that could not be followed."""

from __future__ import annotations

from dataclasses import dataclass

from firmware.core.events import Pulse, topic


@topic("rules/failed")
@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFailed(Pulse):
    """An action of a rule was not carried out; `code` is an error code of the action table, `message` one line.

    `action` is empty when the rule as a whole was stopped (a loop), `rule` when it concerns no single one.
    """

    rule: str
    action: str
    code: str
    message: str
