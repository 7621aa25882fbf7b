"""Names of time zones to choose from and for whoever misspelt one, without a walk through the whole zone database.

`zoneinfo.available_timezones` opens every file of it, which holds the door's loop for a tenth of a second and more.
One table of the database names all places, one folder the whole hours from UTC; only these are read, once.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo, ZoneInfoNotFoundError

# Of the zone database: country, coordinates and, in the third column, the name.
TABLE = "zone.tab"
# Whole hours from UTC without summer time, such as Etc/GMT+6 (six hours west).
OFFSETS = "Etc"
OFFSET = re.compile(r"GMT[+-][1-9][0-9]?")
LONGEST_BYTES = 200_000
# Files of the database that are no places: copies with other rules for leap seconds, and links.
NO_PLACES = ("posix/", "right/", "localtime", "posixrules", "Factory")


def is_zone(name: str) -> bool:
    """Whether the zone database of this machine has it: a look at one file."""
    if name == "UTC":
        return True  # also on a machine without a zone database
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return not name.startswith(NO_PLACES)


@lru_cache(maxsize=1)
def named_zones() -> frozenset[str]:
    """The zones that the database lists by place, the whole hours from UTC, and UTC; only that without a database."""
    for folder in map(Path, TZPATH):
        try:
            with (folder / TABLE).open("rb") as file:
                lines = file.read(LONGEST_BYTES).decode("utf-8", "replace").splitlines()
        except OSError:
            continue
        columns = [line.split("\t") for line in lines if not line.startswith("#")]
        return frozenset({"UTC", *(each[2] for each in columns if len(each) > 2), *_offsets(folder / OFFSETS)})
    return frozenset({"UTC"})


def offered(now: str) -> list[str]:
    """The zones that a list offers, in order; the one that is set now is always there, listed by place or not."""
    return sorted({*named_zones(), now})


def _offsets(folder: Path) -> list[str]:
    try:
        return [f"{OFFSETS}/{name}" for name in os.listdir(folder) if OFFSET.fullmatch(name)]
    except OSError:
        return []
