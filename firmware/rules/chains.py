"""How far a fact is from the one that began its chain of causes, so that rules never feed each other for ever.

Facts whose cause is long forgotten begin a chain anew: a loop that slow harms nobody.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum, auto

from firmware.core.events import Event, Notice

# Facts in a row that may lead to the next, and actions that one first fact may lead to in all.
LENGTH = 16
ACTIONS = 4096
REMEMBERED = 4096


@dataclass(eq=False, slots=True)
class _Chain:
    """All that came of one first fact."""

    actions: int = 0
    stopped: bool = False


class Onward(Enum):
    """Whether rules may follow a fact."""

    GO = auto()
    STOP = auto()
    STOPPED_BEFORE = auto()


class Chains:
    """The causes of recent facts; `note` is a tap of the bus."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[_Chain, int]] = OrderedDict()

    def note(self, notice: Notice) -> None:
        """Remember where a fact came from."""
        event = notice.event
        if event.cause is None:
            return
        before = self._known.get(event.cause)
        if before is None:
            before = self._remember(event.cause, (_Chain(), 0))
        chain, length = before
        self._remember(event.id, (chain, length + 1))

    def onward(self, event: Event, actions: int) -> Onward:
        """Whether so many actions may follow from a fact; STOP once for a chain, STOPPED_BEFORE from then on."""
        chain, length = self._known.get(event.id) or self._remember(event.id, (_Chain(), 0))
        if not chain.stopped and length < LENGTH and chain.actions + actions <= ACTIONS:
            chain.actions += actions
            return Onward.GO
        if chain.stopped:
            return Onward.STOPPED_BEFORE
        chain.stopped = True
        return Onward.STOP

    def _remember(self, id: str, link: tuple[_Chain, int]) -> tuple[_Chain, int]:
        self._known[id] = link
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return link
