"""The I/O ports of manual 001: normal, active, tampered, and what a restart does to outputs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from firmware.core.actions import Caller, Level
from firmware.core.errors import Forbidden, Invalid, NotFound, Refused, Unavailable
from firmware.core.values import decode
from firmware.core.vocabulary.io import PortState
from firmware.core.vocabulary.station import ParamsChanged
from firmware.io import IoConfig, PortsService
from firmware.io.ports import is_active
from firmware.io.settings import PortFacts, ports_group
from hal.errors import BusError
from hal.types import Direction, LoopState
from tests.effort import examples

OPERATOR = Caller("op", Level.OPERATOR, "api")
ADMIN = Caller("root", Level.ADMIN, "api")


def io(core: Any, hardware: Any) -> PortsService:
    return PortsService(core, hardware, IoConfig(ports=("io1", "io2", "io3")))


def state(station: Any, port: str) -> PortState:
    found = station.core.bus.state(PortState, port)
    assert found is not None
    return found


def ports_seen(station: Any, port: str) -> list[tuple[str, bool]]:
    return [
        (fact.circuit.value, fact.active) for fact in station.facts if isinstance(fact, PortState) and fact.port == port
    ]


def test_an_untouched_port_is_an_input_that_is_normally_open_and_carries_its_alias(on_station):
    async def body(station):
        async with station.boot(io):
            assert state(station, "io1").name == "gate"
            assert state(station, "io2").name == "io2"
            for port in ("io1", "io2", "io3"):
                now = state(station, port)
                assert (now.direction, now.normal) == (Direction.INPUT, LoopState.OPEN)
                assert not now.active
                assert not now.tampered
            assert state(station, "io1").configurable
            assert not state(station, "io3").configurable

    on_station(body)


def test_an_input_is_active_while_its_circuit_differs_from_normal(on_station):
    async def body(station):
        async with station.boot(io):
            station.terminals["io1"].set(LoopState.CLOSED)
            assert state(station, "io1").active
            await station.act("port.configure", ADMIN, port="io1", normal="closed")
            assert not state(station, "io1").active
            station.terminals["io1"].set(LoopState.OPEN)
            assert state(station, "io1").active

    on_station(body)


def test_an_output_set_for_a_time_is_active_exactly_that_long(on_station):
    async def body(station):
        async with station.boot(io):
            await station.act("port.configure", ADMIN, port="io1", direction="output")
            await station.act("port.set", port="io1", active=True, for_s=2.5)
            assert state(station, "io1").active
            await station.clock.sleep(10)
            (on_s, on), (off_s, off) = station.terminals["io1"].driven
            assert (on, off) == (True, False)
            assert off_s - on_s == 2.5
            assert not state(station, "io1").active

    on_station(body)


def test_a_repeated_set_replaces_the_time_that_ran(on_station):
    async def body(station):
        async with station.boot(io):
            await station.act("port.configure", ADMIN, port="io1", direction="output")
            began_s = station.t_s()
            await station.act("port.set", port="io1", active=True, for_s=2)
            await station.clock.sleep(1)
            await station.act("port.set", port="io1", active=True, for_s=5)
            await station.clock.sleep(1)
            await station.act("port.set", port="io1", active=True)
            await station.clock.sleep(100)
            assert station.terminals["io1"].driven == [(began_s, True)]
            await station.act("port.set", port="io1", active=True, for_s=3)
            await station.act("port.set", port="io1", active=False)
            await station.clock.sleep(100)
            assert station.terminals["io1"].driven == [(began_s, True), (began_s + 102, False)]

    on_station(body)


def test_an_output_that_is_normally_closed_opens_when_set_active(on_station):
    async def body(station):
        async with station.boot(io):
            await station.act("port.configure", ADMIN, port="io1", direction="output", normal="closed")
            assert state(station, "io1").circuit is LoopState.CLOSED
            assert not state(station, "io1").active
            await station.act("port.set", port="io1", active=True, for_s=1)
            assert (state(station, "io1").circuit, state(station, "io1").active) == (LoopState.OPEN, True)
            await station.clock.sleep(1.5)
            assert (state(station, "io1").circuit, state(station, "io1").active) == (LoopState.CLOSED, False)

    on_station(body)


def test_an_input_cannot_be_set(on_station):
    async def body(station):
        async with station.boot(io):
            with pytest.raises(Refused, match=r"'gate' is an input; only an output can be set"):
                await station.act("port.set", port="gate", active=True)

    on_station(body)


def test_an_unknown_port_is_answered_with_the_nearest_name(on_station):
    async def body(station):
        async with station.boot(io):
            with pytest.raises(NotFound, match=r"port\.set\.port: no port 'gaet'; did you mean 'gate'\?"):
                await station.act("port.set", port="gaet", active=True)
            with pytest.raises(Invalid, match=r"ports\.io11: unknown parameter 'io11'; did you mean 'io1'\?"):
                await station.core.params.change("ports", {"io11": {"name": "x"}}, ADMIN)

    on_station(body)


def test_configuring_needs_an_administrator_and_setting_an_operator(on_station):
    async def body(station):
        async with station.boot(io):
            with pytest.raises(Forbidden):
                await station.act("port.configure", OPERATOR, port="io1", name="x")
            with pytest.raises(Forbidden):
                await station.act("port.set", Caller("eve", Level.VIEWER, "api"), port="io1", active=True)

    on_station(body)


def test_any_port_setting_brings_every_output_back_to_normal_whatever_is_triggered(on_station):
    async def body(station):
        async with station.boot(io):
            await station.act("port.configure", ADMIN, port="io1", direction="output")
            await station.act("port.configure", ADMIN, port="io2", direction="output", normal="closed")
            await station.act("port.set", port="io1", active=True)
            await station.act("port.set", port="io2", active=True, for_s=1)
            await station.act("port.configure", ADMIN, port="io3", name="renamed")
            assert not state(station, "io1").active
            assert not state(station, "io2").active
            assert state(station, "io3").name == "renamed"
            drives = len(station.terminals["io2"].driven)
            await station.clock.sleep(5)
            assert len(station.terminals["io2"].driven) == drives, "the old time still ran"

    on_station(body)


def test_a_change_through_the_parameters_is_applied_like_the_action(on_station):
    async def body(station):
        async with station.boot(io):
            await station.patch(io1={"direction": "output", "normal": "closed"})
            now = state(station, "io1")
            assert (now.direction, now.circuit, now.active) == (Direction.OUTPUT, LoopState.CLOSED, False)
            assert now.name == "gate", "a setting that was not named was lost"
            (change,) = [fact for fact in station.facts if isinstance(fact, ParamsChanged)]
            assert now.cause == change.id

    on_station(body)


def test_the_action_and_the_parameters_agree(on_station):
    async def body(station):
        async with station.boot(io):
            await station.act("port.configure", ADMIN, port="gate", name="Gate", direction="output")
            await station.act("port.configure", ADMIN, port="gate", normal="closed")
            shown = station.core.params.shown("ports", ADMIN)
            assert shown["io1"] == {"name": "Gate", "direction": "output", "normal": "closed", "supervised": False}

    on_station(body)


def test_a_set_right_after_a_configuration_is_not_undone_by_its_announcement(on_station):
    async def body(station):
        async with station.boot(io):
            await station.act("port.configure", ADMIN, port="io1", direction="output")
            await station.act("port.set", port="io1", active=True)
            await station.clock.sleep(1)
            assert state(station, "io1").active

    on_station(body)


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"io1": {"normal": "cut"}}, "the normal state is open or closed"),
        ({"io1": {"normal": "shut"}}, "open"),
        ({"io1": {"nmae": "x"}}, "unknown setting 'nmae'; did you mean 'name'"),
        ({"io1": {"name": "x" * 65}}, "64"),
        ({"io1": "output"}, "PortSettings"),
        ({"io2": {"supervised": True}}, "'io2' cannot be supervised"),
        ({"io3": {"direction": "output"}}, "direction of 'io3' is fixed: input"),
    ],
)
def test_a_setting_the_board_cannot_do_is_refused_with_its_place_and_nothing_is_saved(on_station, patch, message):
    async def body(station):
        async with station.boot(io):
            before = station.core.params.shown("ports", ADMIN)
            with pytest.raises(Invalid, match=rf"^ports\.{next(iter(patch))}.*{message}"):
                await station.core.params.change("ports", patch, ADMIN)
            assert station.core.params.shown("ports", ADMIN) == before
            assert await station.core.store.load("params-ports") is None

    on_station(body)


def test_settings_survive_a_restart(on_station):
    async def body(station):
        async with station.boot(io):
            await station.act("port.configure", ADMIN, port="io1", name="Gate", direction="output", normal="closed")
        async with station.boot(io):
            now = state(station, "io1")
            assert (now.name, now.direction, now.normal) == ("Gate", Direction.OUTPUT, LoopState.CLOSED)
        assert station.alarms == []

    on_station(body)


def test_row_21_damaged_settings_fall_back_to_the_defaults_with_an_alarm(on_station):
    async def body(station):
        async with station.boot(io):
            await station.act("port.configure", ADMIN, port="io1", direction="output", normal="closed")
            await station.core.store.save("params-ports", b'{"io1": {"normal": "sideways"}}')
        async with station.boot(io):
            assert state(station, "io1").direction is Direction.INPUT
            assert station.alarms
            assert all(alarm.startswith("params-ports") for alarm in station.alarms)

    on_station(body)


def test_a_configuration_that_a_stop_overtakes_leaves_the_output_open(on_station):
    async def body(station):
        async with station.boot(io):
            turning = asyncio.ensure_future(
                station.act("port.configure", ADMIN, port="io1", direction="output", normal="closed")
            )
            while not station.terminals["io1"].turning:
                await station.clock.sleep(0)
        await turning
        assert station.terminals["io1"].circuit() is LoopState.OPEN

    on_station(body)


def test_row_12_a_supervised_input_tells_cut_and_short_as_tampering(on_station):
    async def body(station):
        async with station.boot(io):
            station.terminals["io1"].set(LoopState.CUT)
            assert not state(station, "io1").tampered, "not supervised yet"
            await station.act("port.configure", ADMIN, port="io1", supervised=True)
            assert station.terminals["io1"].supervised
            for circuit, active in ((LoopState.CUT, False), (LoopState.SHORT, True)):
                station.terminals["io1"].set(circuit)
                now = state(station, "io1")
                assert (now.circuit, now.tampered, now.active) == (circuit, True, active)
            station.terminals["io1"].set(LoopState.OPEN)
            assert not state(station, "io1").tampered

    on_station(body)


PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text(max_size=70),
        "direction": st.sampled_from(["input", "output", "both"]),
        "normal": st.sampled_from(["open", "closed", "cut", "short"]),
        "supervised": st.booleans(),
    },
)


@settings(max_examples=examples(150), deadline=None)
@given(PATCHES, st.booleans(), st.booleans())
def test_a_patch_of_some_settings_keeps_the_others_or_is_refused_whole(patch, configurable, can_supervise):
    facts = PortFacts(
        port="io1", alias="gate", direction=Direction.INPUT, configurable=configurable, can_supervise=can_supervise
    )
    group = ports_group({"io1": facts}, lambda port: facts.default())
    possible = (
        len(patch.get("name", "")) <= 64
        and patch.get("direction", "input") in (["input", "output"] if configurable else ["input"])
        and patch.get("normal", "open") in ("open", "closed")
        and (can_supervise or not patch.get("supervised", False))
    )
    try:
        after = group.model_validate({"io1": patch}).of("io1").model_dump(mode="json")
    except ValidationError:
        assert not possible
        return
    assert possible
    assert after == {**facts.default().model_dump(mode="json"), **patch}


@settings(max_examples=examples(50), deadline=None)
@given(st.sampled_from(LoopState), st.sampled_from([LoopState.OPEN, LoopState.CLOSED]))
def test_turning_the_normal_state_round_turns_active_round(circuit, normal):
    other = LoopState.CLOSED if normal is LoopState.OPEN else LoopState.OPEN
    assert is_active(circuit, normal) is not is_active(circuit, other)
    assert not is_active(normal, normal)


def test_row_14_a_restart_opens_the_outputs_and_moves_nothing_else(on_station):
    async def body(station):
        async with station.boot(io):
            await station.act("port.configure", ADMIN, port="io1", direction="output")
            await station.act("port.configure", ADMIN, port="io2", direction="output", normal="closed")
        opened = len(station.terminals["io2"].driven)
        assert station.terminals["io1"].driven == []
        assert station.terminals["io2"].driven[-1][1] is False
        for _ in range(20):
            async with station.boot(io):
                await station.clock.sleep(1)
        assert station.terminals["io1"].driven == []
        edges = [closed for _, closed in station.terminals["io2"].driven[opened:]]
        assert edges == [True, False] * 20

    on_station(body)


def test_row_14_an_active_output_is_open_while_the_service_is_down_and_normal_after_it(on_station):
    async def body(station):
        async with station.boot(io):
            await station.act("port.configure", ADMIN, port="io1", direction="output")
            await station.act("port.set", port="io1", active=True)
        assert station.terminals["io1"].circuit() is LoopState.OPEN
        async with station.boot(io):
            assert not state(station, "io1").active
        assert [closed for _, closed in station.terminals["io1"].driven] == [True, False]

    on_station(body)


def test_a_restart_tells_nobody_that_a_normally_closed_output_was_active(on_station):
    async def body(station):
        async with station.boot(io):
            await station.act("port.configure", ADMIN, port="io1", direction="output", normal="closed")
        station.facts.clear()
        async with station.boot(io):
            pass
        assert ports_seen(station, "io1") == [("closed", False), ("closed", False)]

    on_station(body)


def test_the_cause_of_a_command_is_kept_to_its_end(on_station):
    async def body(station):
        async with station.boot(io):
            await station.act("port.configure", ADMIN, port="io1", direction="output")
            station.facts.clear()
            await station.act("port.set", cause="b1-control-77", port="io1", active=True, for_s=1)
            await station.clock.sleep(2)
            seen = [(fact.active, fact.cause) for fact in station.facts if isinstance(fact, PortState)]
            assert seen == [(True, "b1-control-77"), (False, "b1-control-77")]

    on_station(body)


def test_a_terminal_that_does_not_obey_a_command_is_an_error_to_the_caller(on_station):
    async def body(station):
        async with station.boot(io):
            await station.act("port.configure", ADMIN, port="io1", direction="output")
            station.terminals["io1"].broken = True
            with pytest.raises(Unavailable, match="no acknowledge"):
                await station.act("port.set", port="io1", active=True)
            station.terminals["io1"].broken = False
            assert not state(station, "io1").active

    on_station(body)


def test_a_terminal_that_fails_at_the_end_of_its_time_ends_the_service(on_station):
    async def body(station):
        async def fail_when_its_time_is_up():
            async with station.boot(io):
                await station.act("port.configure", ADMIN, port="io1", direction="output")
                await station.act("port.set", port="io1", active=True, for_s=1)
                await station.clock.sleep(0.5)
                station.terminals["io1"].broken = True
                station.clock.call_later(0.5, setattr, station.terminals["io1"], "broken", False)
                await station.clock.sleep(10)

        with pytest.raises(ExceptionGroup) as caught:
            await fail_when_its_time_is_up()
        assert caught.group_contains(BusError)
        assert station.terminals["io1"].circuit() is LoopState.OPEN

    on_station(body)


def test_a_stopped_service_sets_no_port(on_station):
    async def body(station):
        async with station.boot(io):
            await station.act("port.configure", ADMIN, port="io1", direction="output")
        with pytest.raises(Unavailable):
            await station.act("port.set", port="io1", active=True)
        assert station.core.bus.states(PortState) == ()

    on_station(body)


def test_a_port_that_is_no_terminal_of_the_board_is_an_error_with_the_nearest_name(on_station):
    async def body(station):
        with pytest.raises(Invalid, match=r"rooms\.io\.ports: no terminal 'i01' on this board; did you mean 'io1'\?"):
            async with station.boot(lambda core, hardware: PortsService(core, hardware, IoConfig(ports=("i01",)))):
                pass

    on_station(body)


def test_a_product_without_a_list_offers_every_terminal(on_station):
    async def body(station):
        async with station.boot(lambda core, hardware: PortsService(core, hardware, IoConfig())):
            assert [now.port for now in station.core.bus.states(PortState)] == ["io1", "io2", "io3"]

    on_station(body)


def test_a_port_listed_twice_and_an_unknown_name_are_errors_of_the_board_file():
    with pytest.raises(Invalid, match=r"rooms\.io\.ports: port 'io1' is listed twice"):
        decode(IoConfig, {"ports": ["io1", "io1"]}, where="rooms.io")
    with pytest.raises(Invalid, match=r"rooms\.io\.port: unknown name 'port'; did you mean 'ports'"):
        decode(IoConfig, {"port": ["io1"]}, where="rooms.io")
