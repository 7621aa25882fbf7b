"""Which facts stand in which log, how grave they are, and in what words. Pure.

A line carries the fields of its fact: secrets are in no fact (hardening row 47), and names or texts of strangers are
values in JSON, so that they break no line and colour no terminal (row 41).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from firmware.core.errors import Invalid
from firmware.core.events import Event, Notice, Operation
from firmware.core.journal_lines import sealed, unsealed
from firmware.core.values import decode, encode
from firmware.core.vocabulary import (
    access,
    certificates,
    device,
    io,
    logs,
    osdp,
    rtsp,
    rules,
    security,
    station,
    system,
    upgrade,
)
from firmware.core.vocabulary.logs import LogKind, LogLine, Severity

STAMP = ("id", "at", "cause")
MAX_TEXT = 500
ACCESS, AUDIT, SYSTEM = (LogKind.ACCESS,), (LogKind.AUDIT,), (LogKind.SYSTEM,)
BOTH = (LogKind.ACCESS, LogKind.AUDIT)


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of one kind of fact: its logs, its gravity, its words (filled with the fact's own fields)."""

    logs: tuple[LogKind, ...]
    severity: Severity
    words: str
    when: Callable[[Any], bool] = lambda event: True


RULES: Mapping[type[Event], Rule] = {
    security.LoginFailed: Rule(BOTH, Severity.WARNING, "log-in failed: {name} from {address} over {via} at {page}"),
    security.LoginBlocked: Rule(
        BOTH, Severity.WARNING, "log-ins from {address} are blocked for {period_s} s: too many failures a second"
    ),
    security.AccessRefused: Rule(BOTH, Severity.NOTICE, "refused: {name} from {address} over {via} at {page}"),
    security.LoginGranted: Rule(AUDIT, Severity.INFO, "logged in: {name} from {address} over {via} by {scheme}"),
    security.SessionEnded: Rule(AUDIT, Severity.INFO, "session of {name} is over: {why}"),
    security.AccountChanged: Rule(AUDIT, Severity.NOTICE, "account {name} ({level}) {change} by {by}"),
    security.AnonymousState: Rule(AUDIT, Severity.NOTICE, "anonymous viewing: {viewing}, anonymous ptz: {ptz}"),
    certificates.CertificateChanged: Rule(AUDIT, Severity.NOTICE, "certificate {name} ({kind}) {change} by {by}"),
    station.ParamsChanged: Rule(AUDIT, Severity.NOTICE, "parameters {names} of {group} changed by {by}"),
    system.NetworkJudged: Rule(AUDIT, Severity.NOTICE, "network settings {verdict} by {name} over {via}"),
    system.ClockSet: Rule(AUDIT, Severity.NOTICE, "clock set by {name} from {was} to {now}"),
    access.EntriesChanged: Rule(AUDIT, Severity.NOTICE, "entry {entry} {change}"),
    access.ExitSimulated: Rule(AUDIT, Severity.NOTICE, "exit button of {door} simulated by {by}"),
    device.ButtonSimulated: Rule(AUDIT, Severity.NOTICE, "button {button} simulated by {by}: pressed {pressed}"),
    upgrade.UpgradeRefused: Rule((*AUDIT, *SYSTEM), Severity.WARNING, "firmware refused: {why} ({by})"),
    upgrade.CertificateChanged: Rule(AUDIT, Severity.NOTICE, "custom firmware certificate {change} by {by}"),
    device.RestartAsked: Rule((*AUDIT, *SYSTEM), Severity.NOTICE, "restart asked for by {by}"),
    device.ResetHeld: Rule((*AUDIT, *SYSTEM), Severity.NOTICE, "reset button {button}: {outcome}"),
    upgrade.UpgradeEnded: Rule(SYSTEM, Severity.NOTICE, "{what} ended: {outcome} {why}"),
    upgrade.UpgradeNote: Rule(SYSTEM, Severity.NOTICE, "{text}"),
    device.DeviceInfo: Rule(SYSTEM, Severity.INFO, "{product} {model} {serial}, version {version} in slot {slot}"),
    device.DevicePhase: Rule(SYSTEM, Severity.INFO, "phase {phase} {detail}"),
    device.NetworkState: Rule(SYSTEM, Severity.INFO, "network up: {up} {detail}"),
    rtsp.RtspState: Rule(SYSTEM, Severity.INFO, "RTSP at {rtsp} {warning}"),
    certificates.HttpState: Rule(SYSTEM, Severity.INFO, "HTTP at {http}, HTTPS at {https} {warning}"),
    station.ServiceFailed: Rule(SYSTEM, Severity.ERROR, "service {service} of {role} failed: {reason}"),
    station.ServiceState: Rule(
        SYSTEM,
        Severity.ERROR,
        "service {service} of {role} cannot run: {reason}",
        lambda event: event.phase is station.ServicePhase.FAILED,
    ),
    station.StorageAlarm: Rule(SYSTEM, Severity.CRITICAL, "storage of {role}: {what}: {problem} ({detail})"),
    station.UnsafeSetting: Rule(SYSTEM, Severity.WARNING, "unsafe setting at {place}: {detail}"),
    station.RoleState: Rule(SYSTEM, Severity.INFO, "role {role}: joined {joined}"),
    station.JournalLost: Rule(SYSTEM, Severity.ERROR, "{lines} journal lines were lost"),
    logs.ProgramMessage: Rule(SYSTEM, Severity.WARNING, "{role} {source}: {text}"),
    rules.RuleFailed: Rule(SYSTEM, Severity.WARNING, "rule {rule}: {action}: {message}"),
    io.RelayTrouble: Rule(SYSTEM, Severity.ERROR, "relay {relay} does not follow", lambda event: event.stuck),
    access.DoorAlarm: Rule(SYSTEM, Severity.WARNING, "{door}: {kind} {detail}", lambda event: event.active),
    access.Suspicious: Rule(SYSTEM, Severity.WARNING, "{reader}: {oddity} {detail}"),
    osdp.ReaderDowngrade: Rule(SYSTEM, Severity.ALERT, "{reader}: {detail}"),
}


def lines_of(notice: Notice) -> tuple[LogLine, ...]:
    """The lines of a notice, one for each log it stands in; none for most."""
    event = notice.event
    rule = RULES.get(type(event))
    if rule is None or notice.operation is Operation.INITIALISED or not rule.when(event):
        return ()
    fields = {name: value for name, value in encode(event).items() if name not in STAMP}
    severity = getattr(event, "severity", rule.severity)
    text = rule.words.format_map({name: plain(value) for name, value in fields.items()}).strip()
    if notice.operation is Operation.DELETED:
        severity, text = Severity.INFO, f"over: {text}"
    at = event.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return tuple(
        LogLine(id=event.id, at=at, log=kind, severity=severity, topic=event.topic, text=text[:MAX_TEXT], fields=fields)
        for kind in rule.logs
    )


def plain(value: object) -> str:
    """A value in a sentence: a word as it is when it can do no harm, and as JSON when it could."""
    if isinstance(value, list | tuple):
        return ", ".join(plain(each) for each in value)
    text = value if isinstance(value, str) else json.dumps(value)
    return text if text.isascii() and text.isprintable() and '"' not in text else json.dumps(text)


def packed(line: LogLine) -> bytes:
    """A line as it is written: JSON on one line with its own checksum, and its newline."""
    return sealed(encode(line))


def unpacked(raw: bytes) -> LogLine | None:
    """The line, or None when it is torn, changed, or of another format."""
    values = unsealed(raw)
    try:
        return None if values is None else decode(LogLine, values, where="logs")
    except Invalid:
        return None
