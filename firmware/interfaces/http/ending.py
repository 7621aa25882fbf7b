"""How an answer without an end comes to one: the account of its caller changes, or one of several jobs is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from firmware.core.actions import Caller
from firmware.core.events import Event
from firmware.core.vocabulary.security import AccountChanged, AnonymousState
from firmware.interfaces.http.credentials import ANONYMOUS


def is_end(event: Event, caller: Caller) -> bool:
    """Whether an answer without an end is over: the account changed, or nobody may watch without one any more."""
    if isinstance(event, AccountChanged):
        return event.name == caller.name
    return isinstance(event, AnonymousState) and caller.name == ANONYMOUS and not event.viewing


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
