"""Network settings as on a device: the real NetworkManager sets up a cable, and takes back what cuts us off.

One device and one stage for all of it (tests/live/network_stage.py), because both take long to come up.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.live.device import environment


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was seen on the stage."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces want root")
    folder = tmp_path_factory.mktemp("stage")
    # Processes of their own: whatever ends the first of them, a timeout of ours too, ends all that it started.
    apart = ["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc",
             "--propagation", "private"]  # fmt: skip
    stage = [*apart, sys.executable, "-m", "tests.live.network_stage", str(folder)]
    here = Path(__file__).resolve().parents[2]
    done = subprocess.run(stage, capture_output=True, text=True, timeout=500, cwd=here, env=environment(), check=False)
    logs = [
        path.read_text(errors="replace")[-3000:] for path in (folder / "log", folder / "state.out") if path.exists()
    ]
    assert done.returncode == 0, (done.stderr[-3000:], *logs)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_without_networkmanager_a_change_is_refused_with_the_reason_and_nothing_is_kept(
    told: dict[str, Any],
) -> None:
    assert told["without_manager"] == "NetworkManager does not run on this system"
    assert "nothing was changed: NetworkManager does not run" in told["refused_without_manager"]
    assert told["address_without_manager"] == ""


def test_a_device_that_was_told_nothing_leaves_the_network_as_the_system_has_it(told: dict[str, Any]) -> None:
    assert (told["at_first"]["by"], told["at_first"]["adapter"]) == ("NetworkManager", "eth0")
    assert "lintel" not in told["profiles_at_first"]


def test_a_static_address_set_by_a_program_is_the_address_of_the_adapter(told: dict[str, Any]) -> None:
    assert told["good"]["data"] == {}
    assert told["kept"] == ["10.9.0.5/24"]
    assert told["route"].startswith("default via 10.9.0.1 dev eth0")


def test_what_is_tried_is_not_on_the_disk_until_an_administrator_reached_the_new_address(told: dict[str, Any]) -> None:
    assert told["while_tried"] == ["10.9.0.5/24"]
    assert told["on_disk_while_tried"] == []
    assert told["reached"] == "LINTEL-DS1"
    assert "address1=10.9.0.5/24,10.9.0.1" in told["on_disk"]


def test_a_setting_that_cannot_be_is_refused_in_one_sentence_and_the_address_stays(told: dict[str, Any]) -> None:
    prefix, router, broadcast = told["bad"]
    assert "33 is not a number from 1 to 32" in prefix
    assert "10.10.0.1 is not another host of 10.9.0.0/24" in router
    assert "10.9.0.255 with mask 255.255.255.0 is no host" in broadcast
    assert told["after_bad"] == [["10.9.0.5/24"], "10.9.0.5", "kept"]


def test_name_servers_and_the_name_of_the_device_reach_the_system(told: dict[str, Any]) -> None:
    assert "nameserver 10.9.0.53" in told["resolver"]
    assert "search example.com" in told["resolver"]


def test_an_address_at_which_nobody_finds_the_device_is_taken_back_also_after_a_crash(told: dict[str, Any]) -> None:
    assert told["lost"] == ["10.77.0.5/24"]
    assert told["lost_again"] == ["10.77.0.5/24"], "control was killed, and tried once more"
    assert "nobody reached the device within 20 s" in told["came_back"]
    assert told["after_lost"] == [["10.9.0.5/24"], "10.9.0.5"]


def test_a_name_given_before_a_restart_of_control_can_be_taken_away(told: dict[str, Any]) -> None:
    assert told["name_before"] == "door-7"


def test_a_trial_in_which_networkmanager_begins_anew_ends_at_the_address_before(told: dict[str, Any]) -> None:
    assert told["before_manager_ended"] == ["10.77.0.5/24"]
    assert "taken back" in told["manager_restarted"]
    assert told["after_manager"] == [["10.9.0.5/24"], "10.9.0.5"]
    assert "address1=10.9.0.5/24,10.9.0.1" in told["on_disk_after_manager"]
    assert "10.77.0.5" not in told["on_disk_after_manager"]


def test_a_static_ipv6_address_stands_beside_the_other(told: dict[str, Any]) -> None:
    assert told["with_six"] == ["10.9.0.5/24", "2001:db8::5/64"]


def test_the_time_zone_of_the_place_is_that_of_the_system(told: dict[str, Any]) -> None:
    assert told["zone"][1].endswith("/Asia/Kathmandu")
