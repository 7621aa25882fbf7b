"""What happens to the cable of an external reader is a reason in words; the door stays as it was (hardening row 7)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench.sim import SimBench

CARD = "H10301:42:1234"


async def installed(bench: SimBench) -> None:
    """The external reader in use, with a key of its own."""
    answer = await bench.params("osdp", external={"use": True})
    assert answer.status_code == 200, answer.text
    answer = await bench.action("reader.install", reader="external")
    assert answer.status_code == 200, answer.text
    await bench.event("reader/key", change="rotated")
    await bench.until(lambda: link(bench).phase == "connected" and link(bench).secure)


def link(bench: SimBench) -> Any:
    """How its link stands."""
    return bench.states("reader/link")[0]


@pytest.mark.parametrize("how", ["unplug", "garbage", "dead", "port"])
async def test_row_7_a_lost_reader_is_offline_within_two_seconds_and_the_door_and_the_other_reader_go_on(
    bench: SimBench, how: str
) -> None:
    await installed(bench)
    await bench.enrol(card=CARD)
    external, port = bench.reader("external"), bench.world.find("serial:rs485")
    if how == "port":
        port.unplug()
    elif how == "unplug":
        external.unplug()
    else:
        external.fault(how)
    await bench.until(lambda: link(bench).phase == "not connected", 2.0)
    assert link(bench).reason
    assert bench.relay("door").edges() == 0
    await bench.reader("front").swipe(CARD)
    await bench.relay("door").pulse()
    port.plug()
    external.plug()
    external.fault("none")
    await bench.until(lambda: link(bench).phase == "connected" and link(bench).secure, 5.0)
    await bench.settle()
    edges = bench.relay("door").edges()
    await external.swipe(CARD)
    await bench.until(lambda: bench.relay("door").edges() == edges + 2)
