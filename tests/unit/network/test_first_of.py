"""Several jobs at once: the first that ends ends them all, and the first that fails fails as itself."""

from __future__ import annotations

import asyncio

import pytest

from firmware.core.errors import Busy
from firmware.interfaces.http.ending import first_of
from hal.sim.time import VirtualClock, virtual_run


def test_the_first_job_that_ends_ends_the_others() -> None:
    async def main(clock: VirtualClock) -> None:
        ended: list[str] = []

        async def slow() -> None:
            try:
                await clock.sleep(100)
            finally:
                ended.append("slow")

        began_ns = clock.now_ns()
        await first_of(clock.sleep(1), slow())
        assert (ended, clock.now_ns() - began_ns) == (["slow"], 1_000_000_000)

    virtual_run(main)


def test_an_error_of_a_job_is_raised_as_it_is_so_that_an_interface_can_tell_it() -> None:
    async def main(clock: VirtualClock) -> None:
        async def refuse() -> None:
            await clock.sleep(0)
            raise Busy("trace", "another trace is under way")

        with pytest.raises(Busy):
            await first_of(clock.sleep(10), first_of(refuse(), clock.sleep(5)))

    virtual_run(main)


def test_whoever_waits_can_be_cancelled_and_the_jobs_with_it() -> None:
    async def main(clock: VirtualClock) -> None:
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(first_of(clock.sleep(10), clock.sleep(20)))
            await clock.sleep(1)
            waiting.cancel()
        assert waiting.cancelled()

    virtual_run(main)
