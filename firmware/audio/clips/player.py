"""Plays clips: each is a voice of a mixer, fed block by block from its file, so that a long one is never in memory.

The volume of a clip is the gain of its voice: it holds to the last sample, and the speaker's own is never touched.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from firmware.audio.clips.files import ClipFiles, Source
from firmware.audio.clips.shelf import Clip
from firmware.audio.mixer import Mixer, Priority
from firmware.audio.voice import Voice
from firmware.core.context import Core
from firmware.core.errors import Exhausted, StationError, Unavailable
from firmware.core.vocabulary.clips import FOR_EVER, ClipFailed, ClipStarted, ClipStopped, Playing, PlayingState
from firmware.core.worker import Worker

MOST_PLAYING = 8
# What is read at once, and how much of it waits to be mixed: a medium may take most of a second to answer.
PIECE_BYTES = 48_000
DEPTH_S = 1.0
# How far a stream gives way to a clip.
DUCK_DB = 12.0


@dataclass(eq=False, slots=True)
class _Run:
    """A clip that plays: what it is, its task, and why that ends."""

    what: Playing
    by: str
    cause: str | None
    begun: asyncio.Future[None]
    task: asyncio.Task[None] | None = None
    why: str = "ended"
    sounds: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Player:
    """Everything that plays now; tells the bus of it."""

    def __init__(self, core: Core, files: ClipFiles) -> None:
        self._core = core
        self._files = files
        self._reader = Worker(core.clock, "clip reader")
        self._runs: dict[str, _Run] = {}
        self._numbers = 0
        self._group: asyncio.TaskGroup | None = None

    def start(self) -> None:
        """Be ready: nothing plays."""
        self._reader.start()
        self._show(None)

    async def run(self) -> None:
        """Carry what plays until cancelled; then all of it ends, with a fade."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                await asyncio.Event().wait()
            finally:
                self._group = None
                for run in self._runs.values():
                    run.why = "closing"

    def stop(self) -> None:
        """Nothing plays any more; what is open is closed."""
        self._reader.close(finish=True)

    async def play(
        self, clip: Clip, mixer: Mixer, *, volume: int, repeat: int, by: str, cause: str | None = None
    ) -> Playing:
        """Begin to play; answers when the first of it was handed to the mixer.

        Raises Unavailable (no speaker, no sound of it), Exhausted, and what the medium says.
        """
        if clip.trouble:
            raise Unavailable("clip.play", f"{clip.name!r} cannot be played: {clip.trouble}")
        if self._group is None:
            raise Unavailable("clip.play", "the player is not running")
        if len(self._runs) >= MOST_PLAYING:
            raise Exhausted("clip.play", f"{MOST_PLAYING} clips play already, the most at once")
        self._numbers += 1
        id = f"{self._core.bus.boot}-{self._numbers}"
        what = Playing(playing=id, clip=clip.id, name=clip.name, volume=volume, repeat=repeat)
        run = _Run(what, by, cause, asyncio.get_running_loop().create_future())
        self._runs[id] = run
        run.task = self._group.create_task(self._carry(run, mixer), name=f"clip {clip.id}")
        await asyncio.shield(run.begun)
        return what

    async def end(self, which: Callable[[Playing], bool], why: str = "stopped") -> int:
        """Stop what fits, with a fade; answers how many, when they are silent."""
        runs = [run for run in self._runs.values() if which(run.what)]
        self._cancel(runs, why)
        for run in runs:
            await run.ended.wait()
        return len(runs)

    def _cancel(self, runs: Iterable[_Run], why: str) -> None:
        for run in runs:
            if run.task is not None and not run.ended.is_set():
                run.why = why
                run.task.cancel()

    async def _carry(self, run: _Run, mixer: Mixer) -> None:
        """One clip from its first sample to its last, and what is said of it."""
        what = run.what
        error: StationError | None = None
        try:
            await self._sound(run, mixer)
        except StationError as failed:
            error = failed
        except OSError as failed:
            error = Unavailable("clip.play", f"{what.name!r} cannot be read ({failed.strerror or failed})")
        finally:
            del self._runs[what.playing]
            self._said(run, error)
            run.ended.set()

    async def _sound(self, run: _Run, mixer: Mixer) -> None:
        what = run.what
        source = self._files.source(what.clip)
        try:
            gain_db = 20 * math.log10(what.volume / 100) if what.volume else -math.inf
            async with mixer.voice(
                Priority.CLIP, gain_db=gain_db, name=f"clip {what.name}", duck_db=DUCK_DB, depth_s=DEPTH_S
            ) as voice:
                times = 0
                while what.repeat == FOR_EVER or times <= what.repeat:
                    await self._once(run, voice, source)
                    times += 1
        finally:
            self._reader.post(source.close)

    async def _once(self, run: _Run, voice: Voice, source: Source) -> None:
        at = 0
        while piece := await self._reader.run(partial(source.read, at, PIECE_BYTES)):
            at += len(piece)
            await voice.play(np.frombuffer(piece[: len(piece) & ~1], np.dtype("<i2")).astype(np.int16, copy=False))
            if not run.sounds:
                self._begin(run)
        if not at:
            raise Unavailable("clip.play", f"the sound of {run.what.name!r} is gone")

    def _begin(self, run: _Run) -> None:
        run.sounds = True
        what = run.what
        self._core.bus.publish(
            ClipStarted(
                playing=what.playing,
                clip=what.clip,
                name=what.name,
                volume=what.volume,
                repeat=what.repeat,
                by=run.by,
            ),
            cause=run.cause,
        )
        self._show(run.cause)
        if not run.begun.done():
            run.begun.set_result(None)

    def _said(self, run: _Run, error: StationError | None) -> None:
        what, bus = run.what, self._core.bus
        if error is not None:
            bus.publish(
                ClipFailed(
                    playing=what.playing, clip=what.clip, name=what.name, code=error.code, message=error.message
                ),
                cause=run.cause,
            )
        elif run.sounds:
            bus.publish(ClipStopped(playing=what.playing, clip=what.clip, name=what.name, why=run.why), cause=run.cause)
        if run.sounds:
            self._show(run.cause)
        if not run.begun.done():
            run.begun.set_exception(error or Unavailable("clip.play", f"was {run.why} before it began"))
            run.begun.exception()  # whoever asked may be gone

    def _show(self, cause: str | None) -> None:
        clips = tuple(run.what for run in self._runs.values() if run.sounds)
        state = PlayingState(active=bool(clips), clips=clips)
        if not state.same_as(self._core.bus.state(PlayingState)):
            self._core.bus.publish(state, cause=cause)
