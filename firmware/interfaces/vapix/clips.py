"""Audio clips for programs: mediaclip.cgi, playclip.cgi, stopclip.cgi, and their leaves.

A clip's number here is its id read as a number, so it stays the same whatever else is added or deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from starlette.responses import Response

from firmware.core.actions import Invocation, Level
from firmware.core.context import Core
from firmware.core.errors import Invalid, NotFound, Unavailable, Unsupported
from firmware.core.values import decode
from firmware.core.vocabulary.clips import ClipAddParams, ClipState, ClipView, PlayingState
from firmware.core.vocabulary.device import DeviceInfo
from firmware.interfaces.api.clips import SPEAKER, SUFFIXES, lent
from firmware.interfaces.api.upload import Spool
from firmware.interfaces.vapix.asked import Address, Asked, plain
from firmware.interfaces.vapix.firmware import check_small, is_form
from firmware.interfaces.vapix.images import number_of
from firmware.interfaces.vapix.leaves import fixed
from firmware.interfaces.vapix.param_tree import Kind, Leaf
from hal.errors import nearest

PATH = "/axis-cgi/mediaclip.cgi"
FILE = "file"
ACTIONS = ("play", "stop", "upload", "update", "remove", "download")
GROUPS = 100
MEGABYTE = 1024 * 1024
LOUDEST = 1000
MOST_REPEATS = 9999


class ClipCgis:
    """The addresses; on a device without a speaker there are none. Without a spool no file is taken or given."""

    def __init__(self, core: Core, spool: Spool | None) -> None:
        self._core = core
        self._spool = spool

    def here(self) -> bool:
        """Whether this device has a speaker."""
        info = self._core.bus.state(DeviceInfo)
        return info is not None and SPEAKER in info.capabilities

    def addresses(self) -> tuple[Address, ...]:
        """The addresses."""
        operator = Level.OPERATOR
        return (
            Address(path=PATH, endpoint=self._mediaclip, level=operator, here=self.here),
            Address(path="/axis-cgi/playclip.cgi", endpoint=self._playclip, level=operator, here=self.here),
            Address(path="/axis-cgi/stopclip.cgi", endpoint=self._stopclip, level=operator, here=self.here),
        )

    def sizes(self) -> Mapping[bytes, int]:
        """The path whose body may be larger than usual."""
        return {} if self._spool is None else {PATH.encode(): self._spool.largest}

    def leaves(self) -> Iterable[Leaf]:
        """MediaClip and Properties.AudioClip."""
        if not self.here():
            return
        yield from fixed("Properties.AudioClip", {
            "Format": "wav,mp3,opus,vorbis,au",
            "PlayOptions": "repeat,volume",
            "StopClip": "yes",
        })  # fmt: skip
        yield Leaf(name="MediaClip.MaxGroups", value=str(GROUPS), kind=Kind.NUMBER)
        if self._spool is not None:
            largest = str(self._spool.largest // MEGABYTE)
            yield Leaf(name="MediaClip.MaxUploadSize", value=largest, kind=Kind.NUMBER)
        for state in self._states():
            group = f"MediaClip.M{number(state.clip)}"
            yield from fixed(group, {"Name": state.name, "Location": location(state), "Type": "audio"})

    def _states(self) -> list[ClipState]:
        return sorted(self._core.bus.states(ClipState), key=lambda state: (state.name.casefold(), state.clip))

    async def _mediaclip(self, asked: Asked) -> Response:
        """Everything about clips, by `action`. Raises Invalid, NotFound and what media refuses with."""
        if is_form(asked.request):
            return await self._upload(asked)
        check_small(asked.request)
        words = await asked.arguments()
        action = words.get("action", "")
        if action == "play":
            return plain(f"OK\nplaying={await self._play(asked, words)}\n")
        if action == "stop":
            return await self._stop(asked, words)
        if action == "update":
            return await self._update(asked, words)
        if action == "remove":
            state = self._find(words)
            await self._core.link.command("clip.delete", {"clip": state.clip}, asked.caller)
            return plain(f"OK\nremoved={number(state.clip)}\n")
        if action == "download":
            return await lent(self._core, self._ready(), self._find(words).clip, asked.caller)
        if action == "upload":
            raise Invalid("body", "an upload is a form, multipart/form-data, with one file")
        raise Invalid(
            "action", f"no action {action[:40]!r}{nearest(action[:40], ACTIONS)}; valid: {', '.join(ACTIONS)}"
        )

    async def _playclip(self, asked: Asked) -> Response:
        words = await asked.arguments()
        return plain(f"OK\nplaying={await self._play(asked, words)}\n")

    async def _stopclip(self, asked: Asked) -> Response:
        """Everything that plays."""
        return await self._stop(asked, {})

    async def _play(self, asked: Asked, words: Mapping[str, str]) -> int:
        """Play; the number of the clip."""
        state = self._find(words)
        wish: dict[str, object] = {"clip": state.clip, "repeat": repeat_of(words)}
        volume = number_of(words, "volume", most=LOUDEST)
        if volume is not None:
            wish["volume"] = volume
        for name in ("audiodeviceid", "audiooutputid", "audiooutput"):
            if words.get(name, "0") not in ("", "0"):
                raise Invalid(name, f"{words[name][:20]!r} is not 0: outputs of this device are one for clips")
        await self._core.link.command("clip.play", wish, asked.caller)
        return number(state.clip)

    async def _stop(self, asked: Asked, words: Mapping[str, str]) -> Response:
        wish = {"clip": self._find(words).clip} if "clip" in words else {}
        await self._core.link.command("clip.stop", wish, asked.caller)
        return plain("OK\nstopping\n")

    async def _update(self, asked: Asked, words: Mapping[str, str]) -> Response:
        """Another name."""
        state = self._find({name: value for name, value in words.items() if name != "name"})
        await self._core.link.command("clip.rename", {"clip": state.clip, "name": words.get("name")}, asked.caller)
        return plain(f"OK\nupdated={number(state.clip)}\n")

    async def _upload(self, asked: Asked) -> Response:
        """The one file of a form, under whatever name its part has."""
        words = asked.request.query_params
        if words.get("action", "upload") != "upload" or words.get("media", "audio") != "audio":
            raise Invalid("action", "a form comes with action=upload and media=audio")
        async with self._ready().taken(asked.request, FILE, (), {}) as form:
            wish = {"spool": form.file, "filename": form.filename, "name": words.get("name") or None}
            params = decode(ClipAddParams, wish, where="clip.add")
            invocation = Invocation(action="clip.add", params=params, caller=asked.caller)
            view = await self._core.link.invoke(invocation, ClipView)
        return plain(f"OK\nuploaded={number(view.clip)}\n")

    def _find(self, words: Mapping[str, str]) -> ClipState:
        """The clip of `clip` (its number or id), `location` or `name`. Raises Invalid, NotFound."""
        states = self._states()
        for word, says in (("clip", lambda state: (str(number(state.clip)), state.clip)),
                           ("location", lambda state: (location(state), state.name)),
                           ("name", lambda state: (state.name,))):  # fmt: skip
            wanted = words.get(word, "").rpartition("/")[2] if word == "location" else words.get(word, "")
            if wanted:
                found = next((state for state in states if wanted in says(state)), None)
                if found is None:
                    known = [says(state)[0] for state in states]
                    raise NotFound(word, f"no clip {wanted[:64]!r}{nearest(wanted[:64], known)}")
                return found
        raise Invalid("clip", "say which: clip, location or name")

    def _ready(self) -> Spool:
        """The spool, once media can take or give. Raises Unsupported, Unavailable."""
        if self._spool is None:
            raise Unsupported("clips", "there is no spool")
        if self._core.bus.state(PlayingState) is None:
            raise Unavailable("clips", "the media role does not answer now; try again")
        return self._spool


def number(clip: str) -> int:
    """The number of a clip for programs that know only numbers."""
    return int(clip, 16)


def location(state: ClipState) -> str:
    """The file of a clip, as these programs name it."""
    return f"{number(state.clip)}.{SUFFIXES.get(state.format, state.format)}"


def repeat_of(words: Mapping[str, str]) -> int:
    """How often after the first time; -1 until it is stopped. Raises Invalid."""
    return -1 if words.get("repeat") == "-1" else number_of(words, "repeat", most=MOST_REPEATS) or 0
