"""The ear for speech: what a microphone hears, at 16 kHz, cleaned as the settings of its input say.

    with speech.listen() as frames:
        async for frame in frames: ...      # 20 ms each

Nothing is computed while nobody listens; the canceller learns the room anew with the first listener.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np

from firmware.audio.cleaning import FRAME, RATE_HZ, TAIL_MS, Cleaner, MakeFilter, Wishes
from firmware.audio.ear import Ear
from firmware.audio.mixer import Mixer
from firmware.audio.pcm import PERIOD, Mono16
from firmware.audio.tap import Tap
from firmware.core.errors import Unavailable
from hal.clock import Clock
from hal.errors import HalError

DEPTH = 50
AGAIN_S = 0.5


@dataclass(frozen=True, slots=True)
class SpeechFrame:
    """20 ms of speech: 320 samples at 16 kHz.

    `t_ns` is when its last sample was there; `lost` counts the frames before it that this listener did not get.
    """

    t_ns: int
    samples: Mono16 = field(repr=False)
    lost: int = 0


class Hearing:
    """What one listener hears; a context, and an asynchronous iterator that raises Unavailable without a microphone."""

    def __init__(self, speech: Speech, depth: int) -> None:
        self._speech = speech
        self._frames: deque[SpeechFrame] = deque()
        self._depth = depth
        self._lost = 0
        self._moved = asyncio.Event()

    def __enter__(self) -> Self:
        self._speech.join(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._speech.leave(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SpeechFrame:
        while not self._frames:
            self._speech.check()
            self._moved.clear()
            await self._moved.wait()
        return self._frames.popleft()

    def put(self, frame: SpeechFrame) -> None:
        """Take a frame; a listener that is behind loses the newest, and is told how many with the next it gets."""
        if len(self._frames) >= self._depth:
            self._lost += frame.lost + 1
            return
        self._frames.append(SpeechFrame(frame.t_ns, frame.samples, frame.lost + self._lost))
        self._lost = 0
        self._moved.set()

    def wake(self) -> None:
        """The microphone has come or gone."""
        self._moved.set()


class Speech:
    """The listeners to the speech of one input; `mixer` is the output whose sound its microphone hears."""

    def __init__(self, ear: Ear, mixer: Mixer | None, make_filter: MakeFilter, clock: Clock) -> None:
        self.ear = ear
        self.missing = ""  # why nothing can be cleaned
        self._mixer = mixer
        self._make_filter = make_filter
        self._clock = clock
        self._cleaner: Cleaner | None = None
        self._listeners: set[Hearing] = set()
        self._wanted = asyncio.Event()

    def listen(self, *, depth: int = DEPTH) -> Hearing:
        """Hear every frame from now on; at most `depth` wait."""
        return Hearing(self, depth)

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    @property
    def echo_loss_db(self) -> float | None:
        """How much of the echo is taken away; None while nobody listens, or it is not known."""
        return None if self._cleaner is None else self._cleaner.echo_loss_db

    def check(self) -> None:
        """Raises Unavailable while there is no microphone."""
        self.ear.check()

    def join(self, hearing: Hearing) -> None:
        """One more listener."""
        self._listeners.add(hearing)
        self._wanted.set()

    def leave(self, hearing: Hearing) -> None:
        """One less."""
        self._listeners.discard(hearing)

    def probe(self) -> None:
        """See whether sound can be cleaned here; `missing` says why not."""
        self._new_cleaner().close()

    async def run(self, wishes: Callable[[], Wishes]) -> None:
        """Clean while somebody listens, until cancelled."""
        while True:
            if not self._listeners:
                self._wanted.clear()
                await self._wanted.wait()
            self._cleaner = self._new_cleaner()
            try:
                await self._clean(self._cleaner, wishes)
            except Unavailable:
                for hearing in self._listeners:
                    hearing.wake()
                await self._clock.sleep(AGAIN_S)
            finally:
                self._cleaner.close()
                self._cleaner = None

    async def _clean(self, cleaner: Cleaner, wishes: Callable[[], Wishes]) -> None:
        """Until nobody listens. Raises Unavailable when the microphone goes."""
        with ExitStack() as stack:
            blocks = stack.enter_context(self.ear.listen())
            far = None if self._mixer is None else stack.enter_context(self._mixer.tap())
            lost = 0
            async for block in blocks:
                if not self._listeners:
                    return
                cleaner.set(wishes())
                for _ in range(block.lost):
                    _played(far)  # its time has passed: or what is played would lag behind for ever
                lost += block.lost
                for samples in cleaner.put(block.samples, _played(far)):
                    frame = SpeechFrame(block.t_ns, samples, -(-lost // 2))
                    lost = 0
                    for hearing in self._listeners:
                        hearing.put(frame)

    def _new_cleaner(self) -> Cleaner:
        try:
            cleaner = Cleaner(self._make_filter(RATE_HZ, FRAME, TAIL_MS))
        except HalError as error:
            self.missing = error.message
            return Cleaner(None)
        self.missing = ""
        return cleaner


def _played(far: Tap | None) -> Mono16:
    return np.zeros(PERIOD, np.int16) if far is None else far.take()
