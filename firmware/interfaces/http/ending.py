"""How an answer without an end comes to one: the account of its caller changes, or one of several jobs is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from firmware.core.actions import Caller
from firmware.core.events import Notice
from firmware.core.vocabulary.security import AccountChanged


def is_end(notice: Notice, caller: Caller) -> bool:
    """Whether the caller's account changed, so that it has to log in again."""
    return isinstance(notice.event, AccountChanged) and notice.event.name == caller.name


async def first_of(*jobs: Awaitable[None]) -> None:
    """Run jobs until one of them ends, then end the others. Raises what the first that fails raises."""
    try:
        async with asyncio.TaskGroup() as group:

            async def run(job: Awaitable[None]) -> None:
                await job
                raise _Done

            for job in jobs:
                group.create_task(run(job))
    except* _Done:
        pass


class _Done(Exception):
    """One of several jobs ended well."""
