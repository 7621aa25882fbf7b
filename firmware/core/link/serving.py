"""Answering a question that came over the link from the tables of this role."""

from __future__ import annotations

from typing import Any

from firmware.core.errors import Invalid
from firmware.core.link.local import LocalLink
from firmware.core.link.wire import Ask, Op
from firmware.core.values import encode


async def answer(local: LocalLink, ask: Ask) -> Any:
    """The JSON-ready answer. Raises what the owner raises."""
    match ask.op:
        case Op.INVOKE | Op.COMMAND:
            private = ask.op is Op.INVOKE
            return await local.command(ask.name, ask.data, ask.caller, cause=ask.cause, private=private)
        case Op.INFOS:
            return [encode(info) for info in await local.infos(ask.name)]
        case Op.READ:
            return dict(await local.read(ask.name, ask.caller))
        case Op.CHANGE:
            if not isinstance(ask.data, dict):
                raise Invalid(ask.name, f"a change is a table of parameters, not {type(ask.data).__name__}")
            return dict(await local.change(ask.name, ask.data, ask.caller, cause=ask.cause))
        case Op.ACTIONS:
            return [encode(action) for action in await local.actions()]
        case Op.GROUPS:
            return list(await local.groups())
