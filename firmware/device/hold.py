"""The factory reset by a button that is held while the power comes: what a hold of a certain length means.

Pure: no clock, no hardware. The procedure of each product is data (`[rooms.device.reset]`, from the manuals'
"Reset to factory default settings").
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from firmware.core.vocabulary.device import HoldOutcome


class Stage(StrEnum):
    """What a release would do now: nothing yet, the reset, nothing any more."""

    EARLY = "early"
    READY = "ready"
    LATE = "late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """How long the button is held for a reset: from `from_s` to `to_s` seconds, both included.

    From `stuck_s` on it is no hand but a defect. `together` names a second button that has to be down from the
    beginning until the first is let go.
    """

    button: str
    from_s: float
    to_s: float
    stuck_s: float
    together: str | None = None

    def stage(self, held_s: float) -> Stage:
        """What a release after `held_s` seconds would do."""
        if held_s < self.from_s:
            return Stage.EARLY
        return Stage.READY if held_s <= self.to_s and held_s < self.stuck_s else Stage.LATE

    def judge(self, held_s: float, *, together: bool = True) -> HoldOutcome:
        """What the release after `held_s` seconds does; `together`: the second button was down throughout."""
        if held_s >= self.stuck_s:
            return HoldOutcome.STUCK
        if not together:
            return HoldOutcome.ALONE
        match self.stage(held_s):
            case Stage.EARLY:
                return HoldOutcome.TOO_SHORT
            case Stage.READY:
                return HoldOutcome.RESET
            case Stage.LATE:
                return HoldOutcome.TOO_LONG


class Hold:
    """One hold, from the power-on at `began_ns` (monotonic) until it is decided, once.

    Only a button that is down when it is first looked at is held since power-on; a later press is none of ours.
    """

    def __init__(self, procedure: Procedure, began_ns: int, pressed: frozenset[str]) -> None:
        self.procedure = procedure
        self.began_ns = began_ns
        self.outcome: HoldOutcome | None = None if procedure.button in pressed else HoldOutcome.NOT_HELD
        self._together = procedure.together is None or procedure.together in pressed

    @property
    def may_reset(self) -> bool:
        """Whether a release at the right time will still reset."""
        return self.outcome is None and self._together

    def held_s(self, t_ns: int) -> float:
        """Seconds since power-on."""
        return (t_ns - self.began_ns) / 1e9

    def moved(self, button: str, pressed: bool, t_ns: int) -> HoldOutcome | None:
        """A button moved at `t_ns`: the outcome when this decides it, else None."""
        if self.outcome is not None or pressed:
            return None
        if button == self.procedure.together:
            self._together = False
            return None
        if button != self.procedure.button:
            return None
        self.outcome = self.procedure.judge(self.held_s(t_ns), together=self._together)
        return self.outcome

    def stuck(self) -> HoldOutcome | None:
        """Nobody let go in time: the outcome when this decides it, else None."""
        if self.outcome is not None:
            return None
        self.outcome = HoldOutcome.STUCK
        return self.outcome
