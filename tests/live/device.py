"""A whole simulated device as a person starts it: `lintel run` as a process, in a state directory of its own."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

LINTEL = [sys.executable, "-m", "firmware"]
USER, PASSWORD = "admin", "live-test-password"
# Patience, not speed: nothing is asserted about how long a noisy machine takes within it.
PATIENCE_S = 120.0


# Below what the kernel gives to connections on their way out (ip_local_port_range), which would take a port again.
PORTS = range(20_000, 32_000)
BESIDE = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


def free_port() -> int:
    """A TCP port nobody listens on now, by chance; files that run beside one another draw from different ones."""
    ours = PORTS[int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) :: BESIDE]
    while True:
        port = secrets.choice(ours)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
        return port


def until(what: str, check: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    """Ask again and again until `check` answers something true; fail with `what` when patience ends."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if answer := check():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"never seen: {what}")


def environment() -> dict[str, str]:
    """What a `lintel` process of a test is started with: this checkout, whose compiled modules are kept.

    An empty PYTHONDONTWRITEBYTECODE counts as unset: with it every process compiles the whole program at its start.
    """
    return os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2]), "PYTHONDONTWRITEBYTECODE": ""}


def lintel(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run one `lintel` command to its end."""
    return subprocess.run(
        [*LINTEL, *words], capture_output=True, text=True, timeout=PATIENCE_S, check=False, cwd=cwd, env=environment()
    )


class Device:
    """One running `lintel run`."""

    def __init__(self, state: Path, board: str = "door_station", *words: str) -> None:
        self.state = state
        self.board = board
        self.port = free_port()
        self.output = state.with_name(state.name + ".out")
        self._words = ["run", "--board", board, "--state", str(state), "--http", f"127.0.0.1:{self.port}"]
        # Any port that is free: several devices run at a time.
        for option in ("--https", "--rtsp"):
            self._words += [] if option in words else [option, "127.0.0.1:0"]
        self._words += words
        self._process: subprocess.Popen[bytes] | None = None
        self.api = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}/api/v1", auth=(USER, PASSWORD), timeout=PATIENCE_S
        )

    def start(self) -> None:
        """Start it and wait for the lines a person reads."""
        log = self.output.open("ab")
        with log:
            self._process = subprocess.Popen(
                [*LINTEL, *self._words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment()
            )
        until("the greeting", self._greeted)

    def _greeted(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"lintel run ended:\n{self.output.read_text()}"
        return "Ctrl-C stops it." in self.output.read_text()

    def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
                raise
        self.api.close()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to `lintel run` itself."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait until `lintel run` has ended; returns its exit code."""
        assert self._process is not None
        return self._process.wait(PATIENCE_S)

    def kill_board(self) -> None:
        """kill -9 of `lintel run` itself."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def bench(self, *words: str) -> Any:
        """One bench verb; the parsed JSON answer."""
        done = lintel("bench", "--state", str(self.state), *words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def ask(self, *words: str) -> Any:
        """One bench verb straight to its socket, for tests that ask often: no process is started for it."""
        with socket.socket(socket.AF_UNIX) as stream:
            stream.settimeout(PATIENCE_S)
            stream.connect((self.state / "bench.addr").read_text().strip())
            stream.sendall(json.dumps(words).encode() + b"\n")
            with stream.makefile() as answers:
                answer = json.loads(answers.readline())
        assert "answer" in answer, answer
        return answer["answer"]

    def set_up(self) -> None:
        """Create the first administrator."""
        answer = self.api.post("/setup", json={"name": USER, "password": PASSWORD})
        assert answer.status_code == 201, answer.text

    def enrol(self, card: str, **limits: Any) -> str:
        """Add an entry; returns its id."""
        answer = self.api.post("/entries", json={"name": f"holder of {card}", "card": card, **limits})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def journal(self, limit: int = 200) -> list[dict[str, Any]]:
        """The newest lines of the journal, oldest first."""
        answer = self.api.get("/journal", params={"limit": limit})
        assert answer.status_code == 200, answer.text
        lines: list[dict[str, Any]] = answer.json()["lines"]
        return lines

    def pid(self, role: str) -> int | None:
        """The process of a role now."""
        pid: int | None = self.bench("state")["roles"][role]["pid"]
        return pid

    def kill(self, role: str) -> int:
        """kill -9 a role; returns the process that was."""
        pid = until(f"{role} running", lambda: self.pid(role))
        os.kill(pid, signal.SIGKILL)
        return int(pid)

    def all_ready(self) -> None:
        """Until every role is ready. The greeting waits for control and network alone: media may still be starting."""
        until("every role ready", lambda: all(role["ready"] for role in self.ask("state")["roles"].values()))

    def wait_ready(self, role: str, other_than: int) -> None:
        """Until the role runs again, ready, as another process."""

        def ready() -> bool:
            seen = self.bench("state")["roles"][role]
            return bool(seen["pid"] and seen["pid"] != other_than and seen["ready"])

        until(f"{role} ready again", ready)


@contextlib.contextmanager
def running(state: Path, board: str = "door_station", *words: str) -> Iterator[Device]:
    """A device for the length of a block, always stopped."""
    device = Device(state, board, *words)
    try:
        device.start()
        yield device
    finally:
        device.stop()
