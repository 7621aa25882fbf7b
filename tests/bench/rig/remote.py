"""The session's end of agent.py: the probe lines of a second Pi, their times told in the time of this machine."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from hal.clock import Clock
from hal.errors import BusError
from hal.types import Pull
from tests.bench.rig.probes import Changed

# How many exchanges tell how far apart the clocks are; the quickest of them is believed.
EXCHANGES = 8
PATIENCE_S = 15.0


class RemoteProbe:
    """The lines behind one agent; implements Probe. What failed there is raised here by the next call."""

    def __init__(self, name: str, command: Sequence[str], lines: Iterable[int], clock: Clock) -> None:
        self._name = name
        self._command = tuple(command)
        self._wanted = tuple(lines)
        self._clock = clock
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0
        self._changed: Changed | None = None
        self._trouble = ""
        # (how long the exchange took, how far the agent's clock is ahead), both in nanoseconds
        self._exchanges: deque[tuple[int, int]] = deque(maxlen=EXCHANGES)

    @property
    def pushes(self) -> bool:
        return True

    @property
    def ahead_ns(self) -> int:
        """How far the agent's clock is ahead of ours."""
        return min(self._exchanges)[1]

    async def open(self) -> None:
        pipe = asyncio.subprocess.PIPE
        try:
            self._process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe)
        except OSError as error:
            raise BusError(self._name, f"the agent does not start: {self._command[0]}: {error.strerror}") from error
        self._listening = asyncio.create_task(self._listen(self._process))  # noqa: TID251
        self._order(open=list(self._wanted))
        for _ in range(EXCHANGES):
            await self.levels([])

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            told = json.loads(line)
            if "error" in told:
                self._fail(str(told["error"]))
            elif "id" in told:
                waiting = self._asked.pop(told["id"], None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(told)
            elif self._changed is not None:
                self._changed(told["line"], told["t_ns"] - self.ahead_ns, told["level"])
        self._fail("the agent has ended")

    def _fail(self, why: str) -> None:
        self._trouble = self._trouble or why
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(BusError(self._name, why))
        self._asked.clear()

    def _order(self, **order: object) -> None:
        if self._trouble or self._process is None:
            raise BusError(self._name, self._trouble or "the agent is not running")
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    def hold(self, line: int, level: bool) -> None:
        self._order(hold=[line, level])

    def release(self, line: int, pull: Pull = Pull.NONE) -> None:
        self._order(release=[line, pull.value])

    async def levels(self, lines: Sequence[int]) -> tuple[bool, ...]:
        self._number += 1
        waiting: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked[self._number] = waiting
        asked_ns = self._clock.now_ns()
        self._order(levels=list(lines), id=self._number)
        try:
            told = await asyncio.wait_for(waiting, PATIENCE_S)
        except TimeoutError:
            raise BusError(self._name, f"the agent did not answer within {PATIENCE_S:g} s") from None
        now_ns = self._clock.now_ns()
        self._exchanges.append((now_ns - asked_ns, int(told["now_ns"]) - (asked_ns + now_ns) // 2))
        return tuple(bool(level) for level in told["levels"])

    def watch(self, lines: Iterable[int], changed: Changed | None) -> None:
        self._changed = changed
        self._order(watch=list(lines), on=changed is not None)

    async def close(self) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        assert process.stdin is not None
        process.stdin.close()  # the agent lets all lines go, then ends
        try:
            await asyncio.wait_for(process.wait(), PATIENCE_S)
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._listening is not None:
            await asyncio.wait((self._listening,))
            self._listening.result()
