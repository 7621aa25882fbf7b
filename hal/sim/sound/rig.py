"""All sound cards of a simulated board, the room between them, and the ALSA configuration that leads there.

The firmware opens the cards through libasound, with `ALSA_CONFIG_PATH` as `environment` has it.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path

import numpy as np

from hal.board import AudioInNode, AudioOutNode
from hal.errors import BoardError
from hal.sim.pcm import alsa_config, alsa_environment, card_of
from hal.sim.peers.sound import MicrophonePeer, SpeakerPeer
from hal.sim.sound.cards import Played, Recorded
from hal.sim.sound.room import REMEMBERED_S, Cone, Room
from hal.sim.world import World

PERIOD_NS = 10_000_000
# A room that was kept from running goes on from now: sound waits in its pipes, and nothing of it is lost.
LATEST_NS = 2 * PERIOD_NS


class SoundRig:
    """The acoustics of a world, in real time while `run` runs."""

    def __init__(self, world: World, folder: Path) -> None:
        """Make the FIFOs and the configuration in an empty folder. Raises BoardError for cards of different rates."""
        self._clock = world.clock
        self._origin_ns = world.origin_ns
        # When a period began, and how much had been heard before: the room is not always in step with the clock.
        self._marks: deque[tuple[int, int]] = deque(maxlen=round(REMEMBERED_S * 1e9 / PERIOD_NS))
        self._speakers: list[tuple[SpeakerPeer, Played, Cone]] = []
        self._microphones: list[tuple[MicrophonePeer, Recorded]] = []
        nodes = {n: node for n, node in world.board.nodes.items() if isinstance(node, AudioInNode | AudioOutNode)}
        rates = sorted({node.rate_hz for node in nodes.values()})
        if len(rates) != 1:
            raise BoardError("nodes", f"the simulated room needs sound cards of one rate (got {rates or 'no card'})")
        self.room = Room(rates[0])
        lines = []
        for name, node in nodes.items():
            path, peer = folder / f"{name}.fifo", world.peers[name]
            if isinstance(node, AudioOutNode):
                assert isinstance(peer, SpeakerPeer)
                played = Played(path, node.rate_hz, node.channels)
                self._speakers.append((peer, played, Cone(node.rate_hz, played.period)))
                places = f'file "{path}"'
            else:
                assert isinstance(peer, MicrophonePeer)
                self._microphones.append((peer, Recorded(path, node.rate_hz, node.channels)))
                places = f'file "/dev/null" infile "{path}"'
            lines.append(f"pcm.{card_of(name)} {{ type file slave.pcm null {places} format raw }}\n")
        alsa_config(folder).write_text("".join(lines))
        self.environment = alsa_environment(folder)

    def frames_since(self, t_s: float | None) -> int:
        """How many frames of the room's memory are younger than that second of the world; all without one."""
        if t_s is None:
            return self.room.heard.count
        t_ns = self._origin_ns + round(t_s * 1e9)
        began = next((count for at_ns, count in self._marks if at_ns >= t_ns), self.room.heard.count)
        return self.room.heard.count - began

    @property
    def hiccups(self) -> int:
        """How often a card was late for the room until now: this machine had something else to do."""
        gaps = sum(played.gaps for _, played, _ in self._speakers)
        return gaps + sum(recorded.dropped for _, recorded in self._microphones)

    async def run(self) -> None:
        """Pace all cards, a period every 10 ms; ends only by cancellation."""
        due_ns = self._clock.now_ns()
        while True:
            if all([played.ready(peer.drift_ppm) for peer, played, _ in self._speakers]):
                self._marks.append((self._clock.now_ns(), self.room.heard.count))
                self._period()
            due_ns = max(due_ns + PERIOD_NS, self._clock.now_ns() - LATEST_NS)
            await self._clock.sleep(max(0, due_ns - self._clock.now_ns()) / 1e9)

    def _period(self) -> None:
        air = np.zeros(self.room.rate_hz // 100)
        for speaker, played, cone in self._speakers:
            air += cone.move(played.take(speaker.drift_ppm), speaker.faults, speaker.loss_db)
        heard = self.room.carry(air)
        for microphone, recorded in self._microphones:
            recorded.give(np.zeros(len(heard)) if "dead" in microphone.faults else heard)

    def close(self) -> None:
        """Hang up every card; close what plays and records before."""
        for _, played, _ in self._speakers:
            played.close()
        for _, recorded in self._microphones:
            recorded.close()
