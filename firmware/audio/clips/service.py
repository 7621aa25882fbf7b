"""Service `clips`: keeps what people upload, plays it, says what there is and what plays (manual 000, Audio clips)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar

from firmware.audio.clips.player import Player
from firmware.audio.clips.shelf import Clip, Shelf
from firmware.audio.sound import Sound
from firmware.core.actions import NOTHING, Invocation, Level, Nothing
from firmware.core.context import Core
from firmware.core.vocabulary.clips import (
    ClipAddParams,
    ClipChanged,
    ClipLendParams,
    ClipPlayAnswer,
    ClipPlayParams,
    ClipRef,
    ClipRenameParams,
    ClipState,
    ClipStopAnswer,
    ClipStopParams,
    ClipView,
    PlayingState,
)


class ClipsService:
    """Owns `clip.play`, `clip.stop`, `clip.rename`, `clip.delete`, and for the network role `clip.add`, `clip.lend`."""

    name: ClassVar[str] = "clips"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset({"speaker"})

    def __init__(self, core: Core, sound: Sound, spool: Path) -> None:
        """`spool` is the folder by which files come from the network role and go to it."""
        self._core = core
        self._sound = sound
        self._shelf = Shelf(core, spool, self._show)
        self._player = Player(core, self._shelf.files)

    async def start(self) -> None:
        """Look after the clips and show them. Raises Unavailable when the medium cannot be read."""
        await self._shelf.open()
        self._player.start()
        self._offer()
        for clip in self._shelf.clips.values():
            self._show(clip)

    async def run(self) -> None:
        """Play, and mend what was damaged, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._player.run(), name="clips play")
            tasks.create_task(self._shelf.mend(), name="clips mended")

    async def stop(self) -> None:
        """Nothing is there and nothing plays while the service is down."""
        self._player.stop()
        self._shelf.close()
        for state in self._core.bus.states(ClipState):
            self._core.bus.forget(ClipState, state.clip)
        self._core.bus.forget(PlayingState)

    # what it says

    def _show(self, clip: Clip, cause: str | None = None) -> None:
        view = view_of(clip)
        state = ClipState(**{name: getattr(view, name) for name in ClipView.__dataclass_fields__})
        self._core.bus.publish(state, cause=cause)

    def _tell(self, clip: Clip, change: str, invocation: Invocation) -> None:
        told = ClipChanged(clip=clip.id, name=clip.name, change=change, by=invocation.caller.name)
        self._core.bus.publish(told, cause=invocation.cause)

    # actions

    def _offer(self) -> None:
        add = self._core.actions.register
        add("clip.play", ClipPlayParams, self._play, answer=ClipPlayAnswer,
            summary="Play an audio clip, once or again and again.")  # fmt: skip
        add("clip.stop", ClipStopParams, self._end, answer=ClipStopAnswer,
            summary="Stop playing an audio clip, or all of them.")  # fmt: skip
        add("clip.rename", ClipRenameParams, self._rename, answer=ClipView,
            summary="Give an audio clip another name.")  # fmt: skip
        add("clip.delete", ClipRef, self._delete, summary="Delete an audio clip.")
        add("clip.add", ClipAddParams, self._add, answer=ClipView, private=True,
            summary="Keep the file of that name in the spool as an audio clip.")  # fmt: skip
        add("clip.lend", ClipLendParams, self._lend, answer=ClipView, private=True, level=Level.VIEWER,
            summary="Put the file of an audio clip into the spool.")  # fmt: skip

    async def _play(self, invocation: Invocation) -> ClipPlayAnswer:
        wish = invocation.params
        assert isinstance(wish, ClipPlayParams)
        clip = self._shelf.find(wish.clip, wish.name, "clip.play")
        mixer = self._sound.mixer(wish.output, where="clip.play.output")
        playing = await self._player.play(
            clip,
            mixer,
            volume=wish.volume,
            repeat=wish.repeat,
            by=invocation.caller.name,
            cause=invocation.cause,
        )
        return ClipPlayAnswer(playing=playing.playing, clip=clip.id, name=clip.name, length_s=round(clip.length_s, 3))

    async def _end(self, invocation: Invocation) -> ClipStopAnswer:
        wish = invocation.params
        assert isinstance(wish, ClipStopParams)
        named = wish.clip is not None or wish.name is not None
        clip = self._shelf.find(wish.clip, wish.name, "clip.stop").id if named else None
        stopped = await self._player.end(
            lambda what: clip in (None, what.clip) and wish.playing in (None, what.playing)
        )
        return ClipStopAnswer(stopped=stopped)

    async def _rename(self, invocation: Invocation) -> ClipView:
        wish = invocation.params
        assert isinstance(wish, ClipRenameParams)
        clip = await self._shelf.rename(wish.clip, wish.name)
        self._show(clip, invocation.cause)
        self._tell(clip, "renamed", invocation)
        return view_of(clip)

    async def _delete(self, invocation: Invocation) -> Nothing:
        wish = invocation.params
        assert isinstance(wish, ClipRef)
        clip = await self._shelf.delete(wish.clip)
        await self._player.end(lambda what: what.clip == clip.id, "deleted")
        self._core.bus.forget(ClipState, clip.id, cause=invocation.cause)
        self._tell(clip, "deleted", invocation)
        return NOTHING

    async def _add(self, invocation: Invocation) -> ClipView:
        wish = invocation.params
        assert isinstance(wish, ClipAddParams)
        clip = await self._shelf.add(wish.spool, wish.filename, wish.name)
        self._show(clip, invocation.cause)
        self._tell(clip, "added", invocation)
        return view_of(clip)

    async def _lend(self, invocation: Invocation) -> ClipView:
        wish = invocation.params
        assert isinstance(wish, ClipLendParams)
        return view_of(await self._shelf.lend(wish.clip, wish.spool))


def view_of(clip: Clip) -> ClipView:
    """A clip as it is shown."""
    return ClipView(
        clip=clip.id,
        name=clip.name,
        format=clip.format,
        encoding=clip.encoding,
        rate_hz=clip.rate_hz,
        channels=clip.channels,
        length_s=round(clip.length_s, 3),
        size=clip.size,
        ready=not clip.trouble,
        detail=clip.trouble,
    )
