"""The harness's end of warm.py: processes of roles, made by one warmed-up interpreter for all tests of a session."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from firmware.paths import CHECKOUT

WARM = "tests/bench/kernel/warm.py"


class RoleProcess:
    """One process; `returncode` is None while it runs, negative when a signal ended it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = asyncio.Event()

    def ended(self, code: int) -> None:
        """The interpreter has buried it."""
        self.returncode = code
        self._ended.set()

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        with contextlib.suppress(ProcessLookupError):  # it has just ended; that is told apart from this
            os.kill(self.pid, number)

    async def wait(self) -> int:
        """Its exit code, once it has one."""
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode


class Nursery:
    """The warmed-up interpreter. One for a session; `attach` it to the loop of each test."""

    _shared: Nursery | None = None

    def __init__(self) -> None:
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(CHECKOUT / WARM), str(requests), str(answers)],
            pass_fds=(requests, answers),
            env=os.environ | {"PYTHONPATH": str(CHECKOUT), "PYDANTIC_DISABLE_PLUGINS": "__all__"},
            stdin=subprocess.DEVNULL,
        )
        os.close(requests)
        os.close(answers)
        self._rest = b""
        self._children: dict[int, RoleProcess] = {}
        self._born: deque[asyncio.Future[RoleProcess]] = deque()
        told = json.loads(os.read(self._answers, 4096))
        assert told == {"ready": 1}, told
        atexit.register(self.close)

    @classmethod
    def of_this_session(cls) -> Nursery:
        """The one that all tests share, started when it is first asked for; it ends with the harness."""
        if cls._shared is None or cls._shared._process.poll() is not None:
            cls._shared = cls()
        return cls._shared

    def close(self) -> None:
        """Hang up; the interpreter ends."""
        os.close(self._requests)
        self._process.wait()
        os.close(self._answers)

    def attach(self) -> None:
        """Hear the interpreter on the running loop."""
        asyncio.get_running_loop().add_reader(self._answers, self._told)

    def detach(self) -> None:
        """Hear it no more."""
        asyncio.get_running_loop().remove_reader(self._answers)
        self._children.clear()

    def _told(self) -> None:
        *lines, self._rest = (self._rest + os.read(self._answers, 65536)).split(b"\n")
        for line in lines:
            fields = json.loads(line)
            if "pid" in fields:
                process = self._children[fields["pid"]] = RoleProcess(fields["pid"])
                self._born.popleft().set_result(process)
            elif fields["ended"] in self._children:
                self._children.pop(fields["ended"]).ended(fields["code"])

    async def start(self, words: Sequence[str], environment: Mapping[str, str], log: Path) -> RoleProcess:
        """A process that runs `lintel` with these words."""
        born: asyncio.Future[RoleProcess] = asyncio.get_running_loop().create_future()
        self._born.append(born)
        request = {"words": list(words), "environment": dict(environment), "log": str(log)}
        os.write(self._requests, json.dumps(request).encode() + b"\n")
        return await born
