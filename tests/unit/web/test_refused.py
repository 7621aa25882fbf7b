"""Whoever gets no page is told so on one: in words, in the visitor's language, with the way back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench.sim import PASSWORD, USER, SimBench
from tests.unit.web.visit import visitors

BROWSER = {"accept": "text/html,application/xhtml+xml", "accept-language": "de"}


async def asked(bench: SimBench, path: str, name: str = USER, **headers: str) -> Any:
    return await bench.http("GET", path, auth=(name, PASSWORD), headers=headers)


async def test_a_page_above_the_visitors_level_is_refused_on_a_page_and_to_a_program_as_ever(bench: SimBench) -> None:
    async with visitors(bench) as people:
        await people.account("vic", "viewer")
        answer = await asked(bench, "/accounts", "vic", **BROWSER)
        assert (answer.status_code, answer.headers["content-type"]) == (403, "text/html; charset=utf-8")
        assert "<h2>Nicht erlaubt</h2>" in answer.text
        assert '<a href="/">' in answer.text
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        program = await asked(bench, "/accounts", "vic", accept="*/*")
        assert (program.status_code, program.json()["error"]["code"]) == (403, "forbidden")


async def test_a_page_that_is_not_there_is_told_the_nearest_and_nothing_of_its_name_is_code(bench: SimBench) -> None:
    async with visitors(bench):
        answer = await asked(bench, "/acounts", **BROWSER)
        assert answer.status_code == 404
        assert "keine solche Seite; meinten Sie &#x27;/accounts&#x27;?" in answer.text
        evil = await asked(bench, "/%3Cscript%3Ealert(1)%3C/script%3E", **BROWSER)
        assert evil.status_code == 404
        assert "<script>alert" not in evil.text
        assert "&lt;script&gt;alert" in evil.text


@pytest.mark.board("network_speaker")
async def test_a_page_of_hardware_that_the_product_lacks_says_so(bench: SimBench) -> None:
    async with visitors(bench):
        answer = await asked(bench, "/reader", **BROWSER)
        assert (answer.status_code, "<h2>Nicht vorhanden</h2>" in answer.text) == (404, True)
        assert "dieses Produkt hat das nicht: Leser" in answer.text
