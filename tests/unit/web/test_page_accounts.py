"""Accounts and one's own password: made, changed and removed, with what is wrong beside its field."""

from __future__ import annotations

from tests.bench.sim import PASSWORD, USER, SimBench
from tests.unit.web.visit import visitors

NEW = "another-password"


async def levels(bench: SimBench) -> dict[str, str]:
    found = (await bench.api("GET", "/accounts")).json()["accounts"]
    return {each["name"]: each["level"] for each in found}


async def test_an_account_is_added_changed_and_removed_on_its_page(bench: SimBench) -> None:
    async with visitors(bench) as people:
        page = await people.open("/accounts")
        await page.type("Name", "eve")
        await page.type("Level", "operator")
        await page.type("Password", NEW)
        await page.type("Password again", "something-else")
        await page.press("Add")
        assert page.fault("Password again") == "The two passwords differ."
        assert "eve" not in await levels(bench)
        await page.type("Password again", NEW)
        await page.press("Add")
        assert (await levels(bench))["eve"] == "operator"
        assert (await bench.http("GET", "/", auth=("eve", NEW))).status_code == 200
        await page.sees("eve")
        await page.press("Change eve")
        await page.type("Level", "viewer", nth=1)
        await page.press("Save")
        assert (await levels(bench))["eve"] == "viewer"
        await page.press("Remove eve")
        assert "eve" in await levels(bench)
        await page.press("Remove")
        assert "eve" not in await levels(bench)
        await page.sees(lambda text: "eve" not in text.splitlines())


async def test_a_name_that_cannot_be_is_told_beside_the_name_and_the_last_administrator_stays(bench: SimBench) -> None:
    async with visitors(bench) as people:
        page = await people.open("/accounts")
        await page.type("Name", "eve adams")
        await page.press("Generate a password")
        await page.press("Add")
        assert "eve adams" in page.fault("Name")
        await page.type("Name", USER)
        await page.press("Add")
        assert USER in page.fault("Name")
        await page.press(f"Remove {USER}")
        await page.press("Remove")
        await page.sees(lambda text: "administrator" in text and "Refused" in text)
        assert await levels(bench) == {USER: "admin"}


async def test_a_viewer_changes_the_own_password_and_sees_no_accounts(bench: SimBench) -> None:
    async with visitors(bench) as people:
        await people.account("vic", "viewer")
        assert await people.status("/accounts", "vic") == 403
        page = await people.open("/password", "vic")
        await page.type("Present password", "guessed")
        await page.type("Password", NEW)
        await page.type("Password again", NEW)
        await page.press("Save")
        assert page.fault("Present password") == "is not the present password"
        await page.type("Present password", PASSWORD)
        await page.press("Save")
        assert (await bench.http("GET", "/", auth=("vic", NEW))).status_code == 200
        assert any("location.reload" in script for script in page.scripts)
