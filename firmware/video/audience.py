"""Where the network role hands viewers over: a Unix socket a source, a line to each network process, shows by cut.

Only processes of this user may connect. A line that ends, talks nonsense or is silent takes its viewers with it:
nobody could end what they see any more.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from firmware.core.errors import Unavailable
from firmware.core.stream.hand_wire import (
    MEDIA_HERE_S,
    SILENT_S,
    End,
    Hand,
    Here,
    Left,
    Opened,
    Page,
    Why,
    pack_word,
    read_word,
)
from firmware.core.stream.packets import Packets, peer_uid
from firmware.core.stream.silence import Silence
from firmware.core.stream.wire import Cut, Jpeg, NoSignal
from firmware.video.backlog import Backlog
from firmware.video.handed import HandedViewer, Show, connection_of
from hal.clock import Clock, Timer

MOST_LINES = 4
MOST_VIEWERS = 128
MOST_SHOWS = 8
MOST_WAITING = 32 << 20  # bytes of pictures that viewers do not take
PAUSE_S = 1.0

log = logging.getLogger("lintel.video")


class Line:
    """One network process, and the viewers that it has handed over."""

    def __init__(self, connection: socket.socket, audience: Audience, clock: Clock) -> None:
        self._audience = audience
        self._clock = clock
        self._viewers: dict[int, HandedViewer] = {}
        self._page = Page()
        self._packets = Packets(connection, self._take, self._ended, self._lost)
        self._silence = Silence(clock, SILENT_S, self._fallen_silent)
        self._packets.send(pack_word(Opened()), self._page.file)
        self._timer: Timer = clock.call_later(MEDIA_HERE_S, self._say_here)

    def _take(self, data: bytes, file: int | None) -> None:
        """A word of the far end. Raises ValueError for one that is out of place."""
        self._silence.heard()
        try:
            word = read_word(data)
            if isinstance(word, Hand) != (file is not None):
                raise ValueError("a connection comes with what its viewer wants, and with nothing else")
        except ValueError:
            if file is not None:
                os.close(file)
            raise
        match word:
            case Hand() if file is not None:
                self._show(connection_of(file), word)
            case End(seat, at_once):
                if seat in self._viewers:  # else it has left by itself, and its word is on the way
                    self._viewers[seat].end(at_once=at_once)
            case Here():
                pass
            case _:
                raise ValueError(f"{type(word).__name__} is media's word")

    def _show(self, connection: socket.socket, hand: Hand) -> None:
        if hand.seat in self._viewers:
            connection.close()
            raise ValueError(f"seat {hand.seat} is taken")
        if not self._audience.has_room(hand.cut):
            connection.close()
            self._packets.send(pack_word(Left(hand.seat, Why.FULL)))
            return
        viewer = HandedViewer(connection, hand, self._clock, self._page, self._audience.backlog, self._left)
        self._viewers[hand.seat] = viewer
        self._audience.enter(viewer)

    def _lost(self, data: bytes) -> None:
        """A word came without its connection, for which no file is left. Raises ValueError for one that needs none."""
        self._silence.heard()
        word = read_word(data)
        if not isinstance(word, Hand):
            raise ValueError(f"{type(word).__name__} comes with no file")
        self._audience.run_short()
        self._packets.send(pack_word(Left(word.seat, Why.FULL)))

    def _left(self, viewer: HandedViewer, why: Why) -> None:
        del self._viewers[viewer.hand.seat]
        self._audience.leave(viewer)
        self._packets.send(pack_word(Left(viewer.hand.seat, why)))

    def _say_here(self) -> None:
        self._packets.send(pack_word(Here()))
        self._timer = self._clock.call_later(MEDIA_HERE_S, self._say_here)

    def _fallen_silent(self) -> None:
        self._ended(f"it has said nothing for {SILENT_S:g} s")

    def _ended(self, why: str) -> None:
        if why:
            log.error("the line to the network role ends, with %d viewers: %s", len(self._viewers), why)
        self.close()

    def close(self) -> None:
        """Let go of everybody, where they are; the page says where that is. Closing twice is harmless.

        Who sees the end writes behind it: it comes when nothing more is written here, and no viewer is told of.
        """
        self._packets.hush()
        self._silence.cancel()
        self._timer.cancel()
        for viewer in tuple(self._viewers.values()):
            viewer.end(at_once=True)
        if self in self._audience.lines:
            self._audience.lines.remove(self)
            self._page.close()
        self._packets.close()


class Audience:
    """All handed viewers of one source; `begins` is told of a show that has a viewer and nothing to show yet."""

    def __init__(
        self, path: Path | None, clock: Clock, begins: Callable[[], None], size: Callable[[], tuple[int, int]]
    ) -> None:
        """Lines connect at `path` (None: there are none); `size` answers how large a picture would be."""
        self._path = path
        self._clock = clock
        self._begins = begins
        self._size = size
        self._listener: socket.socket | None = None
        self._shows: dict[Cut, Show] = {}
        self.shows: tuple[Show, ...] = ()  # what is looked at
        self.viewers = 0  # how many look
        self.backlog = Backlog(MOST_WAITING)
        self._short = False  # of files, as has been said
        self._pause: Timer | None = None
        self.lines: list[Line] = []

    def start(self) -> None:
        """Listen; what an earlier process left at the path is taken away. Raises Unavailable."""
        if self._path is None:
            return
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._path.unlink(missing_ok=True)
            listener.bind(str(self._path))
            self._path.chmod(0o600)
            listener.listen(MOST_LINES)
        except OSError as error:
            listener.close()
            raise Unavailable("stream", f"{self._path} cannot be opened ({error.strerror or error})") from error
        listener.setblocking(False)
        self._listener = listener
        self._listen()

    def _listen(self) -> None:
        self._pause = None
        if self._listener is not None:
            asyncio.get_running_loop().add_reader(self._listener, self._connected, self._listener)

    def stop(self) -> None:
        """Close the socket and let go of everybody."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        for line in tuple(self.lines):
            line.close()

    def _connected(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except OSError as error:
            # No file is left, say; whoever connects waits a little, and we do not turn round and round.
            log.error("nobody can hand viewers over: %s", error.strerror or error)
            asyncio.get_running_loop().remove_reader(listener)
            self._pause = self._clock.call_later(PAUSE_S, self._listen)
            return
        uid = peer_uid(connection)
        if uid != os.getuid() or len(self.lines) >= MOST_LINES:
            who = f"a process of user {uid}" if uid != os.getuid() else f"one more than {MOST_LINES}"
            log.error("%s may not hand viewers over", who)
            connection.close()
            return
        try:
            self.lines.append(Line(connection, self, self._clock))
        except OSError as error:
            connection.close()
            log.error("no viewers can be taken over: %s", error.strerror or error)

    def has_room(self, cut: Cut) -> bool:
        """Whether one more may look at a cut."""
        known = replace(cut, fps=0) in self._shows or len(self._shows) < MOST_SHOWS
        return known and self.viewers < MOST_VIEWERS

    def run_short(self) -> None:
        """There is no file left for one more; said once, until there is again."""
        if not self._short:
            self._short = True
            log.error("viewers cannot be taken over: no more files can be opened")

    def enter(self, viewer: HandedViewer) -> None:
        """Show it what it wants."""
        self._short = False
        self.viewers += 1
        cut = replace(viewer.hand.cut, fps=0)
        if cut not in self._shows:
            self._shows[cut] = Show(self._clock, cut, (cut.width, cut.height) if cut.width else self._size())
            self.shows = tuple(self._shows.values())
        if not self._shows[cut].enter(viewer):
            self._begins()

    def leave(self, viewer: HandedViewer) -> None:
        """It does not look any more."""
        self.viewers -= 1
        cut = replace(viewer.hand.cut, fps=0)
        show = self._shows[cut]
        show.leave(viewer)
        if show.empty:
            show.close()
            del self._shows[cut]
            self.shows = tuple(self._shows.values())

    def take(self, message: Jpeg | NoSignal) -> None:
        """Show all of them a message that is for every cut."""
        for show in self.shows:
            show.take(message)
