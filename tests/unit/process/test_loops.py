"""The event loops of the roles."""

from __future__ import annotations

import pytest

from firmware.child import loop_of


def test_media_waits_in_uvloop() -> None:
    make = loop_of("media")
    assert make is not None
    loop = make()
    try:
        assert type(loop).__module__ == "uvloop"
    finally:
        loop.close()


@pytest.mark.parametrize("role", ["control", "network", "all"])
def test_every_other_role_waits_in_pythons_own(role: str) -> None:
    assert loop_of(role) is None
