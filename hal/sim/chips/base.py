"""What every chip has: it can be missing, and it can answer noise."""

from __future__ import annotations

from hal.sim.peers.base import Peer


class ChipPeer(Peer):
    """A chip on its bus; implements `answers` and `garbles` of Chip."""

    kinds_of_fault = frozenset({"absent", "garbage"})

    @property
    def answers(self) -> bool:
        """Whether it acknowledges its address."""
        return "absent" not in self.faults

    @property
    def garbles(self) -> bool:
        """Whether what it sends is noise."""
        return "garbage" in self.faults
