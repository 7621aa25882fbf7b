"""One role as the hub knows it: what it owns, what it has said, and what it may say.

A role that talks to the network can be taken over, so it cannot claim facts of control, of another
role, or under another's id; what it may not say is logged and dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from firmware.core.bus import Bus
from firmware.core.errors import Invalid, Refused
from firmware.core.events import Event, Notice, Operation, State
from firmware.core.link.peer import Peer
from firmware.core.link.wire import Fact, Hello, OfferAction, notice_of

# What one role may have us remember: far more than any has, far less than hurts.
STATES = 1000
OFFERS = 1000

# Facts that open doors or say what the hardware does: no other role may claim them.
OWN_TOPICS = ("access/", "door/", "io/", "device/button", "device/info", "device/phase", "station/role")


@dataclass(eq=False, slots=True)
class Guest:
    """A joined role."""

    hello: Hello
    peer: Peer
    actions: dict[str, OfferAction] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    states: dict[tuple[str, tuple[str, ...]], type[State]] = field(default_factory=dict)
    refused: int = 0

    @property
    def role(self) -> str:
        """Its name."""
        return self.hello.role

    def heard(self, fact: Fact, bus: Bus) -> Notice:
        """What the role says, checked. Raises Invalid (unreadable) and Refused (not for it to say)."""
        notice = notice_of(fact)
        event = notice.event
        if not event.id.startswith(f"{self.hello.boot}-{self.role}-"):
            raise Refused(event.topic, f"the id {event.id!r} is not one of {self.role}")
        if event.topic.startswith(OWN_TOPICS):
            raise Refused(event.topic, f"is not for {self.role} to say")
        if getattr(event, "role", self.role) != self.role:
            raise Refused(event.topic, "speaks for another role")
        if isinstance(event, State):
            self._owned(event, notice.operation, bus)
        elif notice.operation is not Operation.HAPPENED:
            raise Invalid(event.topic, f"{notice.operation} does not fit")
        return notice

    def _owned(self, state: State, operation: Operation, bus: Bus) -> None:
        slot = (state.topic, state.key())
        if slot not in self.states and bus.state(type(state), *state.key()) is not None:
            raise Refused(state.topic, f"{', '.join(state.key()) or 'it'} belongs to another role")
        if operation is Operation.DELETED:
            self.states.pop(slot, None)
        elif len(self.states) >= STATES and slot not in self.states:
            raise Refused(state.topic, f"{self.role} has {STATES} states already")
        else:
            self.states[slot] = type(state)

    def offers(self) -> int:
        """How many actions and groups it owns."""
        return len(self.actions) + len(self.groups)

    def withdraw(self, bus: Bus, cause: Event) -> None:
        """Take back every state of the role: nobody knows now whether it is still so."""
        for (_, key), cls in self.states.items():
            bus.forget(cls, *key, cause=cause)
        self.states.clear()
