"""A door leaf: it opens when its strike lets it, or by force, and moves its contact."""

from __future__ import annotations

from collections.abc import Mapping

from hal.sim.peers.base import Peer, Place
from hal.sim.peers.loop import LoopPeer
from hal.sim.peers.switch import StrikePeer
from hal.sim.traces import Trace
from hal.types import LoopState


class LeafPeer(Peer):
    """One leaf; its trace is whether it stands open. `closed` is the contact's state of a closed door.

    The strike is fail-secure: it holds the leaf while it gets no current.
    """

    kind = "leaf"

    def __init__(
        self, place: Place, name: str, strike: StrikePeer, contact: LoopPeer, *, closed: LoopState = LoopState.CLOSED
    ) -> None:
        super().__init__(place, name)
        self._strike = strike
        self._contact = contact
        self._closed = closed
        self._opened = LoopState.OPEN if closed is LoopState.CLOSED else LoopState.CLOSED
        self.trace: Trace[bool] = self.new_trace(False)
        contact.set(closed)

    @property
    def traces(self) -> Mapping[str, Trace[bool]]:
        return {"": self.trace}

    @property
    def free(self) -> bool:
        """Whether the strike lets the leaf go now."""
        return self._strike.contact.value

    def pull(self) -> bool:
        """Try to open; says whether it opened."""
        if self.free:
            self.force()
        return self.trace.value

    def force(self) -> None:
        """Open whatever the strike does."""
        self.trace.put(True)
        self._contact.set(self._opened)

    def shut(self) -> None:
        """Close the leaf; the strike catches it."""
        self.trace.put(False)
        self._contact.set(self._closed)
