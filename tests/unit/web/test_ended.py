"""A page whose visitor is no longer who it was: it shows nothing of what happens afterwards, and nobody counts it."""

from __future__ import annotations

from tests.bench.sim import SimBench
from tests.unit.web.visit import visitors


async def test_a_page_that_was_ended_hears_nothing_any_more_though_its_browser_keeps_it_open(bench: SimBench) -> None:
    async with visitors(bench) as people:
        await people.account("eve", "viewer")
        ended, living = await people.open("/doors", "eve"), await people.open("/doors")
        await ended.sees("locked")
        before = ended.text
        assert (await bench.api("DELETE", "/accounts/eve")).status_code == 204
        await bench.until(lambda: any("location.reload()" in script for script in ended.scripts))
        assert (await bench.action("door.release", door="door")).status_code == 200
        await living.sees("released")
        assert ended.text == before
