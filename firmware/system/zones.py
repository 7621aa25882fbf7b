"""Names of time zones for whoever misspelt one, without a walk through the whole zone database.

`zoneinfo.available_timezones` opens every file of it, which holds the door's loop for a tenth of a second and more.
One table of the database names nearly all; only that file is read, once.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo, ZoneInfoNotFoundError

# Of the zone database: country, coordinates and, in the third column, the name.
TABLE = "zone.tab"
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
    """The zones that the database lists by place, and UTC; only that where there is no list."""
    for folder in TZPATH:
        try:
            with (Path(folder) / TABLE).open("rb") as file:
                lines = file.read(LONGEST_BYTES).decode("utf-8", "replace").splitlines()
        except OSError:
            continue
        columns = [line.split("\t") for line in lines if not line.startswith("#")]
        return frozenset({"UTC", *(each[2] for each in columns if len(each) > 2)})
    return frozenset({"UTC"})
