"""Thinning out: which of many frames are taken so that about so many a second are left. Pure."""

from __future__ import annotations

# A frame that comes this much of a period early still counts: a camera's rate is never exact.
SLACK = 0.3


class Pace:
    """Picks frames so that about `hz` a second are left; 0 takes all. No frame is taken twice, none up to `last_ns`."""

    def __init__(self, hz: float, last_ns: int = -1) -> None:
        self._period_ns = round(1e9 / hz) if hz else 0
        self._slack_ns = round(SLACK * self._period_ns)
        self._due_ns = 0
        self.last_ns = last_ns
        self.next_ns = last_ns + 1
        """No frame before that is taken."""

    def takes(self, t_ns: int) -> bool:
        """Whether the frame of that time is one of them; time goes forward."""
        if t_ns < self.next_ns:
            return False
        self.last_ns, self.next_ns = t_ns, t_ns + 1
        if not self._period_ns:
            return True
        # From when it was due, so that the rate holds on average; from now after a pause.
        late = t_ns - self._due_ns > self._period_ns
        self._due_ns = (t_ns if late else self._due_ns) + self._period_ns
        self.next_ns = max(self.next_ns, self._due_ns - self._slack_ns)
        return True
