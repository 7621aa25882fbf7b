"""The verbs on cameras: what people do to one at a door, and what stands before it.

show scene|FILE [CAMERA] | blur CAMERA | turn CAMERA | light on|off CAMERA

`cover` and `uncover` are in `watch_verbs.py`. A camera is unplugged, and hangs, by the verbs for all peers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from firmware.core.errors import Invalid, NotFound
from hal.errors import nearest
from hal.sim.scene.film import Film
from hal.sim.scene.peer import CameraPeer
from hal.sim.world import World

SCENE = "scene"


class CameraVerbs:
    """The verbs on the cameras of one world."""

    def __init__(self, world: World) -> None:
        self._cameras = [peer for peer in world.peers.values() if isinstance(peer, CameraPeer)]
        self.table: Mapping[str, tuple[str, int, int, Callable[..., None]]] = {
            "show": ("show scene|FILE [CAMERA]", 1, 2, self._show),
            "blur": ("blur CAMERA", 1, 1, lambda name: self._camera(name).fault("blurred")),
            "turn": ("turn CAMERA", 1, 1, lambda name: self._camera(name).fault("turned")),
            "light": ("light on|off CAMERA", 2, 2, self._light),
        }

    def run(self, verb: str, words: list[str]) -> None:
        """Carry out a verb of the table. Raises Invalid, NotFound, DeviceError for a film that cannot be shown."""
        usage, fewest, most, act = self.table[verb]
        if not fewest <= len(words) <= most:
            raise Invalid(verb, f"write: {usage}")
        act(*words)

    def _camera(self, name: str) -> CameraPeer:
        for peer in self._cameras:
            if name in (peer.name, peer.alias, peer.title):
                return peer
        names = [peer.alias or peer.name for peer in self._cameras]
        raise NotFound("camera", f"no camera {name!r}{nearest(name, names)}")

    def _show(self, what: str, name: str = "") -> None:
        if not name and len(self._cameras) != 1:
            names = ", ".join(peer.alias or peer.name for peer in self._cameras)
            raise Invalid("show", f"name one camera of {names}" if names else "this board has no camera")
        camera = self._camera(name) if name else self._cameras[0]
        film = None if what == SCENE else Path(what)
        if film is not None:
            Film(film)
        camera.show(film)

    def _light(self, state: str, name: str) -> None:
        if state not in ("on", "off"):
            raise Invalid("light", f"unknown state {state!r}{nearest(state, ('on', 'off'))}")
        self._camera(name).light(state == "on")
