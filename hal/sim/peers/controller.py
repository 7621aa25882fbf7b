"""Somebody's door controller at the far end of our Wiegand output: it reads frames as receivers in the field do.

It sees the data lines behind the transistors, judges every pulse and gap by the standard, and takes a frame when the
lines have been silent. Its light and beeper wires go to terminals of the board. Source: SIA AC-01-1996.10.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from hal.clock import Timer
from hal.errors import OutOfRange, nearest
from hal.sim.nets import Net
from hal.sim.peers.base import Peer, Place
from hal.sim.peers.loop import LoopPeer
from hal.sim.traces import Trace
from hal.types import LoopState

SILENCE_NS = 25_000_000
PULSE_NS = (20_000, 100_000)
GAP_NS = (200_000, 20_000_000)
MOST_FRAMES = 1000
WIRES = ("led1", "led2", "beeper")


@dataclass(frozen=True, slots=True)
class ReceivedFrame:
    """What came between two silences: bits, widths and intervals from start to start; `trouble` is empty or words."""

    t_ns: int
    bits: str
    pulses_ns: tuple[int, ...]
    intervals_ns: tuple[int, ...]
    trouble: str

    @property
    def good(self) -> bool:
        """Whether every pulse and gap kept the standard."""
        return not self.trouble


class ControllerPeer(Peer):
    """One controller. Its trace is the frame it took last, as text of bits, from its first pulse to the silence.

    `frames` is everything it received, broken frames too. Fault `deaf`: it hears nothing.
    """

    kind = "controller"
    kinds_of_fault = frozenset({"deaf"})

    def __init__(
        self, place: Place, name: str, d0: Net, d1: Net, *, active_high: bool, alias: str | None = None
    ) -> None:
        super().__init__(place, name, alias=alias)
        self._active_high = active_high
        self._begun: list[int | None] = [None, None]
        self._open: list[tuple[int, int, str]] = []
        self._overlap = False
        self._silence: Timer | None = None
        self._wires: dict[str, LoopPeer] = {}
        self.trace: Trace[str] = self.new_trace("")
        self.frames: deque[ReceivedFrame] = deque(maxlen=MOST_FRAMES)
        for bit, net in enumerate((d0, d1)):
            net.listen(lambda t_ns, level, bit=bit: self._moved(bit, t_ns, level))  # type: ignore[misc]

    @property
    def traces(self) -> Mapping[str, Trace[str]]:
        return {"": self.trace}

    @property
    def good_frames(self) -> tuple[str, ...]:
        """The bits of every frame that kept the standard, in order."""
        return tuple(frame.bits for frame in self.frames if frame.good)

    def state(self) -> dict[str, object]:
        """How much it received, and what it drives."""
        return {
            "frames": len(self.frames),
            "spoilt": sum(not frame.good for frame in self.frames),
            "wires": {wire: str(loop.circuit) for wire, loop in self._wires.items()},
        }

    # its wires towards us

    def wire(self, wire: str, terminal: LoopPeer) -> None:
        """Lead `led1`, `led2` or `beeper` to a terminal of the board. Raises OutOfRange for another wire."""
        if wire not in WIRES:
            raise OutOfRange(self.title, f"has no wire {wire!r}{nearest(wire, WIRES)}")
        self._wires[wire] = terminal

    def drive(self, wire: str, on: bool) -> None:
        """Pull a wire to ground (on) or let it go. Raises OutOfRange for one that leads nowhere."""
        if wire not in self._wires:
            raise OutOfRange(self.title, f"nothing is wired to {wire!r}{nearest(wire, self._wires)}")
        self._wires[wire].set(LoopState.CLOSED if on else LoopState.OPEN)

    # the data lines

    def power_changed(self) -> None:
        self._forget()

    def faults_changed(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self.forget(self._silence)
        self._silence = None
        self._begun = [None, None]
        self._open.clear()
        self._overlap = False
        self.trace.put("")

    def _moved(self, bit: int, t_ns: int, level: bool) -> None:
        if "deaf" in self.faults or not self.place.powered:
            return
        begun_ns = self._begun[bit]
        if level == self._active_high:
            if self._open and t_ns - self._open[-1][0] >= SILENCE_NS:
                self._finish()
            self._begun[bit] = t_ns
            self._overlap |= self._begun[1 - bit] is not None
        elif begun_ns is not None:
            self._begun[bit] = None
            self._open.append((begun_ns, t_ns - begun_ns, str(bit)))
            self._arm(t_ns)

    def _arm(self, t_ns: int) -> None:
        self.forget(self._silence)
        self._silence = self.at(t_ns + SILENCE_NS, self._silent)

    def _silent(self) -> None:
        self._silence = None
        if self._open:
            self._finish()

    def _finish(self) -> None:
        pulses, self._open = self._open, []
        starts = [begin for begin, _, _ in pulses]
        widths = tuple(width for _, width, _ in pulses)
        gaps = tuple(late - early for early, late in pairwise(starts))
        bits = "".join(bit for _, _, bit in pulses)
        trouble = self._judge(widths, gaps)
        self._overlap = False
        self.frames.append(ReceivedFrame(starts[0], bits, widths, gaps, trouble))
        self.trace.put(bits if not trouble else f"{bits} ({trouble})", starts[0])
        self.trace.put("", starts[-1] + widths[-1] + SILENCE_NS)

    def _judge(self, widths: tuple[int, ...], gaps: tuple[int, ...]) -> str:
        if self._overlap:
            return "both lines at once"
        for what, values, (low, high) in (("pulse", widths, PULSE_NS), ("interval", gaps, GAP_NS)):
            for value in values:
                if not low <= value <= high:
                    return f"{what} of {value / 1000:.0f} us"
        return ""
