"""A limit of time for whoever ends in order: it holds there, too, and hides no wish to end."""

from __future__ import annotations

import asyncio

import pytest

from hal.clock import within
from hal.sim.time import VirtualClock, virtual_run

LONG_S, LIMIT_S = 1000.0, 5.0


def ended(cancelled_after_s: list[float]) -> tuple[str, float]:
    """What a task of ours that cleans up for too long says, and when, where it is cancelled at those times."""
    said: list[str] = []

    async def main(clock: VirtualClock) -> tuple[str, float]:
        async def work() -> None:
            try:
                await clock.sleep(LONG_S)
            finally:
                try:
                    async with within(LIMIT_S):
                        await clock.sleep(LONG_S)
                except TimeoutError:
                    said.append("late")

        began_ns = clock.now_ns()
        task = asyncio.ensure_future(work())
        for at_s in cancelled_after_s:
            await clock.sleep(at_s - (clock.now_ns() - began_ns) / 1e9)
            task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()
        return "".join(said), (clock.now_ns() - began_ns) / 1e9

    return virtual_run(main)


def test_a_limit_is_told_of_where_the_caller_is_being_cancelled_already() -> None:
    assert ended([1.0]) == ("late", 1.0 + LIMIT_S)


def test_who_is_cancelled_once_more_within_the_limit_is_so_at_once() -> None:
    assert ended([1.0, 3.0]) == ("", 3.0)


def test_who_is_cancelled_once_more_at_the_limit_itself_is_so_at_once() -> None:
    async def main(clock: VirtualClock) -> None:
        task = asyncio.ensure_future(overdue(clock))
        clock.call_later(LIMIT_S, task.cancel)
        await asyncio.wait((task,))
        assert task.cancelled()

    async def overdue(clock: VirtualClock) -> None:
        async with within(LIMIT_S):
            await clock.sleep(LONG_S)

    virtual_run(main)


def test_a_cancellation_that_comes_out_of_the_block_is_none_of_the_limit() -> None:
    async def main(clock: VirtualClock) -> None:
        answer = clock.loop.create_future()
        answer.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with within(LIMIT_S):
                await answer

    virtual_run(main)


def test_what_ends_within_the_limit_is_not_touched() -> None:
    async def main(clock: VirtualClock) -> None:
        async with within(LIMIT_S):
            await clock.sleep(LIMIT_S - 1)
        await clock.sleep(LIMIT_S)

    virtual_run(main)
