"""The camera's far end: what stands in front of it, and what people do to it.

Faults are what happens to cameras at doors: `covered` (taped), `sprayed`, `blurred` (out of focus), `turned` away,
`hung` (it answers, but sends nothing); and what happens before them all day: `dark` (night without a lamp), `lamp`
(one is switched on), `rain`, `people`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from hal.errors import OutOfRange
from hal.sim.peers.base import Peer, Place
from hal.sim.peers.optics import CutFilterPeer, IlluminationPeer
from hal.sim.scene.daylight import Daylight
from hal.sim.scene.eye import SceneState
from hal.sim.scene.glyphs import GLYPHS
from hal.sim.traces import Trace

LONGEST_TEXT = 10


class CameraPeer(Peer):
    """A camera and its scene. The trace is whether it is on: opened by the firmware and sending."""

    kind = "camera"
    kinds_of_fault = frozenset({"covered", "sprayed", "blurred", "turned", "hung", "dark", "lamp", "rain", "people"})

    def __init__(self, place: Place, name: str, bus: str, daylight: Daylight, *, alias: str | None = None) -> None:
        super().__init__(place, name, alias=alias)
        self.bus = bus
        self._daylight = daylight
        self._lamps: list[IlluminationPeer] = []
        self._filters: list[CutFilterPeer] = []
        daylight.on_change(self._tell)
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
            lux=self._daylight.lux,
            lit=any(lamp.trace.value for lamp in self._lamps),
            cut=all(cut.trace.value for cut in self._filters),
        )

    def stands_behind(self, thing: IlluminationPeer | CutFilterPeer) -> None:
        """See through a filter, or in a lamp's light, from now on."""
        if isinstance(thing, IlluminationPeer):
            self._lamps.append(thing)
        else:
            self._filters.append(thing)
        thing.trace.listen(lambda _t_ns, _value: self._tell())

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
        for kind in ("covered", "sprayed", "blurred", "turned"):
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
