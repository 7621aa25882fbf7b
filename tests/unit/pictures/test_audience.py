"""Handed viewers in virtual time: a network role that falls silent, no signal, rates, and one that takes nothing."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

import pytest

from firmware.core.stream.hand_wire import (
    HERE_S,
    SILENT_S,
    Hand,
    Here,
    Left,
    Opened,
    Why,
    Word,
    pack_word,
    read_word,
)
from firmware.core.stream.no_signal import no_signal
from firmware.core.stream.packets import LONGEST, connected
from firmware.core.stream.screen import SILENT_S as SOURCE_SILENT_S
from firmware.core.stream.wire import Cut, Jpeg, NoSignal
from firmware.video import audience as audience_module
from firmware.video.audience import Audience
from firmware.video.handed import HandedViewer
from hal.sim.time import VirtualClock, virtual_run
from tests.files import no_file_left

HZ = 10
SIZE = (640, 360)
STALL_S = 20.0
PATIENCE_S = 20  # of a test that fails


class Eye:
    """A viewer's end of a connection that was handed over."""

    def __init__(self, stack: ExitStack, line: socket.socket, seat: int, cut: Cut, *, shared: bool, wait: bool) -> None:
        """`shared`: whoever hands it over keeps its share of it; `wait`: it is not handed over yet."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.end = stack.enter_context(socket.create_connection(listener.getsockname()))
            self.share = stack.enter_context(listener.accept()[0])
        self.end.setblocking(False)
        self._line, self._wish = line, Hand(seat=seat, cut=cut, stall_s=STALL_S)
        if not wait:
            self.hand()
        if not shared and not wait:
            self.share.close()
        self._seen = b""
        self.closed = False

    def hand(self) -> None:
        """Hand it over."""
        socket.send_fds(self._line, [pack_word(self._wish)], [self.share.fileno()])

    @property
    def ended(self) -> bool:
        """Whether its connection has ended, when all is taken that is there."""
        self.look()
        return self.closed

    @property
    def frames(self) -> list[int]:
        """The numbers of the pictures that have come."""
        self.look()
        return [int(found) for found in re.findall(rb"x-frame: (\d+)", self._seen)]

    def look(self) -> None:
        """Take what is there."""
        while not self.closed:
            try:
                data = self.end.recv(1 << 20)
            except BlockingIOError:
                return
            self._seen += data
            self.closed = not data

    def saw(self, picture: bytes) -> bool:
        """Whether a picture has come."""
        self.look()
        return picture in self._seen


def words(line: socket.socket, *, here: bool = False) -> list[Word | None]:
    """What media has said, with `here` also that it is there; None is the end."""
    said: list[Word | None] = []
    with suppress(BlockingIOError):
        while None not in said:
            data = line.recv(LONGEST)
            said.append(read_word(data) if data else None)
    return [word for word in said if here or word != Here()]


class Machine(VirtualClock):
    """A clock that goes on while its machine, or process, stands still."""

    stood_still_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.stood_still_ns


class Scene:
    """A source that has ten pictures a second while it is on, and lines to hand viewers over."""

    def __init__(self, clock: Machine, stack: ExitStack, path: Path) -> None:
        self.clock = clock
        self.on = True
        self.audience = Audience(path, clock, self._begins, lambda: SIZE)
        self.made = 0
        self._number = 0
        self.jpeg = b"jpeg"
        self._stack = stack
        self._path = path

    def line(self) -> socket.socket:
        return self._stack.enter_context(connected(str(self._path)))

    def eye(
        self, line: socket.socket, seat: int = 0, cut: Cut | None = None, *, shared: bool = False, wait: bool = False
    ) -> Eye:
        return Eye(self._stack, line, seat, cut or Cut(), shared=shared, wait=wait)

    def _begins(self) -> None:
        if not self.on:
            self.audience.take(NoSignal("unplugged"))

    async def shoot(self) -> None:
        while True:
            await self.clock.sleep(1 / HZ)
            self._number += 1
            now_ns = self.clock.now_ns()
            for show in self.audience.shows:
                if self.on and show.wants(now_ns):
                    self.made += 1
                    show.take(Jpeg(self.jpeg, *SIZE, self._number, now_ns))


def play(folder: Path, test: Callable[[Scene], Awaitable[None]]) -> None:
    async def main(clock: VirtualClock) -> None:
        before = len(os.listdir("/proc/self/fd"))
        with ExitStack() as stack:
            scene = Scene(Machine(clock.loop), stack, folder / "hands")
            scene.audience.start()
            shooting = asyncio.ensure_future(scene.shoot())
            try:
                await test(scene)
            finally:
                shooting.cancel()
                await asyncio.wait((shooting,))
                scene.audience.stop()
        assert len(os.listdir("/proc/self/fd")) == before

    virtual_run(main)


def test_the_viewers_of_a_network_role_that_has_fallen_silent_are_let_go_and_those_of_another_are_not(
    tmp_path: Path,
) -> None:
    async def test(scene: Scene) -> None:
        hung, awake = scene.line(), scene.line()
        lost, kept = scene.eye(hung), scene.eye(awake)
        for _ in range(5):
            await scene.clock.sleep(HERE_S)
            awake.send(pack_word(Here()))
        kept.look()
        lost.look()
        assert (lost.closed, kept.closed) == (True, False)
        assert lost.frames[-1] < kept.frames[-1]
        assert len(lost.frames) >= (SILENT_S - 1) * HZ

    play(tmp_path, test)


def test_media_that_stood_still_itself_blames_no_network_role_for_it(tmp_path: Path) -> None:
    """With the whole machine, say: what the others would have said meanwhile comes a little later."""

    async def test(scene: Scene) -> None:
        line = scene.line()
        viewer = scene.eye(line)
        for _ in range(3):
            await scene.clock.sleep(HERE_S)
            line.send(pack_word(Here()))
        await scene.clock.sleep(HERE_S - 0.1)
        scene.clock.stood_still_ns += round(2 * SILENT_S * 1e9)
        await scene.clock.sleep(0.2)
        line.send(pack_word(Here()))
        await scene.clock.sleep(HERE_S)
        viewer.look()
        assert not viewer.closed

    play(tmp_path, test)


def test_a_cut_is_shown_as_long_as_anybody_looks_at_it_and_no_longer(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        one, other = scene.line(), scene.line()
        scene.eye(one)
        scene.eye(other, cut=Cut(fps=5))
        scene.eye(other, 1, Cut(compression=80))
        await scene.clock.sleep(0.1)
        assert [show.cut for show in scene.audience.shows] == [Cut(), Cut(compression=80)]
        other.close()
        await scene.clock.sleep(0.1)
        assert [show.cut for show in scene.audience.shows] == [Cut()]
        one.close()
        await scene.clock.sleep(0.1)
        assert scene.audience.shows == ()

    play(tmp_path, test)


def test_media_says_that_it_is_there_once_a_second(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        line = scene.line()
        await scene.clock.sleep(10.5)
        said = words(line, here=True)
        assert said[0] == Opened()
        assert 10 <= said.count(Here()) == len(said) - 1 <= 11

    play(tmp_path, test)


@pytest.mark.parametrize("wrong", [True, False], ids=["a line that ends", "a source that stops"])
def test_the_network_role_sees_the_end_of_a_line_only_when_nothing_more_is_written_to_its_viewers(
    tmp_path: Path, wrong: bool
) -> None:
    """What it sees then, it writes behind; it is told nothing else, so that they go on with it."""

    async def test(scene: Scene) -> None:
        line = scene.line()
        scene.eye(line, 0)
        scene.eye(line, 1)
        await scene.clock.sleep(0.5)
        assert words(line) == [Opened()]
        seen: list[list[Word | None]] = []
        leave = scene.audience.leave

        def leaving(viewer: HandedViewer) -> None:
            seen.append(words(line))
            leave(viewer)

        scene.audience.leave = leaving  # type: ignore[method-assign]
        if wrong:
            line.send(b"nonsense")
            await scene.clock.sleep(0.1)
        else:
            scene.audience.stop()
        assert seen == [[], []]
        assert words(line) == [None]

    play(tmp_path, test)


def test_a_viewer_whose_connection_finds_no_room_in_media_is_refused_and_the_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(scene: Scene) -> None:
        line = scene.line()
        viewer = scene.eye(line, 0)
        await scene.clock.sleep(0.5)
        late = [scene.eye(line, seat, wait=True) for seat in (1, 2)]
        with no_file_left():
            for eye in late:
                eye.hand()
            await scene.clock.sleep(0.1)
        assert words(line) == [Opened(), Left(1, Why.FULL), Left(2, Why.FULL)]
        assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1
        scene.eye(line, 3)
        before = len(viewer.frames)
        await scene.clock.sleep(0.5)
        assert len(viewer.frames) > before
        assert scene.audience.viewers == 2

    play(tmp_path, test)


def test_row_45_when_stalled_viewers_keep_too_many_pictures_whoever_has_waited_longest_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture for which many wait counts once."""
    size = 8 << 20  # more than what a connection holds
    monkeypatch.setattr(audience_module, "MOST_WAITING", 3 * size)

    async def test(scene: Scene) -> None:
        line = scene.line()
        together = [scene.eye(line, seat) for seat in range(4)]
        scene.jpeg = bytes(size)
        await scene.clock.sleep(0.3)
        one = scene.eye(line, 4)
        await scene.clock.sleep(0.3)
        words(line)
        assert scene.audience.viewers == 5
        scene.eye(line, 5)
        await scene.clock.sleep(0.3)
        assert words(line) == [Left(seat, Why.STALLED) for seat in range(4)]
        assert all(eye.ended for eye in together)
        assert not one.ended
        assert scene.audience.viewers == 2

    play(tmp_path, test)


def test_without_a_signal_a_handed_viewer_is_shown_so_once_a_second_and_pictures_again_when_they_come(
    tmp_path: Path,
) -> None:
    async def test(scene: Scene) -> None:
        line = scene.line()
        viewer = scene.eye(line)
        await scene.clock.sleep(1)
        before = len(viewer.frames)
        scene.on = False
        scene.audience.take(NoSignal("unplugged"))
        await scene.clock.sleep(5)
        assert set(viewer.frames[before:]) == {0}
        assert 5 <= len(viewer.frames[before:]) <= 7
        assert viewer.saw(no_signal(*SIZE))
        late = scene.eye(line, 1, Cut(width=320, height=180))
        await scene.clock.sleep(0.01)
        assert late.frames == [0], "at once"
        assert late.saw(no_signal(320, 180))
        scene.on = True
        await scene.clock.sleep(0.3)
        assert viewer.frames[-1] == late.frames[-1] > 0

    play(tmp_path, test)


def test_a_source_that_is_silent_is_no_signal_to_handed_viewers_too(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        viewer = scene.eye(scene.line())
        await scene.clock.sleep(1)
        scene.on = False
        await scene.clock.sleep(SOURCE_SILENT_S + 2.5)
        assert viewer.frames[-2:] == [0, 0]

    play(tmp_path, test)


def test_each_handed_viewer_has_its_own_rate_and_no_more_is_made_than_the_fastest_takes(tmp_path: Path) -> None:
    async def test(scene: Scene) -> None:
        line = scene.line()
        slow, fast = scene.eye(line, 0, Cut(fps=1)), scene.eye(line, 1, Cut(fps=5))
        await scene.clock.sleep(10)
        assert 10 <= len(slow.frames) <= 12
        assert 48 <= len(fast.frames) <= 53
        assert scene.made <= 54

    play(tmp_path, test)


def test_row_45_a_handed_viewer_that_takes_nothing_is_let_go_in_time_and_the_others_get_every_picture(
    tmp_path: Path,
) -> None:
    async def test(scene: Scene) -> None:
        line = scene.line()
        stalled = scene.eye(line, 0)
        await scene.clock.sleep(1)
        scene.jpeg = bytes(8 << 20)  # more than what a connection holds
        await scene.clock.sleep(1)
        scene.jpeg = b"jpeg"
        healthy = scene.eye(line, 1)
        for passed in range(int(STALL_S) + 1):
            if passed == STALL_S - 2:
                assert scene.audience.viewers == 2
            await scene.clock.sleep(1)
            line.send(pack_word(Here()))
        assert scene.audience.viewers == 1
        assert len(stalled.frames) <= HZ + 2, "nothing was kept for it"
        frames = healthy.frames
        assert frames[0] > 2 * HZ, "what the other did not take is not shown to a newcomer"
        assert frames == list(range(frames[0], frames[-1] + 1))
        assert len(frames) >= HZ * STALL_S

    play(tmp_path, test)


@contextmanager
def not_stuck() -> Iterator[None]:
    """Fail, where a call would block for ever."""

    def stuck(number: int, frame: FrameType | None) -> None:
        raise AssertionError("the loop is stuck in a call")

    before = signal.signal(signal.SIGALRM, stuck)
    signal.alarm(PATIENCE_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_row_45_a_connection_that_is_made_blocking_by_whoever_shares_it_holds_nobody_up(tmp_path: Path) -> None:
    """The flag belongs to both shares: the first picture does not go out whole, nor does what is left of it."""

    async def test(scene: Scene) -> None:
        line = scene.line()
        stalled, healthy = scene.eye(line, 0, shared=True), scene.eye(line, 1)
        await scene.clock.sleep(1)
        stalled.share.setblocking(True)
        scene.jpeg = bytes(8 << 20)
        with not_stuck():
            await scene.clock.sleep(0.1)
            scene.jpeg = b"jpeg"
            stalled.end.recv(1 << 20)
            for _ in range(20):
                healthy.look()
                await scene.clock.sleep(0.1)
        assert healthy.frames[-1] >= 3 * HZ - 2
        assert scene.audience.viewers == 2

    play(tmp_path, test)
