"""Packets that may carry an open file, and what ends the connection: on real sockets, in virtual time."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

import pytest

from firmware.core.stream.packets import LONGEST, Packets
from hal.sim.time import VirtualClock, settle, virtual_run
from tests.files import no_file_left


class Ends:
    """Our end, and the far end as a plain socket."""

    def __init__(self, stack: ExitStack, clock: VirtualClock) -> None:
        self.clock = clock
        ours, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stack.enter_context(self.far)
        self.far.setblocking(False)
        self.taken: list[bytes] = []
        self.inheritable: list[bool] = []
        self.lost: list[bytes] = []
        self.ended: list[str] = []
        self.at_end: Callable[[], None] = lambda: None
        self.packets = Packets(ours, self._take, self._ended, self.lost.append)
        stack.callback(self.packets.close)

    def _take(self, data: bytes, file: int | None) -> None:
        if file is not None:
            self.inheritable.append(os.get_inheritable(file))
            os.close(file)
        if data == b"bug":
            raise ZeroDivisionError("a mistake of ours")
        self.taken.append(data)

    def _ended(self, why: str) -> None:
        self.at_end()
        self.ended.append(why)

    @property
    def hung_up(self) -> bool:
        """Whether the far end sees the end."""
        try:
            return not self.far.recv(LONGEST)
        except BlockingIOError:
            return False


def play(test: Callable[[Ends], Awaitable[None]]) -> None:
    async def main(clock: VirtualClock) -> None:
        with ExitStack() as stack:
            await test(Ends(stack, clock))

    virtual_run(main)


def test_a_file_that_comes_is_inherited_by_no_child() -> None:
    async def test(ends: Ends) -> None:
        socket.send_fds(ends.far, [b"word"], [ends.far.fileno()])
        await settle(ends.clock)
        assert ends.taken == [b"word"]
        assert ends.inheritable == [False]

    play(test)


def test_a_packet_whose_file_finds_no_room_in_this_process_is_told_of_and_ends_nothing() -> None:
    async def test(ends: Ends) -> None:
        with no_file_left():
            socket.send_fds(ends.far, [b"one"], [ends.far.fileno()])
            await settle(ends.clock)
        socket.send_fds(ends.far, [b"two"], [ends.far.fileno()])
        await settle(ends.clock)
        assert (ends.lost, ends.taken, ends.ended) == ([b"one"], [b"two"], [])

    play(test)


@pytest.mark.parametrize("files", [2, 3])
def test_more_files_than_one_end_the_connection(files: int) -> None:
    async def test(ends: Ends) -> None:
        socket.send_fds(ends.far, [b"word"], [ends.far.fileno()] * files)
        await settle(ends.clock)
        assert (ends.lost, ends.taken) == ([], [])
        assert ends.ended == ["more came than a packet may hold"]

    play(test)


def test_the_far_end_sees_the_end_only_when_everything_has_been_let_go() -> None:
    """Whoever sees the end acts on it: nothing may still be written here then."""

    async def test(ends: Ends) -> None:
        seen: list[bool] = []
        ends.at_end = lambda: seen.append(ends.hung_up)
        ends.far.send(bytes(LONGEST + 1))
        await settle(ends.clock)
        assert seen == [False]
        assert ends.hung_up

    play(test)


def test_a_mistake_of_ours_ends_the_connection_and_leaves_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    async def test(ends: Ends) -> None:
        with caplog.at_level(logging.ERROR):
            ends.far.send(b"bug")
            await settle(ends.clock)
        assert len(ends.ended) == 1
        assert ends.ended[0]
        assert ends.hung_up
        assert "a mistake of ours" in caplog.text

    play(test)
