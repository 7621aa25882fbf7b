"""Every declared parameter, by name: its limits hold at their edges, and a near miss is told the nearest name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench.sim import SimBench

Schema = dict[str, Any]
TYPES: dict[str, object] = {"integer": 1.5, "number": "much", "string": 5, "boolean": "maybe", "array": 5, "object": 5}


def edges(schema: Schema, tables: dict[str, Schema]) -> tuple[list[object], list[object]]:
    """Values at the edges of what is allowed, and just beyond."""
    if "$ref" in schema:
        return edges(tables[schema["$ref"].rpartition("/")[2]], tables)
    if "anyOf" in schema:
        both = [edges(each, tables) for each in schema["anyOf"]]
        kinds = {each.get("type") for each in schema["anyOf"]}
        return [value for good, _ in both for value in good], [] if len(kinds) > 2 else both[0][1]
    if "enum" in schema:
        return list(schema["enum"]), ["no such choice"]
    kind = schema.get("type", "")
    if kind in ("integer", "number"):
        good = [schema[limit] for limit in ("minimum", "maximum") if limit in schema]
        bad = [schema["minimum"] - 1] if "minimum" in schema else []
        bad += [schema["maximum"] + 1] if "maximum" in schema else []
        bad += [schema[limit] for limit in ("exclusiveMinimum", "exclusiveMaximum") if limit in schema]
        return good, [*bad, TYPES[kind]]
    if kind == "string":
        return [], [TYPES[kind], *(["x" * (schema["maxLength"] + 1)] if "maxLength" in schema else [])]
    if kind == "boolean":
        return [True, False], [TYPES[kind]]
    if kind == "null":
        return [None], []
    return [], [TYPES[kind]] if kind in TYPES else []


async def patch(bench: SimBench, group: str, name: str, value: object) -> Any:
    return await bench.api("PATCH", f"/params/{group}", {name: value})


async def declared(bench: SimBench) -> list[dict[str, Any]]:
    """What the device declares, without its media role's when that is not there."""
    found: list[dict[str, Any]] = (await bench.api("GET", "/params")).json()["params"]
    return found


@pytest.mark.parametrize("_", [pytest.param("", marks=pytest.mark.board(board), id=board)
                               for board in ("door_station", "horn_speaker", "ptz_dome")])  # fmt: skip
async def test_every_parameter_takes_the_edges_of_its_limits_and_nothing_beyond(bench: SimBench, _: str) -> None:
    tried = 0
    for param in await declared(bench):
        group, name = param["group"], param["name"]
        full = f"{group}.{name}"
        good, bad = edges(param["schema"], param["schema"].get("$defs", {}))
        before = await bench.param(group)
        for value in bad:
            answer = await patch(bench, group, name, value)
            assert answer.status_code == 400, (full, value, answer.text)
            assert answer.json()["error"]["where"].startswith(full), (full, value, answer.text)
            tried += 1
        assert await bench.param(group) == before, full
        for value in good:
            answer = await patch(bench, group, name, value)
            error = answer.json().get("error", {})
            if answer.status_code == 400 and error["where"] == group and name in error["message"]:
                continue  # what it needs of another parameter; a rule between them names both
            if answer.status_code == 400 and error["message"].startswith("the board has no "):
                continue
            assert answer.status_code == 200, (full, value, answer.text)
            assert answer.json()[name] in (value, "*****"), (full, value)
            tried += 1
        if before[name] != "*****":
            assert (await patch(bench, group, name, before[name])).status_code == 200, full
    assert tried > 40


async def test_a_near_miss_of_any_parameter_is_told_its_name_and_changes_nothing(bench: SimBench) -> None:
    groups: dict[str, list[str]] = {}
    for param in await declared(bench):
        groups.setdefault(param["group"], []).append(param["name"])
    for group, names in groups.items():
        before = await bench.param(group)
        for name in names:
            wrong = name[:-1] if name[:-1] not in names and len(name) > 3 else f"{name}{name[-1]}"
            message = (await patch(bench, group, wrong, 1)).json()["error"]["message"]
            assert "did you mean" in message, (group, wrong, message)
        assert await bench.param(group) == before
        message = (await bench.api("GET", f"/params/{group}x")).json()["error"]["message"]
        assert f"did you mean {group!r}" in message


async def test_units_limits_and_who_may_are_declared_with_every_parameter(bench: SimBench) -> None:
    params = {f"{each['group']}.{each['name']}": each for each in await declared(bench)}
    assert all({"schema", "unit", "level", "restart", "summary", "default"} <= each.keys() for each in params.values())
    blocking = params["brute_force.period_s"]
    assert (blocking["unit"], blocking["level"], blocking["restart"]) == ("s", "admin", False)
    assert blocking["schema"]["type"] in ("number", "integer")
    assert all(each["unit"] == "s" for name, each in params.items() if name.endswith("_s") and "per_s" not in name)
