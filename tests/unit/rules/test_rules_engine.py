"""The pure engine: what it decides equals what the rule says in words, for any rule and any fact."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.core.actions import NOTHING, Action, Level, Nothing
from firmware.core.errors import Invalid
from firmware.core.events import REGISTRY, Notice, Operation
from firmware.core.link.face import ActionInfo
from firmware.core.values import decode
from firmware.core.vocabulary.access import (
    AccessGranted,
    DoorReleased,
    DoorState,
    ExitRequested,
    IndicateParams,
    Position,
    ReleaseParams,
)
from firmware.core.vocabulary.device import IdentifyParams
from firmware.core.vocabulary.io import RelaySetParams, VirtualInputParams, VirtualInputState
from firmware.rules.chains import ACTIONS, LENGTH, REMEMBERED, Chains, Onward
from firmware.rules.defaults import DEFAULTS
from firmware.rules.engine import RULES, Consequence, RuleSet, Unfit, decide
from firmware.rules.place import Misplaced
from firmware.rules.preparing import prepare
from firmware.rules.rule import Condition, Do, Rule
from tests.effort import examples

FEW = settings(max_examples=examples(150), deadline=None)


async def _owner(invocation):
    return NOTHING


def _local(name, params, level=Level.OPERATOR):
    return Action(name=name, summary="", params=params, answer=Nothing, level=level, owner=_owner)


MAIL_SCHEMA = '{"properties": {"to": {"type": "string"}, "n": {}}, "required": ["to"]}'
ACTIONS_HERE = {
    "door.release": _local("door.release", ReleaseParams),
    "reader.indicate": _local("reader.indicate", IndicateParams),
    "relay.set": _local("relay.set", RelaySetParams),
    "virtual_input.set": _local("virtual_input.set", VirtualInputParams),
    "device.identify": _local("device.identify", IdentifyParams),
    "device.restart": _local("device.restart", Nothing),
    "mail.send": ActionInfo(name="mail.send", summary="", level=Level.OPERATOR, schema=MAIL_SCHEMA),
}


class Retained:
    """States by topic and key, as the bus keeps them."""

    def __init__(self, *states):
        self._states = {(state.topic, state.key()): state for state in states}

    def state(self, cls, *key):
        return self._states.get((cls.topic, key))


DOORS = st.sampled_from(["front", "yard", "", "x" * 33])
FACTS = st.one_of(
    st.builds(
        AccessGranted,
        id=st.just("b1-control-9"),
        door=DOORS,
        reader=DOORS,
        credential=st.text(max_size=5),
        entry=st.just("e"),
        holder=st.text(max_size=40),
    ),
    st.builds(ExitRequested, id=st.just("b1-control-9"), door=DOORS),
    st.builds(
        DoorReleased,
        id=st.just("b1-control-9"),
        door=DOORS,
        hold_s=st.floats(-1, 5000),
        by=DOORS,
        extended=st.booleans(),
    ),
    st.builds(VirtualInputState, id=st.just("b1-control-9"), input=st.integers(0, 70), active=st.booleans()),
)
STATES = st.lists(
    st.builds(DoorState, door=DOORS, position=st.sampled_from(Position), released=st.booleans()), max_size=3
).map(lambda states: Retained(*states))
TOPICS = ["access/granted", "door/exit", "door/released", "io/virtual_input"]
VALUES = st.sampled_from(["front", "green", "$$x", 1, 2.5, 0, True, False, None, "yard"])
# What usually fits a parameter of this name.
LIKELY = {
    "door": ["front", "yard", "$$x"],
    "reader": ["front", "reader1"],
    "relay": ["aux", "$$x"],
    "hold_s": [2.5, 1, None],
    "for_s": [7.0, 1],
    "colour": ["green", "red"],
    "flash": [True],
    "on": [True, False],
    "active": [True, False],
    "input": [1, 64],
}
POSITION = st.builds(
    Condition,
    topic=st.just("door/state"),
    key=st.sampled_from([("front",), ("yard",)]),
    field=st.just("position"),
    equals=st.sampled_from(["open", "closed", "unknown"]),
)


def _conditions(topic):
    """A condition on a field of the fact or on the state of a door."""
    if topic == "io/virtual_input":
        own = st.builds(Condition, field=st.just("active"), equals=st.booleans())
        return st.one_of(own, POSITION)
    own = st.builds(Condition, field=st.just("door"), equals=st.sampled_from(["front", "yard"]))
    of_the_door = POSITION.map(lambda each: replace(each, key=("$event.door",)))
    return st.one_of(own, POSITION, of_the_door)


@st.composite
def actions(draw, topic):
    """An action with its parameters: mostly such as fit, from the fact or as written, sometimes any or none."""
    name = draw(st.sampled_from(sorted(set(ACTIONS_HERE) - {"mail.send"})))
    own = [field.name for field in fields(REGISTRY[topic])]
    of_the_fact = st.sampled_from([f"$event.{field}" for field in own])
    params = {}
    for field in fields(ACTIONS_HERE[name].params):
        luck = draw(st.integers(0, 19))
        if luck == 0:
            continue
        if luck == 1:
            params[field.name] = draw(st.one_of(of_the_fact, VALUES))
        elif luck < 10 and field.name in own:
            params[field.name] = f"$event.{field.name}"
        elif luck < 12 and field.name in ("relay", "reader", "door"):
            params[field.name] = draw(of_the_fact)
        else:
            params[field.name] = draw(st.sampled_from(LIKELY[field.name]))
    return Do(action=name, params=params)


@st.composite
def rules(draw, event):
    """A rule that mostly waits for this fact."""
    topic = event.topic if draw(st.integers(0, 9)) else draw(st.sampled_from(TOPICS))
    return Rule(
        name="rule",
        trigger=topic,
        conditions=tuple(draw(st.lists(_conditions(topic), max_size=1))),
        actions=tuple(draw(st.lists(actions(topic), min_size=1, max_size=3))),
    )


RULES_AND_FACTS = FACTS.flatmap(lambda event: st.tuples(rules(event), st.just(event)))


def _resolved(value, event):
    if isinstance(value, str) and value.startswith("$event."):
        return getattr(event, value.removeprefix("$event."))
    return value[1:] if isinstance(value, str) and value.startswith("$$") else value


def _in_words(rule, event, states):
    """What a rule means, written the slow and plain way."""
    for condition in rule.conditions:
        if condition.topic is None:
            thing = event
        else:
            thing = states.state(REGISTRY[condition.topic], *(str(_resolved(part, event)) for part in condition.key))
        if thing is None or getattr(thing, condition.field) != condition.equals:
            return []
    meant = []
    for do in rule.actions:
        data = {name: _resolved(value, event) for name, value in do.params.items()}
        try:
            meant.append((do.action, decode(ACTIONS_HERE[do.action].params, data, where="x")))
        except Invalid:
            meant.append((do.action, None))
    return meant


@FEW
@given(case=RULES_AND_FACTS, states=STATES)
def test_a_rule_that_is_accepted_does_exactly_what_it_says(case, states):
    rule, event = case
    try:
        ready = prepare(rule, ACTIONS_HERE)
    except Misplaced:
        return
    found = decide(event, RuleSet.of([ready]), states)
    if event.topic != rule.trigger:
        assert found == ()
        return
    got = [(each.action, each.params if isinstance(each, Consequence) else None) for each in found]
    assert got == _in_words(rule, event, states)
    for each in found:
        if isinstance(each, Consequence):
            assert (each.rule, each.caller, each.cause, each.foreign) == ("rule", RULES, event.id, False)


@FEW
@given(case=RULES_AND_FACTS, states=STATES)
def test_a_rule_without_fields_of_the_fact_never_fails_later(case, states):
    rule, event = case
    if any(
        isinstance(value, str) and value.startswith("$event.") for do in rule.actions for value in do.params.values()
    ):
        return
    try:
        ready = prepare(rule, ACTIONS_HERE)
    except Misplaced:
        return
    assert not any(isinstance(each, Unfit) for each in decide(event, RuleSet.of([ready]), states))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@FEW
@given(
    trigger=st.sampled_from([*REGISTRY, "x"]),
    field=st.text(max_size=8) | st.sampled_from(["door", "id", "at", "cause", "active", "kind"]),
    equals=JSON,
    topic=st.none() | st.sampled_from([*REGISTRY, "y"]),
    key=st.lists(st.text(max_size=8), max_size=2).map(tuple),
    action=st.sampled_from([*ACTIONS_HERE, "z"]),
    params=st.dictionaries(
        st.sampled_from(["door", "hold_s", "to", "n", "q"]),
        JSON | VALUES | st.sampled_from(["$event.door", "$event.id", "$event.at"]),
        max_size=3,
    ),
)
def test_any_rule_is_prepared_or_refused_with_its_place(trigger, field, equals, topic, key, action, params):
    rule = Rule(
        name="any",
        trigger=trigger,
        conditions=(Condition(field=field, equals=equals, topic=topic, key=key),),
        actions=(Do(action=action, params=params),),
    )
    refusal: Misplaced | None = None
    try:
        ready = prepare(rule, ACTIONS_HERE)
    except Misplaced as error:
        refusal = error
    if refusal is None:
        assert ready.trigger is REGISTRY[trigger]
    else:
        assert refusal.place[0] in ("trigger", "conditions", "actions")
        assert "\n" not in refusal.message


@FEW
@given(doors=st.lists(DOORS, max_size=30), event=FACTS)
def test_rules_of_one_topic_are_followed_in_their_order(doors, event):
    rules = [
        Rule(
            name=str(n),
            trigger="access/granted",
            conditions=(Condition(field="door", equals=door),),
            actions=(Do(action="device.restart"),),
        )
        for n, door in enumerate(doors)
    ]
    found = decide(event, RuleSet.of(prepare(rule, ACTIONS_HERE) for rule in rules), Retained())
    fits = [str(n) for n, door in enumerate(doors) if event.topic == "access/granted" and door == event.door]
    assert [each.rule for each in found] == fits


def test_the_locked_rules_are_valid_and_locked():
    for rule in DEFAULTS:
        assert rule.locked
        assert rule.enabled
        assert prepare(rule, ACTIONS_HERE).name == rule.name


def test_an_action_of_another_role_gets_data_that_can_cross():
    rule = Rule(
        name="mail",
        trigger="door/state",
        actions=(Do(action="mail.send", params={"to": "$event.position", "n": ["$$5", 1]}),),
    )
    event = DoorState(door="front", position=Position.OPEN, released=False)
    (found,) = decide(event, RuleSet.of([prepare(rule, ACTIONS_HERE)]), Retained())
    assert isinstance(found, Consequence)
    assert found.foreign
    assert found.params == {"to": "open", "n": ["$5", 1]}
    assert type(found.params["to"]) is str
    assert not is_dataclass(found.params)


@pytest.mark.parametrize(
    ("params", "line"),
    [
        ({}, "actions.0.params.to: is missing"),
        ({"too": "x"}, "actions.0.params.too: mail.send has no such parameter; did you mean 'to'?"),
    ],
)
def test_the_names_of_parameters_of_another_role_are_checked_by_its_schema(params, line):
    rule = Rule(name="mail", trigger="door/exit", actions=(Do(action="mail.send", params=params),))
    with pytest.raises(Misplaced) as error:
        prepare(rule, ACTIONS_HERE)
    assert str(error.value) == line


def test_a_constant_is_built_once():
    rule = Rule(name="r", trigger="door/exit", actions=(Do(action="door.release", params={"door": "front"}),))
    rules = RuleSet.of([prepare(rule, ACTIONS_HERE)])
    one, two = (decide(ExitRequested(door=door), rules, Retained())[0] for door in ("a", "b"))
    assert one.params is two.params


def _chain(chains, length, first="f"):
    cause = None
    event = ExitRequested(door="x", id=f"{first}0")
    for n in range(length + 1):
        event = ExitRequested(door="x", id=f"{first}{n}", cause=cause)
        chains.note(Notice(Operation.HAPPENED, event))
        cause = event.id
    return event


@FEW
@given(length=st.integers(0, 40))
def test_a_chain_goes_on_below_its_length_and_is_stopped_once(length):
    chains = Chains()
    event = _chain(chains, length)
    wanted = [Onward.GO] * 2 if length < LENGTH else [Onward.STOP, Onward.STOPPED_BEFORE]
    assert [chains.onward(event, 1), chains.onward(event, 1)] == wanted


def test_one_first_fact_leads_to_no_more_than_so_many_actions():
    chains = Chains()
    event = _chain(chains, 1)
    assert chains.onward(event, ACTIONS) is Onward.GO
    assert chains.onward(event, 1) is Onward.STOP
    assert chains.onward(_chain(chains, 1, "other"), 1) is Onward.GO


def test_what_is_remembered_is_bounded_and_the_newest_stays():
    chains = Chains()
    for n in range(REMEMBERED):
        _chain(chains, 1, f"n{n}-")
    newest = _chain(chains, LENGTH, "last")
    assert chains.onward(newest, 1) is Onward.STOP
    assert len(chains._known) == REMEMBERED
