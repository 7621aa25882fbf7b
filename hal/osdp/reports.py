"""What a reader has to tell its panel: cards and keys in order, and the states that changed.

A report is delivered when the panel sends its next command, not when the answer was sent: an answer can be lost, and
then the same answer is repeated. When the panel begins anew instead, nobody knows whether it has the report; it is
sent again while it is young. A card that waited too long is given up: a door must not open for somebody who left.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from hal.errors import DeviceError
from hal.osdp.facts import Delivered, Dropped
from hal.osdp.payload import Payload
from hal.osdp.replies import InputStatusReply, LocalStatusReply, OutputStatusReply, ReaderStatusReply

MOST_REPORTS = 64


@dataclass(frozen=True, slots=True)
class Report:
    """Something to tell; `ticket` 0 is a state, which is told as it then is."""

    t_ns: int
    ticket: int
    event: Payload


class Reports:
    """The queue and the states; `offer` says what to answer to a poll."""

    def __init__(self, *, inputs: int, outputs: int, life_ns: int) -> None:
        self._queue: deque[Report] = deque()
        self._told: Report | None = None
        self._tickets = 0
        self._life_ns = life_ns
        self._tamper = False
        self._power = False
        self._inputs = (False,) * inputs
        self._outputs = (False,) * outputs
        self._changed: dict[str, None] = {}

    @property
    def local(self) -> LocalStatusReply:
        """Tamper and power now."""
        return LocalStatusReply(int(self._tamper), int(self._power))

    @property
    def inputs(self) -> InputStatusReply:
        """Inputs now."""
        return InputStatusReply(bytes(self._inputs))

    @property
    def outputs(self) -> OutputStatusReply:
        """Outputs now."""
        return OutputStatusReply(bytes(self._outputs))

    @property
    def reader(self) -> ReaderStatusReply:
        """Our one attached reader now."""
        return ReaderStatusReply(bytes((2 if self._tamper else 0,)))

    def set_local(self, *, tamper: bool | None = None, power: bool | None = None) -> None:
        """Change tamper or power; a change is reported."""
        before = (self._tamper, self._power)
        self._tamper = self._tamper if tamper is None else tamper
        self._power = self._power if power is None else power
        if before != (self._tamper, self._power):
            self._changed["local"] = None

    def set_inputs(self, levels: tuple[bool, ...]) -> None:
        """Change inputs; a change is reported."""
        if levels != self._inputs:
            self._inputs = levels
            self._changed["inputs"] = None

    def set_outputs(self, levels: tuple[bool, ...]) -> None:
        """Change outputs; a change is reported."""
        if levels != self._outputs:
            self._outputs = levels
            self._changed["outputs"] = None

    def add(self, t_ns: int, event: Payload) -> int:
        """Queue an event. Raises DeviceError when too much waits."""
        if len(self._queue) >= MOST_REPORTS:
            raise DeviceError("osdp", f"{MOST_REPORTS} reports wait for the panel already")
        self._tickets += 1
        self._queue.append(Report(t_ns, self._tickets, event))
        return self._tickets

    def offer(self, t_ns: int) -> Payload | None:
        """What to answer to a poll now, None when there is nothing to tell."""
        if self._changed:
            name = next(iter(self._changed))
            del self._changed[name]
            event: Payload = getattr(self, name)
            self._told = Report(t_ns, 0, event)
            return event
        if not self._queue:
            return None
        self._told = self._queue.popleft()
        return self._told.event

    def confirm(self, t_ns: int) -> list[Delivered]:
        """The panel went on: it has what was told last."""
        told, self._told = self._told, None
        return [Delivered(t_ns=t_ns, ticket=told.ticket)] if told is not None and told.ticket else []

    def again(self) -> None:
        """The panel began anew: tell once more what it may not have, and any state that is not normal."""
        told, self._told = self._told, None
        if told is not None and told.ticket:
            self._queue.appendleft(told)
        if self._tamper or self._power:
            self._changed["local"] = None
        if any(self._inputs):
            self._changed["inputs"] = None
        if any(self._outputs):
            self._changed["outputs"] = None

    @property
    def next_ns(self) -> int | None:
        """When the oldest event is given up."""
        return self._queue[0].t_ns + self._life_ns if self._queue else None

    def expire(self, t_ns: int) -> list[Dropped]:
        """Give up what waited too long."""
        gone = []
        while self._queue and t_ns - self._queue[0].t_ns >= self._life_ns:
            gone.append(Dropped(t_ns=t_ns, ticket=self._queue.popleft().ticket, reason="no panel took it in time"))
        return gone
