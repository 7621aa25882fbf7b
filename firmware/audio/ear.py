"""The ear of one microphone: its blocks of 10 ms for as many listeners as there are, each at its own pace.

The microphone is the clock of whoever processes sound, so blocks come all the time: silent ones while the input is
turned off, muted, or disabled by the switch of the device.

    with ear.listen() as blocks:
        async for block in blocks: ...
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from firmware.audio.meter import Meter
from firmware.audio.pcm import Mono16, from_card
from firmware.core.errors import Busy, Invalid, Unavailable
from hal.errors import BusError, OutOfRange
from hal.ports import Microphone
from hal.sounds import SoundBlock, SoundLevel

DEPTH = 50


@dataclass(frozen=True, slots=True)
class EarBlock:
    """10 ms of a microphone after gain and mute: 480 samples at 48 kHz, one channel.

    `t_ns` is when its last sample was there, in the time of `Clock.now_ns`. `lost` counts the blocks before it that
    this listener did not get: the card's own losses, and those dropped because the listener was behind.
    """

    t_ns: int
    samples: Mono16 = field(repr=False)
    level: SoundLevel
    lost: int = 0


class Listening:
    """What one listener hears; a context, and an asynchronous iterator without an end.

    Raises Unavailable, from the iterator, when the microphone goes or is not there.
    """

    def __init__(self, ear: Ear, depth: int) -> None:
        self._ear = ear
        self._depth = depth
        self._blocks: deque[EarBlock] = deque()
        self._arrived = asyncio.Event()
        self._missed = 0
        self.lost = 0  # blocks that this listener did not get, since it began

    def __enter__(self) -> Self:
        self._ear.listeners.add(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ear.listeners.discard(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> EarBlock:
        while not self._blocks:
            self._ear.check()
            self._arrived.clear()
            await self._arrived.wait()
        return self._blocks.popleft()

    def put(self, block: EarBlock) -> None:
        """Take a block, at the cost of the oldest when there are too many; called by the ear."""
        if len(self._blocks) == self._depth:
            dropped = self._blocks.popleft()
            if self._blocks:
                after = self._blocks.popleft()
                self._blocks.appendleft(_later(after, dropped.lost + 1))
            else:
                block = _later(block, dropped.lost + 1)
            self.lost += 1
        self.lost += block.lost
        self._blocks.append(block)
        self._arrived.set()

    def wake(self) -> None:
        """The microphone has come or gone."""
        self._arrived.set()


def _later(block: EarBlock, lost: int) -> EarBlock:
    return EarBlock(block.t_ns, block.samples, block.level, block.lost + lost)


class Ear:
    """The listeners of one microphone. There all the time; its microphone comes with `open`, and may go."""

    def __init__(self, name: str, *, switched: bool = False) -> None:
        """With a microphone-disable switch (`switched`) it hears nothing before `switch_off` says that it may."""
        self.name = name
        self.listeners: set[Listening] = set()
        self.meter = Meter()
        self._microphone: Microphone | None = None
        self._channels = 1
        self._enabled, self._gain_db, self._muted = True, 0.0, False
        self._override_db: float | None = None
        self.switched_off = switched

    @property
    def present(self) -> bool:
        """Whether there is a microphone now."""
        return self._microphone is not None

    @property
    def hears(self) -> bool:
        """Whether sound can come now: there, enabled, not muted, and not disabled by the switch of the device."""
        microphone = self._microphone
        return microphone is not None and not self.switched_off and not microphone.muted

    def listen(self, *, depth: int = DEPTH) -> Listening:
        """Hear every block from now on. A listener that is more than `depth` blocks behind loses the oldest."""
        return Listening(self, depth)

    def check(self) -> None:
        """Raises Unavailable while there is no microphone."""
        if self._microphone is None:
            raise Unavailable(self.name, "there is no microphone now")

    @contextmanager
    def override(self, gain_db: float) -> Iterator[None]:
        """Hear with this gain for a while, also when the input is turned off or muted: for the speaker test.

        The microphone-disable switch of the device wins all the same: see `hears`. What people set meanwhile is kept
        for afterwards. Raises Busy while somebody else does, Invalid for a gain that the board does not allow,
        Unavailable.
        """
        self.check()
        if self._override_db is not None:
            raise Busy(self.name, "its gain is being overridden already")
        self._override_db = gain_db
        try:
            try:
                self._apply()
            except OutOfRange as error:
                raise Invalid(f"{self.name}.gain_db", error.message) from None
            except BusError as error:
                raise Unavailable(self.name, error.message) from error
            yield
        finally:
            self._override_db = None
            if self._microphone is not None:
                self._apply()

    # for the service that opens the microphone

    def set(self, enabled: bool, gain_db: float, muted: bool) -> None:
        """Settings as people want them, for now and for every microphone that comes. Raises OutOfRange, BusError."""
        self._enabled, self._gain_db, self._muted = enabled, gain_db, muted
        if self._microphone is not None and self._override_db is None:
            self._apply()

    def switch_off(self, switched_off: bool) -> None:
        """The microphone-disable switch of the device, for now and for every microphone that comes."""
        self.switched_off = switched_off
        if self._microphone is not None:
            self._microphone.silence(switched_off)

    def open(self, microphone: Microphone) -> None:
        """Hear this microphone from now on. Raises OutOfRange for a gain that it cannot have, BusError."""
        self._microphone, self._channels = microphone, microphone.channels
        microphone.silence(self.switched_off)
        self._apply()
        microphone.listen(self._heard)
        self._tell()

    def close(self) -> None:
        """Let go of the microphone; whoever listens is told. Harmless twice."""
        microphone, self._microphone = self._microphone, None
        if microphone is not None:
            microphone.listen(None)
        self._tell()

    def _apply(self) -> None:
        assert self._microphone is not None
        over = self._override_db
        self._microphone.set_gain(self._gain_db if over is None else over)
        self._microphone.mute(over is None and (self._muted or not self._enabled))

    def _heard(self, block: SoundBlock) -> None:
        self.meter.add(block.level)
        if self.listeners:
            heard = EarBlock(block.t_ns, from_card(block.samples, self._channels), block.level, block.lost)
            for listener in self.listeners:
                listener.put(heard)

    def _tell(self) -> None:
        for listener in self.listeners:
            listener.wake()
