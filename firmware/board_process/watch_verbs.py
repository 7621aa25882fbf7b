"""Bench verbs around what watches the device: `cover`, `uncover`, `bump`, `light`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from firmware.core.errors import Invalid, NotFound
from hal.errors import nearest
from hal.sim.chips import Lis3dh
from hal.sim.peers.base import Peer
from hal.sim.scene.peer import CameraPeer
from hal.sim.world import World

COVERS = ("covered", "sprayed", "blurred", "turned")
BUMP_G = 4.0

P = TypeVar("P", bound=Peer)


def peers_of(world: World, kind: type[P]) -> list[P]:
    """All peers of a kind."""
    return [peer for peer in world.peers.values() if isinstance(peer, kind)]


def named(world: World, kind: type[P], what: str, words: list[str]) -> P:
    """The peer that the first word names, which is then taken away; without a name, the only one there is."""
    peers = peers_of(world, kind)
    if not peers:
        raise NotFound(what, f"the board has no {what}")
    names = {name: peer for peer in peers for name in (peer.title, peer.name, peer.alias) if name}
    if words and words[0] in names:
        return names[words.pop(0)]
    if len(peers) > 1 or (words and words[0][:1].isalpha() and words[0] not in COVERS):
        given = words[0] if words else ""
        raise NotFound(what, f"no {what} {given!r}{nearest(given, (peer.alias or peer.name for peer in peers))}")
    return peers[0]


def cover(world: World, words: list[str]) -> None:
    """Cover a camera, spray it, put it out of focus or turn it away. Raises Invalid, NotFound."""
    camera = named(world, CameraPeer, "camera", words)
    how = words.pop(0) if words else "covered"
    if words or how not in COVERS:
        raise Invalid("cover", f"write: cover [CAMERA] [{'|'.join(COVERS)}]{nearest(how, COVERS)}")
    camera.fault(how)


def uncover(world: World, words: list[str]) -> None:
    """Put everything before a camera right again, but for the light. Raises Invalid, NotFound."""
    camera = named(world, CameraPeer, "camera", words)
    if words:
        raise Invalid("uncover", "write: uncover [CAMERA]")
    camera.put_right()


def bump(world: World, words: list[str]) -> None:
    """Hit the device, by the sensor that feels it. Raises Invalid, NotFound, OutOfRange."""
    sensor = named(world, Lis3dh, "accelerometer", words)
    strength = words.pop(0) if words else str(BUMP_G)
    try:
        g = float(strength)
    except ValueError:
        words.append(strength)
    if words:
        raise Invalid("bump", f"write: bump [ACCELEROMETER] [G] (got {words[0]!r})")
    sensor.bump(g)


def light(world: World, words: list[str]) -> None:
    """Make it so bright around the device. Raises Invalid, OutOfRange."""
    try:
        (lux,) = (float(word) for word in words)
    except ValueError:
        raise Invalid("light", "write: light LUX, such as 500 for a lit room or 0.5 for a night") from None
    world.daylight.become(lux)


VERBS: dict[str, Callable[[World, list[str]], None]] = {
    "cover": cover,
    "uncover": uncover,
    "bump": bump,
    "light": light,
}
