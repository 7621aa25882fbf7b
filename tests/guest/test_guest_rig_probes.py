"""A rig whose probe lines are a second machine's, or relays on USB: a real agent, and a relay board that is played."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tty
from pathlib import Path

import gpiod
import pytest

from hal.clock import SystemClock
from hal.errors import BusError
from hal.types import Pull
from tests.bench.kernel.bench import exact_loop
from tests.bench.rig.remote import RemoteProbe
from tests.bench.rig.wiring import Wiring, load_wiring
from tests.guest.rig_session import bench_run, found_on, played, wires_of
from tests.guest.wire_player import PlayedRelay, WirePlayer

RIGS = Path("tests/bench/rig").resolve()
BOARD = RIGS / "boards/rig_door.toml"
CHIP = "/dev/gpiochip0"
# Lines of the guest's chip that no board uses: there the second machine's are.
BEYOND = 26
AGENT = (sys.executable, "-m", "tests.bench.rig.agent", "--chip", CHIP)
CARD = "tests/behaviour/test_door.py::test_a_known_card_opens_the_door_for_seven_seconds_with_green_light"
EXIT = "tests/behaviour/test_door.py::test_the_exit_button_releases_the_door"
FORCED = "tests/behaviour/test_door.py::test_a_door_opened_without_a_release_is_forced"


@pytest.fixture
def two_machines(tmp_path: Path) -> Path:
    """The shipped file, its agent a process of this machine that has the lines beyond the board's."""
    text = (RIGS / "two_pis.toml").read_text().replace("boards/rig_door.toml", str(BOARD))
    lines = []
    for line in text.splitlines():
        if line.startswith("command"):
            line = f"command = [{', '.join(repr(word) for word in AGENT)}]"
        elif line.startswith("probe "):
            line = f'probe = "second:{int(line.rpartition(":")[2].rstrip(chr(34))) + BEYOND}"'
        lines.append(line)
    path = tmp_path / "two_pis.toml"
    path.write_text("\n".join(lines))
    return path


@pytest.mark.timeout(0)
def test_a_rig_of_two_machines_is_looked_over_through_the_agent(two_machines: Path) -> None:
    wiring = load_wiring(two_machines)
    wires = wires_of(wiring)
    assert found_on(wiring, lambda: WirePlayer(wires.items())) == []
    del wires[24]
    found = found_on(wiring, lambda: WirePlayer(wires.items()))
    assert found == [f"reader D1 GPIO24 ↔ probe second:{24 + BEYOND}: no contact"]


@pytest.mark.timeout(0)
def test_a_card_opens_the_door_over_wires_to_a_second_machine(two_machines: Path) -> None:
    wiring = load_wiring(two_machines)
    with played(lambda: WirePlayer(wires_of(wiring).items())) as runner:
        status, said = bench_run(runner, two_machines, CARD)
    assert status == 0, said
    assert "1 ran: 1 passed" in said


@pytest.mark.timeout(0)
def test_an_agent_whose_session_dies_lets_its_lines_go() -> None:
    with subprocess.Popen(AGENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as agent:
        assert agent.stdin is not None
        assert agent.stdout is not None
        agent.stdin.write(b'{"open": [40]}\n{"hold": [40, true]}\n{"levels": [40], "id": 1}\n')
        agent.stdin.flush()
        assert b'"levels": [true]' in agent.stdout.readline()
        agent.stdin.close()  # as when ssh ends
        assert agent.wait(60) == 0
    with gpiod.Chip(CHIP) as chip:
        info = chip.get_line_info(40)
    assert (info.used, info.direction) == (False, gpiod.line.Direction.INPUT)


@pytest.mark.timeout(0)
def test_what_fails_at_the_agent_is_told_by_the_next_call() -> None:
    async def scene() -> None:
        probe = RemoteProbe("second", AGENT, [40], SystemClock())
        await probe.open()
        try:
            probe.release(99, Pull.UP)
            with pytest.raises(BusError, match=r"second: .*99: is no line of this probe"):
                await probe.levels([40])
        finally:
            await probe.close()

    with asyncio.Runner(loop_factory=exact_loop) as runner:
        runner.run(asyncio.wait_for(scene(), 60))


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


@pytest.fixture
def usb_rig(tmp_path: Path) -> tuple[Path, Wiring]:
    text = (RIGS / "usb_relays.toml").read_text().replace("boards/", f"{RIGS / 'boards'}/")
    path = tmp_path / "usb_relays.toml"
    path.write_text(text.replace("/dev/ttyUSB0", "/dev/ttyVB6"))
    return path, load_wiring(path)


CONTACTS = {1: 12, 2: 13, 3: 4}
STRIKE = PlayedRelay(coil=17, contact=9, pull_in_s=0.008, drop_out_s=0.004)


def test_a_rig_of_usb_relays_and_a_real_one_is_looked_over(usb_rig: tuple[Path, Wiring]) -> None:
    _, wiring = usb_rig
    assert found_on(wiring, lambda: PlayedBoard(CONTACTS, STRIKE, {17: 22, 9: 27})) == []
    cut = {relay: line for relay, line in CONTACTS.items() if line != 13}
    found = found_on(wiring, lambda: PlayedBoard(cut, STRIKE, {17: 22, 9: 27}))
    assert found == ["exit button GPIO13 ↔ probe contacts:2: no contact"]
    loose = PlayedRelay(coil=17, contact=11, pull_in_s=0.008, drop_out_s=0.004)
    found = found_on(wiring, lambda: PlayedBoard(CONTACTS, loose, {17: 22, 9: 27}))
    assert found == ["strike contact ↔ probe GPIO9: stays open when the relay moves"]


@pytest.mark.timeout(0)
def test_contacts_made_by_usb_relays_drive_the_door_and_what_they_cannot_do_is_skipped(
    usb_rig: tuple[Path, Wiring],
) -> None:
    path, _ = usb_rig
    with played(lambda: PlayedBoard(CONTACTS, STRIKE, {17: 22, 9: 27})) as runner:
        status, said = bench_run(runner, path, EXIT, FORCED, CARD)
    assert status == 0, said
    assert "2 ran: 2 passed" in said
    assert "lacks it: reader:front has no wire at gpio0:23" in said
