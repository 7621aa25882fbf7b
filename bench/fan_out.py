"""CPU of Motion JPEG for 1 to 100 clients, against Debian's ustreamer: part of `make bench ARGS=pictures`.

First the handing out alone. ustreamer gets the very JPEG files that our device sent, from a stand-in for /dev/video0
(bench/native/video0.c). Our side is the network role of a device that runs, and the media role's sender
(bench/fed_media.py), fed with the same files at the same rate: neither side encodes, what is compared is the handing
out. Two floors stand beside them: a loop that only waits and sends (bench/bare_loop.py), and an asyncio loop that only
wakes up (bench/bare_wake.py).

Both have a cost that no client causes: waking up for every picture, and for ustreamer fetching it from its camera. So
three rows are printed for each number of clients: all that both sides use; our network role with what the clients add
to our sender, against all of ustreamer; and only what the clients add, on both sides. Every figure is the median of
several rounds, in each of which all is measured once; a ratio of wholes is the median of the rounds' own ratios, as a
machine that is slow for a while is slow for both of a pair. The clients (bench/native/drain.c) throw away what they
read and count it, so a server that drops pictures is seen.

Then all of it, from the camera on: our whole firmware on its real hardware layer, with a camera that has a kernel
driver, against ustreamer with the same camera: the stand-in once more, with pictures that are no JPEG files yet.
Both make them with the same quality. Counted is all that network and media role use, tampering detection and all else
that media does with pictures included, against all of ustreamer. The camera offers planar pictures, as those of a
Raspberry Pi do, and packed ones, which are all that ustreamer can take; then packed ones alone, as most on USB do. With
the first of them a row has clients of which half stall: they ask, and read nothing after the first bytes. The share
beside it is that of the worst of the others.
"""

from __future__ import annotations

import base64
import os
import re
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.table import Row
from bench.whole_bench import memory_mb
from firmware.paths import RuntimeDir, StateDir
from tests.live.device import PASSWORD, USER, Device, free_port, running, until
from tests.live.pictures.usb_camera import SIZE, process_of, stand_in, with_camera, worn, written

HERE = Path(__file__).resolve().parent
CLIENTS = (1, 10, 30, 100)
CROWD, STALLED = 100, 50
FPS = 30
ROUNDS = 5
WINDOW_S = 4.0
FRAMES = 90
SOURCE = "camera1"
PATH = "/api/v1/video/road/mjpeg"
# The painted scene is plain: so little compression makes its files as large (71 kB) as those of a real place are.
BIG = 8
# And this much is quality 80, which is that of the peer.
COMPRESSION, QUALITY = 18, 80


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used, with threads that have ended; ticks are too coarse for one client.

    Source: the clock of a process by its number, as clock_getcpuclockid(3) makes it on Linux (CPUCLOCK_SCHED).
    """
    return time.clock_gettime(~pid << 3 | 2)


def drain(
    program: Path, port: int, clients: int, request: Path, pids: list[int], stalled: int = 0
) -> tuple[list[float], float]:
    """CPU in percent of one core of each process while so many look, and the share of pictures the worst client got.

    `stalled` of the clients read nothing after the first bytes, and what they got does not count.
    """
    words = [str(program), str(port), str(clients), str(WINDOW_S), str(request), str(stalled)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(1)
        before, began = [cpu_s(pid) for pid in pids], time.monotonic()
        time.sleep(WINDOW_S - 0.5)
        taken = time.monotonic() - began
        used = [100 * (cpu_s(pid) - each) / taken for pid, each in zip(pids, before, strict=True)]
        fewest = int(process.stdout.readline().split()[0])
    assert process.returncode == 0
    return used, fewest / (WINDOW_S * FPS)


def record(device: Device, place: Path) -> int:
    """Keep pictures of our own stream as the stand-in wants them; returns the bytes of a middling one."""
    found: list[bytes] = []
    data = b""
    with httpx.stream(
        "GET", f"http://127.0.0.1:{device.port}{PATH}?compression={BIG}", auth=(USER, PASSWORD)
    ) as answer:
        for piece in answer.iter_raw():
            data += piece
            while (head := re.search(rb"(?i)content-length: (\d+)\r\nx-frame: \d+\r\n\r\n", data)) is not None:
                end = head.end() + int(head[1])
                if len(data) < end:
                    break
                found.append(data[head.end() : end])
                data = data[end:]
            if len(found) >= FRAMES:
                break
    place.write_bytes(b"".join(struct.pack("<I", len(jpeg)) + jpeg for jpeg in found))
    return int(statistics.median(len(jpeg) for jpeg in found))


@contextmanager
def ustreamer(shim: Path, frames: Path, raw: str = "") -> Iterator[tuple[int, int]]:
    """The peer with its stand-in camera, of JPEG files or of `raw` pictures; its process and port."""
    port = free_port()
    words = ["ustreamer", "--device", "/dev/video0", "--host", "127.0.0.1", "--port", str(port)]
    words += ["--format", "YUYV", "--encoder", "CPU"] if raw else ["--format", "JPEG", "--encoder", "HW"]
    words += ["--quality", str(QUALITY), "--resolution", str(SIZE).replace(" ", ""), "--desired-fps", str(FPS)]
    environment = os.environ | worn(shim, frames, FPS, raw)
    with subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:

            def online() -> bool:
                assert process.poll() is None, "ustreamer ended"
                try:
                    state = httpx.get(f"http://127.0.0.1:{port}/state").json()
                except httpx.TransportError:
                    return False
                return bool(state["result"]["source"]["online"])

            until("ustreamer's pictures", online)
            yield process.pid, port
        finally:
            process.terminate()


@contextmanager
def bare_loop(frames: Path, clients: int) -> Iterator[tuple[int, int]]:
    """The floor, for so many clients; its process and port."""
    words = [sys.executable, "-m", "bench.bare_loop", str(frames), str(clients), str(FPS)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.terminate()


def compiled(folder: Path) -> tuple[Path, Path]:
    """The clients, and the stand-in for a camera."""
    client = folder / "drain"
    subprocess.run(["cc", "-O2", "-o", str(client), str(HERE / "native" / "drain.c")], check=True)
    return client, stand_in(folder)


@contextmanager
def program(*words: str) -> Iterator[int]:
    """A module that says when it is ready; its process."""
    with subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process.pid
        finally:
            process.terminate()


def asked(folder: Path) -> tuple[Path, Path]:
    """What the clients ask us for, and ustreamer."""
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    ours, theirs = folder / "ours", folder / "theirs"
    get = "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\n{}\r\n"
    ours.write_text(get.format(f"{PATH}?compression={COMPRESSION}", f"Authorization: Basic {basic}\r\n"))
    theirs.write_text(get.format("/stream", ""))
    return ours, theirs


def fed_media(device: Device, frames: Path) -> AbstractContextManager[int]:
    """The media role's sender in place of that of the device; its process."""
    runtime = RuntimeDir.of(StateDir(device.state))
    places = str(runtime.video(SOURCE)), str(runtime.viewers(SOURCE))
    return program("bench.fed_media", str(frames), str(FPS), *places)


def idle(pids: list[int]) -> list[float]:
    """CPU in percent of one core of each process while nobody looks."""
    before, began = [cpu_s(pid) for pid in pids], time.monotonic()
    time.sleep(WINDOW_S)
    return [100 * (cpu_s(pid) - each) / (time.monotonic() - began) for pid, each in zip(pids, before, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """CPU in percent of one core while some clients look, and the share of all pictures that the worst of them got."""

    ours: float
    theirs: float
    floor: float
    share: float
    theirs_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """All measured once: CPU in percent of one core of each side while nobody looks, then by the number of clients."""

    network: float
    sender: float
    peer: float
    bare: float
    looked: dict[int, Looked]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a round is made with: the clients' program and what they ask, the pictures, processes and ports."""

    client: Path
    asks_ours: Path
    asks_theirs: Path
    frames: Path
    port: int
    network: int
    sender: int
    peer: int
    peer_port: int
    bare: int

    def round(self) -> Round:
        """Measure everything once."""
        network, sender, peer, bare = idle([self.network, self.sender, self.peer, self.bare])
        looked = {clients: self.looked(clients) for clients in CLIENTS}
        return Round(network=network, sender=sender, peer=peer, bare=bare, looked=looked)

    def looked(self, clients: int) -> Looked:
        """Measure all three with so many clients, one after the other."""
        ours, share = drain(self.client, self.port, clients, self.asks_ours, [self.network, self.sender])
        (theirs,), theirs_share = drain(self.client, self.peer_port, clients, self.asks_theirs, [self.peer])
        with bare_loop(self.frames, clients) as (pid, port):
            (floor,), _ = drain(self.client, port, clients, self.asks_theirs, [pid])
        return Looked(ours=sum(ours), theirs=theirs, floor=floor, share=share, theirs_share=theirs_share)


def rows_of(rounds: list[Round], kilobytes: int) -> Iterator[Row]:
    """The table: medians of the rounds, and the worst shares."""
    network, sender, peer = (
        statistics.median(getattr(each, name) for each in rounds) for name in ("network", "sender", "peer")
    )
    bare = statistics.median(each.bare for each in rounds)
    yield Row("an asyncio loop that wakes up for every picture", bare, "%", peer, "ustreamer")
    yield Row("nobody looks: network role", network, "%", None, "")
    yield Row("nobody looks: the sender, woken for every picture", sender, "%", peer, "ustreamer")
    for clients in CLIENTS:
        looked = [each.looked[clients] for each in rounds]
        ours, theirs, floor = (
            statistics.median(getattr(each, name) for each in looked) for name in ("ours", "theirs", "floor")
        )
        share, theirs_share = min(each.share for each in looked), min(each.theirs_share for each in looked)
        seen = f"all of ustreamer; worst client got {share:.0%} of {FPS}/s (of ustreamer's {theirs_share:.0%})"
        paired = statistics.median(each.ours / each.theirs for each in looked)
        name = f"{clients} clients, {kilobytes} kB: all of network role and sender"
        yield Row(name, ours, "%", theirs, seen, paired)
        yield Row("  network role, and what they add to the sender", ours - sender, "%", theirs, "all of ustreamer")
        added = ours - sender - network
        yield Row("  what they add to both", added, "%", theirs - peer, "what they add to ustreamer")
        yield Row("  a loop that only waits and sends", floor, "%", theirs, "all of ustreamer")


def real_media(device: Device, client: Path, asks: Path) -> Iterator[Row]:
    """The media role as it is, with its camera and its encoder."""
    media = device.pid("media")
    assert media is not None
    (nobody,) = idle([media])
    (some,), _ = drain(client, device.port, 10, asks, [media])
    resident, proportional = memory_mb(media)
    yield Row("media role, with painting the scene: nobody looks", nobody, "%", None, "")
    yield Row("  10 clients, with making the JPEG for them", some, "%", None, "")
    yield Row("media role, resident memory", resident, "MB", 90.0, "the target")
    yield Row("media role, proportional memory", proportional, "MB", None, "")


def fan_out_rows(folder: Path) -> list[Row]:
    """Network role and sender against ustreamer; then the real media role."""
    client, shim = compiled(folder)
    ours, theirs = asked(folder)
    with running(folder / "state", "plate_camera") as device:
        device.set_up()
        until("pictures", lambda: device.api.get("/video/road/snapshot").status_code == 200)
        frames = folder / "frames"
        size = record(device, frames)
        real = list(real_media(device, client, ours))
        network = device.pid("network")
        assert network is not None
        with (
            ustreamer(shim, frames) as (peer, peer_port),
            fed_media(device, frames) as sender,
            program("bench.bare_wake", str(FPS)) as bare,
        ):
            bench = Bench(
                client=client, asks_ours=ours, asks_theirs=theirs, frames=frames, port=device.port, network=network,
                sender=sender, peer=peer, peer_port=peer_port, bare=bare,
            )  # fmt: skip
            rounds = [bench.round() for _ in range(ROUNDS)]
    return [*rows_of(rounds, size // 1000), *real]


def from_camera_rows(folder: Path) -> Iterator[Row]:
    """The whole firmware against the whole of ustreamer, both with a camera whose pictures are not JPEG files yet."""
    client, shim = compiled(folder)
    frames = written(folder / "planes")
    ours, theirs = asked(folder)
    for raw, kind in (("YU12", "planar"), ("YUYV", "packed")):
        with (
            with_camera(folder / f"state-{kind}", shim, frames, FPS, raw) as device,
            ustreamer(shim, frames, raw) as (peer, peer_port),
        ):
            device.set_up()
            until("pictures", lambda device=device: device.api.get("/video/road/snapshot").status_code == 200)
            roles = [process_of(device, role) for role in ("network", "media")]
            nobody = [idle([*roles, peer]) for _ in range(ROUNDS)]
            yield _whole(f"from a camera of {kind} pictures, nobody looks", nobody, "all of ustreamer")
            crowds = [(each, 0) for each in CLIENTS]
            if kind == "planar":
                crowds.append((CROWD, STALLED))
            for clients, stalled in crowds:
                looked, worst, their_worst = [], 1.0, 1.0
                for _ in range(ROUNDS):
                    used, share = drain(client, device.port, clients, ours, roles, stalled)
                    their, their_share = drain(client, peer_port, clients, theirs, [peer], stalled)
                    looked.append([*used, *their])
                    worst, their_worst = min(worst, share), min(their_worst, their_share)
                seen = f"client got {worst:.0%} of {FPS}/s (of ustreamer's {their_worst:.0%})"
                if stalled:
                    name, seen = f"  {clients} clients of which {stalled} stall: both roles", f"healthy {seen}"
                else:
                    name = f"  {clients} clients: all of network and media role"
                yield _whole(name, looked, f"all of ustreamer; worst {seen}")


def _whole(name: str, measured: list[list[float]], whose: str) -> Row:
    """Both of our roles against the peer: medians of the rounds."""
    pairs = [(network + media, peer) for network, media, peer in measured]
    paired = statistics.median(ours / theirs for ours, theirs in pairs)
    ours, theirs = (statistics.median(each) for each in zip(*pairs, strict=True))
    return Row(name, ours, "%", theirs, whose, paired)
