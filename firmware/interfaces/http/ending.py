"""How an answer without an end comes to one: its caller is no longer who it was, or one of several jobs is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from starlette.types import Receive

from firmware.core.actions import Caller
from firmware.core.events import Event
from firmware.core.vocabulary.security import AccountChanged, AnonymousState, SessionEnded
from firmware.interfaces.http.credentials import ANONYMOUS

ENDS = (AccountChanged, AnonymousState, SessionEnded)


def is_end(event: Event, caller: Caller, session: str = "") -> bool:
    """Whether an answer without an end is over, by one of `ENDS`.

    The account changed, the session in which it was asked for ended, or nobody may watch without an account any more.
    """
    if isinstance(event, SessionEnded):
        return event.session == session
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
    except BaseExceptionGroup as group:
        failed = group.subgroup(lambda error: not isinstance(error, _Done | BaseExceptionGroup))
        if failed is not None:
            raise _first(failed) from None


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def until_gone(receive: Receive) -> None:
    """Until the client hangs up."""
    while (await receive())["type"] not in ("http.disconnect", "websocket.disconnect"):
        pass


class _Done(Exception):
    """One of several jobs ended well."""
