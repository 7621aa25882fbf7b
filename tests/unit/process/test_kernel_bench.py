"""Parts of the kernel bench that need no guest: what a test asks in vain, boards with patience, records, transfers."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from hal.board import load_board
from tests.bench.kernel.bench import LACKS, lacking
from tests.bench.kernel.chips import messages
from tests.bench.kernel.lines import RECORD
from tests.bench.kernel.patient import POLL_MS, patient

BOARDS = ("door_station", "horn_speaker", "network_speaker", "plate_camera", "ptz_dome")


async def pulls_the_plug(bench: Any) -> None:
    await bench.power_off()


async def asks_a_function_that_does(bench: Any) -> None:
    await pulls_the_plug(bench)


async def asks_in_a_nested_one(bench: Any) -> None:
    async def nested() -> None:
        bench.disk.error = 5

    await nested()


async def asks_for_a_door(bench: Any) -> None:
    await bench.relay("door").pulse()


def test_what_a_test_asks_in_vain_is_found_before_anything_is_started() -> None:
    assert lacking(pulls_the_plug) == LACKS["power_off"]
    assert lacking(asks_a_function_that_does) == LACKS["power_off"]
    assert lacking(asks_in_a_nested_one) == LACKS["disk"]
    assert lacking(asks_for_a_door) is None


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_with_patience_differs_in_how_often_it_asks_and_in_nothing_else(name: str, tmp_path: Path) -> None:
    shipped, changed = load_board(name), load_board(patient(name, tmp_path))
    assert (shipped.buses, shipped.rooms, shipped.product) == (changed.buses, changed.rooms, changed.product)
    assert shipped.nodes.keys() == changed.nodes.keys()
    for node, before in shipped.nodes.items():
        wanted = POLL_MS.get(before.compatible)
        after = changed.nodes[node]
        assert after == (before if wanted is None else before.model_copy(update={"poll_ms": wanted}))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("  python-12  [000] .....   12.345678: gpio_value: 474 set 1", ("12", "345678", "474", "1", None)),
        ("  python-12  [000] .....    0.000001: gpio_value: 458 set 0", ("0", "000001", "458", "0", None)),
        ("  python-12  [000] .....   12.345678: gpio_direction: 458  in (0)", ("12", "345678", None, None, "458")),
        ("  python-12  [000] .....   12.345678: gpio_direction: 458 out (0)", None),
        ("  python-12  [000] .....   12.345678: gpio_value: 474 get 1", None),
    ],
)
def test_records_of_the_kernel_tell_what_is_driven_and_what_is_let_go(line: str, found: Any) -> None:
    match = RECORD.search(line)
    assert (None if match is None else match.group("s", "us", "v", "level", "d")) == found


def test_a_transfer_of_the_guests_bus_is_read_message_by_message() -> None:
    write = struct.pack("<HHI", 0x20, 0, 2) + b"\x14\x01"
    read = struct.pack("<HHI", 0x48, 1, 3)
    found = list(messages(struct.pack("<II", 7, 2) + write + read))
    assert [(each.address, each.reads, each.length, each.data) for each in found] == [
        (0x20, False, 2, b"\x14\x01"),
        (0x48, True, 3, b""),
    ]
