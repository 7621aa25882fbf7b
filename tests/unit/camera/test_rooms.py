"""Memory for pictures: used again when nobody looks, and in large pages where the kernel has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hal.buses.rooms import LARGE_PAGE, Room, Rooms

LARGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
SMALL, PICTURE = 3000, 1280 * 720 * 3 // 2


def eligible(address: int) -> bool:
    """Whether the kernel would give a large page at an address. Source: proc_pid_smaps(5), THPeligible."""
    here = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first, _, rest = line.partition(" ")
        if "-" in first:
            start, end = (int(part, 16) for part in first.split("-"))
            here = start <= address < end
        elif here and first == "THPeligible:":
            return rest.strip() == "1"
    raise AssertionError(f"nothing is at {address:#x}")


@pytest.mark.parametrize("length", [SMALL, PICTURE])
def test_a_room_is_used_again_when_nobody_looks_and_not_before(length: int) -> None:
    rooms = Rooms(length, 2)
    first = rooms.free()
    first.whole[:] = 7
    seen = np.frombuffer(first.view(), np.uint8)[5:]
    second = rooms.free()
    assert second.address != first.address
    second.whole[:] = 8
    assert (seen == 7).all()
    del seen
    assert rooms.free().address == first.address


@pytest.mark.skipif(
    not LARGE_PAGES.exists() or "[never]" in LARGE_PAGES.read_text(), reason="this kernel has no large pages"
)
def test_a_picture_lies_in_large_pages() -> None:
    room = Room(PICTURE)
    assert room.address % LARGE_PAGE == 0
    assert eligible(room.address)
