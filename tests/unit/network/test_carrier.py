"""The carrier service on a folder that looks like the kernel's class net, followed to the light of a camera."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from firmware.interfaces.carrier import EVERY_S, linked
from firmware.interfaces.net.changes import Changes, by_kernel, by_nobody
from hal.sim.time import VirtualClock, virtual_run


def interface(root: Path, name: str, kind: str, carrier: str | None) -> None:
    (root / name).mkdir()
    (root / name / "type").write_text(f"{kind}\n")
    if carrier is not None:
        (root / name / "carrier").write_text(f"{carrier}\n")


def test_a_cable_counts_and_loopback_does_not(tmp_path: Path) -> None:
    interface(tmp_path, "lo", "772", "1")
    assert linked(tmp_path) == ()
    interface(tmp_path, "eth0", "1", "1")
    assert linked(tmp_path) == ("eth0",)


def test_an_interface_without_link_or_that_is_down_does_not_count(tmp_path: Path) -> None:
    interface(tmp_path, "eth0", "1", "0")
    interface(tmp_path, "wlan0", "1", None)
    assert linked(tmp_path) == ()


def test_where_nobody_tells_of_a_change_it_is_looked_for_every_two_seconds() -> None:
    async def main(clock: VirtualClock) -> None:
        changes = Changes(clock, by_nobody)
        with changes.watching() as watch:
            begun_ns = clock.now_ns()
            for looks in range(1, 4):
                await watch.next(EVERY_S)
                assert clock.now_ns() - begun_ns == looks * EVERY_S * 1e9
            assert not changes.told

    virtual_run(main)


def test_a_process_that_may_hear_nothing_from_the_kernel_looks_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """What systemd says it hands over is none, and a socket of its own it has no room for."""
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDNAMES", "connection:stored")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        assert by_kernel() is None
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
