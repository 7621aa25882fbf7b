"""No test runs the benchmarks; that each can at least be begun is seen here, and parts of some."""

from __future__ import annotations

import importlib
import socketserver
import subprocess
import threading
from pathlib import Path

import pytest

from bench.fan_out import compiled
from bench.pictures_bench import fan_out

BENCHES = sorted((Path(__file__).resolve().parents[2] / "bench").glob("*.py"))


@pytest.mark.parametrize("path", BENCHES, ids=lambda path: path.stem)
def test_a_bench_finds_everything_that_it_takes_from_elsewhere(path: Path) -> None:
    importlib.import_module(f"bench.{path.stem}")


def test_the_bench_of_pictures_says_that_its_peer_is_missing_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fan_out(tmp_path) == 1
    assert "NOT MEASURED" in (said := capsys.readouterr().out)
    assert "Debian package ustreamer" in said


PART = b"Content-Type: image/jpeg\r\n\r\n" + bytes(60_000)


class Pictures(socketserver.BaseRequestHandler):
    """Sends as many pictures as a client takes."""

    taken: dict[str, int]

    def handle(self) -> None:
        who = str(self.client_address[0])
        self.taken[who] = 0
        try:
            while True:
                self.request.sendall(PART)
                self.taken[who] += 1
        except ConnectionError:
            pass  # it has seen enough


def test_clients_of_the_bench_that_stall_read_nothing_more_and_are_not_counted(tmp_path: Path) -> None:
    """Four clients of which the last two stall: these take what fits into their buffers."""
    client, _ = compiled(tmp_path)
    request = tmp_path / "request"
    request.write_bytes(b"GET / HTTP/1.1\r\n\r\n")
    Pictures.taken = {}
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Pictures) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        words = [str(client), str(server.server_address[1]), "4", "1", str(request), "2"]
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
        finally:
            server.shutdown()
            serving.join()
    reading, stalled = ([Pictures.taken[f"127.0.1.{n}"] for n in numbers] for numbers in ((1, 2), (3, 4)))
    fewest, most = map(int, done.stdout.split()[-2:])
    assert max(stalled) < fewest <= most <= max(reading) + 1
