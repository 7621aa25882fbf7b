"""Rules and other roles: a slow one never delays the door, too much is refused, loops end."""

from __future__ import annotations

import asyncio

from firmware.core.errors import Refused
from firmware.core.vocabulary.access import ReleaseParams
from firmware.core.vocabulary.io import VirtualInputState
from firmware.core.vocabulary.rules import RuleFailed

MAIL = {
    "name": "mail",
    "trigger": "access/granted",
    "actions": [{"action": "mail.send", "params": {"to": "$event.holder", "text": "$event.door"}}],
}


def virtual(number, active, then, name=None):
    """A rule: when input `number` becomes `active`, set the inputs of `then`."""
    return {
        "name": name or f"input {number} {active}",
        "trigger": "io/virtual_input",
        "conditions": [{"field": "input", "equals": number}, {"field": "active", "equals": active}],
        "actions": [{"action": "virtual_input.set", "params": {"input": i, "active": on}} for i, on in then],
    }


def test_a_rule_reaches_another_role_with_the_fields_of_the_fact(on_station):
    async def body(station):
        async with station.boot(), station.network():
            await station.write(MAIL)
            fact = station.granted(holder="ada@example.org")
            await station.settle()
            mail = station.asked[-1][1]
            assert (mail.action, mail.params.to, mail.params.text) == ("mail.send", "ada@example.org", "front")
            assert (mail.cause, mail.caller.via) == (fact.id, "rule")

    on_station(body)


def test_what_the_other_role_finds_wrong_is_a_fact(on_station):
    async def body(station):
        async with station.boot(), station.network():
            await station.write(MAIL)
            fact = station.granted(holder="")
            await station.settle()
            (failure,) = station.failures()
            assert (failure.rule, failure.action, failure.code) == ("mail", "mail.send", "invalid")
            assert "mail.send.to" in failure.message
            assert failure.cause == fact.id

    on_station(body)


def test_a_saved_rule_waits_for_the_role_that_owns_its_action(on_station):
    async def body(station):
        async with station.boot(), station.network():
            await station.write(MAIL)
        async with station.boot():
            station.granted(holder="ada")
            await station.settle()
            assert "mail.send" not in station.names()
            async with station.network():
                station.granted(holder="ada")
                await station.settle()
                assert station.names()[-1] == "mail.send"
            station.granted(holder="ada")
            await station.settle()
            assert [failure.code for failure in station.failures()] == ["not_found"]
            assert station.names().count("mail.send") == 1

    on_station(body)


def test_a_slow_action_of_another_role_does_not_delay_the_door(on_station):
    async def body(station):
        async def slow(invocation):
            await station.clock.sleep(30)

        station.behaviour["mail.send"] = slow
        async with station.boot(), station.network():
            await station.write(MAIL)
            began = station.t_s()
            for _ in range(3):
                station.granted(holder="ada")
                await station.settle()
            released = [t_s - began for t_s, invocation in station.asked if invocation.action == "door.release"]
            assert [round(t_s, 6) for t_s in released] == [0.0, 0.001, 0.002]
            await station.clock.sleep(60)
            assert station.failures() == []

    on_station(body)


def test_a_slow_written_rule_of_this_role_does_not_delay_the_door_either(on_station):
    async def body(station):
        async def slow(invocation):
            await station.clock.sleep(30)

        station.behaviour["relay.set"] = slow
        rule = {
            "name": "slow",
            "trigger": "access/denied",
            "actions": [{"action": "relay.set", "params": {"relay": "aux", "on": True}}],
        }
        async with station.boot():
            await station.write(rule)
            for _ in range(10):
                station.denied()
            began = station.t_s()
            station.granted()
            await station.settle()
            released = [t_s - began for t_s, invocation in station.asked if invocation.action == "door.release"]
            assert released == [0.0]
            # A written rule waits for the one before it, but not for ever.
            await station.clock.sleep(5)
            assert station.names().count("relay.set") == 10
            await station.clock.sleep(60)

    on_station(body)


def test_more_than_64_actions_under_way_are_refused_and_said_and_the_door_still_opens(on_station):
    async def body(station):
        gate = asyncio.Event()

        async def wait(invocation):
            await gate.wait()

        station.behaviour["mail.send"] = wait
        async with station.boot(), station.network():
            await station.write(MAIL)
            for _ in range(70):
                station.granted(holder="ada")
            await station.settle()
            assert station.names().count("door.release") == 70
            failures = station.failures()
            assert [failure.code for failure in failures] == ["exhausted"] * 6
            assert {failure.action for failure in failures} == {"mail.send"}
            gate.set()
            await station.settle()
            station.granted(holder="ada")
            await station.settle()
            assert len(station.failures()) == 6

    on_station(body)


def test_actions_of_this_role_that_never_end_are_bounded_too(on_station):
    async def body(station):
        cancelled: list[str] = []

        async def stuck(invocation):
            try:
                await gate.wait()
            except asyncio.CancelledError:
                cancelled.append(invocation.action)
                raise

        gate = asyncio.Event()
        station.behaviour["relay.set"] = stuck
        rule = {
            "name": "stuck",
            "trigger": "access/denied",
            "actions": [{"action": "relay.set", "params": {"relay": "aux", "on": True}}] * 2,
        }
        async with station.boot():
            await station.write(rule)
            for _ in range(66):
                station.denied()
            await station.clock.sleep(60)
            assert len(cancelled) == 2
            assert [failure.code for failure in station.failures()] == ["exhausted"] * 4
            gate.set()
            await station.settle()
            assert station.names().count("relay.set") == 64 * 2 + 2

    on_station(body)


def test_facts_that_come_too_fast_are_lost_with_a_word_and_the_newest_are_followed(on_station, caplog):
    async def body(station):
        async with station.boot():
            for n in range(1100):
                station.granted(door=f"door {n}")
            await station.clock.sleep(60)
            (failure,) = station.failures()
            assert (failure.code, failure.message) == ("exhausted", "76 facts came too fast and were lost")
            released = [i.params.door for _, i in station.asked if i.action == "door.release"]
            assert released == [f"door {n}" for n in range(76, 1100)]

    on_station(body)
    assert "locked rules fell behind and lost 76 facts" in caplog.messages


def test_rules_that_feed_each_other_are_stopped_after_16_facts_and_say_so_once(on_station):
    async def body(station):
        async with station.boot():
            await station.write(virtual(1, True, [(1, False)]), virtual(1, False, [(1, True)]))
            station.core.bus.publish(VirtualInputState(input=1, active=True))
            await station.clock.sleep(10)
            assert station.names() == ["virtual_input.set"] * 16
            (failure,) = station.failures()
            assert (failure.code, failure.action) == ("exhausted", "")
            assert "circle" in failure.message
            # The door is not part of it, and a new first fact begins anew.
            station.granted()
            await station.settle()
            assert "door.release" in station.names()

    on_station(body)


def test_a_loop_that_branches_is_said_once_and_ends(on_station):
    async def body(station):
        async with station.boot():
            turns = [(i, on) for i in (1, 2, 3) for on in (True, False)]
            rules = [virtual(i, on, [(j, not on) for j in (1, 2, 3)], f"{i}{on}") for i, on in turns]
            await station.write(*rules)
            station.core.bus.publish(VirtualInputState(input=1, active=True))
            await station.clock.sleep(10)
            assert len(station.failures()) == 1
            assert len(station.asked) <= 4096

    on_station(body)


def test_a_rule_on_its_own_failure_ends_too(on_station):
    async def refuse(invocation):
        raise Refused("relay.set", "not now")

    async def body(station):
        station.behaviour["relay.set"] = refuse
        async with station.boot():
            action = {"action": "relay.set", "params": {"relay": "aux", "on": True}}
            await station.write({"name": "worse", "trigger": "rules/failed", "actions": [action]})
            station.core.bus.publish(RuleFailed(rule="x", action="", code="refused", message="first"))
            await station.clock.sleep(10)
            codes = [failure.code for failure in station.failures()]
            assert codes == ["refused"] * 17 + ["exhausted"]

    on_station(body)


def test_a_field_that_does_not_fit_the_parameter_is_a_failure_of_that_action_alone(on_station):
    async def body(station):
        async with station.boot():
            fact = station.granted(door="yard", reader="")
            await station.settle()
            (failure,) = station.failures()
            assert (failure.rule, failure.action, failure.code) == ("access granted", "reader.indicate", "invalid")
            assert "at least 1 character" in failure.message
            assert failure.cause == fact.id
            assert station.names() == ["door.release"]

    on_station(body)


def test_256_rules_on_one_topic_are_all_followed_in_order(on_station):
    async def body(station):
        async with station.boot():
            rules = [
                {
                    "name": f"rule {n}",
                    "trigger": "access/granted",
                    "conditions": [{"field": "door", "equals": "front" if n % 2 else "yard"}],
                    "actions": [{"action": "door.release", "params": {"door": f"door {n}"}}],
                }
                for n in range(256)
            ]
            await station.write(*rules)
            station.granted(door="front")
            await station.clock.sleep(1)
            released = [i.params for _, i in station.asked if i.action == "door.release"]
            assert released[0] == ReleaseParams(door="front")
            assert [params.door for params in released[1:]] == [f"door {n}" for n in range(1, 256, 2)]

    on_station(body)
