"""How an answer leaves: head and body in one write when they come together, and never one without the other's turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

from firmware.interfaces.http.way_out import JOINED_BYTES, Cork

HEAD, BODY = b"HTTP/1.1 200 OK\r\n\r\n", b"{}"


class Far:
    """What reaches the kernel."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.writes.append(data)

    def close(self) -> None:
        self.closed = True


def played(play: Callable[[Cork, Far], Coroutine[Any, Any, None]]) -> Far:
    far = Far()

    async def whole() -> None:
        await play(Cork(cast(asyncio.Transport, far), asyncio.get_running_loop().call_soon), far)

    asyncio.run(whole())
    return far


async def turn() -> None:
    """One turn of the loop."""
    done = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(done.set_result, None)
    await done


def test_a_short_answer_is_one_write() -> None:
    async def play(cork: Cork, far: Far) -> None:
        cork.write(HEAD)
        cork.write(BODY)
        cork.close()

    far = played(play)
    assert (far.writes, far.closed) == ([HEAD + BODY], True)


def test_a_head_whose_body_takes_its_time_does_not_wait_for_it() -> None:
    async def play(cork: Cork, far: Far) -> None:
        cork.write(HEAD)
        await turn()
        assert far.writes == [HEAD]
        cork.write(BODY)
        cork.write(BODY)

    assert played(play).writes == [HEAD, BODY, BODY]


def test_an_answer_without_a_body_leaves_before_the_connection_closes() -> None:
    async def play(cork: Cork, far: Far) -> None:
        cork.write(HEAD)
        cork.close()
        await turn()

    far = played(play)
    assert (far.writes, far.closed) == ([HEAD], True)


def test_a_long_body_is_not_copied_behind_its_head() -> None:
    async def play(cork: Cork, far: Far) -> None:
        cork.write(HEAD)
        cork.write(bytes(JOINED_BYTES + 1))

    assert [len(each) for each in played(play).writes] == [len(HEAD), JOINED_BYTES + 1]
