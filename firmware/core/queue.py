"""A bounded queue of notices that never loses the truth: pulses may be dropped, states only coalesce.

Of a state it keeps the newest per key; of pulses the newest `depth`, and counts the rest in `lost`. So
its size is bounded by the depth and the number of states there are, and whoever falls behind ends right.
"""

from __future__ import annotations

from collections import OrderedDict, deque

from firmware.core.events import Notice, Operation, State


class NoticeQueue:
    """Notices in order, each state once; without waiting, for whoever adds that."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._slots: OrderedDict[object, Notice] = OrderedDict()
        self._pulses: deque[int] = deque()
        self._count = 0
        self.lost = 0

    def put(self, notice: Notice) -> None:
        """Add a notice; a state replaces what is still queued of the same thing."""
        event = notice.event
        if isinstance(event, State):
            slot: object = (event.topic, event.key())
            pending = self._slots.pop(slot, None)
            if (
                pending is not None
                and pending.operation is Operation.INITIALISED
                and notice.operation is Operation.CHANGED
            ):
                # The reader has not seen the first value: for it, this one is the first.
                notice = Notice(Operation.INITIALISED, event)
            self._slots[slot] = notice
            return
        if len(self._pulses) >= self._depth:
            del self._slots[self._pulses.popleft()]
            self.lost += 1
        self._count += 1  # not the event's id: another role chose that
        self._slots[self._count] = notice
        self._pulses.append(self._count)

    def take(self) -> Notice | None:
        """The oldest notice, or None when there is none."""
        if not self._slots:
            return None
        notice = self._slots.popitem(last=False)[1]
        if not isinstance(notice.event, State):
            self._pulses.popleft()  # pulses keep their order, so it is the oldest of them
        return notice

    def __len__(self) -> int:
        return len(self._slots)
