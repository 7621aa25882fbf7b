"""Logs and reports: lines as they come, filtered, and the report as a file."""

from __future__ import annotations

import io
import zipfile

from tests.bench.sim import SimBench
from tests.unit.web.visit import visitors


async def test_a_line_appears_while_the_page_is_open_and_a_filter_keeps_the_others_away(bench: SimBench) -> None:
    async with visitors(bench) as people:
        page = await people.open("/logs")
        await page.type("Log", "audit")
        await people.account("eve", "viewer")
        await page.sees("account eve (viewer) created by admin")
        await page.type("Only lines with", "mallory")
        assert "account eve (viewer) created by admin" not in page.text
        assert "No line." in page.text
        await people.account("mallory", "viewer")
        await page.sees("account mallory (viewer) created by admin")


async def test_a_log_that_is_not_live_stays_as_it_is(bench: SimBench) -> None:
    async with visitors(bench) as people:
        page = await people.open("/logs")
        await page.type("Log", "audit")
        await page.type("Live", False)
        await people.account("eve", "viewer")
        await bench.settle()
        await bench.settle()
        assert "account eve" not in page.text
        await page.type("Live", True)
        await page.sees("account eve")


async def test_the_reports_are_for_administrators_and_the_links_lead_to_them(bench: SimBench) -> None:
    async with visitors(bench) as people:
        page = await people.open("/logs")
        reports = [link for link in page.links() if link.startswith("/api/v1/report")]
        assert len(reports) == 2
        await people.account("otto", "operator")
        assert await people.status("/logs", "otto") == 403
        assert [await people.status(link, "otto") for link in reports] == [403, 403]
    answer = await bench.http("GET", reports[0])
    assert answer.headers["content-disposition"].endswith('.zip"')
    with zipfile.ZipFile(io.BytesIO(answer.content)) as kept:
        assert "otto" in kept.read("audit.log").decode()
        assert "bench-password" not in "".join(kept.read(name).decode(errors="replace") for name in kept.namelist())


async def test_remote_system_logs_are_set_and_tested_from_the_page(bench: SimBench) -> None:
    async with visitors(bench) as people:
        page = await people.open("/logs")
        await page.press("Send a test message")
        assert page.told == ["There is no server to send to."]
        await page.type("Servers", '[{"host": "log.example", "port": 70000}]')
        await page.press("Save")
        assert "65535" in page.fault("Servers")
        await page.type("Servers", "[{")
        await page.press("Save")
        assert page.fault("Servers").startswith("is not JSON: ")
