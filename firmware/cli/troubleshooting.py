"""Verbs of troubleshooting at the device itself: how it is, reports, ping, port check. Manuals, "Troubleshooting".

Reports and tests are made by the network role, under the rules that hold for everybody (docs/maintenance.md).
"""

from __future__ import annotations

import json
import os
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from firmware.cli.console import Console, at_device
from firmware.cli.maintenance import parser
from firmware.core.bus import Bus
from firmware.core.errors import Invalid, Unavailable
from firmware.core.values import decode, encode
from firmware.core.vocabulary.certificates import HttpState
from firmware.core.vocabulary.device import DeviceInfo, DevicePhase
from firmware.core.vocabulary.station import RoleState, ServicePhase, ServiceState, StorageAlarm
from firmware.core.vocabulary.system import ClockSetup, NetworkSetup
from firmware.core.vocabulary.troubleshooting import (
    PingAnswer,
    PingParams,
    PortAnswer,
    PortParams,
    ReportKind,
    ReportLeft,
    ReportParams,
    Transport,
)
from firmware.core.vocabulary.upgrade import UpgradeState
from hal.errors import nearest

KINDS = {".txt": ReportKind.TEXT, ".zip": ReportKind.ZIP, ".tgz": ReportKind.CRASH}
TOPICS = (DeviceInfo, DevicePhase, UpgradeState, HttpState, NetworkSetup, ClockSetup)


@dataclass(frozen=True, slots=True)
class Status:
    """How a device is: what it says of itself, and what is wrong with it."""

    states: dict[str, Any]
    roles: dict[str, bool]
    services: dict[str, int]
    troubles: tuple[str, ...]


def status(words: list[str]) -> int:
    """`lintel status`; 1 when something is wrong."""
    asked = parser("status", "how the device is; exit code 1 when something is wrong").parse_all(words)

    async def look(console: Console) -> Status:
        return status_of(console.bus)

    found = at_device(asked.state, look)
    print(
        json.dumps(asdict(found), indent=1, ensure_ascii=False)
        if asked.json
        else "\n".join(map(printable, lines_of(found)))
    )
    return 1 if found.troubles else 0


def status_of(bus: Bus) -> Status:
    """The states that were sent, put together."""
    services = list(bus.states(ServiceState))
    roles = {each.role: each.joined and each.ready for each in bus.states(RoleState)}
    troubles = [f"{role} does not run" for role, runs in sorted(roles.items()) if not runs]
    troubles += [
        f"{each.role}/{each.service} failed: {each.reason}" for each in services if each.phase is ServicePhase.FAILED
    ]
    troubles += [f"storage of {each.role}: {each.detail}" for each in bus.states(StorageAlarm)]
    return Status(
        states={cls.topic: encode(state) for cls in TOPICS if (state := bus.state(cls)) is not None},
        roles=roles,
        services={phase.value: sum(each.phase is phase for each in services) for phase in ServicePhase},
        troubles=tuple(troubles),
    )


def lines_of(found: Status) -> list[str]:
    """A status for people."""
    told = found.states
    lines = []
    if info := told.get(DeviceInfo.topic):
        kind = ", simulated" if info["simulated"] else ""
        lines.append(f"{info['product']}, {info['model']}, serial {info['serial']}{kind}")
        lines.append(f"firmware: {info['version']} in slot {info['slot']}{_firmware(told.get(UpgradeState.topic))}")
    phase = told.get(DevicePhase.topic, {"phase": "unknown", "detail": ""})
    detail = f" ({phase['detail']})" if phase["detail"] else ""
    lines.append(f"phase: {phase['phase']}{detail}")
    lines.append(f"roles: {', '.join(sorted(role for role, runs in found.roles.items() if runs))}")
    counts = (f"{count} {name}" for name, count in found.services.items() if count)
    lines.append(f"services: {', '.join(counts)}")
    if http := told.get(HttpState.topic):
        ways = (f"{name}://{http[name]}" for name in ("http", "https") if http[name])
        lines.append(f"reached at: {', '.join(ways) or 'nowhere'}")
    if network := told.get(NetworkSetup.topic):
        where = f" at {network['adapter']}" if network["adapter"] else ""
        lines.append(f"network settings: {network['phase']}{where}, by {network['by']}")
    if clock := told.get(ClockSetup.topic):
        lines.append(f"clock: {clock['zone']}, NTP {'on' if clock['ntp'] else 'off'}")
    return [*lines, *(found.troubles or ("nothing is wrong",))]


def _firmware(upgrade: dict[str, Any] | None) -> str:
    if upgrade is None:
        return ""
    others = (f"{slot['version']} in {slot['slot']}" for slot in upgrade["slots"] if slot["slot"] != upgrade["running"])
    left = upgrade["confirm_left_s"]
    wait = "" if left is None else f", taken back in {left} s unless confirmed"
    return f"; {', '.join(others) or 'nothing'}; {upgrade['stage']}{wait}"


def report(words: list[str]) -> int:
    """`lintel report`. Raises Invalid for a file that is there already, or whose name says no kind."""
    wanted = parser("report", "the server report: on the screen, or as a file")
    wanted.add_argument(
        "file", nargs="?", type=Path, metavar="FILE",
        help=".txt: the report; .zip: with logs and a picture; .tgz: with processes and connections as well",
    )  # fmt: skip
    asked = wanted.parse_all(words)
    kind = kind_of(asked.file)
    data, name = at_device(asked.state, lambda console: _report(console, kind))
    if asked.file is None:
        print(printable(data.decode(errors="replace")), end="")
        return 0
    keep(asked.file, data)
    print(json.dumps({"file": str(asked.file), "bytes": len(data), "name": name}) if asked.json else asked.file)
    return 0


def printable(text: str) -> str:
    """Text of the device and of whoever wrote to it, for a terminal, which would obey what cannot be seen (row 41)."""
    return "".join(sign if sign.isprintable() or sign in "\n\t" else "\N{REPLACEMENT CHARACTER}" for sign in text)


def kind_of(file: Path | None) -> ReportKind:
    """Which report a file of that name is to hold. Raises Invalid with the nearest kind."""
    if file is None:
        return ReportKind.TEXT
    if file.suffix not in KINDS:
        raise Invalid("lintel report", f"{file.name!r} is no kind of report{nearest(file.suffix, KINDS)}")
    if file.exists():
        raise Invalid("lintel report", f"{str(file)!r} is there already")
    return KINDS[file.suffix]


async def _report(console: Console, kind: ReportKind) -> tuple[bytes, str]:
    left = await console.ask("troubleshooting.report", ReportParams(kind=kind), ReportLeft)
    file = console.state.spool / left.spool
    try:
        return file.read_bytes(), left.name
    except OSError as error:
        raise Unavailable("lintel report", f"{file} cannot be read: {error.strerror}") from None
    finally:
        file.unlink(missing_ok=True)


def keep(file: Path, data: bytes) -> None:
    """A new file that only its owner reads: reports tell much of a house. Raises Invalid."""
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as kept:
            kept.write(data)
    except OSError as error:
        raise Invalid("lintel report", f"{str(file)!r} cannot be written: {error.strerror}") from None


def ping(words: list[str]) -> int:
    """`lintel ping`; 1 when nobody answered."""
    wanted = parser("ping", "four echo requests from the device; exit code 1 when none was answered")
    wanted.add_argument("host", metavar="HOST", help="an address or a name")
    asked = wanted.parse_all(words)
    params = decode(PingParams, {"host": asked.host}, where="lintel ping")
    found = at_device(asked.state, lambda console: console.ask("troubleshooting.ping", params, PingAnswer))
    times = [each.took_ms for each in found.echoes if each.took_ms is not None]
    mean = f", {sum(times) / len(times):.1f} ms" if times else ""
    why = "" if times else "".join(f", {each}" for each in dict.fromkeys(echo.trouble for echo in found.echoes) if each)
    _show(asked, found, f"{found.host} ({found.address}): {found.received} of {found.sent} answered{mean}{why}")
    return 0 if found.received else 1


def port_check(words: list[str]) -> int:
    """`lintel port-check`; 1 unless the port is open."""
    wanted = parser("port-check", "try a port from the device; exit code 1 unless it is open")
    wanted.add_argument("host", metavar="HOST", help="an address or a name")
    wanted.add_argument("port", type=int, metavar="PORT")
    wanted.add_argument("--udp", action="store_true", help="send datagrams; without an answer nobody can tell")
    asked = wanted.parse_all(words)
    protocol = Transport.UDP if asked.udp else Transport.TCP
    wish = {"host": asked.host, "port": asked.port, "protocol": protocol}
    params = decode(PortParams, wish, where="lintel port-check")
    found = at_device(asked.state, lambda console: console.ask("troubleshooting.port_check", params, PortAnswer))
    unknown = " (open to other data, or filtered)" if found.open is None else ""
    line = f"{found.host} ({found.address}), {found.port}/{found.protocol.value}: {found.found}{unknown}"
    _show(asked, found, line)
    return 0 if found.open else 1


def _show(asked: Namespace, found: PingAnswer | PortAnswer, line: str) -> None:
    print(json.dumps(encode(found), ensure_ascii=False) if asked.json else line)


VERBS: dict[str, Callable[[list[str]], int]] = {
    "status": status,
    "report": report,
    "ping": ping,
    "port-check": port_check,
}
