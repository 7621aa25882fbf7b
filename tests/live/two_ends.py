"""A cable of our own, in network namespaces: `v0` at this end, and `v1` at the far one, which is a child process.

The near end is a process of its own (`on_a_stage`), which prints one line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.live.device import PATIENCE_S, Device, environment, until

NEAR, FAR = "v0", "v1"
PLUGGED_IN = "cable"


def on_a_stage(module: str, state: Path, patience_s: float = PATIENCE_S * 2, **more: str) -> dict[str, Any]:
    """What came of a module that has a network and mounts of its own; `more` is for its environment."""
    words = ["unshare", "--net", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    done = subprocess.run(
        [*words, sys.executable, "-m", module, str(state)],
        capture_output=True, text=True, check=False, timeout=patience_s, env=environment() | more,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def ip(*words: str) -> None:
    """One `ip` command."""
    subprocess.run(["ip", *words], check=True)


class FarEnd:
    """The far end as the near one has it: lines that are told and heard."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child

    def tell(self, line: str) -> None:
        """One line to it."""
        assert self._child.stdin is not None
        self._child.stdin.write(line + "\n")
        self._child.stdin.flush()

    def hear(self) -> str:
        """Its next line."""
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        assert line, "the far end has ended"
        return line.rstrip("\n")

    def pull(self) -> None:
        """It need not end by itself."""
        self._child.kill()


@contextmanager
def cable_to(module: str, *words: str, addresses: Callable[[], None]) -> Iterator[FarEnd]:
    """Both ends: `addresses` gives this one its own before it is up; `module` runs at the other, and ends with it."""
    subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=True)  # the adapters of this namespace
    ip("link", "set", "lo", "up")
    ip("link", "add", NEAR, "type", "veth", "peer", "name", FAR)
    addresses()
    ip("link", "set", NEAR, "up")
    child = subprocess.Popen(
        ["unshare", "--net", sys.executable, "-m", module, *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        until("the namespace of the far end", lambda: _apart(child.pid))
        ip("link", "set", FAR, "netns", str(child.pid))
        end = FarEnd(child)
        end.tell(PLUGGED_IN)
        yield end
    finally:
        assert child.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended by itself
            child.stdin.close()
        try:
            child.wait(PATIENCE_S)
        finally:
            child.kill()


def _apart(pid: int) -> bool:
    """Whether that process has a network of its own by now."""
    return Path(f"/proc/{pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()


def plugged_in() -> None:
    """At the far end, first of all: until the cable is there."""
    line = sys.stdin.readline()
    assert line == PLUGGED_IN + "\n", line
    ip("link", "set", "lo", "up")
    ip("link", "set", FAR, "up")


@contextmanager
def device_at(anywhere: str, state: Path, *words: str) -> Iterator[Device]:
    """A door station that serves plain HTTP at all addresses (`0.0.0.0`, `[::]`), with its administrator."""
    device = Device(state, "door_station", *words)
    device._words += ["--http", f"{anywhere}:{device.port}", "--https", "off"]
    try:
        device.start()
        device.set_up()
        yield device
    finally:
        device.stop()
