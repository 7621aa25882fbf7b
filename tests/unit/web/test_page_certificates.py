"""Certificates: made, asked for, taken away, and chosen for HTTPS."""

from __future__ import annotations

from nicegui.element import Element

from firmware.interfaces.api.settings import HttpSettings
from tests.bench.sim import SimBench
from tests.unit.web.visit import Visit, visitors


async def names(bench: SimBench) -> list[str]:
    return [each["name"] for each in (await bench.api("GET", "/certificates")).json()["certificates"]]


def form(page: Visit) -> Element:
    return next(element for element in page.elements() if "data-path" in element.props)


async def test_a_certificate_is_made_asked_for_and_removed(bench: SimBench) -> None:
    async with visitors(bench) as people:
        page = await people.open("/certificates")
        await page.type("Name", "front")
        await page.type("Country", "Sweden")
        await page.type("Names and addresses it is good for", "door.example 192.0.2.7")
        await page.press("Create")
        assert "Sweden" in page.fault("Country")
        await page.type("Country", "SE")
        await page.type("Valid for days", "many")
        await page.press("Create")
        assert "many" in page.fault("Valid for days")
        assert "front" not in await names(bench)
        await page.type("Valid for days", "30")
        await page.press("Create")
        assert "front" in await names(bench)
        await page.sees("front")
        await page.press("Signing request of front")
        await page.sees(lambda _: "BEGIN CERTIFICATE REQUEST" in page.scripts[-1])
        await page.press("Remove front")
        await page.press("Remove")
        assert "front" not in await names(bench)


async def test_a_file_goes_to_the_native_api_as_json_and_never_through_the_page(bench: SimBench) -> None:
    async with visitors(bench) as people:
        page = await people.open("/certificates")
        sent = form(page).props
        assert (sent["data-path"], sent["data-how"]) == ("/api/v1/certificates", "json")
        fields = {element.props["name"]: element for element in page.elements() if element.tag in ("input", "select")}
        assert set(fields) == {"name", "kind", "data", "key", "password"}
        assert fields["password"].props["type"] == "password"


async def test_a_certificate_is_chosen_for_https_among_those_of_the_device(bench: SimBench) -> None:
    made = await bench.api("POST", "/certificates/create", {"name": "front"})
    assert made.status_code == 201
    bench.declare(HttpSettings)
    async with visitors(bench) as people:
        page = await people.open("/certificates")
        await page.type("Certificate that HTTPS shows", "front")
        await page.press("Save")
        assert (await bench.param("http"))["certificate"] == "front"
        await page.type("Port of HTTP", "8443")
        await page.type("Port of HTTPS", "8443")
        await page.press("Save", nth=1)
        await page.sees("must differ")
        assert (await bench.param("http"))["http_port"] is None
        await people.account("otto", "operator")
        assert await people.status("/certificates", "otto") == 403
