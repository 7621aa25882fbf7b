"""The logs: which facts stand where, bounded files, syslog messages, and real servers that come and go."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.core.events import Notice, Operation
from firmware.core.program_log import program_log
from firmware.core.store_disk import FileDisk
from firmware.core.vocabulary.device import RestartAsked
from firmware.core.vocabulary.logs import LogKind, LogLine, LogQuery, Severity
from firmware.core.vocabulary.security import LoginFailed
from firmware.core.vocabulary.station import ServiceFailed
from firmware.core.vocabulary.system import ClockSet
from firmware.interfaces.logs.book import QUOTA_BYTES, RING, SEGMENT_BYTES, LogBook
from firmware.interfaces.logs.lines import RULES, lines_of
from firmware.interfaces.logs.service import LogsService
from firmware.interfaces.logs.settings import Format, Protocol
from firmware.interfaces.logs.syslog import FACILITIES, LONGEST, framed, message
from tests.unit.face.conftest import INFO

Play = Callable[..., None]
ADMIN = ("admin", "choose-one")
AT = datetime(2026, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)
LINE = LogLine(
    id="b1-network-1", at="2026-02-03T04:05:06.789Z", log=LogKind.ACCESS, severity=Severity.WARNING,
    topic="security/login/failed", text="log-in failed", fields={"name": "ada"},
)  # fmt: skip


def logged(main: Callable[[Any, LogsService], Any]) -> Callable[[Any], Any]:
    """A main with the logs service at work."""

    async def run(face: Any) -> None:
        service = LogsService(face.core, INFO, face.certificates)
        await service.start()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(service.run())
            await face.clock.sleep(0)
            await main(face, service)
            await face.clock.sleep(1)
            task.cancel()
        await service.stop()

    return run


async def read(face: Any, log: str, **query: Any) -> list[dict[str, Any]]:
    async with face.client(ADMIN) as client:
        answer = await client.get(f"/api/v1/logs/{log}", params=query)
        assert answer.status_code == 200, answer.text
        lines: list[dict[str, Any]] = answer.json()["lines"]
        return lines


def texts(lines: list[dict[str, Any]]) -> list[str]:
    return [line["text"] for line in lines]


def test_failed_tries_stand_in_the_access_log_and_what_people_did_in_the_audit_log(play: Play) -> None:
    async def main(face: Any, _: LogsService) -> None:
        await face.set_up()
        async with face.client(("admin", "wrong")) as client:
            await client.get("/api/v1/device")
        await face.account("eve", "e", "viewer")
        async with face.client(("eve", "e")) as client:
            await client.get("/api/v1/accounts")
        async with face.client(ADMIN) as client:
            await client.patch("/api/v1/params/brute_force", json={"period_s": 20})
            await client.delete("/api/v1/accounts/eve")
        await face.clock.sleep(0.5)
        failed = "log-in failed: admin from 127.0.0.1 over api at /api/v1/device"
        refused = "refused: eve from 127.0.0.1 over api at /api/v1/accounts"
        assert texts(await read(face, "access")) == [failed, refused]
        audit = texts(await read(face, "audit"))
        for text in (
            "account admin (admin) created by admin",
            failed,
            "logged in: admin from 127.0.0.1 over api by basic",
            "account eve (viewer) created by admin",
            refused,
            "parameters period_s of brute_force changed by admin",
            "account eve (viewer) removed by admin",
        ):
            assert text in audit
        assert texts(await read(face, "audit", text="REMOVED")) == ["account eve (viewer) removed by admin"]
        system = texts(await read(face, "system"))
        assert system[0] == "Network door station LINTEL-DS1 0123456789AB, version 0 in slot A"

    play(logged(main))


def test_logs_are_for_administrators_and_an_unknown_one_is_named(play: Play) -> None:
    async def main(face: Any, _: LogsService) -> None:
        await face.set_up()
        await face.account("otto", "o", "operator")
        async with face.client(("otto", "o")) as client:
            assert (await client.get("/api/v1/logs/audit")).status_code == 403
        async with face.client(ADMIN) as client:
            wrong = await client.get("/api/v1/logs/acces")
            assert (wrong.status_code, "'access'" in wrong.text) == (400, True)
            assert (await client.get("/api/v1/logs/audit?limit=0")).status_code == 400
            assert (await client.get("/api/v1/logs/audit?before=b9-x-1")).status_code == 404

    play(logged(main))


def test_who_set_the_clock_stands_in_the_audit_log(play: Play) -> None:
    async def main(face: Any, _: LogsService) -> None:
        await face.set_up()
        then, now = face.clock.utc(), datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
        face.bus.publish(ClockSet(name="ada", was=then, now=now))
        await face.clock.sleep(1)
        line = texts(await read(face, "audit", text="clock set"))[-1]
        assert "clock set by ada from 2026-06-01T12:00" in line
        assert "to 2026-07-01T12:00:00Z" in line

    play(logged(main))


def test_pages_go_back_and_lines_of_a_former_start_are_still_there(play: Play) -> None:
    async def first(face: Any, _: LogsService) -> None:
        await face.set_up()
        for number in range(5):
            face.bus.publish(RestartAsked(by=f"n{number}"))

    async def second(face: Any, _: LogsService) -> None:
        last = await read(face, "system", limit=2, text="restart")
        assert [line["fields"]["by"] for line in last] == ["n3", "n4"]
        older = await read(face, "system", limit=2, text="restart", before=last[0]["id"])
        assert [line["fields"]["by"] for line in older] == ["n1", "n2"]

    play(logged(first), logged(second))


def test_row_41_names_of_strangers_break_no_line_and_colour_no_terminal(play: Play) -> None:
    evil = 'x\r\n<0>1 forged\x1b[31m"; DROP\u202e'

    async def main(face: Any, service: LogsService) -> None:
        await face.set_up()
        face.bus.publish(LoginFailed(name=evil, address=evil, via="api", page=evil))
        face.bus.publish(ServiceFailed(service="x", role="network", reason=evil, retry_s=1))
        await face.clock.sleep(0.5)
        for path in (face.core.shared.root / "logs").rglob("*.jsonl"):
            for raw in path.read_bytes().splitlines():
                json.loads(raw)
                assert raw.isascii()
                assert not re.search(rb"[\x00-\x1f\x7f]", raw)
        lines = service._books[LogKind.ACCESS].page(LogQuery(log=LogKind.ACCESS)).lines
        for form in Format:
            sent = message(lines[-1], form, "lintel-1")
            assert not re.search(rb"[^ -~]", sent)

    play(logged(main))


def test_row_18_a_full_disk_costs_no_lines_in_memory_and_they_are_written_later(play: Play) -> None:
    class Filling(FileDisk):
        full = False

        def append(self, path: Path, data: bytes, *, sync: bool) -> None:
            if self.full and "logs" in path.parts:
                raise OSError(errno.ENOSPC, "No space left on device")
            super().append(path, data, sync=sync)

    disk = Filling()

    async def main(face: Any, _: LogsService) -> None:
        await face.set_up()
        disk.full = True
        face.bus.publish(RestartAsked(by="canary"))
        await face.clock.sleep(1)
        assert texts(await read(face, "system", text="canary")) == ["restart asked for by canary"]
        disk.full = False
        await face.clock.sleep(20)
        written = b"".join(path.read_bytes() for path in (face.core.shared.root / "logs" / "system").iterdir())
        assert b"canary" in written

    play(logged(main), disk=disk)


def test_files_and_memory_of_a_log_are_bounded(play: Play) -> None:
    async def main(face: Any) -> None:
        book = LogBook(LogKind.ACCESS, face.core.shared)
        big = LogLine(
            id="x", at=LINE.at, log=LogKind.ACCESS, severity=Severity.INFO, topic="t", text="t" * 400, fields={}
        )  # fmt: skip
        for _ in range(12):
            for _ in range(1000):
                book.add(big)
            await book.write()
        size = sum(path.stat().st_size for path in (face.core.shared.root / "logs" / "access").iterdir())
        assert QUOTA_BYTES / 2 < size <= QUOTA_BYTES + SEGMENT_BYTES
        assert len(book._ring) <= RING

    play(main)


def test_every_rule_has_words_for_fields_that_its_fact_has() -> None:
    for cls, rule in RULES.items():
        named = {name for _, name, _, _ in Formatter().parse(rule.words) if name}
        assert named <= set(cls.__dataclass_fields__), cls


def test_what_is_most_facts_stands_in_no_log_and_the_end_of_an_alarm_is_said() -> None:
    event = ServiceFailed(service="x", role="network", reason="why", retry_s=1, id="b-network-1", at=AT)
    assert [line.text for line in lines_of(Notice(Operation.HAPPENED, event))] == ["service x of network failed: why"]
    assert lines_of(Notice(Operation.INITIALISED, event)) == ()
    assert [line.text[:6] for line in lines_of(Notice(Operation.DELETED, event))] == ["over: "]


def test_messages_are_as_the_two_standards_have_them() -> None:
    new = message(LINE, Format.RFC5424, "lintel-1").decode()
    old = message(LINE, Format.RFC3164, "lintel-1").decode()
    priority = FACILITIES[LogKind.ACCESS] * 8 + 4
    assert new == (
        f"<{priority}>1 2026-02-03T04:05:06.789Z lintel-1 lintel - security.login.failed - "
        'log-in failed {"name":"ada"}'
    )
    assert old == f'<{priority}>Feb  3 04:05:06 lintel-1 lintel: log-in failed {{"name":"ada"}}'


def test_messages_are_counted_on_streams_and_whole_in_datagrams() -> None:
    assert framed(b"abc", Protocol.UDP, Format.RFC5424) == b"abc"
    assert framed(b"abc", Protocol.TCP, Format.RFC5424) == b"3 abc"
    assert framed(b"abc", Protocol.TCP, Format.RFC3164) == b"abc\n"
    assert framed(b"abc", Protocol.TLS, Format.RFC3164) == b"3 abc"


@given(st.text(max_size=3000), st.text(max_size=60), st.sampled_from(list(Format)))
def test_row_41_any_text_is_a_message_of_one_line_and_bounded(text: str, name: str, form: Format) -> None:
    line = LogLine(
        id="x", at=LINE.at, log=LogKind.AUDIT, severity=Severity.INFO, topic="a/b", text=text, fields={name: text}
    )  # fmt: skip
    sent = message(line, form, "lintel-1")
    assert re.fullmatch(rb"[ -~]+", sent)
    assert len(sent) <= LONGEST[form]


def test_what_the_program_warns_of_is_a_fact_and_a_flood_of_it_is_not(play: Play) -> None:
    async def main(face: Any) -> None:
        with program_log(face.bus, face.clock):
            logging.getLogger("lintel.somewhere").warning("the %s is near", "end")
            logging.getLogger("lintel.somewhere").info("not this")
            for _ in range(500):
                logging.getLogger("lintel.flood").error("again")
            await face.clock.sleep(0)
            await face.clock.sleep(0.5)
        said = [event for event in face.events if event.topic == "station/message"]
        assert [(each.source, each.text, each.severity) for each in said[:1]] == [
            ("lintel.somewhere", "the end is near", Severity.WARNING)
        ]
        assert 2 <= len(said) <= 25

    play(main)


@pytest.mark.parametrize(
    "server",
    [
        {"host": ""},
        {"host": "a b"},
        {"host": "x", "port": 0},
        {"host": "x", "protocol": "http"},
        {"host": "x", "prot": "udp"},
    ],
)
def test_a_server_that_cannot_be_is_refused(play: Play, server: dict[str, Any]) -> None:
    async def main(face: Any, _: LogsService) -> None:
        await face.set_up()
        async with face.client(ADMIN) as client:
            answer = await client.patch("/api/v1/params/syslog", json={"servers": [server]})
            assert answer.status_code == 400
            assert answer.json()["error"]["where"].startswith("syslog.servers")

    play(logged(main))
