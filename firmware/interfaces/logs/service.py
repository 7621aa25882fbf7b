"""Service `logs`: the access, audit and system log of the device, and the remote system logs they are sent to.

All three are views of facts (`lines.py`). Owns `logs.read`, `logs.test` and the parameter group `syslog`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import ClassVar

from firmware.core.actions import Invocation, Level, Nothing
from firmware.core.bus import Subscription
from firmware.core.context import Core
from firmware.core.errors import Unavailable
from firmware.core.events import Notice, Operation, State
from firmware.core.tls import Tls
from firmware.core.vocabulary.device import DeviceInfo
from firmware.core.vocabulary.logs import (
    LogKind,
    LogLine,
    LogPage,
    LogQuery,
    ProgramMessage,
    Severity,
    SyslogState,
    SyslogTest,
)
from firmware.core.vocabulary.station import ParamsChanged
from firmware.interfaces.logs.book import LogBook
from firmware.interfaces.logs.lines import RULES, lines_of
from firmware.interfaces.logs.sender import Sender, Tell
from firmware.interfaces.logs.settings import SyslogSettings

DEPTH = 2000
GATHER_S = 0.2
RETRY_S = 5.0

log = logging.getLogger("lintel.logs")


class LogsService:
    """Keeps the logs and sends them on; restartable, and nobody waits for it."""

    name: ClassVar[str] = "logs"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, core: Core, info: DeviceInfo, tls: Tls | None = None) -> None:
        self._core = core
        self._host = f"lintel-{info.serial.lower()}"
        self._tls = tls
        self._books = {kind: LogBook(kind, core.shared) for kind in LogKind}
        self._senders: dict[Sender, asyncio.Task[None]] = {}
        self._settings: SyslogSettings | None = None
        self._unwritten = asyncio.Event()
        self._facts: Subscription | None = None

    async def start(self) -> None:
        """Read the newest lines of former runs, and listen. A disk that fails leaves memory only."""
        params = self._core.params
        if SyslogSettings.group not in params:
            params.declare(SyslogSettings)
        await params.load(SyslogSettings)
        add = self._core.actions.register
        add("logs.read", LogQuery, self._read, summary="Read the newest lines of a log.", answer=LogPage,
            level=Level.ADMIN)  # fmt: skip
        add("logs.test", Nothing, self._test, summary="Send a test message to every remote system log.",
            answer=SyslogTest, level=Level.ADMIN)  # fmt: skip
        self._facts = self._core.bus.subscribe(*RULES, depth=DEPTH, retained=False)
        for book in self._books.values():
            try:
                await book.load()
            except (Unavailable, OSError) as error:
                log.warning("the %s log of former runs cannot be read: %s", book.kind, error)
        # What was so before this role listened begins the log of this start.
        for state in self._core.bus.states(State):
            self._note(Notice(Operation.CHANGED, state))

    async def run(self) -> None:
        """Keep and send what happens, until cancelled."""
        assert self._facts is not None, "start comes first"
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write(), name="log files")
                self._obey(group)
                async for notice in self._facts:
                    self._note(notice)
                    if isinstance(notice.event, ParamsChanged) and notice.event.group == SyslogSettings.group:
                        self._obey(group)
        finally:
            self._senders.clear()

    async def stop(self) -> None:
        """Write what still waits, where the disk allows."""
        if self._facts is not None:
            self._facts.close()
            self._facts = None
        for book in self._books.values():
            try:
                await book.write()
            except (Unavailable, OSError) as error:
                log.error("the last lines of the %s log could not be written: %s", book.kind, error)
        for state in self._core.bus.states(SyslogState):
            self._core.bus.forget(SyslogState, state.server)

    def _note(self, notice: Notice) -> None:
        for line in lines_of(notice):
            self._books[line.log].add(line)
            for sender in self._senders:
                sender.put(line)
            self._unwritten.set()

    async def _write(self) -> None:
        while True:
            await self._unwritten.wait()
            await self._core.clock.sleep(GATHER_S)
            self._unwritten.clear()
            try:
                for book in self._books.values():
                    await book.write()
            except (Unavailable, OSError) as error:
                log.warning("a log cannot be written, next try in %g s: %s", RETRY_S, error)
                await self._core.clock.sleep(RETRY_S)
                self._unwritten.set()

    def _obey(self, group: asyncio.TaskGroup) -> None:
        """Senders for the servers as they are set now; those that are as before go on."""
        settings = self._core.params.get(SyslogSettings)
        kept = {sender.server: sender for sender in self._senders}
        for sender, task in tuple(self._senders.items()):
            if sender.server not in settings.servers:
                task.cancel()
                del self._senders[sender]
                self._core.bus.forget(SyslogState, sender.server.name)
        for server in settings.servers:
            if server not in kept:
                sender = Sender(server, self._host, self._core.clock, self._tls, self._teller(server.name))
                self._senders[sender] = group.create_task(sender.run(), name=f"syslog {server.name}")
                kept[server] = sender

    def _teller(self, name: str) -> Tell:
        def tell(reachable: bool, reason: str, dropped: int) -> None:
            state = SyslogState(server=name, reachable=reachable, reason=reason, dropped=dropped)
            self._core.bus.publish(state)

        return tell

    async def _read(self, invocation: Invocation) -> LogPage:
        query = invocation.params
        assert isinstance(query, LogQuery)
        return self._books[query.log].page(query)

    async def _test(self, invocation: Invocation) -> SyslogTest:
        at = self._core.clock.utc().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = LogLine(
            id="test", at=at, log=LogKind.SYSTEM, severity=Severity.EMERGENCY, topic=ProgramMessage.topic,
            text=f"test message, asked for by {invocation.caller.name}", fields={},
        )  # fmt: skip
        async with asyncio.TaskGroup() as group:
            tests = {sender.server: group.create_task(sender.test(line)) for sender in self._senders}
        return SyslogTest(results={server.name: task.result() or "sent" for server, task in tests.items()})
