"""The identity of a simulated device: drawn once, then the same for ever."""

from __future__ import annotations

import re

import pytest

from firmware.core.errors import Unavailable
from firmware.core.identity import draw, load_or_draw
from firmware.core.store_file import Damaged, DurableFiles, frame


def test_an_identity_is_drawn_once(tmp_path):
    first = load_or_draw(tmp_path / "identity")
    assert load_or_draw(tmp_path / "identity") == first
    assert load_or_draw(tmp_path / "other") != first


def test_every_serial_is_a_locally_administered_unicast_address():
    for _ in range(50):
        identity = draw()
        assert re.fullmatch("[0-9A-F]{12}", identity.serial)
        assert int(identity.serial[:2], 16) & 0b11 == 0b10
        assert re.fullmatch("[0-9a-f]{16}", identity.chip_id)


def test_row_21_a_rotten_identity_comes_back_from_its_copy_or_stops_the_start(tmp_path, flip):
    first = load_or_draw(tmp_path)
    flip(tmp_path / "chip", -1)
    assert load_or_draw(tmp_path) == first
    flip(tmp_path / "chip", -1)
    flip(tmp_path / "chip.good", -1)
    with pytest.raises(Damaged):
        load_or_draw(tmp_path)


@pytest.mark.parametrize(
    "saved", [b"{}", b"[]", b"\xff", b'{"serial": 1, "chip_id": 2}', b'{"serial": "x", "chip_id": "y"}']
)
def test_something_else_in_its_place_is_not_an_identity(tmp_path, saved):
    (tmp_path / "chip").write_bytes(frame(saved))
    with pytest.raises(Damaged):
        load_or_draw(tmp_path)


def test_a_place_that_cannot_be_used_is_one_clear_error(tmp_path, disk):
    import errno

    disk.error = errno.EROFS
    with pytest.raises(Unavailable, match="Read-only file system"):
        load_or_draw(tmp_path / "identity", disk=disk)
    assert DurableFiles(tmp_path, disk).load("chip").data is None
