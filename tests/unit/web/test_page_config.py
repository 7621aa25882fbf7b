"""Plain config: every parameter, found by a search, changed with its errors beside it."""

from __future__ import annotations

from tests.bench.sim import SimBench
from tests.unit.web.visit import Visit, visitors


async def find(page: Visit, wish: str) -> None:
    await page.type("Search", wish)


async def test_every_group_of_the_device_is_there_for_an_administrator_and_for_nobody_else(bench: SimBench) -> None:
    declared = (await bench.api("GET", "/params")).json()["params"]
    async with visitors(bench) as people:
        page = await people.open("/config")
        assert {each["group"] for each in declared} <= set(page.text.splitlines())
        await people.account("otto", "operator")
        assert await people.status("/config", "otto") == 403
        assert "/config" not in (await people.open("/", "otto")).links()


async def test_a_parameter_is_found_changed_and_saved(bench: SimBench) -> None:
    async with visitors(bench) as people:
        page = await people.open("/config")
        await find(page, "network.")
        await page.type("dns", "192.0.2.1\n\n 192.0.2.2 ")
        assert any("lintel.mark" in script and "true" in script for script in page.scripts)
        await page.press("Save")
        assert (await bench.param("network"))["dns"] == ["192.0.2.1", "192.0.2.2"]
        assert page.told == ["Saved."]
        assert next(each for each in reversed(page.scripts) if "lintel.mark" in each).endswith("false)")


async def test_what_is_wrong_stands_beside_its_field_and_nothing_is_changed(bench: SimBench) -> None:
    before = await bench.param("brute_force")
    async with visitors(bench) as people:
        page = await people.open("/config")
        await find(page, "brute_force")
        await page.type("page_failures_per_s", "many")
        await page.press("Save")
        assert page.fault("page_failures_per_s") == "'many' is not a number"
        await page.type("page_failures_per_s", "-3")
        await page.type("device_failures_per_s", "7")
        await page.press("Save")
        assert "(got -3)" in page.fault("page_failures_per_s")
        assert page.field("period_s").props["suffix"] == "s"
        assert await bench.param("brute_force") == before
        await find(page, "network.")
        await page.type("address", "192.0.2.300")
        await page.press("Save")
        assert "such as 192.168.0.90" in page.fault("address")


async def test_a_change_by_somebody_else_is_shown_and_what_one_is_changing_is_kept(bench: SimBench) -> None:
    async with visitors(bench) as people:
        page = await people.open("/config")
        await find(page, "network.")
        await page.type("ieee8021x_identity", "door 7")
        await bench.params("network", router="192.0.2.1")
        await page.sees(lambda _: page.field("router").value == "192.0.2.1")
        assert page.field("ieee8021x_identity").value == "door 7"
        await page.press("Undo")
        assert page.field("ieee8021x_identity").value == ""


async def test_a_search_that_finds_nothing_says_so(bench: SimBench) -> None:
    async with visitors(bench) as people:
        page = await people.open("/config")
        await find(page, "no such thing")
        assert "No parameter fits." in page.text
        assert page.buttons("Save") == []
