"""The camera's far end: what stands in front of it, and what people do to it.

Faults are what happens to cameras at doors: `covered` (sprayed, taped), `blurred` (out of focus), `turned` away,
`dark` (night without a lamp), `hung` (it answers, but sends nothing).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from hal.errors import OutOfRange
from hal.sim.peers.base import Peer, Place
from hal.sim.scene.eye import SceneState
from hal.sim.scene.glyphs import GLYPHS
from hal.sim.traces import Trace

LONGEST_TEXT = 10


class CameraPeer(Peer):
    """A camera and its scene. The trace is whether it is on: opened by the firmware and sending."""

    kind = "camera"
    kinds_of_fault = frozenset({"covered", "blurred", "turned", "dark", "hung"})

    def __init__(self, place: Place, name: str, bus: str, *, alias: str | None = None) -> None:
        super().__init__(place, name, alias=alias)
        self.bus = bus
        self.plugged = True
        self.plate = "LINTEL 7"
        self.film: Path | None = None
        self.trace: Trace[bool] = self.new_trace(False)
        self.changed: set[Callable[[], None]] = set()

    @property
    def traces(self) -> Mapping[str, Trace[bool]]:
        return {"": self.trace}

    def scene(self) -> SceneState:
        """What is before it now; it is there when it is plugged in and has power."""
        return SceneState(
            present=self.plugged and self.place.powered,
            faults=frozenset(self.faults),
            plate=self.plate,
            film=self.film,
            origin_ns=self.place.origin_ns,
        )

    def looking(self, on: bool) -> None:
        """Note whether the firmware looks."""
        self.trace.put(on)

    def faults_changed(self) -> None:
        self._tell()

    def power_changed(self) -> None:
        self._tell()

    def _tell(self) -> None:
        """Tell whoever keeps a copy of the scene."""
        for tell in tuple(self.changed):
            tell()

    def unplug(self) -> None:
        """Pull the camera's cable."""
        self.plugged = False
        self._tell()

    def plug(self) -> None:
        """Put the cable back."""
        self.plugged = True
        self._tell()

    def put_right(self) -> None:
        """Nothing before the lens, in focus, turned where it was; the light stays as it is."""
        for kind in ("covered", "blurred", "turned"):
            self.clear(kind)

    def light(self, on: bool) -> None:
        """Switch the light before the camera."""
        if on:
            self.clear("dark")
        else:
            self.fault("dark")

    def drive_past(self, plate: str) -> None:
        """Show a plate with this text. Raises OutOfRange for text that cannot be painted."""
        if not 0 < len(plate) <= LONGEST_TEXT or not set(plate) <= set(GLYPHS):
            raise OutOfRange(
                self.title, f"a plate has 1 to {LONGEST_TEXT} letters A-Z, digits and spaces (got {plate!r})"
            )
        self.plate = plate
        self._tell()

    def show(self, film: Path | None) -> None:
        """Show a film (a file with planes, see `film`) instead of the scene; None is the scene again."""
        self.film = film
        self._tell()
