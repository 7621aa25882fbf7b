"""Audio clips over the native API: upload, list, play, stop, rename, link, download, delete (manual 000, Audio clips).

The owner of it all is media. Files go through the spool, never over the link.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from firmware.core.actions import Caller, Invocation, Level
from firmware.core.context import Core
from firmware.core.errors import Forbidden, NotFound, Unavailable, Unsupported
from firmware.core.values import decode, encode
from firmware.core.vocabulary.clips import (
    ClipAddParams,
    ClipLendParams,
    ClipList,
    ClipPlayAnswer,
    ClipPlayParams,
    ClipRef,
    ClipRenameParams,
    ClipState,
    ClipStopAnswer,
    ClipView,
    PlayingState,
    Repeat,
    Volume,
)
from firmware.core.vocabulary.device import DeviceInfo
from firmware.interfaces.api.links import Links
from firmware.interfaces.api.routes import Routes, answer, answer_value, caller_of, object_of, query_of
from firmware.interfaces.api.upload import Spool
from firmware.interfaces.http.errors import HttpRefusal
from hal.errors import nearest

PATH = b"/api/v1/clips"
FILE, FIELDS = "file", ("name",)
PIECE_BYTES = 64 * 1024
SPEAKER = "speaker"
KINDS = {"au": "audio/basic", "mp3": "audio/mpeg", "opus": "audio/ogg", "vorbis": "audio/ogg", "wav": "audio/wav"}
SUFFIXES = {"vorbis": "ogg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipForm:
    """The form of an upload, multipart/form-data: au, mp3, opus, vorbis or wav; `name` as people will call it."""

    file: Annotated[str, Field(json_schema_extra={"format": "binary"})]
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayQuery:
    """How a link plays: `volume` in percent, `repeat` after the first time (-1: until it is stopped), and where."""

    repeat: Repeat = 0
    volume: Volume = 100
    output: Annotated[str, Field(min_length=1, max_length=32)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkQuery(PlayQuery):
    """What is in a link: how it plays, and the `key` of just that."""

    key: Annotated[str, Field(max_length=64)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipLink:
    """A URL that plays a clip when it is used, by someone who may."""

    url: str


class Clips:
    """The endpoints of audio clips."""

    def __init__(self, core: Core, spool: Spool | None) -> None:
        self._core = core
        self._spool = spool
        self._links = Links(core)

    def add_to(self, routes: Routes) -> None:
        """Add the routes."""
        add, viewer, operator = routes.add, Level.VIEWER, Level.OPERATOR
        add("GET", "/clips", self.all, level=viewer, gives=ClipList, summary="All audio clips")
        add("POST", "/clips", self.upload, level=operator, takes=ClipForm, gives=ClipView, status=201,
            body="multipart/form-data", summary="Upload an audio clip")  # fmt: skip
        add("GET", "/clips/{id}", self.download, level=viewer, gives=str, kind="audio/*",
            summary="The file of an audio clip, as it was uploaded")  # fmt: skip
        add("PATCH", "/clips/{id}", self.rename, level=operator, takes=dict[str, object], gives=ClipView,
            summary="Rename an audio clip: the body is its name")  # fmt: skip
        add("DELETE", "/clips/{id}", self.delete, level=operator, status=204, summary="Delete an audio clip")
        add("GET", "/clips/{id}/link", self.link, level=operator, query=PlayQuery, gives=ClipLink,
            summary="A URL that plays an audio clip when it is used")  # fmt: skip
        add("GET", "/clips/{id}/play", self.play_by_link, level=operator, query=LinkQuery, gives=ClipPlayAnswer,
            summary="Play an audio clip: what a link does, by the key in it")  # fmt: skip
        add("POST", "/clips/{id}/play", self.play, level=operator, takes=PlayQuery, gives=ClipPlayAnswer,
            summary="Play an audio clip")  # fmt: skip
        add("POST", "/clips/{id}/stop", self.stop, level=operator, gives=ClipStopAnswer,
            summary="Stop playing an audio clip")  # fmt: skip

    async def all(self, _: Request) -> Response:
        """The retained states."""
        self._check_here()
        views = [
            ClipView(**{name: getattr(state, name) for name in ClipView.__dataclass_fields__})
            for state in self._core.bus.states(ClipState)
        ]
        return answer_value(ClipList(clips=tuple(sorted(views, key=lambda view: (view.name.casefold(), view.clip)))))

    async def upload(self, request: Request) -> Response:
        """Into the spool, and to media; what media does not take is gone with the answer."""
        spool = self._ready()
        spool.begin()
        file: str | None = None
        try:
            form = await spool.receive(request, FILE, FIELDS)
            file = form.file
            name = form.fields.get("name") or None
            params = decode(ClipAddParams, {"spool": file, "filename": form.filename, "name": name}, where="clip.add")
            view = await self._core.link.invoke(self._asked("clip.add", params, request), ClipView)
            return answer_value(view, 201)
        finally:
            await spool.end(file)

    async def download(self, request: Request) -> Response:
        """The file."""
        return await lent(self._core, self._ready(), self._id(request), caller_of(request))

    async def rename(self, request: Request) -> Response:
        """Another name."""
        return await self._ask(request, "clip.rename", await object_of(request), ClipRenameParams)

    async def delete(self, request: Request) -> Response:
        """Gone."""
        await self._ask(request, "clip.delete", {}, ClipRef)
        return Response(status_code=204)

    async def link(self, request: Request) -> Response:
        """Where this request came to, with the words that play."""
        query = query_of(request, PlayQuery)
        words = {name: value for name, value in encode(query).items() if value is not None}
        scheme, host, clip = request.url.scheme, request.headers["host"], self._id(request)
        words["key"] = await self._links.key(*played(clip, query))
        return answer_value(ClipLink(url=f"{scheme}://{host}/api/v1/clips/{clip}/play?{urlencode(words)}"))

    async def play_by_link(self, request: Request) -> Response:
        """Play; a page of another site cannot make a browser do it: it does not know the key (hardening row 39)."""
        if request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            raise HttpRefusal(403, "forbidden", "sec-fetch-site", "requests of other sites are not taken")
        clip, link = self._id(request), query_of(request, LinkQuery)
        query = PlayQuery(repeat=link.repeat, volume=link.volume, output=link.output)
        if not await self._links.knows(link.key, *played(clip, query)):
            raise Forbidden("query.key", "is not the key of a link that does just this; POST needs none")
        return await self._play(request, encode(query))

    async def play(self, request: Request) -> Response:
        """Play."""
        return await self._play(request, await object_of(request))

    async def _play(self, request: Request, words: dict[str, object]) -> Response:
        return await self._ask(request, "clip.play", words, ClipPlayParams)

    async def stop(self, request: Request) -> Response:
        """Stop every playing of it."""
        await object_of(request)
        wish = {"clip": self._id(request)}
        return answer(await self._core.link.command("clip.stop", wish, caller_of(request)))

    async def _ask(self, request: Request, action: str, words: dict[str, object], kind: type[object]) -> Response:
        """An action on the clip of the path."""
        wish = {**words, "clip": self._id(request)}
        decode(kind, wish, where=action)
        return answer(await self._core.link.command(action, wish, caller_of(request)))

    def _ready(self) -> Spool:
        """The spool, once media can take or give. Whoever cannot be served is told before a file is sent."""
        self._check_here()
        if self._spool is None:
            raise Unsupported("clips", "there is no spool")
        return self._spool

    def _check_here(self) -> None:
        info = self._core.bus.state(DeviceInfo)
        if info is not None and SPEAKER not in info.capabilities:
            raise Unsupported("clips", f"a {info.product.lower()} of this kind has no speaker")
        if self._core.bus.state(PlayingState) is None:
            raise Unavailable("clips", "the media role does not answer now; try again")

    def _id(self, request: Request) -> str:
        """The clip of the path. Raises NotFound with the nearest one."""
        self._check_here()
        id: str = request.path_params["id"]
        known = {state.clip: state for state in self._core.bus.states(ClipState)}
        if id not in known:
            raise NotFound("clips", f"no clip {id[:64]!r}{nearest(id[:64], known)}")
        return id

    def _asked(self, action: str, params: object, request: Request) -> Invocation:
        caller: Caller = caller_of(request)
        return Invocation(action=action, params=params, caller=caller)


async def lent(core: Core, spool: Spool, clip: str, caller: Caller) -> Response:
    """A clip's file. Media lends it: it gets a second name in the spool, taken away as soon as it is open."""
    loan = _Loan(spool.folder / secrets.token_hex(16))
    try:
        params = ClipLendParams(clip=clip, spool=loan.name)
        view = await core.link.invoke(Invocation(action="clip.lend", params=params, caller=caller), ClipView)
        size = await core.shared.run(loan.open, what="spool")
    except BaseException:
        core.shared.post(loan.close, what="spool")
        raise
    headers = {
        "content-length": str(size),
        "content-disposition": f"attachment; filename*=UTF-8''{quote(_filename(view), safe='')}",
    }
    return _Lent(core, loan, media_type=KINDS.get(view.format), headers=headers)


class _Loan:
    """A file that media lends. The writer thread alone opens, reads and closes it: whoever gives a download up must not
    close a number that is being read from."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path
        self._descriptor: int | None = None

    def open(self) -> int:
        """Open it and take its name away; its size. Raises OSError."""
        self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._path.unlink()
        return os.fstat(self._descriptor).st_size

    def read(self, at: int) -> bytes:
        """A piece from a place on; none at the end. Raises OSError."""
        assert self._descriptor is not None, "opened first"
        return os.pread(self._descriptor, PIECE_BYTES, at)

    def close(self) -> None:
        """Give it back, wherever that stands."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
        self._path.unlink(missing_ok=True)


class _Lent(StreamingResponse):
    """The content of a file that is lent, read as fast as the client takes it; given back whatever becomes of it."""

    def __init__(self, core: Core, loan: _Loan, **how: Any) -> None:
        self._core = core
        self._loan = loan
        super().__init__(self._pieces(), **how)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._core.shared.post(self._loan.close, what="spool")

    async def _pieces(self) -> AsyncIterator[bytes]:
        run, at = self._core.shared.run, 0
        while piece := await run(partial(self._loan.read, at), what="spool", writes=False):
            at += len(piece)
            yield piece


def played(clip: str, query: PlayQuery) -> tuple[object, ...]:
    """All that a link to a clip does."""
    return "clip", clip, query.repeat, query.volume, query.output


def _filename(view: ClipView) -> str:
    """What a downloaded clip is called: no folder, no drive, whatever people call it."""
    plain = "".join("_" if each in '/\\:*?"<>|' else each for each in view.name).strip(". ") or "clip"
    return f"{plain}.{SUFFIXES.get(view.format, view.format)}"
