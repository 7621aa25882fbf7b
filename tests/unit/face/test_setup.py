"""The first administrator: made once, in the open for half an hour, with the code of the device afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firmware.core.store_disk import FileDisk
from firmware.core.store_file import frame
from firmware.core.vocabulary.security import SetupState
from firmware.security.setup import CODE_SYMBOLS, OPEN_S, draw_code, plain

Play = Callable[..., None]


def setup_of(face: Any) -> SetupState:
    state = face.bus.state(SetupState)
    assert isinstance(state, SetupState)
    return state


def test_a_fresh_device_has_no_account_and_says_that_it_needs_one(play: Play) -> None:
    async def main(face: Any) -> None:
        assert setup_of(face).needed
        assert not setup_of(face).code_required
        async with face.client(("admin", "admin")) as client:
            answer = await client.get("/api/v1/device")
        assert answer.status_code == 401
        assert "accounts" not in {path.name for path in face.core.store.root.iterdir()}

    play(main)


def test_the_first_administrator_is_made_once(play: Play) -> None:
    async def main(face: Any) -> None:
        first = await face.set_up()
        assert (first.status_code, first.json()) == (201, {"name": "admin", "level": "admin", "ptz": False})
        second = await face.set_up("other", "other")
        assert second.status_code == 409
        assert second.json()["error"]["code"] == "setup_done"
        assert not setup_of(face).needed
        async with face.client(("admin", "choose-one")) as client:
            assert (await client.get("/api/v1/device")).status_code == 200
        async with face.client(("other", "other")) as client:
            assert (await client.get("/api/v1/device")).status_code == 401

    play(main)


def test_row_29_of_two_racing_set_ups_exactly_one_wins(play: Play) -> None:
    async def main(face: Any) -> None:
        async with asyncio.TaskGroup() as group:
            tries = [group.create_task(face.set_up(name, f"{name}-password")) for name in ("one", "two", "three")]
        assert sorted(each.result().status_code for each in tries) == [201, 409, 409]
        winner = next(each.result().json()["name"] for each in tries if each.result().status_code == 201)
        for name in ("one", "two", "three"):
            async with face.client((name, f"{name}-password")) as client:
                answer = await client.get("/api/v1/device")
                assert answer.status_code == (200 if name == winner else 401)

    play(main)


def test_row_29_after_half_an_hour_the_code_of_the_device_is_asked_for(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.clock.sleep(OPEN_S - 1)
        assert not setup_of(face).code_required
        await face.clock.sleep(2)
        assert setup_of(face).code_required
        without = await face.set_up()
        assert (without.status_code, without.json()["error"]["code"]) == (403, "setup_code_required")
        wrong = await face.set_up(code="AAAA-BBBB-CCCC")
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (403, "setup_code_required")
        typed = face.accounts.setup_code.lower().replace("-", " ")
        assert (await face.set_up(code=typed)).status_code == 201
        assert face.accounts.setup_code == ""

    play(main)


def test_row_29_power_cycling_never_gives_time_back(play: Play) -> None:
    codes: list[str] = []

    async def short(face: Any) -> None:
        assert (await face.core.store.load("setup")) is not None
        codes.append(face.accounts.setup_code)
        await face.clock.sleep(1)

    async def last(face: Any) -> None:
        codes.append(face.accounts.setup_code)
        assert setup_of(face).code_required
        assert (await face.set_up()).status_code == 403
        assert (await face.set_up(code=codes[0])).status_code == 201

    # The wall clock goes back a day at each start: only what was paid for counts.
    async def back(face: Any) -> None:
        await short(face)
        face.clock.step_utc(-86_400)

    play(*[back] * 60, last)
    assert len(set(codes)) == 1


def test_row_29_time_that_passes_while_the_power_is_off_counts_where_the_date_is_known(play: Play) -> None:
    async def first(face: Any) -> None:
        face.clock.step_utc(3600)

    async def second(face: Any) -> None:
        assert setup_of(face).code_required

    play(first, second)


def test_row_29_a_date_that_is_not_known_neither_opens_nor_closes_the_window(play: Play) -> None:
    async def first(face: Any) -> None:
        face.clock.set_trusted(False)
        face.clock.step_utc(-3e8)

    async def second(face: Any) -> None:
        assert not setup_of(face).code_required
        await face.clock.sleep(OPEN_S)
        assert setup_of(face).code_required

    play(first, second)


def test_row_29_guessing_the_code_is_slowed_down(play: Play) -> None:
    async def main(face: Any) -> None:
        await face.clock.sleep(OPEN_S + 1)
        codes = [(await face.set_up(code="AAAA-AAAA-AAAA")).json()["error"]["code"] for _ in range(8)]
        assert codes[:5] == ["setup_code_required"] * 5
        assert codes[5:] == ["busy"] * 3
        assert (await face.set_up(code=face.accounts.setup_code)).status_code == 409
        await face.clock.sleep(1.1)
        assert (await face.set_up(code=face.accounts.setup_code)).status_code == 201

    play(main)


def test_row_29_a_window_that_cannot_be_counted_is_closed(play: Play) -> None:
    class ReadOnly(FileDisk):
        def write(self, path: Path, data: bytes) -> None:
            if path.name.startswith("setup"):
                raise OSError(30, "Read-only file system")
            super().write(path, data)

    async def main(face: Any) -> None:
        assert setup_of(face).needed
        assert setup_of(face).code_required
        assert (await face.set_up()).status_code == 403

    play(main, disk=ReadOnly())


def test_what_was_set_up_is_there_after_a_restart(play: Play) -> None:
    async def first(face: Any) -> None:
        await face.set_up()

    async def second(face: Any) -> None:
        assert not setup_of(face).needed
        assert (await face.set_up("thief", "thief")).status_code == 409
        async with face.client(("admin", "choose-one")) as client:
            assert (await client.get("/api/v1/device")).status_code == 200

    play(first, second)


def damage_accounts(root: Path) -> None:
    for path in (root / "accounts", root / "accounts.good"):
        path.write_bytes(path.read_bytes()[:-3] + b"???")


def delete_accounts(root: Path) -> None:
    for path in root.glob("accounts*"):
        path.unlink()


def empty_accounts(root: Path) -> None:
    for path in root.glob("accounts*"):
        path.write_bytes(frame(b'{"version": 1, "accounts": []}'))


def delete_accounts_and_damage_setup(root: Path) -> None:
    delete_accounts(root)
    for path in root.glob("setup*"):
        path.write_bytes(b"lintel 1 3 what")


@pytest.mark.parametrize("damage", [damage_accounts, delete_accounts, empty_accounts, delete_accounts_and_damage_setup])
def test_row_21_damaged_accounts_never_mean_a_first_boot(play: Play, damage: Callable[[Path], None]) -> None:
    async def first(face: Any) -> None:
        await face.set_up()

    async def second(face: Any) -> None:
        assert not setup_of(face).needed
        assert (await face.set_up("thief", "thief")).status_code == 503
        async with face.client(("admin", "choose-one")) as client:
            answer = await client.get("/api/v1/device")
        assert answer.status_code == 503
        assert "damaged" in answer.json()["error"]["message"]
        assert "station/storage" in face.topics()

    play(first, second, between=damage)


def test_row_21_one_damaged_copy_of_the_accounts_costs_nothing(play: Play) -> None:
    def damage(root: Path) -> None:
        (root / "accounts").write_bytes(b"rubbish")

    async def first(face: Any) -> None:
        await face.set_up()

    async def second(face: Any) -> None:
        async with face.client(("admin", "choose-one")) as client:
            assert (await client.get("/api/v1/device")).status_code == 200
        assert any(what == "accounts" for what, *_ in face.alarms)

    play(first, second, between=damage)


def test_every_set_up_code_is_new_and_can_be_read_aloud() -> None:
    codes = {draw_code() for _ in range(200)}
    assert len(codes) == 200
    assert all(len(plain(code)) == CODE_SYMBOLS and not set(code) & set("01OI") for code in codes)


@pytest.mark.parametrize("password", ["", "x" * 65, "gr\u00fc\u00df", "tab\t"])
def test_row_47_a_refused_password_is_not_repeated(play: Play, password: str) -> None:
    async def main(face: Any) -> None:
        answer = await face.set_up(password=password)
        assert answer.status_code == 400
        assert answer.json()["error"]["where"] == "setup.password"
        assert not password or password not in answer.text

    play(main)
