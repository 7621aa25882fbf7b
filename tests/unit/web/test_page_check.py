"""Configuration check: what readers saw, live, and a credential tried from the page."""

from __future__ import annotations

from tests.bench.sim import SimBench
from tests.unit.web.visit import visitors

CARD = "H10301:42:77"


async def test_a_card_is_seen_as_it_is_held_and_still_there_when_the_page_is_opened_again(bench: SimBench) -> None:
    async with visitors(bench) as people:
        await people.account("otto", "operator")
        page = await people.open("/check", "otto")
        assert "Nothing was held to a reader yet." in page.text
        await bench.reader("front").swipe(CARD)
        await page.sees("unknown credential")
        assert CARD in page.text
        await bench.enrol(CARD)
        await bench.reader("front").swipe(CARD)
        await page.sees("Granted")
        assert page.text.index("Granted") < page.text.index("Denied")
        again = await people.open("/check", "otto")
        assert f"{CARD} · holder {CARD}" in again.text
        assert again.buttons("Check") == []


async def test_a_checked_credential_is_answered_as_at_the_reader(bench: SimBench) -> None:
    await bench.enrol(CARD)
    async with visitors(bench) as people:
        page = await people.open("/check")
        await page.type("Value", "H10301:42:78")
        await page.press("Check")
        await page.sees("Denied · unknown credential")
        assert bench.relay("door").edges() == 0
        await page.type("Value", CARD)
        await page.press("Check")
        await page.sees(f"Granted · holder {CARD}")
        assert bench.relay("door").on
        await page.type("Value", "H10302:1")
        await page.press("Check")
        assert "H10301" in page.fault("Value")
        await page.type("Kind", "uid")
        await page.type("Value", "no hex")
        await page.press("Check")
        assert "no hex" in page.fault("Value")


async def test_a_viewer_sees_no_credentials(bench: SimBench) -> None:
    async with visitors(bench) as people:
        await people.account("vic", "viewer")
        assert await people.status("/check", "vic") == 403
