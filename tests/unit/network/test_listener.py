"""Who listens to an adapter for the network role: one request, one answer, as a process of its own."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from firmware.core.errors import Unavailable, Unsupported
from firmware.interfaces.net.capture import HEAD
from firmware.interfaces.net.listener import HERE, asked_of
from hal.clock import SystemClock

LISTENER = [sys.executable, "-m", "firmware", "trace-adapter"]
PATIENCE_S = 60


@contextmanager
def connected() -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """A listener as systemd starts it, and the other end of its connection."""
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE_S)
    with ours, subprocess.Popen(LISTENER, stdin=theirs.fileno()) as process:
        theirs.close()
        try:
            yield process, ours
        finally:
            process.kill()


def told(request: bytes) -> bytes:
    """All that a listener answers."""
    with connected() as (_, ours):
        ours.sendall(request)
        return b"".join(iter(lambda: ours.recv(65536), b""))


@pytest.mark.parametrize(
    ("request_line", "problem"),
    [
        (b"not JSON\n", "not JSON"),
        (b'{"adapter": "lo"}\n', "missing"),
        (b'{"adapter": "lo", "for_s": 301}\n', "300"),
        (b'{"adapter": "lo", "for_s": 1, "mots": 5}\n', "did you mean"),
        (b'{"adapter": "no-such", "for_s": 1}\n', "no-such cannot be listened to"),
    ],
)
def test_a_request_that_is_wrong_is_answered_with_its_reason(request_line: bytes, problem: str) -> None:
    answer = told(request_line)
    assert problem in answer.decode()
    assert HEAD not in answer


def test_a_line_without_an_end_is_not_read_for_ever() -> None:
    assert told(b"x" * 100_000) == HERE


def test_a_listener_whose_asker_has_gone_away_ends_before_its_trace_is_over() -> None:
    with connected() as (process, ours):
        ours.sendall(b'{"adapter": "lo", "for_s": 300}\n')
        ours.shutdown(socket.SHUT_WR)
        assert process.wait(PATIENCE_S) == 0


def test_without_a_connection_it_says_who_starts_it() -> None:
    done = subprocess.run(LISTENER, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 1
    assert "systemd runs this for lintel-trace.socket" in done.stderr


def test_frames_reach_whoever_asks_over_the_socket(tmp_path: Path) -> None:
    place = tmp_path / "listener"

    def stand_for_systemd(door: socket.socket) -> int:
        connection, _ = door.accept()
        with connection, subprocess.Popen(LISTENER, stdin=connection.fileno()) as process:
            connection.close()
            return process.wait(PATIENCE_S)

    async def asked() -> bytes:
        clock = SystemClock()
        with socket.socket(socket.AF_UNIX) as door, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as voice:
            door.bind(str(place))
            door.listen()
            served = asyncio.ensure_future(asyncio.to_thread(stand_for_systemd, door))
            asking = asyncio.ensure_future(asked_of(place, "lo", 1.0, clock))
            while not asking.done():
                voice.sendto(b"a canary on the loopback", ("127.0.0.1", 9))
                await clock.sleep(0.02)
            assert await served == 0
        return await asking

    file = asyncio.run(asked())
    assert file.startswith(HEAD)
    assert b"a canary on the loopback" in file


@pytest.mark.parametrize("answer", [b"", b"\n", b"\n{}\n", b'\n{"size": 5}\nfour', b"\nnonsense\n", b"x" * 5000])
def test_a_listener_that_ends_or_talks_nonsense_is_told_as_one_that_has_no_trace(tmp_path: Path, answer: bytes) -> None:
    async def asked() -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(answer)
            await writer.drain()
            writer.close()

        async with await asyncio.start_unix_server(talk, tmp_path / "listener"):
            if answer == b"\n{}\n":
                assert await asked_of(tmp_path / "listener", "lo", 1.0, SystemClock()) == b""
                return
            with pytest.raises(Unavailable):
                await asked_of(tmp_path / "listener", "lo", 1.0, SystemClock())

    asyncio.run(asked())


def test_without_a_listener_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="CAP_NET_RAW"):
        asyncio.run(asked_of(tmp_path / "listener", "lo", 1.0, SystemClock()))
