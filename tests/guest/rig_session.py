"""What the tests of a rig in the guest share: a look at it, and a session of behaviour tests over played wires."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.kernel.bench import exact_loop
from tests.bench.rig.bench import look_over
from tests.bench.rig.wiring import Wiring
from tests.guest.wire_player import PlayedRelay, WirePlayer

Making = Callable[[], WirePlayer]


def wires_of(wiring: Wiring) -> dict[int, int]:
    """The probe line of each line of the board, as the file says."""
    return {wire.line.offset: wire.probe.offset for wire in wiring.wires}


@contextmanager
def played(make: Making) -> Iterator[asyncio.Runner]:
    """Wires that are played while this block runs something on the runner."""
    with asyncio.Runner(loop_factory=exact_loop) as runner:

        async def begin() -> WirePlayer:
            return make().__enter__()

        player = runner.run(begin())
        try:
            yield runner
        finally:
            player.__exit__()


def found_on(wiring: Wiring, make: Making) -> list[str]:
    """What the look at a rig finds when its wires are really these."""

    async def look() -> list[str]:
        return await asyncio.wait_for(look_over(wiring), 60)

    with played(make) as runner:
        return runner.run(look())


def bench_run(runner: asyncio.Runner, file: Path, *words: str) -> tuple[int, str]:
    """A whole session of the behaviour tests on a rig; its status and what it printed.

    Its folder is its own: among numbered ones it would take that of this session for a dead one's, by a clock that
    other tests have set, and remove it.
    """

    async def run(folder: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pytest", "--color=no", "--timeout=0", f"--basetemp={folder}/session"),
            *(f"--bench=rig:{file}", *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"LC_ALL": "C.UTF-8"},
        )
        out, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode()

    with tempfile.TemporaryDirectory() as folder:
        return runner.run(run(folder))


RIGS = Path("tests/bench/rig").resolve()
BOARD = RIGS / "boards/rig_door.toml"
CHIP = "/dev/gpiochip0"
# Lines of the guest's chip that no board uses: there the second machine's are.
BEYOND = 26
AGENT = (sys.executable, "-m", "tests.bench.rig.agent", "--chip", CHIP)


def two_machines(folder: Path) -> Path:
    """The shipped file of two Pis, its agent a process of this machine that has the lines beyond the board's."""
    text = (RIGS / "two_pis.toml").read_text().replace("boards/rig_door.toml", str(BOARD))
    lines = []
    for line in text.splitlines():
        if line.startswith("command"):
            line = f"command = [{', '.join(repr(word) for word in AGENT)}]"
        elif line.startswith("probe "):
            line = f'probe = "second:{int(line.rpartition(":")[2].rstrip(chr(34))) + BEYOND}"'
        lines.append(line)
    path = folder / "two_pis.toml"
    path.write_text("\n".join(lines))
    return path


def usb_relays(folder: Path) -> Path:
    """The shipped file of a USB relay board, which is played at the far end of the guest's null modem."""
    text = (RIGS / "usb_relays.toml").read_text().replace("boards/", f"{RIGS / 'boards'}/")
    path = folder / "usb_relays.toml"
    path.write_text(text.replace("/dev/ttyUSB0", "/dev/ttyVB6"))
    return path


CONTACTS = {1: 12, 2: 13, 3: 4}
STRIKE = PlayedRelay(coil=17, contact=9, pull_in_s=0.008, drop_out_s=0.004)


class PlayedBoard(WirePlayer):
    """A relay board on a serial port, whose contacts join lines of the board to ground."""

    def __init__(self, contacts: dict[int, int], relay: PlayedRelay, wires: dict[int, int]) -> None:
        super().__init__([*wires.items(), *((line, line) for line in contacts.values())], relays=[relay])
        self._contacts = contacts
        self._heard = b""

    def __enter__(self) -> PlayedBoard:
        super().__enter__()
        self._port = os.open("/dev/ttyVB7", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._port)
        asyncio.get_running_loop().add_reader(self._port, self._ordered)
        return self

    def _ordered(self) -> None:
        self._heard += os.read(self._port, 4096)
        while len(self._heard) >= 4:
            order, self._heard = self._heard[:4], self._heard[4:]
            assert (order[0], order[3]) == (0xA0, sum(order[:3]) & 0xFF), order
            if order[1] in self._contacts:
                self.touch(self._contacts[order[1]], bool(order[2]))

    def __exit__(self, *_: object) -> None:
        self._loop.remove_reader(self._port)
        os.close(self._port)
        super().__exit__()
