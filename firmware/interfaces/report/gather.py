"""Gathers the server report as sections of text (manuals, Maintenance: Server report).

Secrets of parameters are masked by their owners, card data by the rules for a viewer (hardening row 47). What cannot
be had is told in its section: a report is asked for when something does not work.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from firmware.core.actions import Caller, Level
from firmware.core.context import Core
from firmware.core.errors import StationError
from firmware.core.events import State
from firmware.core.local_time import local, zone_name
from firmware.core.values import decode, encode
from firmware.core.vocabulary.device import DeviceInfo, DevicePhase
from firmware.core.vocabulary.station import JournalLine, JournalPage, ServiceState
from firmware.interfaces.api.shown import event_body, masked
from firmware.interfaces.net.adapters import adapters, default_router, name_servers

LARGEST_SECTION = 1024 * 1024
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the report: a title, which names its file as well, and its text."""

    title: str
    text: str


async def gather(core: Core, caller: Caller) -> tuple[Section, ...]:
    """All sections, as somebody with the rights of `caller` may have them."""
    parts: tuple[tuple[str, Callable[[Core, Caller], Awaitable[str]]], ...] = (
        ("device", _device),
        ("services", _services),
        ("network", _network),
        ("states", _states),
        ("parameters", _parameters),
        ("journal", _journal),
    )
    return tuple([Section(title, await _told(make, core, caller)) for title, make in parts])


async def _told(make: Callable[[Core, Caller], Awaitable[str]], core: Core, caller: Caller) -> str:
    try:
        text = await make(core, caller)
    except StationError as error:
        text = f"cannot be had now: {error.message}\n"
    if len(text) > LARGEST_SECTION:
        text = f"{text[:LARGEST_SECTION]}\n(cut off: {len(text)} characters)\n"
    return text


async def _device(core: Core, _: Caller) -> str:
    info, phase = core.bus.state(DeviceInfo), core.bus.state(DevicePhase)
    known = {name: value for name, value in encode(info).items() if name not in ("id", "at", "cause")} if info else {}
    known["phase"] = phase.phase.value if phase is not None else "unknown"
    known["utc"] = core.clock.utc().isoformat()
    known["local_time"] = f"{local(core.bus, core.clock.utc()).isoformat()} {zone_name(core.bus)}"
    known["utc_trusted"] = core.clock.trusted()
    return lines_of(known)


async def _services(core: Core, _: Caller) -> str:
    found = sorted(core.bus.states(ServiceState), key=lambda each: (each.role, each.service))
    return "".join(
        f"{each.role}/{each.service}: {each.phase.value}"
        f"{f' ({each.reason})' if each.reason else ''}, started again {each.restarts} times\n"
        for each in found
    )


async def _network(_: Core, __: Caller) -> str:
    lines = [f"host name: {socket.gethostname()}\n"]
    for each in adapters():
        addresses = ", ".join(str(address) for address in (*each.ipv4, *each.ipv6)) or "no address"
        lines.append(f"{each.name}: {'up' if each.up else 'down'}, {each.mac or 'no MAC'}, {addresses}\n")
    lines.append(f"router: {default_router() or 'none'}\n")
    lines.append(f"name servers: {', '.join(name_servers()) or 'none'}\n")
    return "".join(lines)


async def _states(core: Core, caller: Caller) -> str:
    """As a viewer sees them: whoever helps needs no card."""
    viewer = replace(caller, level=Level.VIEWER)
    return "".join(f"{json.dumps(event_body(state, viewer))}\n" for state in core.bus.states(State))


async def _parameters(core: Core, caller: Caller) -> str:
    lines = []
    for group in await core.link.groups():
        values = await core.link.read(group, caller)
        lines += [f"{group}.{name}={json.dumps(value)}\n" for name, value in values.items()]
    return "".join(lines)


async def _journal(core: Core, caller: Caller) -> str:
    found = await journal_lines(core, caller, pages=1)
    return "".join(f"{line.text()}\n" for line in found)


async def journal_lines(core: Core, caller: Caller, *, pages: int) -> list[JournalLine]:
    """The newest lines of the journal, oldest first, without card data. Raises what its owner raises."""
    found: list[JournalLine] = []
    for _ in range(pages):
        wish: dict[str, object] = {"limit": PAGE, "before": found[0].id if found else None}
        page = decode(JournalPage, await core.link.command("journal.read", wish, caller), where="journal.read")
        found[:0] = page.lines
        if not page.more:
            break
    return [replace(line, fields=masked(line.topic, line.fields)) for line in found]


def lines_of(known: dict[str, object]) -> str:
    """Names and values, one a line."""
    return "".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value)}\n" for name, value in known.items()
    )
