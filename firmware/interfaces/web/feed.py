"""What happens on the device, brought to every open page by one subscription: twenty pages cost one queue."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from firmware.core.bus import Bus
from firmware.core.events import Event, Notice, Operation, State

Heard = Callable[[Notice], None]

log = logging.getLogger("lintel.web")


@dataclass(eq=False, slots=True)
class Listener:
    """One page: what it listens to, and `within`, in whose context it is told."""

    within: Callable[[Heard, Notice], None]
    wishes: list[tuple[tuple[type[Event], ...], Heard]] = field(default_factory=list)


class Feed:
    """Hands every fact to the pages that asked for its class, in order and without waiting."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._listeners: dict[Listener, None] = {}

    def join(self, listener: Listener) -> None:
        """A page is open."""
        self._listeners[listener] = None

    def leave(self, listener: Listener) -> None:
        """It is open no more; harmless when it was not."""
        self._listeners.pop(listener, None)

    def hear(self, listener: Listener, classes: tuple[type[Event], ...], heard: Heard) -> None:
        """Tell a page of these classes from now on; the states that are true now come first, at once."""
        listener.wishes.append((classes, heard))
        for state in self._bus.states(State):
            if isinstance(state, classes):
                heard(Notice(Operation.INITIALISED, state))

    async def run(self) -> None:
        """Hand on until cancelled."""
        with self._bus.subscribe(retained=False) as facts:
            async for notice in facts:
                for listener in tuple(self._listeners):
                    self._tell(listener, notice)

    def _tell(self, listener: Listener, notice: Notice) -> None:
        for classes, heard in tuple(listener.wishes):
            if not isinstance(notice.event, classes):
                continue
            try:
                listener.within(heard, notice)
            except Exception:  # a fault of one page is logged, and is no fault of the others
                log.exception("a page cannot show %s", notice.event.topic)


def gone(notice: Notice) -> bool:
    """Whether a state was withdrawn."""
    return notice.operation is Operation.DELETED


def values_of(data: Any) -> dict[str, Any]:
    """Answers of commands are JSON objects; a page reads them by name."""
    return data if isinstance(data, dict) else {}
