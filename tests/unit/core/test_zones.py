"""Time zones: known by one look, and a wrong one does not make control walk through the whole database."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from firmware.core.zones import is_zone, named_zones, offered
from firmware.system import PlaceSettings

# How many files of the zone database are opened for this zone.
COUNT = """
import sys
from firmware.access.schedule import Schedule
from firmware.system.time_settings import PlaceSettings
setting = {"place": lambda zone: PlaceSettings(time_zone=zone), "schedule": lambda zone: Schedule(zone=zone)}
opened = []
sys.addaudithook(lambda event, what: opened.append(what[0]) if event == "open" and "zoneinfo" in str(what[0]) else None)
try:
    setting[sys.argv[2]](sys.argv[1])
except ValueError:
    pass
print(len(opened))
"""


@pytest.mark.parametrize("setting", ["place", "schedule"])
@pytest.mark.parametrize("zone", ["Europe/Stockholm", "Europe/Stokholm"])
def test_a_zone_costs_a_look_at_a_few_files_right_or_wrong(zone: str, setting: str) -> None:
    done = subprocess.run([sys.executable, "-c", COUNT, zone, setting], capture_output=True, text=True, check=True)
    assert 1 <= int(done.stdout) < 20


def test_a_wrong_zone_is_told_with_the_nearest_one() -> None:
    with pytest.raises(ValidationError, match="did you mean 'Europe/Stockholm'"):
        PlaceSettings(time_zone="Europe/Stokholm")


@pytest.mark.parametrize(
    "zone", ["", "Europe", "/etc/passwd", "../Europe/Berlin", "right/Europe/Berlin", "localtime", "x\0"]
)
def test_what_is_no_place_is_no_zone(zone: str) -> None:
    assert not is_zone(zone)


@pytest.mark.parametrize("zone", ["UTC", "Etc/GMT+6", "Europe/Stockholm", "Asia/Kathmandu"])
def test_what_the_database_has_is_a_zone(zone: str) -> None:
    assert is_zone(zone)


def test_every_zone_that_is_named_is_one() -> None:
    assert {"UTC", "Europe/Stockholm"} <= named_zones()
    assert all(is_zone(name) for name in named_zones())


def test_a_list_offers_the_places_the_whole_hours_and_what_is_set_now() -> None:
    assert {"Etc/GMT+6", "Etc/GMT-14", "Europe/Stockholm", "UTC"} <= set(offered("UTC"))
    assert offered("CET").count("CET") == 1
    assert offered("CET") == sorted(offered("CET"))
    assert not {"Etc/GMT", "Etc/GMT+0", "Etc/UTC", "posix/UTC"} & set(offered("UTC"))
