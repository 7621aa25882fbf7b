"""The product's doors: checked against the board, with the nearest name."""

from __future__ import annotations

from typing import Any

import pytest

from firmware.access import AccessConfig
from firmware.core.errors import Invalid
from firmware.core.values import decode


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"doors": {"door": {"relay": "relay9"}}}, "did you mean 'relay"),
        ({"doors": {"door": {"relay": "relay1", "contact": "contct1"}}}, "did you mean 'contact1'"),
        ({"doors": {"door": {"relay": "relay1", "readers": ["reader9"]}}}, "doors.door.readers"),
        ({"keypads": ["reeder1"]}, "did you mean 'reader1'"),
        ({"doors": {"a": {"relay": "relay1"}, "b": {"relay": "relay1"}}}, "belongs to door 'a'"),
        ({"doors": {"a": {"relay": "relay1", "contact_closed": "cut"}}}, "open or closed"),
        ({"doors": {"Big Door": {"relay": "relay1"}}}, "pattern"),
        ({"doors": {"a": {"relay": "relay1", "reader": []}}}, "unknown name 'reader'"),
        ({"dors": {}}, "did you mean 'doors'"),
    ],
)
def test_wrong_product_data_names_the_place_and_the_nearest_name(
    on_station: Any, data: dict[str, Any], words: str
) -> None:
    async def body(station: Any) -> None:
        with pytest.raises(Invalid, match=words):
            decode(AccessConfig, data, where="rooms.access").check(station.hardware)

    on_station(body)


def test_a_reader_knows_its_door() -> None:
    config = decode(AccessConfig, {"doors": {"a": {"relay": "r", "readers": ["x"]}}}, where="rooms.access")
    assert config.door_of("x") == "a"
    assert config.door_of("y") == ""
    assert config.relays == {"r"}
