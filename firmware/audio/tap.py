"""What a speaker is given, kept for whoever has to know it: echo cancellation, recordings."""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from firmware.audio.pcm import PERIOD, Mono16

if TYPE_CHECKING:
    from firmware.audio.mixer import Mixer

# A card's buffer is filled in one go when it begins to play: so many periods wait here at most.
DEPTH = 25


class Tap:
    """The far end of an echo: what the speaker plays, in the time of whoever takes it. Use it as a context.

    It is filled as the card is filled. Taken block by block in the time of the microphone, a block comes out when the
    card plays it, up to a period or two, as long as both have one clock.
    """

    def __init__(self, mixer: Mixer) -> None:
        self._mixer = mixer
        self._blocks: deque[Mono16] = deque()
        self.lost = 0  # blocks thrown away because nobody took them in time

    def __enter__(self) -> Self:
        self._mixer.taps.add(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._mixer.taps.discard(self)

    def put(self, block: Mono16) -> None:
        """Keep a period that was handed to the card; called by the mixer."""
        if len(self._blocks) == DEPTH:
            self._blocks.popleft()
            self.lost += 1
        self._blocks.append(block)

    def take(self) -> Mono16:
        """The next 10 ms (480 samples) of what the speaker plays, after its gain and mute; silence while it is off."""
        return self._blocks.popleft() if self._blocks else np.zeros(PERIOD, np.int16)
