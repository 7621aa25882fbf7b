"""The event bus of one role: stamps facts, retains states, hands them to bounded subscriptions.

Publishing never waits. A subscriber that falls behind loses its oldest pulses (counted in `lost`);
of a state it keeps only the newest per key, so it always ends at the truth. `tap` is for the
journal and the link, which must see everything in order and may not wait either.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import TypeVar

from firmware.core.events import Event, Notice, Operation, State
from firmware.core.queue import NoticeQueue
from hal.clock import Clock

E = TypeVar("E", bound=Event)
S = TypeVar("S", bound=State)
Tap = Callable[[Notice], None]

DEPTH = 1024


class Subscription:
    """A bounded queue of notices; iterate it, or take with `get`. Close it when done."""

    def __init__(self, bus: Bus, classes: tuple[type[Event], ...], depth: int) -> None:
        self._bus = bus
        self._classes = classes
        self._queue = NoticeQueue(depth)
        self._wake = asyncio.Event()
        self._open = True

    @property
    def lost(self) -> int:
        """How many pulses were dropped because the subscriber fell behind."""
        return self._queue.lost

    def wants(self, cls: type[Event]) -> bool:
        """Whether events of that class belong here."""
        return not self._classes or issubclass(cls, self._classes)

    def put(self, notice: Notice) -> None:
        """Take a notice; called by the bus."""
        self._queue.put(notice)
        self._wake.set()

    async def get(self) -> Notice:
        """The next notice; waits for one. Raises StopAsyncIteration once closed and empty."""
        while (notice := self._queue.take()) is None:
            if not self._open:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return notice

    def pending(self) -> int:
        """How many notices wait."""
        return len(self._queue)

    def close(self) -> None:
        """Stop receiving; a waiting iterator ends after what is queued."""
        self._open = False
        self._bus.drop(self)
        self._wake.set()

    def __aiter__(self) -> AsyncIterator[Notice]:
        return self._iterate()

    async def _iterate(self) -> AsyncIterator[Notice]:
        while True:
            try:
                notice = await self.get()
            except StopAsyncIteration:
                return
            yield notice

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Bus:
    """Where services of one role publish and subscribe. `boot` is drawn once per start of the role."""

    def __init__(self, clock: Clock, *, role: str, boot: str) -> None:
        self.role = role
        self.boot = boot
        self._clock = clock
        self._prefix = f"{boot}-{role}-"
        self._count = 0
        self._retained: dict[tuple[str, tuple[str, ...]], State] = {}
        self._subscriptions: list[Subscription] = []
        self._taps: list[Tap] = []

    def publish(self, event: E, *, cause: Event | str | None = None) -> E:
        """Stamp and hand out a fact; returns it stamped. A state equal to the retained one is not repeated."""
        if isinstance(event, State):
            before = self._retained.get((event.topic, event.key()))
            if before is not None and event.same_as(before):
                return before  # type: ignore[return-value]
        self._count += 1
        stamped = replace(
            event,
            id=f"{self._prefix}{self._count}",
            at=self._clock.utc(),
            cause=cause.id if isinstance(cause, Event) else cause,
        )
        operation = Operation.CHANGED if isinstance(stamped, State) else Operation.HAPPENED
        self.deliver(Notice(operation, stamped))
        return stamped

    def forget(self, cls: type[State], *key: str, cause: Event | str | None = None) -> None:
        """Withdraw a retained state: the thing it described is gone."""
        last = self._retained.get((cls.topic, key))
        if last is None:
            return
        self._count += 1
        gone = replace(
            last,
            id=f"{self._prefix}{self._count}",
            at=self._clock.utc(),
            cause=cause.id if isinstance(cause, Event) else cause,
        )
        self.deliver(Notice(Operation.DELETED, gone))

    def deliver(self, notice: Notice) -> None:
        """Hand out an already stamped notice: from `publish`, or from another role over the link."""
        event = notice.event
        if isinstance(event, State):
            slot = (event.topic, event.key())
            if notice.operation is Operation.DELETED:
                self._retained.pop(slot, None)
            else:
                self._retained[slot] = event
        for tap in self._taps:
            tap(notice)
        for subscription in tuple(self._subscriptions):
            if subscription.wants(type(event)):
                subscription.put(notice)

    def subscribe(self, *classes: type[Event], depth: int = DEPTH, retained: bool = True) -> Subscription:
        """Receive events of these classes (all when none is named), retained states first."""
        subscription = Subscription(self, classes, depth)
        if retained:
            for state in self._retained.values():
                if subscription.wants(type(state)):
                    subscription.put(Notice(Operation.INITIALISED, state))
        self._subscriptions.append(subscription)
        return subscription

    def drop(self, subscription: Subscription) -> None:
        """Forget a subscription; called by its `close`."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def tap(self, tap: Tap) -> None:
        """See every notice at once, in order; the tap may not wait or raise."""
        self._taps.append(tap)

    def state(self, cls: type[S], *key: str) -> S | None:
        """The retained state of one thing."""
        found = self._retained.get((cls.topic, key))
        return found if isinstance(found, cls) else None

    def states(self, cls: type[S] = State) -> tuple[S, ...]:  # type: ignore[assignment]
        """All retained states of a class, in the order they were first set."""
        return tuple(state for state in self._retained.values() if isinstance(state, cls))
