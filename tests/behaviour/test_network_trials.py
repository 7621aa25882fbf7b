"""Network settings when things come at the wrong moment: slow adapters, lost checkpoints, failing storage."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from tests.behaviour.test_network_setup import STATIC, phase, tried
from tests.bench.sim import SimBench

pytestmark = [
    pytest.mark.simulator("no NetworkManager runs on the bench: network settings are the simulator's"),
    # Minutes go by in every test: on a product that polls few wires they cost little.
    pytest.mark.board("ptz_dome"),
]

KEPT = "network-kept"


async def test_a_wish_made_while_another_is_applied_is_tried_before_it_is_kept(bench: SimBench) -> None:
    port = bench.network_port
    port.apply_s = 5.0
    await bench.params("network", dns=["10.1.0.2"])
    await bench.advance(3.0)
    assert phase(bench).phase == "applying"
    await bench.change_from_inside("network", boot_proto="static", address="10.9.9.9")
    await bench.advance(20.0)
    assert (phase(bench).phase, port.now.address) == ("trying", "10.9.9.9")
    await bench.advance(140.0)
    assert (phase(bench).phase, port.now.address) == ("kept", "")
    now = bench.kept("network")
    assert (now["boot_proto"], now["address"], now["dns"]) == ("dhcp", "", [])


async def test_a_wish_made_while_one_that_is_never_taken_back_is_applied_is_applied_too(bench: SimBench) -> None:
    port = bench.network_port
    port.apply_s = 5.0
    await bench.params("network", **STATIC, confirm_within_s=0)
    await bench.advance(3.0)
    await bench.change_from_inside("network", address="10.1.2.4")
    await bench.advance(20.0)
    assert (phase(bench).phase, port.now.address) == ("kept", "10.1.2.4")
    await bench.advance(300.0)
    assert bench.kept("network")["address"] == "10.1.2.4"


async def test_a_wish_made_while_another_is_being_taken_back_is_not_lost(bench: SimBench) -> None:
    port = bench.network_port
    await bench.params("network", **STATIC)
    await tried(bench)
    port.forget()  # so that going back takes its time
    port.apply_s = 5.0
    await bench.action("network.undo")
    await bench.advance(2.0)
    await bench.change_from_inside("network", address="10.1.2.4")
    await bench.advance(15.0)
    assert (phase(bench).phase, port.now.address) == ("trying", "10.1.2.4")


async def test_going_back_to_a_state_that_nobody_remembers_sets_the_network_up_as_before(bench: SimBench) -> None:
    port = bench.network_port
    await bench.params("network", **STATIC)
    await tried(bench)
    assert port.now.address == "10.1.2.3"
    port.forget()
    await bench.advance(125.0)
    assert (phase(bench).phase, port.now.address) == ("kept", "")
    assert "taken back: nobody reached the device" in phase(bench).reason
    assert bench.kept("network")["address"] == ""


async def test_a_network_that_cannot_be_set_up_as_before_is_told_and_tried_until_it_can(bench: SimBench) -> None:
    port = bench.network_port
    await bench.params("network", **STATIC)
    await tried(bench)
    port.forget()
    port.refuses = "the adapter is stuck"
    await bench.advance(125.0)
    assert phase(bench).phase == "unavailable"
    assert "the adapter is stuck" in phase(bench).reason
    port.refuses = ""
    await bench.advance(6.0)
    assert (phase(bench).phase, port.now.address) == ("kept", "")


async def test_a_refused_change_that_storage_does_not_let_go_is_not_tried_again(bench: SimBench) -> None:
    port = bench.network_port
    await bench.params("network", **STATIC)
    await tried(bench)
    bench.disk.error = errno.EIO
    seen: list[str] = []
    for _ in range(60):
        await bench.advance(10.0)
        seen.append(port.now.address)
    assert phase(bench).phase == "kept"
    assert "10.1.2.3" not in seen[15:], "it is tried once"
    bench.disk.error = None
    await bench.change_from_inside("network", address="10.1.2.4")
    await bench.until(lambda: phase(bench).phase == "trying")
    assert port.now.address == "10.1.2.4"


async def test_settings_of_a_version_that_applied_none_are_tried_at_the_first_start(bench: SimBench) -> None:
    await bench.params("network", **STATIC)
    await tried(bench)
    await bench.action("network.confirm")
    await bench.until(lambda: phase(bench).phase == "kept")
    await bench.store().remove(KEPT)
    await bench.restart()
    await tried(bench)
    await bench.advance(125.0)
    now = bench.kept("network")
    assert (phase(bench).phase, now["boot_proto"], now["address"]) == ("kept", "dhcp", "")


async def test_settings_that_nothing_readable_says_were_kept_are_tried(bench: SimBench) -> None:
    await bench.params("network", **STATIC)
    await tried(bench)
    await bench.action("network.confirm")
    await bench.until(lambda: phase(bench).phase == "kept")
    await bench.store().save(KEPT, b'{"address": 7}')
    await bench.restart()
    await tried(bench)
    assert (await bench.api("GET", "/device")).status_code == 200
    await bench.until(lambda: phase(bench).phase == "kept")
    await bench.restart()
    await bench.advance(300.0)
    assert (phase(bench).phase, bench.kept("network")["address"]) == ("kept", "10.1.2.3")


async def test_settings_that_cannot_be_read_now_leave_the_network_as_it_is(bench: SimBench) -> None:
    await bench.params("network", **STATIC)
    await tried(bench)
    await bench.action("network.confirm")
    await bench.until(lambda: phase(bench).phase == "kept")
    bench.disk.unreadable = {each.name for each in bench.store().root.iterdir() if "network" in each.name}
    assert bench.disk.unreadable
    await bench.restart()
    told: Any = phase(bench)
    assert "cannot be read" in told.reason
    bench.disk.unreadable = set()
