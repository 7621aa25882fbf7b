"""Time zones: known by one look, and a wrong one does not make control walk through the whole database."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from firmware.system import PlaceSettings
from firmware.system.zones import is_zone, named_zones

# How many files of the zone database are opened for this zone.
COUNT = """
import sys
from firmware.system.time_settings import PlaceSettings
opened = []
sys.addaudithook(lambda event, what: opened.append(what[0]) if event == "open" and "zoneinfo" in str(what[0]) else None)
try:
    PlaceSettings(time_zone=sys.argv[1])
except ValueError:
    pass
print(len(opened))
"""


@pytest.mark.parametrize("zone", ["Europe/Stockholm", "Europe/Stokholm"])
def test_a_zone_costs_a_look_at_a_few_files_right_or_wrong(zone: str) -> None:
    done = subprocess.run([sys.executable, "-c", COUNT, zone], capture_output=True, text=True, check=True)
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
