"""What a behaviour test may do and see, the same on every bench: faces for readers, relays, lights, loops, buttons.

Durations are seconds. A face waits in the bench's own time, virtual on the simulator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Pulse:
    """One stretch of activity that has ended."""

    t_s: float
    width_s: float


class LightFace(Protocol):
    """A light under an eye."""

    @property
    def colour(self) -> str:
        """What it shows now."""

    def shown(self, colour: str) -> tuple[Pulse, ...]:
        """Every ended stretch of a colour."""


class RelayFace(Protocol):
    """A strike on a relay."""

    @property
    def on(self) -> bool:
        """Whether the coil gets current now."""

    def edges(self) -> int:
        """How often it was switched, so far."""

    async def pulse(self, within_s: float = 30.0) -> Pulse:
        """The first pulse that has ended since the test began; waits for it."""


class BeeperFace(Protocol):
    """A beeper within earshot."""

    @property
    def on(self) -> bool:
        """Whether it sounds now."""

    def pulses(self) -> tuple[Pulse, ...]:
        """Every beep that has ended."""


class ControllerFace(Protocol):
    """Somebody's door controller at the far end of our Wiegand output, with light and beeper wires towards us."""

    @property
    def frames(self) -> tuple[str, ...]:
        """The bits of every frame that kept the standard, in order."""

    @property
    def spoilt(self) -> int:
        """How many frames did not."""

    def wire(self, wire: str, port: str) -> None:
        """Lead `led1`, `led2` or `beeper` to a terminal."""

    def drive(self, wire: str, on: bool) -> None:
        """Pull a wire to ground, or let it go."""


class ReaderFace(Protocol):
    """A reader on the wall."""

    @property
    def led(self) -> LightFace:
        """Its lamp."""

    @property
    def beeper(self) -> BeeperFace:
        """Its beeper."""

    def tamper(self) -> None:
        """Open its housing; when it is open, close it."""

    def unplug(self) -> None:
        """Pull its cable."""

    def plug(self) -> None:
        """Put its cable back."""

    async def swipe(self, card: str) -> None:
        """Hold a card to it, until it has been sent."""

    async def keys(self, text: str) -> None:
        """Press keys."""

    def fault(self, kind: str) -> None:
        """Misbehave; `none` ends it."""


class PanelFace(Protocol):
    """Somebody's panel, whose reader we are."""

    @property
    def cards(self) -> tuple[str, ...]:
        """The bits of every card it was told, in order."""

    @property
    def keys(self) -> str:
        """Every key it was told."""

    @property
    def connected(self) -> bool:
        """Whether its link with us stands."""

    @property
    def secure(self) -> bool:
        """Whether that is a secure channel."""

    def plug(self, *keys: bytes) -> None:
        """Put it in: it polls from now on, with these keys."""

    def install(self, key: bytes) -> None:
        """Give us our first key."""

    def unplug(self) -> None:
        """Pull it out."""

    def light(self, colour: str, for_s: float = 0.0) -> None:
        """Show a colour on our light, for a time or for good."""

    def buzz(self, count: int) -> None:
        """Sound our buzzer so often."""


class LoopFace(Protocol):
    """A contact at the end of two wires."""

    def set(self, state: str) -> None:
        """open, closed, cut or short."""


class ButtonFace(Protocol):
    """A button under a finger."""

    async def press(self, for_s: float) -> None:
        """Press and let go after a time."""

    def hold(self) -> None:
        """Press and stay."""

    def release(self) -> None:
        """Let go."""
