"""Pictures: JPEG from planes, CPU of the fan-out for 1 to 100 clients, memory of the media role.

Peers: Pillow and OpenCV for the JPEG; for the fan-out Debian's ustreamer, which gets the very JPEG files that our
device sent, from a stand-in for /dev/video0 (bench/native/video0.c). Our side is the network role of a device that
runs, and the media role's sender (bench/fed_media.py), fed with the same files at the same rate: neither side encodes,
what is compared is the handing out. A second peer is the floor, a loop that only waits and sends (bench/bare_loop.py).

Both have a cost that no client causes: waking up for every picture, and for ustreamer fetching it from its camera. So
three rows are printed for each number of clients: all that both sides use; our network role with what the clients add
to our sender, against all of ustreamer; and only what the clients add, on both sides. The clients
(bench/native/drain.c) throw away what they read and count it, so a server that drops pictures is seen.
"""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from bench.table import Row, show
from bench.whole_bench import memory_mb
from firmware.paths import RuntimeDir, StateDir
from firmware.video.snapshot import jpeg_of
from hal.pictures import CameraSettings, Picture, Size
from hal.planes import samples
from hal.sim.scene.paint import ScenePainter, View, seen
from tests.live.device import PASSWORD, USER, Device, free_port, running, until
from tests.live.osdp.venvs import python_with

HERE = Path(__file__).resolve().parent
OPENCV = ("opencv-python-headless", "5.0.0.93")
SIZES = (Size(1280, 720), Size(1920, 1080))
QUALITY = 80
ROUNDS, EACH = 5, 12
CLIENTS = (1, 10, 30, 100)
FPS = 30
WINDOW_S = 6.0
FRAMES = 90
SOURCE = "camera1"


# JPEG


def median_ms(encode: Callable[[], bytes]) -> float:
    """Milliseconds of CPU for one picture: the median of several rounds."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        for _ in range(EACH):
            encode()
        rounds.append((time.thread_time() - began) / EACH * 1e3)
    return statistics.median(rounds)


def by_pillow(picture: Picture) -> bytes:
    """Pillow has no way in for planes of half size: colour is spread out first, and thinned out again inside."""
    y, u, v = (samples(plane) for plane in (picture.y, picture.u, picture.v))
    wide = [Image.fromarray(np.repeat(np.repeat(plane, 2, 0), 2, 1)) for plane in (u, v)]
    out = io.BytesIO()
    Image.merge("YCbCr", [Image.fromarray(y), *wide]).save(out, "JPEG", quality=QUALITY, subsampling=2)
    return out.getvalue()


BY_OPENCV = """
import statistics, sys, time
import cv2, numpy
cv2.setNumThreads(1)
width, height, quality, rounds, each = map(int, sys.argv[2:])
planes = numpy.fromfile(sys.argv[1], numpy.uint8).reshape(height * 3 // 2, width)
words = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
found = []
for _ in range(rounds):
    began = time.thread_time()
    for _ in range(each):
        cv2.imencode(".jpg", cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420), words)
    found.append((time.thread_time() - began) / each * 1e3)
print(statistics.median(found))
"""


def jpeg_rows(folder: Path) -> list[Row]:
    """Ours against both peers, from the same planes."""
    python, rows = python_with(*OPENCV), []
    for size in SIZES:
        scene = ScenePainter(size).picture(3.0, "LINTEL 7")
        picture = seen(scene, View(settings=CameraSettings(), fps=30), 7)
        ours = median_ms(lambda picture=picture: jpeg_of(picture, quality=QUALITY))  # type: ignore[misc]
        pillow = median_ms(lambda picture=picture: by_pillow(picture))  # type: ignore[misc]
        raw = folder / "planes"
        raw.write_bytes(b"".join(samples(plane).tobytes() for plane in (picture.y, picture.u, picture.v)))
        numbers = [str(each) for each in (size.width, size.height, QUALITY, ROUNDS, EACH)]
        done = subprocess.run([python, "-c", BY_OPENCV, str(raw), *numbers], capture_output=True, text=True, check=True)
        rows.append(Row(f"JPEG {size}, quality {QUALITY}", ours, "ms", pillow, "Pillow"))
        rows.append(Row(f"JPEG {size}, quality {QUALITY}", ours, "ms", float(done.stdout), "OpenCV"))
    return rows


# fan-out


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used, with threads that have ended; ticks are too coarse for one client.

    Source: the clock of a process by its number, as clock_getcpuclockid(3) makes it on Linux (CPUCLOCK_SCHED).
    """
    return time.clock_gettime(~pid << 3 | 2)


def drain(program: Path, port: int, clients: int, request: Path, pids: list[int]) -> tuple[list[float], float]:
    """CPU in percent of one core of each process while so many look, and the share of pictures the worst client got."""
    words = [str(program), str(port), str(clients), str(WINDOW_S), str(request)]
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
        "GET", f"http://127.0.0.1:{device.port}/api/v1/video/road/mjpeg", auth=(USER, PASSWORD)
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
def ustreamer(shim: Path, frames: Path) -> Iterator[tuple[int, int]]:
    """The peer with its stand-in camera; its process and port."""
    port = free_port()
    words = ["ustreamer", "--device", "/dev/video0", "--host", "127.0.0.1", "--port", str(port), "--format", "JPEG"]
    words += ["--encoder", "HW", "--resolution", "1280x720", "--desired-fps", str(FPS), "--no-log-colors"]
    environment = os.environ | {"LD_PRELOAD": str(shim), "VIDEO0_FRAMES": str(frames), "VIDEO0_FPS": str(FPS)}
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
    client, shim = folder / "drain", folder / "video0.so"
    subprocess.run(["cc", "-O2", "-o", str(client), str(HERE / "native" / "drain.c")], check=True)
    command = ["cc", "-O2", "-shared", "-fPIC", "-o", str(shim), str(HERE / "native" / "video0.c"), "-ldl"]
    subprocess.run(command, check=True)
    return client, shim


@contextmanager
def fed_media(device: Device, frames: Path) -> Iterator[int]:
    """The media role's sender in place of that of the device; its process."""
    runtime = RuntimeDir.of(StateDir(device.state))
    words = [sys.executable, "-m", "bench.fed_media", str(frames), str(FPS)]
    words += [str(runtime.video(SOURCE)), str(runtime.viewers(SOURCE))]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process.pid
        finally:
            process.terminate()


def idle(pids: list[int]) -> list[float]:
    """CPU in percent of one core of each process while nobody looks."""
    before, began = [cpu_s(pid) for pid in pids], time.monotonic()
    time.sleep(WINDOW_S)
    return [100 * (cpu_s(pid) - each) / (time.monotonic() - began) for pid, each in zip(pids, before, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """CPU in percent of one core; `added` is what the clients cause."""

    whole: float
    handing: float
    added: float


def compared(name: str, ours: Used, theirs: Used, shares: str) -> list[Row]:
    """The three rows of a number of clients."""
    return [
        Row(f"{name}: all of network role and sender", ours.whole, "%", theirs.whole, f"all of ustreamer; {shares}"),
        Row("  network role, and what they add to the sender", ours.handing, "%", theirs.whole, "all of ustreamer"),
        Row("  what they add to both", ours.added, "%", theirs.added, "what they add to ustreamer"),
    ]


def fan_out_rows(folder: Path) -> list[Row]:
    """Network role and sender against ustreamer; then the real media role, with its camera and its encoder."""
    client, shim = compiled(folder)
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    ours, theirs = folder / "ours", folder / "theirs"
    get = "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\n{}\r\n"
    ours.write_text(get.format("/api/v1/video/road/mjpeg", f"Authorization: Basic {basic}\r\n"))
    theirs.write_text(get.format("/stream", ""))
    rows = []
    with running(folder / "state", "plate_camera") as device:
        device.set_up()
        until("pictures", lambda: device.api.get("/video/road/snapshot").status_code == 200)
        frames = folder / "frames"
        size = record(device, frames)
        network, media = device.pid("network"), device.pid("media")
        assert network is not None
        assert media is not None
        (media_idle,) = idle([media])
        (_, media_used), _ = drain(client, device.port, 10, ours, [network, media])
        resident, proportional = memory_mb(media)
        with ustreamer(shim, frames) as (peer, port), fed_media(device, frames) as fed:
            network_idle, fed_idle, peer_idle = idle([network, fed, peer])
            rows.append(Row("nobody looks: network role", network_idle, "%", None, ""))
            rows.append(Row("nobody looks: the sender, woken for every picture", fed_idle, "%", peer_idle, "ustreamer"))
            for clients in CLIENTS:
                (net, sender), share = drain(client, device.port, clients, ours, [network, fed])
                (against,), peer_share = drain(client, port, clients, theirs, [peer])
                shares = f"worst client got {share:.0%} of {FPS}/s (of ustreamer's {peer_share:.0%})"
                used = Used(
                    whole=net + sender,
                    handing=net + sender - fed_idle,
                    added=net + sender - fed_idle - network_idle,
                )
                peers = Used(whole=against, handing=against, added=against - peer_idle)
                rows += compared(f"{clients} clients, {size // 1000} kB", used, peers, shares)
                with bare_loop(frames, clients) as (floor, floor_port):
                    (least,), _ = drain(client, floor_port, clients, theirs, [floor])
                rows.append(Row("  a loop that only waits and sends", least, "%", against, "all of ustreamer"))
    rows.append(Row("media role, with painting the scene: nobody looks", media_idle, "%", None, ""))
    rows.append(Row("  10 clients, with making the JPEG for them", media_used, "%", None, ""))
    rows.append(Row("media role, resident memory", resident, "MB", 90.0, "the target"))
    rows.append(Row("media role, proportional memory", proportional, "MB", None, ""))
    return rows


def main() -> int:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        show("pictures", jpeg_rows(folder))
        if shutil.which("ustreamer") is None:
            print("  the fan-out is left out: its peer is not installed (Debian package ustreamer)")
            return 0
        show("motion JPEG, 1280 x 720 at 30/s, CPU in percent of one core", fan_out_rows(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
