"""A push button and the finger on it; what a finger does survives a power cut."""

from __future__ import annotations

from collections.abc import Mapping

from hal.clock import Timer
from hal.sim.nets import Net
from hal.sim.peers.base import Gesture, Move, Peer, Place
from hal.sim.traces import Trace

BOUNCE_S = 0.005
BOUNCES = 6
PRESS_S = 0.2


class ButtonPeer(Peer):
    """One button. `active_high` is the level it makes when pressed; its trace is the finger."""

    kind = "button"
    kinds_of_fault = frozenset({"bounce", "stuck"})

    def __init__(self, place: Place, name: str, net: Net, *, active_high: bool, alias: str | None = None) -> None:
        super().__init__(place, name, alias=alias)
        self._net = net
        self._active = active_high
        self._release: Timer | None = None
        self._closed = False
        self._chatter: Gesture | None = None
        self.trace: Trace[bool] = self.new_trace(False)

    @property
    def traces(self) -> Mapping[str, Trace[bool]]:
        return {"": self.trace}

    def press(self, for_s: float = PRESS_S) -> Gesture:
        """Press, and let go after `for_s` seconds."""
        self.hold()
        ends_ns = self.place.clock.now_ns() + round(for_s * 1e9)
        self._release = self.at(ends_ns, self.release)
        return self.gesture(ends_ns)

    def hold(self) -> None:
        """Press and stay."""
        self.forget(self._release)
        self.trace.put(True)
        self._contact()

    def release(self) -> None:
        """Let go."""
        self.forget(self._release)
        self._release = None
        self.trace.put(False)
        self._contact()

    def faults_changed(self) -> None:
        self._contact()

    def _contact(self) -> None:
        closed = self.trace.value or "stuck" in self.faults
        if closed == self._closed:
            return
        self._closed = closed
        level = self._active if closed else None
        self.stop(self._chatter)
        if "bounce" in self.faults:
            self._chatter = self.play(bounces(self, self._net, level, None if closed else self._active))
        else:
            self._net.drive(self.name, level)


def bounces(peer: Peer, net: Net, to: bool | None, back: bool | None) -> list[Move]:
    """A contact that chatters on its way to a level, for at most 5 ms."""
    now_ns = peer.place.clock.now_ns()
    chance = peer.place.chance
    times = sorted(now_ns + chance.randrange(1, round(BOUNCE_S * 1e9)) for _ in range(BOUNCES))
    chatter = [Move(t_ns, net, peer.name, back if index % 2 == 0 else to) for index, t_ns in enumerate(times)]
    return [Move(now_ns, net, peer.name, to), *chatter]
