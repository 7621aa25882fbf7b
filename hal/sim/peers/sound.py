"""A speaker and a microphone at the ends of a sound card, as far as people can touch them.

What they do to sound is done by the room (`hal.sim.sound`), which looks here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from hal.errors import OutOfRange
from hal.sim.peers.base import Peer, Place
from hal.sim.peers.button import ButtonPeer
from hal.sim.peers.switch import SwitchPeer


class SpeakerPeer(Peer):
    """A speaker. Faults: `muffled` (something before the grille), `dead`, `distorted`.

    `loss_db` is what it has lost in loudness, `drift_ppm` how much its card's clock runs too fast; as faults they are
    written `loss:3dB` and `drift:100ppm`.
    """

    kind = "speaker"
    kinds_of_fault = frozenset({"muffled", "dead", "distorted"})

    def __init__(self, place: Place, name: str, *, alias: str | None = None) -> None:
        super().__init__(place, name, alias=alias)
        self.loss_db = 0.0
        self.drift_ppm = 0.0

    def fault(self, kind: str) -> None:
        """Start to misbehave. Raises OutOfRange for a fault it cannot have."""
        word, colon, value = kind.partition(":")
        if not colon or word not in ("loss", "drift"):
            return super().fault(kind)
        unit, most = ("dB", 60.0) if word == "loss" else ("ppm", 1000.0)
        try:
            figure = float(value.removesuffix(unit))
        except ValueError:
            figure = math.nan
        if not -most <= figure <= most:
            raise OutOfRange(self.title, f"{word} {value!r} is not a number from {-most:g} to {most:g} {unit}")
        if word == "loss":
            self.loss_db = figure
        else:
            self.drift_ppm = figure
        return None

    def clear(self, kind: str | None = None) -> None:
        """End one fault, or all; then it is as loud and as exact as it was new."""
        if kind is None:
            self.loss_db = self.drift_ppm = 0.0
        super().clear(kind)

    def state(self) -> dict[str, object]:
        """What is the matter with it."""
        return {"faults": sorted(self.faults), "loss_db": self.loss_db, "drift_ppm": self.drift_ppm}


class MicrophonePeer(Peer):
    """A microphone. Fault `dead`. Parts: `disable` (its switch), `select` and `power` where the board has the lines."""

    kind = "microphone"
    kinds_of_fault = frozenset({"dead"})

    def __init__(
        self,
        place: Place,
        name: str,
        *,
        disable: ButtonPeer | None = None,
        select: SwitchPeer | None = None,
        power: SwitchPeer | None = None,
        alias: str | None = None,
    ) -> None:
        super().__init__(place, name, alias=alias)
        parts: dict[str, Peer | None] = {"disable": disable, "select": select, "power": power}
        self._parts = {name: part for name, part in parts.items() if part is not None}

    @property
    def parts(self) -> Mapping[str, Peer]:
        return self._parts

    def state(self) -> dict[str, object]:
        """What is the matter with it, and how its lines stand."""
        return {"faults": sorted(self.faults)} | {name: part.state() for name, part in self._parts.items()}
