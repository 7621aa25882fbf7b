"""The line on which viewers are handed over, when an end of it is wrong, hung or gone; and who lets go of what.

Both roles' own parts run in this process, so that open files can be counted; the far end is played here, on a real
socket. What goes well is in test_viewers_live.py.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from firmware.core.actions import SYSTEM
from firmware.core.errors import Unavailable
from firmware.core.stream.hand_wire import (
    SEATS,
    End,
    Hand,
    Here,
    Left,
    Opened,
    Page,
    Why,
    Word,
    pack_word,
    read_word,
)
from firmware.core.stream.packets import LONGEST, connected
from firmware.core.stream.wire import Cut, Jpeg
from firmware.core.vocabulary.security import AccountChanged
from firmware.interfaces.video import hands as hands_module
from firmware.interfaces.video.views import ViewLimits
from firmware.video import audience as audience_module
from firmware.video.audience import MOST_LINES, MOST_SHOWS, Audience
from hal.clock import SystemClock
from tests.live.device import PATIENCE_S
from tests.live.pictures.test_viewers_live import LARGE, SMALL, Scene, jpeg_of, more, play, until


class Network:
    """What stands for the network role at the far end of media's socket: it says what a test wants."""

    def __init__(self, stack: ExitStack, path: Path) -> None:
        self._stack = stack
        self.line = stack.enter_context(connected(str(path)))

    async def said(self) -> Word | None:
        """The next word of media, besides that it is there; None at the end."""
        received: list[bytes] = []

        def there() -> bool:
            try:
                data, files, _, _ = socket.recv_fds(self.line, LONGEST, 1)
            except BlockingIOError:
                return False
            except ConnectionError:
                data, files = b"", []
            for file in files:
                os.close(file)
            if data != pack_word(Here()):
                received.append(data)
            return bool(received)

        await until(there)
        return read_word(received[0]) if received[0] else None

    def say(self, word: Word, *files: int) -> None:
        """Say something, with open files."""
        socket.send_fds(self.line, [pack_word(word)], list(files))

    def client(self) -> tuple[socket.socket, socket.socket]:
        """A connection: our share of a viewer's, and the viewer's end."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            there = self._stack.enter_context(socket.create_connection(listener.getsockname()))
            here = self._stack.enter_context(listener.accept()[0])
        here.setblocking(False)
        there.setblocking(False)
        return here, there

    def hand(self, seat: int, cut: Cut | None = None, most: int = 0) -> socket.socket:
        """Hand over a new connection, without a share of ours; returns the viewer's end."""
        here, there = self.client()
        self.say(Hand(seat=seat, cut=cut or Cut(), most=most, stall_s=PATIENCE_S), here.fileno())
        here.close()
        return there


@asynccontextmanager
async def media(path: Path) -> AsyncIterator[Audience]:
    """Media's end of it, with a picture thirty times a second."""
    clock = SystemClock()
    taken = Audience(path, clock, lambda: None, lambda: (640, 360))
    taken.start()

    async def shoot() -> None:
        number = 0
        while True:
            await clock.sleep(1 / 30)
            number += 1
            now_ns = clock.now_ns()
            for show in taken.shows:
                if show.wants(now_ns):
                    show.take(Jpeg(jpeg_of(number, SMALL), 640, 360, number, now_ns))

    shooting = asyncio.ensure_future(shoot())
    try:
        yield taken
    finally:
        shooting.cancel()
        taken.stop()


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def against_media(folder: Path, test: Callable[[Network, Audience, Callable[[], Network]], Awaitable[None]]) -> None:
    """Run a test with a line that is open; afterwards no open file is left of anything."""

    async def main() -> None:
        before = open_files()
        with ExitStack() as stack:
            async with asyncio.timeout(PATIENCE_S), media(folder / "hands") as taken:
                network = Network(stack, folder / "hands")
                assert await network.said() == Opened()
                await test(network, taken, lambda: Network(stack, folder / "hands"))
        await until(lambda: open_files() == before)

    asyncio.run(main())


async def shown(client: socket.socket) -> None:
    """Wait until a picture has come."""
    loop = asyncio.get_running_loop()
    seen = b""
    while b"image/jpeg" not in seen:
        piece = await loop.sock_recv(client, 1 << 16)
        assert piece, "it was closed"
        seen += piece


async def closed(client: socket.socket) -> None:
    """Wait until the connection has ended; nobody but media had a share in it."""
    loop = asyncio.get_running_loop()
    while await loop.sock_recv(client, 1 << 16):
        pass


NONSENSE: dict[str, Callable[[Network], None]] = {
    "no word": lambda network: network.line.sendall(b"GET / HTTP/1.1\r\n\r\n"),
    "media's word": lambda network: network.say(Left(0, Why.DONE)),
    "a wish without a connection": lambda network: network.say(Hand(seat=9, cut=Cut(), stall_s=1)),
    "a connection without a wish": lambda network: network.say(Here(), network.client()[0].fileno()),
    "two connections": lambda network: network.say(
        Hand(seat=9, cut=Cut(), stall_s=1), *(network.client()[0].fileno() for _ in range(2))
    ),
    "a file": lambda network: network.say(Hand(seat=9, cut=Cut(), stall_s=1), 1),
    "a socket of another kind": lambda network: network.say(Hand(seat=9, cut=Cut(), stall_s=1), network.line.fileno()),
    "a seat that is taken": lambda network: network.say(
        Hand(seat=0, cut=Cut(), stall_s=1), network.client()[0].fileno()
    ),
    "a word that is too long": lambda network: network.line.sendall(bytes(LONGEST + 1)),
}


@pytest.mark.parametrize("say", NONSENSE.values(), ids=NONSENSE.keys())
def test_a_network_role_that_talks_nonsense_loses_its_viewers_and_no_other_does(
    tmp_path: Path, say: Callable[[Network], None]
) -> None:
    async def test(network: Network, taken: Audience, another: Callable[[], Network]) -> None:
        other = another()
        assert await other.said() == Opened()
        lost, kept = network.hand(0), other.hand(0)
        await shown(lost)
        await shown(kept)
        say(network)
        await closed(lost)
        while await network.said() is not None:
            pass
        await shown(kept)
        assert len(taken.lines) == 1

    against_media(tmp_path, test)


def test_a_network_role_that_dies_takes_its_viewers_with_it(tmp_path: Path) -> None:
    async def test(network: Network, taken: Audience, another: Callable[[], Network]) -> None:
        viewers = [network.hand(seat) for seat in range(5)]
        for viewer in viewers:
            await shown(viewer)
        network.line.close()
        for viewer in viewers:
            await closed(viewer)
        assert taken.shows == ()

    against_media(tmp_path, test)


def test_a_network_role_that_says_nothing_any_more_has_its_viewers_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who could take them back hangs; another that is there keeps its own."""
    monkeypatch.setattr(audience_module, "SILENT_S", 1.0)

    async def test(hung: Network, taken: Audience, another: Callable[[], Network]) -> None:
        awake = another()

        async def here() -> None:
            while True:
                awake.say(Here())
                await asyncio.sleep(0.1)

        speaking = asyncio.ensure_future(here())
        assert await awake.said() == Opened()
        lost, kept = hung.hand(0), awake.hand(0)
        await shown(lost)
        await closed(lost)
        await shown(kept)
        speaking.cancel()
        assert len(taken.lines) == 1

    against_media(tmp_path, test)


def test_a_viewer_is_taken_back_and_one_that_hangs_up_or_has_seen_enough_is_told_of(tmp_path: Path) -> None:
    async def test(network: Network, taken: Audience, another: Callable[[], Network]) -> None:
        asked, at_once, gone, done = (network.hand(seat, most=2 * (seat == 3)) for seat in range(4))
        for viewer in (asked, at_once, gone):
            await shown(viewer)
        await closed(done)
        assert await network.said() == Left(3, Why.DONE)
        network.say(End(0, at_once=False))
        assert await network.said() == Left(0, Why.ASKED)
        network.say(End(1, at_once=True))
        assert await network.said() == Left(1, Why.ASKED)
        network.say(End(1, at_once=True))  # its word crossed media's
        await closed(asked)
        await closed(at_once)
        gone.close()
        assert await network.said() == Left(2, Why.GONE)
        assert taken.shows == ()
        again = network.hand(0)
        await shown(again)

    against_media(tmp_path, test)


def test_row_45_more_viewers_cuts_or_lines_than_there_is_room_for_are_turned_away(tmp_path: Path) -> None:
    async def test(network: Network, taken: Audience, another: Callable[[], Network]) -> None:
        cuts = [Cut(compression=number) for number in range(MOST_SHOWS)]
        for seat, cut in enumerate(cuts):
            network.hand(seat, cut)
        network.hand(MOST_SHOWS, Cut(compression=99))
        assert await network.said() == Left(MOST_SHOWS, Why.FULL)
        for viewer in [network.hand(seat, cuts[0]) for seat in range(MOST_SHOWS, SEATS)]:
            await shown(viewer)
        other = another()
        assert await other.said() == Opened()
        refused = other.hand(0, cuts[0])
        assert await other.said() == Left(0, Why.FULL)
        await closed(refused)
        lines = [another() for _ in range(MOST_LINES)]
        await until(lambda: len(taken.lines) == MOST_LINES)
        assert [await line.said() for line in lines].count(None) == 2

    against_media(tmp_path, test)


class Media:
    """What stands for the media role at the far end of network's socket: it takes viewers, and shows nothing."""

    def __init__(self, stack: ExitStack, path: Path) -> None:
        self.listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        self.listener.setblocking(False)
        self.listener.bind(str(path))
        self.listener.listen()
        self._stack = stack
        self.line: socket.socket | None = None
        self.shares: list[socket.socket] = []

    async def open(self, *, hung: bool = False) -> Page:
        """Take the line, and say so; and then, unless it is hung, that it is there."""
        self.line = self._stack.enter_context((await asyncio.get_running_loop().sock_accept(self.listener))[0])
        self.line.setblocking(False)
        page = Page()
        self._stack.callback(page.close)
        socket.send_fds(self.line, [pack_word(Opened())], [page.file])
        if not hung:
            speaking = asyncio.ensure_future(self._speak(self.line))
            self._stack.callback(speaking.cancel)
        return page

    async def _speak(self, line: socket.socket) -> None:
        with suppress(OSError):  # until an end of it is closed
            while True:
                line.send(pack_word(Here()))
                await asyncio.sleep(0.2)

    async def heard(self, kind: type[Word]) -> Word:
        """The next word of that kind; a connection that comes along is kept."""
        found: list[Word] = []

        def there() -> bool:
            assert self.line is not None
            try:
                data, files, _, _ = socket.recv_fds(self.line, LONGEST, 1)
            except BlockingIOError:
                return False
            self.shares += (self._stack.enter_context(socket.socket(fileno=file)) for file in files)
            found.append(read_word(data))
            return isinstance(found[-1], kind)

        await until(there)
        return found[-1]


def against_network(folder: Path, test: Callable[[Scene, Media], Awaitable[None]], stall_s: float = PATIENCE_S) -> None:
    """Run a test with a server that hands viewers over to a media role that is played here."""

    async def main(scene: Scene) -> None:
        with ExitStack() as stack:
            await test(scene, Media(stack, folder / "hands"))

    play(folder, main, handed=True, stall_s=stall_s)


def revoke(scene: Scene) -> None:
    """The caller's account is no more."""
    scene.bus.publish(AccountChanged(name=SYSTEM.name, level="viewer", change="removed", by="test"))


def test_a_viewer_without_rights_is_closed_though_media_hears_nothing(tmp_path: Path) -> None:
    """Media has its share of the connection and does not let go of it: the client sees the end all the same."""

    async def test(scene: Scene, hung: Media) -> None:
        client = await scene.client()
        await hung.open()
        assert isinstance(await hung.heard(Hand), Hand)
        revoke(scene)
        assert await hung.heard(End) == End(0, at_once=False)
        await client.look()
        assert client.reader.at_eof()
        assert await hung.heard(End) == End(0, at_once=True)
        with pytest.raises(BrokenPipeError):
            hung.shares[0].send(b"a picture that comes too late")

    against_network(tmp_path, test, stall_s=0.5)


def test_row_45_a_viewer_counts_until_media_has_let_go_of_it(tmp_path: Path) -> None:
    """Or whoever lets it come to an end and looks anew, again and again, has more than there are seats."""
    address = "127.0.1.1"  # of the first client

    async def test(scene: Scene, busy: Media) -> None:
        client = await scene.client()
        await busy.open()
        await busy.heard(Hand)

        def look(stack: ExitStack) -> None:
            stack.enter_context(scene.views.watching(scene.place, Cut(), 0, address))

        with ExitStack() as others:
            for _ in range(ViewLimits().per_address - 1):
                look(others)
            revoke(scene)
            assert await busy.heard(End) == End(0, at_once=False)
            with pytest.raises(Unavailable):
                look(others)
            busy.shares.pop().close()
            assert busy.line is not None
            busy.line.send(pack_word(Left(0, Why.ASKED)))
            await client.look()
            await until(lambda: scene.server.connections == 0)
            look(others)

    against_network(tmp_path, test)


def test_a_viewer_is_taken_back_from_a_media_role_that_talks_nonsense_and_sees_no_more(tmp_path: Path) -> None:
    """It lives, and could still write: nobody else may."""

    async def test(scene: Scene, mad: Media) -> None:
        client = await scene.client()
        await mad.open()
        await mad.heard(Hand)
        assert mad.line is not None
        mad.line.send(b"nonsense")
        await client.look()
        assert client.reader.at_eof()
        await until(lambda: scene.server.connections == 0)
        with pytest.raises(BrokenPipeError):
            mad.shares[0].send(b"a picture that comes too late")

    against_network(tmp_path, test)


@pytest.mark.parametrize("torn", [False, True], ids=["between pictures", "in the middle of one"])
def test_when_media_dies_a_viewer_goes_on_unless_nobody_knows_how_much_of_a_picture_it_has(
    tmp_path: Path, torn: bool
) -> None:
    async def test(scene: Scene, dying: Media) -> None:
        client = await scene.client()
        page = await dying.open()
        await dying.heard(Hand)
        page.marks[0] = torn
        dying.listener.close()
        assert dying.line is not None
        dying.line.close()
        dying.shares.pop().close()
        if torn:
            await client.look()
            assert client.numbers == []
            await until(lambda: scene.server.connections == 0)
        else:
            await client.look(2)
            assert client.numbers == [0, 0]

    against_network(tmp_path, test)


def test_the_viewers_of_a_media_role_that_hangs_are_hung_up_on_and_see_no_signal_when_they_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows whether it is in the middle of a picture, or will be; and nobody else is given to it."""
    monkeypatch.setattr(hands_module, "SILENT_S", 0.6)

    async def test(scene: Scene, hung: Media) -> None:
        clients = [await scene.client(), await scene.client()]
        await hung.open(hung=True)
        await hung.heard(Hand)
        for client in clients:
            await client.look()
            assert client.reader.at_eof()
            assert client.numbers == []
        for share in hung.shares:
            with pytest.raises(BrokenPipeError):
                share.send(b"a picture that comes too late")
        await until(lambda: scene.server.connections == 0)
        back = await scene.client()
        await back.look(2)
        assert back.numbers == [0, 0]

    against_network(tmp_path, test)


def test_the_viewers_of_a_media_role_that_says_it_is_there_are_left_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hands_module, "SILENT_S", 0.6)

    async def test(scene: Scene, idle: Media) -> None:
        client = await scene.client()
        await idle.open()
        await idle.heard(Hand)
        await asyncio.sleep(2)
        revoke(scene)
        assert await idle.heard(End) == End(0, at_once=False)
        idle.shares.pop().close()
        assert idle.line is not None
        idle.line.send(pack_word(Left(0, Why.ASKED)))
        await client.look()
        assert client.reader.at_eof()

    against_network(tmp_path, test)


def test_a_media_role_that_takes_no_line_has_its_pictures_fetched(tmp_path: Path) -> None:
    async def test(scene: Scene, hung: Media) -> None:
        async with scene.source(taking=False):
            client = await scene.client()
            looking = asyncio.ensure_future(client.look())
            await more(client, 5)
            assert scene.crossed >= 5
            looking.cancel()

    against_network(tmp_path, test)


def test_a_picture_that_is_on_its_way_goes_out_before_a_viewer_is_closed(tmp_path: Path) -> None:
    """As from a server that closes a connection: whatever was written before arrives."""

    async def test(scene: Scene) -> None:
        async with scene.source():
            client = await scene.client(little_room=True)
            await client.look(1)
            await until(lambda: scene.number > client.numbers[0])  # the next is on its way
            revoke(scene)
            await client.look()
            assert client.reader.at_eof()
            assert len(client.numbers) >= 2

    play(tmp_path, test, handed=True, size=LARGE)
