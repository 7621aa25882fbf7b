"""What a door station does when a bit of its settings has rotted between two starts (hardening row 21)."""

from __future__ import annotations

import pytest

from tests.bench.sim import SimBench

CARD = "H10301:42:1234"
STRANGER = "H10301:9:9999"


def damaged(bench: SimBench, role: str) -> set[str]:
    """Of what a role says that it was damaged."""
    return {s.what for s in bench.states("station/storage") if s.role == role and str(s.problem) == "damaged"}


async def swiped(bench: SimBench, card: str) -> bool:
    """Whether a card opens the door."""
    before = bench.relay("door").edges()
    await bench.reader("front").swipe(card)
    await bench.advance(8.0)
    return bench.relay("door").edges() > before


@pytest.mark.parametrize("place", [b"SQLite format", b"CREATE TABLE entries", b"H10301:42:1234[]", b"holder"])
async def test_row_21_a_rotten_entry_list_comes_from_its_good_copy_with_an_alarm(bench: SimBench, place: bytes) -> None:
    await bench.enrol(card=CARD)
    await bench.advance(10.0)
    await bench.stop()
    bench.flip("control", "entries.db", place)
    await bench.start()
    assert damaged(bench, "control") & {"entries", "entries.db"}
    assert await swiped(bench, CARD)
    assert not await swiped(bench, STRANGER)


@pytest.mark.parametrize("how", ["rotten", "empty", "gone"])
async def test_row_21_a_list_without_any_good_copy_lets_nobody_in_and_says_so(bench: SimBench, how: str) -> None:
    await bench.enrol(card=CARD)
    await bench.advance(10.0)
    await bench.stop()
    for name in ("entries.db", "entries.good"):
        path = bench.file("control", name)
        if how == "gone":
            path.unlink()
        else:
            path.write_bytes(b"" if how == "empty" else b"\xff" * path.stat().st_size)
    await bench.start()
    assert damaged(bench, "control") & {"entries", "entries.db"}
    for card in (CARD, STRANGER):
        assert not await swiped(bench, card)
    assert (await bench.api("POST", "/setup", {"name": "eve", "password": "eves-password"})).status_code == 409


async def test_row_21_rotten_settings_come_from_their_good_copy_with_an_alarm(bench: SimBench) -> None:
    for seconds in (7.0, 8.0):
        assert (await bench.api("PATCH", "/params/access", {"pin_timeout_s": seconds})).status_code == 200
    await bench.stop()
    bench.flip("control", "params-access")
    await bench.start()
    assert damaged(bench, "control") == {"params-access"}
    assert (await bench.api("GET", "/params/access")).json()["pin_timeout_s"] == 7.0


async def test_row_21_a_list_that_was_switched_off_does_not_come_on_when_its_setting_rots(bench: SimBench) -> None:
    await bench.enrol(card=CARD)
    assert (await bench.api("PATCH", "/params/access", {"use_entry_list": False})).status_code == 200
    assert not await swiped(bench, CARD)
    await bench.stop()
    bench.flip("control", "params-access")
    await bench.start()
    assert damaged(bench, "control") == {"params-access"}
    assert not await swiped(bench, CARD)


async def test_row_21_rotten_accounts_come_from_their_good_copy_and_are_no_first_boot(bench: SimBench) -> None:
    await bench.stop()
    bench.flip("network", "accounts")
    await bench.start()
    assert damaged(bench, "network") == {"accounts"}
    assert (await bench.api("GET", "/entries")).status_code == 200
    assert (await bench.api("POST", "/setup", {"name": "eve", "password": "eves-password"})).status_code == 409


async def test_row_21_accounts_without_any_good_copy_let_nobody_in_and_no_stranger_sets_up(bench: SimBench) -> None:
    await bench.enrol(card=CARD)
    await bench.stop()
    for name in ("accounts", "accounts.good"):
        bench.flip("network", name)
    await bench.start()
    assert "accounts" in damaged(bench, "network")
    assert (await bench.api("POST", "/setup", {"name": "eve", "password": "eves-password"})).status_code != 201
    assert (await bench.api("GET", "/entries")).status_code in (401, 503)
    # Whoever has a card still gets in.
    assert await swiped(bench, CARD)


async def test_row_21_accounts_that_are_gone_after_set_up_are_no_first_boot(bench: SimBench) -> None:
    await bench.stop()
    for name in ("accounts", "accounts.good"):
        bench.file("network", name).unlink()
    await bench.start()
    assert (await bench.api("POST", "/setup", {"name": "eve", "password": "eves-password"})).status_code != 201
    assert "accounts" in damaged(bench, "network")
