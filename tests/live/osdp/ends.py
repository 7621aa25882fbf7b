"""Both ends of a live line: our engines on one pty, a peer's process on the other."""

from __future__ import annotations

import json
import os
import queue
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hal.osdp.facts import Fact, KeyWanted
from hal.osdp.panel import Panel
from hal.osdp.peripheral import Peripheral

HERE = Path(__file__).parent
NS = 1_000_000_000
PATIENCE_S = 120.0
AGAIN_S = 7.0


@contextmanager
def wire(baud: int) -> Iterator[tuple[str, str]]:
    """A paced line; gives the paths of its two ends."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "wire.py"), str(baud)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        first, second = process.stdout.readline().split()
        yield first, second
    finally:
        process.stdin.close()
        process.wait(PATIENCE_S)
        process.stdout.close()


class Peer:
    """A peer's process: lines of JSON both ways."""

    def __init__(self, python: str, script: str, *words: str) -> None:
        self.said: list[dict[str, Any]] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self._process = subprocess.Popen(
            [python, str(HERE / "peers" / script), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self._threads = [threading.Thread(target=self._listen), threading.Thread(target=self._errors)]
        self.errors = ""
        for thread in self._threads:
            thread.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)

    def _errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.errors = (self.errors + line)[-4000:]

    def hear(self) -> None:
        """Take what it said since."""
        while True:
            try:
                line = self._lines.get_nowait()
            except queue.Empty:
                break
            if line.startswith("{"):
                self.said.append(json.loads(line))
        assert self._process.poll() is None, f"the peer ended: {self.errors}"

    def heard(self, word: str) -> list[Any]:
        """Everything it said under a word."""
        return [found[word] for found in self.said if word in found]

    def tell(self, **order: object) -> None:
        """Have it do something."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """End it."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.close()
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(PATIENCE_S)
        for thread in self._threads:
            thread.join(10)
        process.stdout.close()
        process.stderr.close()


class Ours:
    """One of our engines on a pty, in real time. `keeps` keeps every key a panel sets."""

    def __init__(self, engine: Panel | Peripheral, path: str, peer: Peer) -> None:
        self.engine = engine
        self.peer = peer
        self.facts: list[Fact] = []
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    def close(self) -> None:
        """Let the pty go."""
        os.close(self._fd)

    def found(self, kind: type[Any]) -> list[Any]:
        """Facts of a kind."""
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def now_ns(self) -> int:
        """Monotonic time."""
        return time.monotonic_ns()

    def turn(self) -> None:
        """Step, then wait for bytes or the next deadline."""
        step = self.engine.step(time.monotonic_ns())
        if step.send:
            os.write(self._fd, step.send)
        self.facts += step.facts
        if isinstance(self.engine, Peripheral) and any(isinstance(fact, KeyWanted) for fact in step.facts):
            self.engine.accept_key(time.monotonic_ns())
            return
        wait_s = 0.05 if step.next_ns is None else (step.next_ns - time.monotonic_ns()) / NS
        ready, _, _ = select.select([self._fd], [], [], min(0.05, max(0.0, wait_s)))
        if ready:
            self.engine.receive(time.monotonic_ns(), os.read(self._fd, 4096))
        self.peer.hear()

    def until(self, happened: Callable[[], bool], what: str, *, again: Callable[[], object] | None = None) -> None:
        """Go on until something happened. Fails when patience ends, with what was seen on both ends.

        `again` is done every seven seconds: a peer forgets what it was told when its link begins anew, and on a
        loaded machine its answers may be late.
        """
        end_s = time.monotonic() + PATIENCE_S
        again_s = time.monotonic() + AGAIN_S
        while not happened():
            if time.monotonic() > end_s:
                raise AssertionError(f"{what} did not happen; ours {self.facts[-8:]}; peer {self.peer.said[-8:]}")
            if again is not None and time.monotonic() > again_s:
                again_s += AGAIN_S
                again()
            self.turn()

    def go_on(self, for_s: float) -> None:
        """Go on for a while."""
        end_s = time.monotonic() + for_s
        while time.monotonic() < end_s:
            self.turn()
