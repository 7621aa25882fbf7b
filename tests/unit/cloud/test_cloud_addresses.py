"""A device and a dispatcher that are started as the manual says, on one machine."""

from __future__ import annotations

from firmware.cli import dispatcher
from firmware.cli.parser import address
from firmware.cli.run import HTTPS, parse


def test_a_device_and_a_dispatcher_on_one_machine_do_not_take_each_others_addresses() -> None:
    theirs = [address(dispatcher.LISTEN, "--listen"), address(dispatcher.HTTP, "--http")]
    options = parse([])
    ours = [options.http, HTTPS]
    assert len({*theirs, *ours}) == 4
