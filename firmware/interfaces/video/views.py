"""Views: what many viewers look at is fetched once from the source and written to each of them.

A viewer is skipped while its connection still holds bytes of an earlier picture, so one that stalls costs the others
nothing and finds the newest picture when it reads again (hardening row 45). While there is no signal every viewer gets
a picture that says so, once a second.
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
from firmware.core.stream.pace import Pace
from firmware.core.stream.wire import Cut, Jpeg, NoSignal
from firmware.core.vocabulary.video import Signal, VideoSource
from firmware.interfaces.http.limits import place_of
from firmware.interfaces.http.seats import Seats
from firmware.interfaces.video.no_signal import no_signal
from firmware.interfaces.video.place import Place
from hal.clock import Clock, Timer
from hal.errors import nearest

# The name that programs for cameras look for, whatever the header says.
BOUNDARY = "myboundary"
DELIMITER = f"--{BOUNDARY}\r\n".encode()
SNAPSHOT_S = 3.0
NO_SIGNAL_S = 1.0
# A source that says nothing at all for this long has no signal, whatever it said before.
SILENT_S = 3.0
LINGER_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewLimits:
    """How many look: viewers and snapshots under way in all and from one address, different cuts of pictures."""

    viewers: int = 128
    per_address: int = 16
    cuts: int = 8
    snapshots: int = 16
    snapshots_per_address: int = 4


class Viewer:
    """One connection that is shown a view, `fps` pictures a second at most (0: all), `most` in all (0: no end)."""

    def __init__(self, fps: int, most: int = 0) -> None:
        self.fps = fps
        self._left = most or None
        self.ended = asyncio.Event()
        self._pace = Pace(fps)
        self._transport: asyncio.Transport | None = None

    def begin(self, transport: asyncio.Transport) -> None:
        """Write to this connection from now on."""
        self._transport = transport
        transport.write(DELIMITER)

    def offer(self, part: bytes, t_ns: int) -> None:
        """Write a picture, unless an earlier one is still on its way or it is not due."""
        transport = self._transport
        if transport is None or transport.is_closing() or transport.get_write_buffer_size() or self._left == 0:
            return
        if self._pace.takes(t_ns):
            transport.write(part)
            self._count()

    def _count(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self.ended.set()


def part_of(jpeg: bytes, number: int) -> bytes:
    """A picture as a part of the answer. The next boundary goes with it: browsers show a picture when they see that.

    Source: RFC 2046, 5.1; the header `x-frame` is the picture's number since the camera started, 0 for no signal.
    """
    head = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\nx-frame: %d\r\n\r\n" % (len(jpeg), number)
    return b"".join((head, jpeg, b"\r\n", DELIMITER))


class View:
    """One cut of one source, with those who look at it."""

    def __init__(self, core: Core, place: Place, cut: Cut) -> None:
        self._bus = core.bus
        self._clock: Clock = core.clock
        self._place = place
        self._cut = cut
        self._client = FrameClient(place.connect, core.clock, cut, self._take)
        self._newest: Jpeg | None = None
        self._newest_ns = 0
        self._size = (cut.width, cut.height) if cut.width else (place.width, place.height)
        self._heard_ns = core.clock.now_ns()
        self._shown_ns = 0
        self._signal: bool | None = None  # None: nothing has been heard yet
        self._timer: Timer | None = None
        self.viewers: list[Viewer] = []

    def newest(self, within_s: float) -> Jpeg | None:
        """The picture that is shown now, unless it came longer ago than that; None without a signal."""
        recent = self._clock.now_ns() - self._newest_ns <= within_s * 1e9
        return self._newest if self._signal and recent else None

    async def run(self) -> None:
        """Fetch pictures until cancelled."""
        self._watch()
        try:
            await self._client.run()
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def enter(self, viewer: Viewer) -> None:
        """Show it to one more."""
        self.viewers.append(viewer)
        self._adapt()

    def greet(self, viewer: Viewer) -> None:
        """What is shown now, for one who has just begun to look."""
        if self._signal:
            if self._newest is not None:
                viewer.offer(part_of(self._newest.data, self._newest.number), self._newest.t_ns)
        elif self._signal is not None:
            viewer.offer(part_of(no_signal(*self._size), 0), self._clock.now_ns())

    def leave(self, viewer: Viewer) -> None:
        """It does not look any more."""
        self.viewers.remove(viewer)
        self._adapt()

    def _adapt(self) -> None:
        """Ask the source for as many pictures as the fastest viewer takes."""
        rates = [viewer.fps for viewer in self.viewers]
        if rates:
            self._client.wish(replace(self._cut, fps=0 if 0 in rates else max(rates)))

    def _take(self, message: Jpeg | NoSignal) -> None:
        self._heard_ns = self._clock.now_ns()
        if isinstance(message, NoSignal):
            self._lose()
            return
        if self._signal and self._newest is not None and message.t_ns <= self._newest.t_ns:
            return  # another rate was asked for, and the newest picture came once more
        self._signal, self._newest, self._newest_ns = True, message, self._heard_ns
        self._size = message.width, message.height
        part = part_of(message.data, message.number)
        for viewer in self.viewers:
            viewer.offer(part, message.t_ns)

    def _lose(self) -> None:
        if self._signal is not False:
            self._signal, self._newest = False, None
            self._show_none()

    def _show_none(self) -> None:
        t_ns = self._shown_ns = self._clock.now_ns()
        part = part_of(no_signal(*self._size), 0)
        for viewer in self.viewers:
            viewer.offer(part, t_ns)

    def _watch(self) -> None:
        """Once in a while: is there still a signal?"""
        self._timer = self._clock.call_later(NO_SIGNAL_S, self._watch)
        now_ns = self._clock.now_ns()
        if self._signal is False and now_ns - self._shown_ns >= 0.9 * NO_SIGNAL_S * 1e9:
            self._show_none()
        elif self._signal is not False and now_ns - self._heard_ns >= SILENT_S * 1e9:
            self._lose()


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
        view.enter(viewer)
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

    def greet(self, viewer: Viewer) -> None:
        """Show it at once what its view shows now."""
        self._viewers[viewer].greet(viewer)

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
        del self._views[source, cut]
        task = self._tasks.pop(view, None)
        if task is not None:
            task.cancel()
