"""The door while everything runs: a door station that plays a clip, is talked to, is watched by ten browsers and looks
out for tampering, against the same one when it is still; and one whose media role is killed again and again.

Still and busy blocks take turns, so that all see the same machine. Times are those of the simulated world: from the
last edge of the card to the relay. The memory of the media role is the most that it had with everything on.
"""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.clips_bench import clip
from bench.fan_out import compiled, cpu_s
from bench.table import Row, percentile, show
from bench.whole_bench import memory_mb
from tests.live.decisions import CARD, decision_ms
from tests.live.device import PASSWORD, USER, Device, running, until

BLOCKS, DECISIONS = 4, 50
VIEWERS = 10
MOST_S = 120  # how long the viewers look at the very most
COUNT_S = 4
CAMERA, MIC = "camera1", "mic1"


class Busy:
    """Everything that the media role can be asked for, on and off."""

    def __init__(self, device: Device, viewers: Path, request: Path) -> None:
        self._device = device
        self._viewers = viewers
        self._request = request
        self.pictures_per_s: list[float] = []
        answer = device.api.post("/clips", files={"file": ("chime.wav", clip("WAV", "PCM_16", 48_000, 1, 20.0))})
        assert answer.status_code == 201, answer.text
        self._clip = answer.json()["clip"]

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """A clip that repeats, speech at the microphone with its echo taken out, viewers; all off at the end."""
        device = self._device
        change = {MIC: {"echo_cancellation": True, "noise_cancellation": True}}
        assert device.api.patch("/params/audio", json=change).status_code == 200
        assert device.api.post(f"/clips/{self._clip}/play", json={"repeat": 100}).status_code in (200, 202)
        device.ask("hear", "speech:60:-20")
        words = [str(self._viewers), str(device.port), str(VIEWERS), str(MOST_S), str(self._request)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as viewers:
            try:
                assert viewers.stdout is not None
                viewers.stdout.readline()  # they look
                until("sound", lambda: device.ask("heard")["sounds"])
                self.pictures_per_s.append(self._one_more())
                yield
            finally:
                viewers.kill()
        assert device.api.post(f"/clips/{self._clip}/stop", json={}).status_code == 200
        device.ask("hear", "quiet")

    def _one_more(self) -> float:
        """How many pictures a second one more viewer gets."""
        words = [str(self._viewers), str(self._device.port), "1", str(COUNT_S), str(self._request)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        return int(done.stdout.splitlines()[-1].split()[0]) / COUNT_S


def killed_ms(device: Device) -> list[float]:
    """Decisions while the media role is killed as soon as it is back."""
    found = []
    gone: int | None = None
    for _ in range(DECISIONS):
        pid = device.pid("media")
        if pid is not None and pid != gone:
            os.kill(pid, signal.SIGKILL)
            gone = pid
        found.append(decision_ms(device))
    return found


def main() -> None:
    """Print the table."""
    still: list[float] = []
    busy: list[float] = []
    shares: dict[str, list[float]] = {"control": [], "media": [], "network": []}
    memory: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as name, running(Path(name) / "state", "door_station", "--no-web") as device:
        folder = Path(name)
        viewers, _ = compiled(folder)
        request = folder / "request"
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        device.set_up()
        request.write_text(
            f"GET /api/v1/video/{CAMERA}/mjpeg HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {basic}\r\n\r\n"
        )
        device.enrol(CARD)
        until("pictures", lambda: device.api.get(f"/video/{CAMERA}/snapshot").status_code == 200)
        everything = Busy(device, viewers, request)
        for _ in range(BLOCKS):
            still += [decision_ms(device) for _ in range(DECISIONS)]
            with everything():
                pids = {role: until(role, lambda role=role: device.pid(role)) for role in shares}  # type: ignore[misc]
                before, began = {role: cpu_s(pid) for role, pid in pids.items()}, time.perf_counter()
                busy += [decision_ms(device) for _ in range(DECISIONS)]
                for role, pid in pids.items():
                    shares[role].append(100 * (cpu_s(pid) - before[role]) / (time.perf_counter() - began))
                memory.append(memory_mb(pids["media"]))
        killed = killed_ms(device)
    rows = [
        Row(f"card to relay, {what}, {at}", percentile(values, share), "ms", percentile(still, share), "still")
        for what, values in (
            (f"{len(busy)} with everything on", busy),
            (f"{len(killed)} while media is killed", killed),
        )
        for at, share in (("p50", 0.5), ("p99", 0.99))
    ]
    rows += [
        Row(f"{role} meanwhile, processor", percentile(values, 0.5), "%", None, "") for role, values in shares.items()
    ]
    resident, proportional = map(max, zip(*memory, strict=True))
    rows.append(Row("media meanwhile, resident memory, most", resident, "MB", 90.0, "the target"))
    rows.append(Row("media meanwhile, proportional memory, most", proportional, "MB", None, ""))
    rows.append(Row("pictures to one of the viewers", percentile(everything.pictures_per_s, 0.5), "1/s", None, ""))
    show(f"door station with everything: clip, speech, {VIEWERS} viewers, tampering", rows)


if __name__ == "__main__":
    main()
