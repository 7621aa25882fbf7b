"""What logs call the device's own parts is nobody's name: a line of the audit log says who it was, beyond doubt."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import firmware
from firmware.core.link.wire import CONSOLE
from firmware.core.vocabulary.security import OWN_NAMES
from firmware.interfaces.http.credentials import ANONYMOUS
from firmware.security.login import NO_SUCH_ACCOUNT

Play = Callable[..., None]
ADMIN = ("admin", "choose-one")
SAID = "is what this device calls one of its own parts in the logs; take another name"


@pytest.mark.parametrize("name", ["console", "Console", "system", "anonymous"])
def test_an_account_is_not_called_as_a_part_of_the_device_is(play: Play, name: str) -> None:
    async def main(face: Any) -> None:
        refused = await face.set_up(name)
        assert (refused.status_code, refused.json()["error"]["where"]) == (400, "accounts.setup.name")
        await face.set_up()
        async with face.client(ADMIN) as client:
            made = await client.post("/api/v1/accounts", json={"name": name, "password": "choose-another"})
            assert (made.status_code, made.json()["error"]) == (
                400,
                {"code": "invalid", "where": "accounts.add.name", "message": f"{name!r} {SAID}"},
            )
            group = {"action": "add", "user": name, "pwd": "x", "grp": "users", "sgrp": "viewer"}
            told = await client.get("/axis-cgi/pwdgrp.cgi", params=group)
            assert "Error" in told.text
            listed = (await client.get("/api/v1/accounts")).json()["accounts"]
        assert [each["name"] for each in listed] == ["admin"]

    play(main)


def test_an_account_of_such_a_name_that_is_there_already_stays_usable_and_is_warned_of_until_it_is_removed(
    play: Play, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "lintel.security")
    later = "the logs cannot tell the account 'console' from a part of the device: remove it"

    async def before(face: Any) -> None:
        with monkeypatch.context() as former:
            former.setattr("firmware.security.accounts.OWN_NAMES", frozenset())
            await face.set_up()
            await face.account("console", "choose-another", "operator")
        assert later not in caplog.text

    async def after(face: Any) -> None:
        assert later in caplog.text
        async with face.client(("console", "choose-another")) as client:
            assert (await client.get("/api/v1/device")).status_code == 200
        async with face.client(ADMIN) as client:
            changed = await client.post("/api/v1/actions/accounts.change", json={"name": "console", "level": "viewer"})
            assert changed.status_code == 200
            assert (await client.delete("/api/v1/accounts/console")).status_code == 204
        caplog.clear()

    async def at_last(face: Any) -> None:
        assert later not in caplog.text

    play(before, after, at_last)


def test_every_name_under_which_the_device_does_something_itself_is_among_them() -> None:
    sources = Path(firmware.__file__).parent.rglob("*.py")
    found = {name for path in sources for name in re.findall(r'\bCaller\(\s*"([^"]*)"', path.read_text("utf-8"))}
    assert {"system", "rules"} <= found
    assert {name for name in found if re.fullmatch(r"[A-Za-z0-9._-]+", name)} | {
        CONSOLE,
        ANONYMOUS,
        NO_SUCH_ACCOUNT,
    } == OWN_NAMES
