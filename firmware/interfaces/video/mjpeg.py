"""What both faces ask of pictures: a size and compression that exist, and Motion JPEG until somebody hangs up."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from firmware.core.actions import Caller
from firmware.core.context import Core
from firmware.core.errors import Invalid, Unsupported
from firmware.core.stream.multipart import BOUNDARY
from firmware.core.stream.wire import Cut
from firmware.interfaces.http.credentials import address_of, session_of
from firmware.interfaces.http.ending import ENDS, first_of, is_end, until_gone
from firmware.interfaces.http.way_out import STREAM, Takeover
from firmware.interfaces.video.hands import Handed
from firmware.interfaces.video.place import Place
from firmware.interfaces.video.views import Viewer, Views
from hal.errors import nearest

STREAM_TYPE = "multipart/x-mixed-replace"


def cut_of(views: Views, place: Place, resolution: str | None, compression: int | None, where: str) -> Cut:
    """What is asked for. Raises Invalid, at `where`, with the sizes there are."""
    if resolution is None:
        return Cut(compression=compression)
    found = re.fullmatch(r"([0-9]{1,4})x([0-9]{1,4})", resolution, re.ASCII)
    state = views.state(place)
    if state is not None and resolution not in state.sizes:
        hint = nearest(resolution[:20], state.sizes)
        message = f"no resolution {resolution[:20]!r}{hint}; valid: {', '.join(state.sizes)}"
        raise Invalid(f"{where}resolution", message)
    if found is None or not 0 < int(found[1]) <= place.width or not 0 < int(found[2]) <= place.width:
        message = f"no resolution {resolution[:20]!r}; the largest is {place.width}x{place.height}"
        raise Invalid(f"{where}resolution", message)
    return Cut(width=int(found[1]), height=int(found[2]), compression=compression)


def check_fps(place: Place, fps: int, where: str) -> None:
    """Raises Invalid for more pictures a second than the source can."""
    if fps > place.fps:
        raise Invalid(f"{where}fps", f"{fps} is more than the {place.fps} a second that {place.alias} can do")


class MjpegAnswer(Response):
    """An answer that does not end by itself; its pictures are written to the connection past ASGI, many at a time.

    With `most` it ends after so many pictures, with `for_s` after so many seconds (0: never).
    """

    def __init__(
        self,
        core: Core,
        views: Views,
        place: Place,
        cut: Cut,
        fps: int,
        caller: Caller,
        *,
        most: int = 0,
        for_s: float = 0,
    ) -> None:
        headers = {"cache-control": "no-store", "connection": "close"}
        super().__init__(media_type=f"{STREAM_TYPE}; boundary={BOUNDARY}", headers=headers)
        del self.headers["content-length"]
        self._core = core
        self._views = views
        self._place = place
        self._cut = cut
        self._fps = fps
        self._caller = caller
        self._most = most
        self._for_s = for_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        takeover = scope.get("extensions", {}).get(STREAM)
        if not isinstance(takeover, Takeover):
            raise Unsupported("video", "this server has no connection to write to")
        with self._views.watching(self._place, self._cut, self._fps, address_of(scope), self._most) as viewer:
            transport = takeover.begin()
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            viewer.begin(transport)
            showing = self._views.show(viewer, self._place, takeover)
            ends: list[Awaitable[None]] = [until_gone(receive), self._until_ended(viewer), showing]
            if self._for_s:
                ends.append(self._core.clock.sleep(self._for_s))
            try:
                await first_of(self._until_other_rights(session_of(scope)), *ends)
            except BaseException:
                cut(viewer.handed, takeover)
                raise
            # It counts as one who looks until the media role has let go of it.
            if viewer.handed is not None:
                await self._take_back(viewer.handed, takeover, receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _until_other_rights(self, session: str) -> None:
        with self._core.bus.subscribe(*ENDS, retained=False) as changes:
            async for notice in changes:
                if is_end(notice.event, self._caller, session):
                    return

    async def _take_back(self, handed: Handed, takeover: Takeover, receive: Receive) -> None:
        """Until the media role writes no more: the picture that is on its way goes out, unless nobody takes it."""
        handed.end(at_once=False)
        patience = self._core.clock.sleep(takeover.stall_s)
        try:
            await first_of(self._until_over(handed), until_gone(receive), patience)
        finally:
            cut(handed, takeover)

    async def _until_over(self, handed: Handed) -> None:
        await asyncio.shield(handed.over)

    async def _until_ended(self, viewer: Viewer) -> None:
        await viewer.ended.wait()


def cut(handed: Handed | None, takeover: Takeover) -> None:
    """Let the media role write no more to a connection, wherever it is."""
    if handed is not None and not handed.over.done():
        handed.end(at_once=True)
        takeover.shut()
