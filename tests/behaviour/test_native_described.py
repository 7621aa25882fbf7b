"""The native API as its own description has it: whatever that allows, and some of what it does not, is answered.

Schemathesis makes the requests of the description that the device gives of itself; they go to a whole device on the
simulator, with all its services behind the link, in its own time. `make fuzz` makes more of them, for longer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.schemas import OpenApiSchema

from tests.bench.sim import SimBench
from tests.effort import EFFORT, examples

PASSWORDS = ("/session", "/password")  # come last: wrong ones are throttled, and then nothing else is looked at
# What is not asked, and why.
LEFT_OUT = {
    ("get", "/api/v1/events"): "an answer without an end; tests/unit/face/test_events.py reads it",
    ("get", "/api/v1/trace"): "listens at an adapter for as long as it is told; it has tests of its own",
    ("post", "/api/v1/ping"): "asks the real network; it has tests of its own",
    ("post", "/api/v1/port-check"): "asks the real network; it has tests of its own",
    ("post", "/api/v1/certificates/create"): "draws keys, seconds each; tests/unit/face/test_certificates.py does it",
    ("post", "/api/v1/actions/{name}"): "each action stands under its own name below",
    ("post", "/api/v1/actions/certificates.create"): "draws keys, seconds each",
    ("post", "/api/v1/actions/device.restart"): "the device is away then; tests/behaviour/test_reset.py does it",
    ("post", "/api/v1/actions/device.restore"): "the device is away then, and its account gone",
    ("post", "/api/v1/actions/device.factory_default"): "the device is away then, and its account gone",
    ("post", "/api/v1/actions/upgrade.rollback"): "the device is away then; tests/live/test_upgrade.py does it",
    ("post", "/api/v1/upgrade/rollback"): "the device is away then",
}
# Answers of a device that cannot, or whose media role is not there. Everything else from 500 on is a fault.
NO_FAULT = (501, 503, 507)
BASE = "http://127.0.0.1"
REQUEST = ("method", "url", "headers", "params", "data", "json", "files")


async def described(bench: SimBench) -> dict[str, Any]:
    """The description, with every action as a path of its own and every group of parameters with its types."""
    document: dict[str, Any] = (await bench.api("GET", "/openapi.json")).json()
    # Who asks is the administrator: other log-ins would be throttled, and then nothing else is looked at.
    del document["security"], document["components"]["securitySchemes"]
    actions = (await bench.api("GET", "/actions")).json()["actions"]
    for action in actions:
        document["paths"][f"/api/v1/actions/{action['name']}"] = operation("post", action["schema"])
    return document


def operation(method: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A path with one operation, whose body has a schema."""
    answers = {"200": {"description": "done"}, "default": {"description": "an error"}}
    body = {"required": True, "content": {"application/json": {"schema": dict(schema)}}}
    return {method: {"requestBody": body, "responses": answers}}


def cases_of(schema: OpenApiSchema, count: int) -> Iterator[Case]:
    """Requests of every operation that is not left out, those with passwords last."""
    operations = [found.ok() for found in schema.get_all_operations()]
    asked = [each for each in operations if (each.method, each.path) not in LEFT_OUT]
    for each in sorted(asked, key=lambda each: (each.path.endswith(PASSWORDS), each.path, each.method)):
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            yield from examples_of(each.as_strategy(generation_mode=mode), count)


def examples_of(strategy: SearchStrategy[Case], count: int) -> list[Case]:
    """So many of what a strategy makes: the same ones in CI, others with more effort."""
    made: list[Case] = []

    @given(strategy)
    @settings(max_examples=count, database=None, derandomize=EFFORT == 1, suppress_health_check=list(HealthCheck))
    def collect(case: Case) -> None:
        made.append(case)

    with suppress(Unsatisfiable):  # nothing can be wrong with a request that has no words
        collect()
    return made


async def ask(bench: SimBench, case: Case) -> httpx.Response:
    """Send a request as the strategy made it."""
    words = case.as_transport_kwargs(base_url=BASE)
    made = requests.Request(**{name: words[name] for name in words if name in REQUEST}).prepare()
    headers = {name: value for name, value in made.headers.items() if name.lower() != "content-length"}
    body = made.body.encode() if isinstance(made.body, str) else made.body
    return await bench.http(made.method, made.url.removeprefix(BASE), content=body, headers=headers)


@pytest.mark.simulator("requests as they were made go straight to the application: a client would mend or refuse many")
async def test_whatever_the_description_allows_is_answered_without_a_fault(bench: SimBench) -> None:
    schema = schemathesis.openapi.from_dict(await described(bench))
    codes: dict[int, int] = {}
    for case in cases_of(schema, examples(2)):
        answer = await ask(bench, case)
        codes[answer.status_code] = codes.get(answer.status_code, 0) + 1
        asked = f"{case.method} {answer.request.url} {answer.request.content[:300]!r}"
        said = f"{asked}: {answer.status_code} {answer.text[:500]}"
        assert answer.status_code < 500 or answer.status_code in NO_FAULT, said
        if answer.status_code >= 400:
            assert set(answer.json()["error"]) == {"code", "where", "message"}, said
    print(codes)
    # They are of use only when many get past the doorstep.
    assert codes[200] > sum(codes.values()) / 10
    assert codes[400] > sum(codes.values()) / 10
