"""A camera's scene as it crosses the socket."""

from __future__ import annotations

from pathlib import Path

from hal.sim.remote.lines import Message
from hal.sim.scene.eye import SceneState


def scene_data(scene: SceneState) -> Message:
    """The scene as data."""
    return {
        "present": scene.present,
        "faults": sorted(scene.faults),
        "plate": scene.plate,
        "film": None if scene.film is None else str(scene.film),
        "origin_ns": scene.origin_ns,
        "lux": scene.lux,
        "lit": scene.lit,
        "cut": scene.cut,
    }


def scene_of(data: Message) -> SceneState:
    """The scene that was sent. Raises KeyError, TypeError."""
    film = data["film"]
    return SceneState(
        present=bool(data["present"]),
        faults=frozenset(data["faults"]),
        plate=str(data["plate"]),
        film=None if film is None else Path(film),
        origin_ns=int(data["origin_ns"]),
        lux=float(data["lux"]),
        lit=bool(data["lit"]),
        cut=bool(data["cut"]),
    )
