"""Views: what many viewers look at is fetched once from the source and written to each of them.

A viewer on a plain connection is handed over to the media role, which writes to it (`hands.py`); it is still one of the
view's, but nothing is fetched for it. All others are shown a screen here (`firmware.core.stream.screen`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from firmware.core.context import Core
from firmware.core.errors import NotFound, Unavailable
from firmware.core.stream.client import FrameClient, one_picture
from firmware.core.stream.hand_wire import Why
from firmware.core.stream.multipart import DELIMITER
from firmware.core.stream.pace import Pace
from firmware.core.stream.screen import Screen, fastest
from firmware.core.stream.wire import Cut, Jpeg
from firmware.core.vocabulary.video import Signal, VideoSource
from firmware.interfaces.http.ending import first_of
from firmware.interfaces.http.limits import place_of
from firmware.interfaces.http.seats import Seats
from firmware.interfaces.http.way_out import Takeover
from firmware.interfaces.video.hands import Handed, Hands, Over
from firmware.interfaces.video.place import Place
from hal.clock import Timer
from hal.errors import nearest

SNAPSHOT_S = 3.0
LINGER_S = 2.0
# A viewer that could not be handed over is tried again so often.
AGAIN_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewLimits:
    """How many look: viewers and snapshots under way in all and from one address, different cuts of pictures."""

    viewers: int = 128
    per_address: int = 16
    cuts: int = 8
    snapshots: int = 16
    snapshots_per_address: int = 4


class Viewer:
    """One connection that is shown a view, `fps` pictures a second at most (0: all), `most` in all (0: no end).

    `handed` is there while, or since, the media role writes to it.
    """

    def __init__(self, fps: int, most: int = 0) -> None:
        self.fps = fps
        self.ended = asyncio.Event()
        self.handed: Handed | None = None
        self._left = most or None
        self._pace = Pace(fps)
        self._transport: asyncio.Transport | None = None

    def begin(self, transport: asyncio.Transport) -> None:
        """Write to this connection from now on."""
        self._transport = transport
        transport.write(DELIMITER)

    @property
    def idle(self) -> bool:
        """Whether everything that was written to it has gone out."""
        transport = self._transport
        return transport is not None and not transport.is_closing() and not transport.get_write_buffer_size()

    @property
    def wants(self) -> tuple[int, int]:
        """How many pictures are left of those it asked for (0: no end), and the time of the newest that it got."""
        return self._left or 0, self._pace.last_ns

    def offer(self, part: bytes, t_ns: int) -> None:
        """Write a picture, unless an earlier one is still on its way or it is not due."""
        if self._transport is None or not self.idle or self._left == 0:
            return
        if self._pace.takes(t_ns):
            self._transport.write(part)
            self.count(1)

    def count(self, shown: int) -> None:
        """It was shown so many more."""
        if self._left is not None:
            self._left = max(0, self._left - shown)
            if self._left == 0:
                self.ended.set()

    def hang_up(self) -> None:
        """End its connection with whatever has not gone out."""
        if self._transport is not None:
            self._transport.abort()


class View:
    """One cut of one source, with those who look at it; pictures are fetched while some are shown its screen."""

    def __init__(self, core: Core, place: Place, cut: Cut) -> None:
        self.cut = cut
        self._screen = Screen(core.clock, (cut.width, cut.height) if cut.width else (place.width, place.height))
        self._client = FrameClient(place.connect, core.clock, cut, self._screen.take)
        self._needed, self._unneeded = asyncio.Event(), asyncio.Event()
        self.viewers: list[Viewer] = []

    def newest(self, within_s: float) -> Jpeg | None:
        """The picture that is shown now, unless it came longer ago than that; None without a signal."""
        return self._screen.newest(within_s) if self._needed.is_set() else None

    async def run(self) -> None:
        """Fetch pictures while somebody is shown them, until cancelled."""
        while True:
            await self._needed.wait()
            await first_of(self._client.run(), self._rested())

    def close(self) -> None:
        """Show nothing more."""
        self._screen.end()

    async def _rested(self) -> None:
        await self._unneeded.wait()

    def keep(self, viewer: Viewer) -> None:
        """Show one of the viewers our own screen."""
        if not self._needed.is_set():
            self._screen.begin()
            self._unneeded.clear()
            self._needed.set()
        self._screen.onlookers.append(viewer)
        self._adapt()

    def hand_over(self, viewer: Viewer, size: tuple[int, int]) -> None:
        """One of the viewers is shown pictures of so many samples by the media role."""
        self._screen.size = size
        self._drop(viewer)
        self._adapt()

    def greet(self, viewer: Viewer) -> None:
        """What is shown now, for one who has just begun to look."""
        self._screen.greet(viewer)

    def leave(self, viewer: Viewer) -> None:
        """It does not look any more."""
        self.viewers.remove(viewer)
        self._drop(viewer)
        self._adapt()

    def _drop(self, viewer: Viewer) -> None:
        if viewer in self._screen.onlookers:
            self._screen.onlookers.remove(viewer)

    def _adapt(self) -> None:
        """Ask the source for as many pictures as the fastest viewer takes, or for none when media has them all."""
        if self._screen.onlookers:
            self._client.wish(replace(self.cut, fps=fastest(self._screen.onlookers)))
        elif self.viewers:
            self._screen.end()
            self._needed.clear()
            self._unneeded.set()


class Views:
    """All views of the device; `run` fetches their pictures."""

    def __init__(self, core: Core, places: Sequence[Place], limits: ViewLimits | None = None) -> None:
        self._core = core
        self._places = {place.source: place for place in places}
        self._aliases = {place.alias: place for place in places}
        self._limits = limits or ViewLimits()
        self._views: dict[tuple[str, Cut], View] = {}
        self._tasks: dict[View, asyncio.Task[None]] = {}
        self._wanted: asyncio.Queue[View] = asyncio.Queue()
        self._viewers: dict[Viewer, View] = {}
        self._leaving: dict[tuple[str, Cut], Timer] = {}
        self._hands = {name: Hands(place.hands, core.clock) for name, place in self._places.items() if place.hands}
        self._addresses: Counter[str] = Counter()
        self._snapshots = Seats(
            "video", "snapshots are being taken", most=self._limits.snapshots,
            per_address=self._limits.snapshots_per_address, error=Unavailable,
        )  # fmt: skip

    @property
    def places(self) -> Mapping[str, Place]:
        """The sources by name."""
        return self._places

    def find(self, name: str) -> Place:
        """A source by name or alias. Raises NotFound with the nearest one."""
        place = self._places.get(name) or self._aliases.get(name)
        if place is None:
            raise NotFound("video", f"no source {name[:80]!r}{nearest(name, [*self._aliases, *self._places])}")
        return place

    def state(self, place: Place) -> VideoSource | None:
        """What media says of a source; None while media is away."""
        return self._core.bus.state(VideoSource, place.source)

    async def run(self) -> None:
        """Fetch what is looked at, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    view = await self._wanted.get()
                    if view in self._views.values():
                        self._tasks[view] = group.create_task(view.run(), name="view")
        finally:
            for timer in self._leaving.values():
                timer.cancel()
            self._leaving.clear()
            for view in self._views.values():
                view.close()
            for hands in self._hands.values():
                hands.close()

    def close(self) -> None:
        """End all answers."""
        for viewer in tuple(self._viewers):
            viewer.ended.set()

    async def snapshot(self, place: Place, cut: Cut, address: str = "") -> Jpeg:
        """The newest picture. Raises Unavailable with the reason when there is none, or too many are asked for."""
        state = self.state(place)
        view = self._views.get((place.source, cut))
        # Whoever looks at one picture a second makes no snapshot a second old: two frames of the camera at most.
        fps = max(1.0, place.fps if state is None else state.fps)
        if view is not None and (newest := view.newest(2.0 / fps)) is not None:
            return newest
        if state is not None and state.phase is Signal.NO_SIGNAL:
            raise Unavailable("video", f"no signal: {state.reason}")
        with self._snapshots.taken(address):
            return await one_picture(place.connect, cut, SNAPSHOT_S)

    async def first(self) -> bytes | None:
        """The newest picture of the first camera, for a report; None without a camera. Raises Unavailable."""
        place = next(iter(self.places.values()), None)
        return None if place is None else (await self.snapshot(place, Cut())).data

    @contextmanager
    def watching(self, place: Place, cut: Cut, fps: int, address: str, most: int = 0) -> Iterator[Viewer]:
        """Look at a source as long as the block lasts. Raises Unavailable when too many do; then nothing has begun."""
        home = place_of(address)
        view = self._admit(place, cut, home)
        viewer = Viewer(fps, most)
        self._viewers[viewer] = view
        self._addresses[home] += 1
        view.viewers.append(viewer)
        try:
            yield viewer
        finally:
            view.leave(viewer)
            del self._viewers[viewer]
            self._addresses[home] -= 1
            if not self._addresses[home]:
                del self._addresses[home]
            if not view.viewers:
                self._linger(place.source, cut)

    def keep(self, viewer: Viewer) -> None:
        """Show it what its view shows, beginning at once."""
        view = self._viewers[viewer]
        view.keep(viewer)
        view.greet(viewer)

    async def show(self, viewer: Viewer, place: Place, takeover: Takeover) -> None:
        """Have pictures shown to a viewer until it has ended: by the media role where that can, else by ourselves."""
        kept = False
        hands = None if takeover.plain is None else self._hands.get(place.source)
        while not viewer.ended.is_set():
            if hands is not None and await self._hand_over(viewer, place, hands, takeover):
                kept = False
                assert viewer.handed is not None
                self._settle(viewer, await asyncio.shield(viewer.handed.over), takeover)
                if viewer.ended.is_set():
                    return
            if not kept:
                self.keep(viewer)
                kept = True
            if hands is None:
                await viewer.ended.wait()
            else:
                await self._core.clock.sleep(AGAIN_S)

    async def _hand_over(self, viewer: Viewer, place: Place, hands: Hands, takeover: Takeover) -> bool:
        """Whether the media role writes to a viewer now; it does not while an earlier picture is on its way."""
        line, plain, view = await hands.line(), takeover.plain, self._viewers[viewer]
        if line is None or plain is None or not viewer.idle:
            return False
        most, since_ns = viewer.wants
        cut = replace(view.cut, fps=viewer.fps)
        viewer.handed = line.hand(plain.fileno(), cut, most, since_ns, takeover.stall_s)
        if viewer.handed is None:
            return False
        view.hand_over(viewer, self._size(place, cut))
        return True

    @staticmethod
    def _settle(viewer: Viewer, over: Over, takeover: Takeover) -> None:
        """The media role has let go of a viewer: it has ended, or goes on with us."""
        viewer.handed = None
        viewer.count(over.shown)
        if over.why in (Why.GONE, Why.STALLED):
            takeover.shut()
            viewer.hang_up()
        if over.why not in (None, Why.FULL):
            viewer.ended.set()

    def _size(self, place: Place, cut: Cut) -> tuple[int, int]:
        """Of how many samples a picture is now."""
        state = self.state(place)
        if cut.width:
            return cut.width, cut.height
        return (place.width, place.height) if state is None else (state.width, state.height)

    def _admit(self, place: Place, cut: Cut, home: str) -> View:
        limits = self._limits
        if len(self._viewers) >= limits.viewers:
            raise Unavailable("video", f"{limits.viewers} viewers look already")
        if self._addresses[home] >= limits.per_address:
            raise Unavailable("video", f"{limits.per_address} viewers look already from {home}")
        key = (place.source, cut)
        if key not in self._views:
            if len(self._views) >= limits.cuts:
                message = f"{limits.cuts} different resolutions and compressions are made already; ask for one of them"
                raise Unavailable("video", message)
            self._views[key] = View(self._core, place, cut)
            self._wanted.put_nowait(self._views[key])
        return self._views[key]

    def _linger(self, source: str, cut: Cut) -> None:
        """Fetch it a little longer: a page that is loaded again comes back at once."""
        before = self._leaving.pop((source, cut), None)
        if before is not None:
            before.cancel()
        self._leaving[source, cut] = self._core.clock.call_later(LINGER_S, self._drop, source, cut)

    def _drop(self, source: str, cut: Cut) -> None:
        """Fetch no more of what nobody has come back to look at."""
        self._leaving.pop((source, cut), None)
        view = self._views.get((source, cut))
        if view is None or view.viewers:
            return
        view.close()
        del self._views[source, cut]
        task = self._tasks.pop(view, None)
        if task is not None:
            task.cancel()
