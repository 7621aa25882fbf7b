"""A device and a dispatcher that are started as the manual says, on one machine."""

from __future__ import annotations

from firmware.cli import dispatcher, run
from firmware.cli.parser import address


def test_a_device_and_a_dispatcher_on_one_machine_do_not_take_each_others_addresses() -> None:
    theirs = [address(dispatcher.LISTEN, "--listen"), address(dispatcher.HTTP, "--http")]
    options = run.parse([])
    ours = [options.http, run.HTTPS]
    assert len({*theirs, *ours}) == 4
