"""A rig whose probe lines are a second machine's, or relays on USB: a real agent, and a relay board that is played."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import gpiod
import pytest

from hal.clock import SystemClock
from hal.errors import BusError
from hal.types import Pull
from tests.bench.kernel.bench import exact_loop
from tests.bench.rig.remote import RemoteProbe
from tests.bench.rig.wiring import load_wiring
from tests.guest.rig_session import (
    AGENT,
    BEYOND,
    CHIP,
    CONTACTS,
    STRIKE,
    PlayedBoard,
    found_on,
    two_machines,
    usb_relays,
    wires_of,
)
from tests.guest.wire_player import PlayedRelay, WirePlayer


@pytest.mark.timeout(0)
def test_a_rig_of_two_machines_is_looked_over_through_the_agent(tmp_path: Path) -> None:
    wiring = load_wiring(two_machines(tmp_path))
    wires = wires_of(wiring)
    assert found_on(wiring, lambda: WirePlayer(wires.items())) == []
    del wires[24]
    found = found_on(wiring, lambda: WirePlayer(wires.items()))
    assert found == [f"reader D1 GPIO24 ↔ probe second:{24 + BEYOND}: no contact"]


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


def test_a_rig_of_usb_relays_and_a_real_one_is_looked_over(tmp_path: Path) -> None:
    wiring = load_wiring(usb_relays(tmp_path))
    assert found_on(wiring, lambda: PlayedBoard(CONTACTS, STRIKE, {17: 22, 9: 27})) == []
    cut = {relay: line for relay, line in CONTACTS.items() if line != 13}
    found = found_on(wiring, lambda: PlayedBoard(cut, STRIKE, {17: 22, 9: 27}))
    assert found == ["exit button GPIO13 ↔ probe contacts:2: no contact"]
    loose = PlayedRelay(coil=17, contact=11, pull_in_s=0.008, drop_out_s=0.004)
    found = found_on(wiring, lambda: PlayedBoard(CONTACTS, loose, {17: 22, 9: 27}))
    assert found == ["strike contact ↔ probe GPIO9: stays open when the relay moves"]
