"""The sound of a device as its services have it: a mixer for each output, an ear for each input.

They are there all the time. Their cards are opened, and opened again when they were lost, by `SoundService`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from firmware.audio.ear import Ear
from firmware.audio.mixer import Mixer
from firmware.audio.settings import InputFacts, OutputFacts
from firmware.core.errors import NotFound
from hal.errors import nearest

T = TypeVar("T", Mixer, Ear)


class Sound:
    """Mixers and ears by node name; what a service is handed that plays or listens."""

    def __init__(self, outputs: Sequence[OutputFacts], inputs: Sequence[InputFacts]) -> None:
        self.outputs = {facts.node: facts for facts in outputs}
        self.inputs = {facts.node: facts for facts in inputs}
        self.mixers: Mapping[str, Mixer] = {node: Mixer(node) for node in self.outputs}
        self.ears: Mapping[str, Ear] = {
            node: Ear(node, switched=facts.has_switch) for node, facts in self.inputs.items()
        }

    def mixer(self, name: str | None = None, *, where: str = "output") -> Mixer:
        """The mixer of an output, by node name or alias; without a name the first. Raises NotFound."""
        return self.mixers[_find(name, {n: facts.alias for n, facts in self.outputs.items()}, "output", where)]

    def ear(self, name: str | None = None, *, where: str = "input") -> Ear:
        """The ear of an input, by node name or alias; without a name the first. Raises NotFound."""
        return self.ears[_find(name, {n: facts.alias for n, facts in self.inputs.items()}, "input", where)]


def _find(name: str | None, aliases: Mapping[str, str], what: str, where: str) -> str:
    if not aliases:
        raise NotFound(where, f"this device has no audio {what}")
    if name is None:
        return next(iter(aliases))
    by_name = {alias: node for node, alias in aliases.items()} | {node: node for node in aliases}
    if name not in by_name:
        raise NotFound(where, f"no audio {what} {name!r}{nearest(name, by_name)}")
    return by_name[name]
