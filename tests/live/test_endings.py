"""How commands and devices end: Ctrl-C at any moment, a closed terminal, a reader of the output that goes away."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.device import LINTEL, PATIENCE_S, Device, free_port, lintel, running, until

CARD = "H10301:42:1234"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def usual_signals() -> Iterator[None]:
    """What a person's terminal gives a process, also where these tests were started by nohup or in a background."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


# The same as LINTEL, but it says when it begins to load our program: Python itself, which a busy machine may not have
# brought up by then, tells at length what interrupted it.
SAYS_WHEN = """
import sys

class Told:
    def find_spec(self, name, path=None, target=None):
        if name == "firmware.cli.main":
            print("begun", flush=True)

sys.meta_path.insert(0, Told())
from firmware.__main__ import main
sys.exit(main())
"""


@pytest.mark.usefixtures("usual_signals")
@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.2, 0.4, 0.8])
def test_ctrl_c_during_the_start_ends_without_a_word(after_s: float, tmp_path: Path) -> None:
    words = ["run", "--state", str(tmp_path / "state"), "--http", f"127.0.0.1:{free_port()}"]
    command, pipe = [sys.executable, "-c", SAYS_WHEN, *words], subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], PATIENCE_S)[0], "it never began"
            assert process.stdout.readline() == "begun\n"
            time.sleep(after_s)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=PATIENCE_S)
        finally:
            # One that runs on would be waited for for ever, and be told of by whatever test runs when it is forgotten.
            process.kill()
    assert errors == ""
    assert not (tmp_path / "state" / "bench.addr").exists()


@pytest.mark.usefixtures("usual_signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_device_that_ends_while_the_door_is_released_says_nothing_and_leaves_nothing(
    number: signal.Signals, tmp_path: Path
) -> None:
    device = Device(tmp_path / "state")
    try:
        device.start()
        device.set_up()
        device.enrol(CARD)
        runtime = Path((device.state / "bench.addr").read_text().strip()).parent
        assert device.api.patch("/params/doors", json={"door": {"hold_s": 60}}).status_code == 200
        device.ask("swipe", "front", CARD)
        until("the release", lambda: device.ask("trace", "door")["points"][-1][1] is True)
        device.signal(number)
        assert device.wait() == 0
    finally:
        device.stop()
    assert device.output.read_text().rstrip().endswith("Ctrl-C stops it.")
    assert not runtime.exists()


def test_nohup_survives_the_end_of_the_terminal(tmp_path: Path) -> None:
    ignored = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what nohup does, inherited by the device
    try:
        with running(tmp_path / "state") as device:
            device.signal(signal.SIGHUP)
            time.sleep(0.5)
            assert device.bench("state")["power"] == "on"
    finally:
        signal.signal(signal.SIGHUP, ignored)


@pytest.mark.parametrize("words", ["explain", "--help", "bench --help", "run --help", "--version"])
def test_an_output_nobody_reads_is_no_error(words: str) -> None:
    command = f"{' '.join(LINTEL)} {words} | true"
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, timeout=PATIENCE_S, check=False, cwd=ROOT
    )
    assert done.stderr == ""


def test_the_state_option_may_stand_anywhere(device: Device) -> None:
    for words in (["state", "--state", str(device.state)], [f"--state={device.state}", "state"]):
        done = lintel("bench", *words)
        assert done.returncode == 0, done.stderr


def test_watch_ends_when_its_device_ends(device: Device) -> None:
    command = [*LINTEL, "bench", "--state", str(device.state), "watch"]
    said = b""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as watch:
        assert watch.stdout is not None
        output = watch.stdout.fileno()

        def told() -> bool:
            """Press, and read what is there within half a second: a line that never comes is not waited for."""
            nonlocal said
            device.ask("press", "control")
            if select.select([output], [], [], 0.5)[0]:
                said += os.read(output, 65536)
            assert watch.poll() is None, said
            return b"button:control" in said

        try:
            until("the button", told)  # it may only just be starting, in the middle of a press too
            device.stop()
            _, errors = watch.communicate(timeout=PATIENCE_S)
        finally:
            watch.kill()
    assert errors == b""
