"""The clips that are kept: what each is called and is, as one durable list, and their files beside it.

They lie in `shared/media`: a restart and an upgrade leave them alone, a factory default takes them. A file is there
before the list names it, and the list forgets it before it goes; what a power cut leaves between is swept at the start.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from firmware.audio.clips.files import FILE, PCM, ClipFiles
from firmware.audio.clips.names import checked_name, name_from
from firmware.audio.clips.shipped import samples_of, shipped
from firmware.core.context import Core
from firmware.core.errors import Exhausted, NotFound, StationError, Unavailable
from firmware.core.store import Damaged
from firmware.core.store_disk import problem_of, unavailable
from firmware.core.vocabulary.clips import ClipId
from firmware.core.vocabulary.station import StorageProblem
from firmware.core.worker import Worker
from firmware.sound_files.decode import BYTES_A_SECOND, RATE_HZ
from hal.errors import nearest

LIST = "clip-list"
FOLDER = "clips"
MOST_CLIPS = 100
# Files and their sound together.
QUOTA_BYTES = 256 * 1024 * 1024

T = TypeVar("T")

log = logging.getLogger("firmware.audio.clips")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One clip; `size` is that of the uploaded file, `frames` of its sound (48 kHz). `trouble`: why it cannot play."""

    id: ClipId
    name: str
    format: str = ""
    encoding: str = ""
    rate_hz: int = 0
    channels: int = 0
    size: Annotated[int, Field(ge=0)] = 0
    frames: Annotated[int, Field(ge=0)] = 0
    trouble: str = ""

    @property
    def length_s(self) -> float:
        """How long it plays."""
        return self.frames / RATE_HZ

    @property
    def bytes(self) -> int:
        """What it takes of the quota."""
        return self.size + self.frames * BYTES_A_SECOND // RATE_HZ


_LIST = TypeAdapter(tuple[Clip, ...])


class Shelf:
    """All clips of the device, by id. Changes go one after the other; what is read is in memory."""

    def __init__(self, core: Core, spool: Path, changed: Callable[[Clip], None]) -> None:
        """`changed` is told of a clip that is different from what it was without anybody asking."""
        self._core = core
        self._changed = changed
        self._worker = Worker(core.clock, "clips")
        self._changing = asyncio.Lock()
        self.files = ClipFiles(core.shared.root / FOLDER, spool)
        self.clips: dict[str, Clip] = {}

    # life

    async def open(self) -> None:
        """Read the list and look after the files. Raises Unavailable when the medium cannot be read."""
        self._worker.start()
        await self._work(self.files.prepare)
        try:
            raw = await self._core.shared.load(LIST)
            listed = None if raw is None else _LIST.validate_json(raw)
        except (Damaged, ValidationError) as error:
            log.error("the list of clips is damaged, their files are taken up again: %s", error)
            ids = await self._work(self.files.ids)
            found: tuple[Clip, ...] = tuple(Clip(id=id, name=f"Recovered {n}") for n, id in enumerate(ids, 1))
        else:
            found = await self._first() if listed is None else listed
        sizes = await self._work(self.files.prepare)
        self.clips = {clip.id: _looked_at(clip, sizes) for clip in found}
        await self._work(partial(self.files.sweep, frozenset(self.clips)))

    async def _first(self) -> tuple[Clip, ...]:
        """The shipped clips, at the first start of all and after a factory default."""
        made = await self._work(shipped)
        sounds = samples_of(made.values())
        clips = []
        for (name, file), sound in zip(made.items(), sounds, strict=True):
            clip = Clip(
                id=secrets.token_hex(6),
                name=name,
                format="wav",
                encoding="PCM 16 bit",
                rate_hz=RATE_HZ,
                channels=1,
                size=len(file),
                frames=len(sound) // 2,
            )
            await self._work(partial(self.files.put, clip.id, file, sound))
            clips.append(clip)
        await self._save({clip.id: clip for clip in clips})
        return tuple(clips)

    async def mend(self) -> None:
        """Make the sound anew of every clip whose sound is lost and whose file is there."""
        for clip in [each for each in self.clips.values() if each.trouble]:
            async with self._changing:
                if clip.id in self.clips:
                    await self._mend(clip)

    async def _mend(self, clip: Clip) -> None:
        before = self.clips[clip.id]
        try:
            found = await self._work(
                partial(self.files.again, clip.id, before.name, self._left() + before.bytes - before.size)
            )
        except StationError as error:
            log.warning("clip %s: its sound could not be made anew: %s", clip.id, error)
            now = replace(before, trouble=error.message)
        else:
            now = replace(
                before,
                format=found.format,
                encoding=found.encoding,
                rate_hz=found.rate_hz,
                channels=found.channels,
                frames=found.frames,
                trouble="",
            )
        if now != before:
            await self._save(self.clips | {clip.id: now})
            self._changed(now)

    def close(self) -> None:
        """Take no more work."""
        self._worker.close()

    # what there is

    def find(self, id: str | None, name: str | None, where: str) -> Clip:
        """A clip by its id or its name. Raises NotFound with the nearest valid one."""
        if id is not None:
            if id not in self.clips:
                raise NotFound(f"{where}.clip", f"no clip {id!r}{nearest(id, self.clips)}")
            return self.clips[id]
        names = {clip.name: clip for clip in self.clips.values()}
        if name not in names:
            raise NotFound(f"{where}.name", f"no clip is called {name!r}{nearest(str(name), names)}")
        return names[name]

    def _names(self, but: str = "") -> set[str]:
        return {clip.name for clip in self.clips.values() if clip.id != but}

    def _left(self) -> int:
        return QUOTA_BYTES - sum(clip.bytes for clip in self.clips.values())

    # changes

    async def add(self, spooled: str, filename: str, name: str | None) -> Clip:
        """Keep a file of the spool. Raises Invalid, NotFound, Exhausted, Unavailable; then nothing of it is left."""
        async with self._changing:
            if len(self.clips) >= MOST_CLIPS:
                raise Exhausted("clips", f"there are {MOST_CLIPS} clips, the most there can be; delete some")
            taken = self._names()
            called = name_from(filename, taken) if name is None else checked_name(name, taken, "clip.add.name")
            id = secrets.token_hex(6)
            shown_name = filename or called
            found, size = await self._work(partial(self.files.receive, id, spooled, shown_name, self._left()))
            clip = Clip(
                id=id,
                name=called,
                format=found.format,
                encoding=found.encoding,
                rate_hz=found.rate_hz,
                channels=found.channels,
                size=size,
                frames=found.frames,
            )
            try:
                await self._save(self.clips | {id: clip})
            except StationError:
                await self._work(partial(self.files.remove, id))
                raise
            return clip

    async def rename(self, id: str, name: str) -> Clip:
        """Call a clip something else. Raises NotFound, Invalid, Unavailable."""
        async with self._changing:
            clip = self.find(id, None, "clip.rename")
            renamed = replace(clip, name=checked_name(name, self._names(but=id), "clip.rename.name"))
            if renamed != clip:
                await self._save(self.clips | {id: renamed})
            return renamed

    async def delete(self, id: str) -> Clip:
        """Forget a clip and its files. Raises NotFound, Unavailable."""
        async with self._changing:
            clip = self.find(id, None, "clip.delete")
            await self._save({key: each for key, each in self.clips.items() if key != id})
            try:
                await self._work(partial(self.files.remove, id))
            except StationError as error:
                log.warning("the files of clip %s are swept at the next start: %s", id, error)
            return clip

    async def lend(self, id: str, spooled: str) -> Clip:
        """Put the file of a clip into the spool. Raises NotFound, Unavailable."""
        clip = self.find(id, None, "clip.lend")
        await self._work(partial(self.files.lend, id, spooled))
        return clip

    async def _save(self, clips: dict[str, Clip]) -> None:
        await self._core.shared.save(LIST, _LIST.dump_json(tuple(clips.values())))
        self.clips = clips

    async def _work(self, job: Callable[[], T]) -> T:
        """Do it on the worker. Raises what it raises, a storage trouble as one of ours."""
        try:
            return await self._worker.run(job)
        except OSError as error:
            problem = problem_of(error)
            if problem is StorageProblem.FULL:
                raise Exhausted("clips", "there is no room on the storage; nothing was changed") from error
            if problem is not None:
                raise unavailable("clips", problem, error) from error
            raise Unavailable("clips", f"storage fails ({error.strerror or error}); nothing was changed") from error


def _looked_at(clip: Clip, sizes: dict[str, int]) -> Clip:
    """The clip with what its files say of it."""
    if clip.id + FILE not in sizes:
        return replace(clip, trouble="its file is gone")
    clip = replace(clip, size=sizes[clip.id + FILE])
    whole = clip.frames and sizes.get(clip.id + PCM) == 2 * clip.frames
    return replace(clip, trouble="" if whole else "its sound is being made anew")
