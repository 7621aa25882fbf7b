"""Bad rules: one line with the place and the nearest valid name, and nothing is saved."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Annotated

import pytest
from pydantic import Field

from firmware.core.actions import Caller, Level
from firmware.core.errors import Forbidden, Invalid

GOOD = {
    "name": "bell",
    "trigger": "access/denied",
    "conditions": [
        {"field": "door", "equals": "front"},
        {"topic": "door/state", "key": ["$event.door"], "field": "position", "equals": "open"},
    ],
    "actions": [{"action": "relay.set", "params": {"relay": "$event.door", "on": True, "for_s": 1.5}}],
}


def changed(*path, to):
    """GOOD with one place changed; an empty `to` of a table removes nothing, None removes the name."""
    rule = copy.deepcopy(GOOD)
    spot = rule
    for part in path[:-1]:
        spot = spot[part]
    if to is None:
        del spot[path[-1]]
    else:
        spot[path[-1]] = to
    return rule


PARAMS = ("actions", 0, "params")

CASES = [
    (
        changed("trigger", to="access/denyed"),
        "trigger: no such topic; did you mean 'access/denied'? (got 'access/denyed')",
    ),
    (changed("triger", to="x"), "triger: unknown name; did you mean 'trigger'? (got 'triger')"),
    (changed("trigger", to=None), "trigger: is missing"),
    (changed("name", to=""), "name: string should have at least 1 character (got '')"),
    (changed("actions", to=[]), "actions: tuple should have at least 1 item after validation, not 0 (got [])"),
    (
        changed("conditions", 0, "field", to="dor"),
        "conditions.0.field: access/denied has no such field; did you mean 'door'? (got 'dor')",
    ),
    (
        changed("conditions", 0, to={"field": "reason", "equals": "unknown"}),
        "conditions.0.equals: input should be 'granted', 'unknown credential'",
    ),
    (changed("conditions", 0, "equals", to="$event.reader"), "conditions.0.equals: a value here is not taken from"),
    (changed("conditions", 0, "key", to=["x"]), "conditions.0.key: a key needs the topic of a state (got ['x'])"),
    (
        changed("conditions", 1, "topic", to="door/stat"),
        "conditions.1.topic: no such topic; did you mean 'door/state'?",
    ),
    (changed("conditions", 1, "topic", to="door/exit"), "conditions.1.topic: is not a state"),
    (changed("conditions", 1, "key", to=[]), "conditions.1.key: the key of door/state is door (got [])"),
    (
        changed("conditions", 1, "key", to=["$event.dor"]),
        "conditions.1.key.0: access/denied has no such field; did you mean 'door'?",
    ),
    (
        changed("actions", 0, "action", to="relay.sett"),
        "actions.0.action: no such action; did you mean 'relay.set'? (got 'relay.sett')",
    ),
    (changed("actions", 0, "parms", to={}), "actions.0.parms: unknown name; did you mean 'params'? (got 'parms')"),
    (
        changed(*PARAMS, "rely", to="aux"),
        "actions.0.params.rely: relay.set has no such parameter; did you mean 'relay'? (got 'rely')",
    ),
    (changed(*PARAMS, "on", to=None), "actions.0.params.on: is missing"),
    (changed(*PARAMS, "for_s", to=-1), "actions.0.params.for_s: input should be greater than 0 (got -1)"),
    (
        changed(*PARAMS, "relay", to="$event.dooor"),
        "actions.0.params.relay: access/denied has no such field; did you mean 'door'? (got '$event.dooor')",
    ),
    (changed(*PARAMS, "relay", to="$door"), "actions.0.params.relay: a value here is not taken from the fact"),
    (
        changed(*PARAMS, "for_s", to="$event.door"),
        "actions.0.params.for_s: access/denied door is str, and float is needed (got '$event.door')",
    ),
]


@pytest.mark.parametrize(
    ("rule", "line"), CASES, ids=[line.split(":")[0] + str(n) for n, (_, line) in enumerate(CASES)]
)
def test_a_bad_rule_is_answered_with_its_place_and_the_nearest_name_and_nothing_is_saved(on_station, rule, line):
    async def body(station):
        async with station.boot():
            await station.write(GOOD)
            with pytest.raises(Invalid) as error:
                await station.write(GOOD, {**rule, "name": rule["name"] and "second"})
            assert str(error.value).startswith(f"rules.rules.1.{line}")
            assert "\n" not in str(error.value)
            shown = await station.core.link.read("rules", Caller("root", Level.ADMIN, "api"))
            assert [each["name"] for each in shown["rules"]] == ["bell"]
            assert b"second" not in (await station.core.store.load("params-rules") or b"")

    on_station(body)


@pytest.mark.parametrize("name", ["bell", "access granted"])
def test_two_rules_of_one_name_are_refused_and_so_is_the_name_of_a_locked_one(on_station, name):
    async def body(station):
        async with station.boot():
            with pytest.raises(Invalid, match=r"rules\.rules\.1\.name: another rule has this name"):
                await station.write(GOOD, {**GOOD, "name": name})

    on_station(body)


def test_more_than_256_rules_or_8_actions_are_refused(on_station):
    async def body(station):
        async with station.boot():
            with pytest.raises(Invalid, match=r"rules\.rules: .*at most 256"):
                await station.write(*({**GOOD, "name": f"rule {n}"} for n in range(257)))
            with pytest.raises(Invalid, match=r"rules\.rules\.0\.actions: .*at most 8"):
                await station.write({**GOOD, "actions": GOOD["actions"] * 9})

    on_station(body)


def test_only_an_administrator_reads_and_writes_rules(on_station):
    async def body(station):
        async with station.boot():
            operator = Caller("op", Level.OPERATOR, "api")
            with pytest.raises(Forbidden):
                await station.core.params.change("rules", {"rules": [GOOD]}, operator)
            with pytest.raises(Forbidden):
                await station.core.link.read("rules", operator)

    on_station(body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secretive:
    """An action that takes a secret."""

    word: Annotated[str, Field(max_length=8)] = field(repr=False)


@pytest.mark.parametrize("params", [{"word": "hunter2hunter2"}, {"word": "$hunter2"}, {"wort": "hunter2"}])
def test_a_secret_in_a_bad_rule_is_never_repeated(on_station, params):
    async def body(station):
        station.owners["secret.use"] = (Secretive, Level.OPERATOR)
        async with station.boot():
            with pytest.raises(Invalid, match=r"rules\.rules\.0\.actions\.0\.params\.wor[dt]: ") as error:
                await station.write({**GOOD, "actions": [{"action": "secret.use", "params": params}]})
            assert "hunter2" not in str(error.value)

    on_station(body)
