"""What the link takes from a role that was taken over, is slow, or is no role at all."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from itertools import pairwise

import pytest

from firmware.core.actions import Invocation, Level, Nothing
from firmware.core.errors import Exhausted, Unavailable
from firmware.core.events import Notice, Operation
from firmware.core.link import peer as peer_module
from firmware.core.link.channel import Channel, connect_unix, memory_pair
from firmware.core.link.client import LinkClient
from firmware.core.link.guest import OFFERS, STATES
from firmware.core.link.hub import CONSOLES, Hub
from firmware.core.link.wire import Fact, Hello, Ready, Settled, Unpacker, fact_of, pack
from firmware.core.vocabulary.access import (
    AccessGranted,
    ReleaseParams,
)
from firmware.core.vocabulary.device import DevicePhase, NetworkState, Phase
from firmware.core.vocabulary.io import VirtualInputState
from firmware.core.vocabulary.security import LoginFailed, SetupState
from firmware.core.vocabulary.station import RoleState, ServicePhase, ServiceState
from hal.sim.time import VirtualClock, virtual_run
from tests.unit.core.device import (
    ADMIN,
    Device,
    Role,
    offers_release,
)


@pytest.mark.parametrize(
    "claim",
    [
        AccessGranted(door="door", reader="front", credential="x", entry="e", holder="Eve"),
        DevicePhase(phase=Phase.NORMAL),
        RoleState(role="network", joined=True, pid=1),
        ServiceState(service="doors", role="control", phase=ServicePhase.OFF),
        SetupState(needed=True, code_required=False),
    ],
)
def test_a_role_cannot_claim_what_is_not_its_to_say(play, claim):
    async def body(device: Device) -> None:
        media = await device.join("media")
        media.bus.publish(SetupState(needed=False, code_required=False))
        network = await device.join("network")
        await device.settle()
        with device.control.bus.subscribe(retained=False) as seen:
            network.bus.publish(claim)
            network.bus.deliver(fake := replace_id(LoginFailed(name="x", address="::1", via="api"), "b1-media-99"))
            network.bus.publish(LoginFailed(name="ok", address="::1", via="api"))
            await device.settle()
            heard = [(await seen.get()).event for _ in range(seen.pending())]
        assert [event.name for event in heard] == ["ok"]
        assert device.control.bus.state(SetupState).needed is False
        assert fake.event not in heard

    play(body)


def replace_id(event: LoginFailed, id: str):
    return Notice(Operation.HAPPENED, replace(event, id=id))


def test_a_name_that_has_an_owner_ends_the_role_that_claims_it(play):
    async def body(device: Device) -> None:
        device.control.actions.register("door.release", ReleaseParams, device.control.note, summary="Release")
        thief = await device.join("network", lambda role: role.actions.register(
            "door.release", ReleaseParams, role.note, summary="Mine"))  # fmt: skip
        await thief.task
        assert thief.ended == "control went away"
        assert device.control.bus.state(RoleState, "network").joined is False

    play(body)


@pytest.mark.parametrize(
    "first",
    [
        pack(Ready()),
        pack(Hello(role="root", boot="b", pid=1)),
        pack(Hello(role="network", boot="b", pid=1, version=2)),
        b"GET / HTTP/1.1\r\n\r\n",
        b"",
    ],
)
def test_whoever_is_no_role_is_turned_away(play, first):
    async def body(device: Device) -> None:
        channel = await device.connect()
        if first:
            await channel.send(first)
        began = device.clock.now_ns()
        assert await channel.receive() == b""
        assert device.clock.now_ns() - began == (0 if first else 5_000_000_000)
        channel.close()
        assert device.control.bus.state(RoleState, "network") is None
        await device.join("network")

    play(body)


def test_garbage_in_the_middle_ends_that_role_only(play):
    async def body(device: Device) -> None:
        media = await device.join("media")
        channel = await device.connect()
        await channel.send(pack(Hello(role="network", boot="b", pid=1)))
        await device.settle()
        assert any(isinstance(message, Settled) for message in Unpacker().feed(await channel.receive()))
        assert device.control.bus.state(RoleState, "network").joined
        await channel.send(b"\x00\x00\x00\x05xxxxx")
        await device.settle()
        assert not device.control.bus.state(RoleState, "network").joined
        assert device.control.bus.state(RoleState, "media").joined
        assert not media.task.done()
        channel.close()

    play(body)


def test_a_new_process_of_a_role_takes_the_place_of_the_old_one(play):
    async def body(device: Device) -> None:
        old = await device.join("network", boot="b1")
        old.bus.publish(NetworkState(up=True))
        await device.settle()
        new = await device.join("network", boot="b2")
        await old.task
        await device.settle()
        assert device.control.bus.state(NetworkState) is None
        assert new.bus.state(NetworkState) is None
        assert device.control.bus.state(RoleState, "network").joined
        new.bus.publish(NetworkState(up=True))
        await device.settle()
        assert device.control.bus.state(NetworkState).up

    play(body)


def test_a_role_that_stops_reading_never_holds_up_control(play, monkeypatch):
    async def body(device: Device) -> None:
        channel = await device.connect()
        await channel.send(pack(Hello(role="network", boot="b", pid=1)))
        await device.settle()
        began = device.clock.now_ns()
        for n in range(20_000):
            device.control.bus.publish(VirtualInputState(input=n % 64 + 1, active=n % 128 < 64))
            if n % 50 == 0:
                await device.settle()
        assert device.clock.now_ns() == began
        guest = device.hub._guests["network"]
        assert len(guest.peer.outbox._facts) <= 64 + 2
        await device.clock.sleep(peer_module.STALLED_S + 1)
        assert not device.control.bus.state(RoleState, "network").joined
        channel.close()

    play(body)


def test_a_slow_role_ends_at_the_truth(play):
    async def body(device: Device) -> None:
        channel = await device.connect()
        await channel.send(pack(Hello(role="network", boot="b", pid=1)))
        for n in range(20_000):
            device.control.bus.publish(VirtualInputState(input=n % 64 + 1, active=n % 128 < 64))
            if n % 500 == 0:
                await device.settle()
        device.control.bus.publish(LoginFailed(name="the end", address="::1", via="api"))
        unpacker, last, count, ended = Unpacker(), {}, 0, False
        while not ended:
            for message in unpacker.feed(await channel.receive()):
                if isinstance(message, Fact) and message.topic == VirtualInputState.topic:
                    last[message.event["input"]] = message.event["active"]
                    count += 1
                ended = ended or (isinstance(message, Fact) and message.topic == LoginFailed.topic)
        assert last == {state.input: state.active for state in device.control.bus.states(VirtualInputState)}
        assert len(last) == 64
        assert count < 15_000
        channel.close()
        await device.settle()

    play(body)


def test_too_many_questions_at_once_are_refused(play, monkeypatch):
    async def body(device: Device) -> None:
        async def forever(invocation: Invocation) -> None:
            await device.clock.sleep(10)

        device.control.actions.register("slow", Nothing, forever, summary="Slow")
        network = await device.join("network")
        calls = [network.link.command("slow", {}, ADMIN) for _ in range(peer_module.ASKS + 5)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        refused = [result for result in results if isinstance(result, Exhausted)]
        assert len(refused) == 5
        assert results.count({}) == peer_module.ASKS

    play(body)


def test_a_flood_from_a_role_gives_control_its_turns(play):
    async def body(device: Device) -> None:
        channel = await device.connect()
        await channel.send(pack(Hello(role="network", boot="b", pid=1)))
        await device.settle()
        event = LoginFailed(name="x", address="::1", via="api", at=device.clock.utc())
        flood = [replace(event, id=f"b-network-{n}") for n in range(400)]
        frames = b"".join(pack(fact_of(Notice(Operation.HAPPENED, each))) for each in flood)
        heard: list[int] = [0]
        with device.control.bus.subscribe(LoginFailed, depth=10_000) as seen:
            sending = device.group.create_task(channel.send(frames))
            while heard[-1] < 400:
                await device.clock.sleep(0)
                heard.append(seen.pending())
        assert max(after - before for before, after in pairwise(heard)) <= peer_module.TURN
        await sending
        channel.close()

    play(body)


def test_a_client_waits_for_control_to_listen(tmp_path):
    async def main(clock: VirtualClock) -> None:
        role = Role("network", clock)
        link = LinkClient(role.bus, role.actions, role.params, clock, tmp_path / "link")
        began = clock.now_ns()
        with pytest.raises(Unavailable, match="control does not listen"):
            await link.start()
        assert 10 <= (clock.now_ns() - began) / 1e9 < 10.1
        control = Role("control", clock)
        hub = Hub(control.bus, control.actions, control.params, clock, path=tmp_path / "link")
        async with asyncio.TaskGroup() as group:
            late = group.create_task(link.start())
            await clock.sleep(1)
            await hub.start()
            serving = group.create_task(hub.run())
            await late
            serving.cancel()
            await hub.stop()
            await link.stop()
        assert (tmp_path / "link").exists() is False

    virtual_run(main)


def test_the_socket_is_for_this_user_alone(tmp_path):
    async def main(clock: VirtualClock) -> None:
        control = Role("control", clock)
        hub = Hub(control.bus, control.actions, control.params, clock, path=tmp_path / "link")
        await hub.start()
        assert (tmp_path / "link").stat().st_mode & 0o777 == 0o600
        hub._uids = frozenset({os.getuid() + 1})
        channel = await connect_unix(tmp_path / "link")
        assert await channel.receive() == b""
        channel.close()
        assert hub._arriving.empty()
        await hub.stop()

    virtual_run(main)


def test_a_socket_path_that_cannot_be_is_one_clear_error(tmp_path):
    async def main(clock: VirtualClock) -> None:
        control = Role("control", clock)
        for path in (tmp_path / "no" / "link", tmp_path / ("x" * 120)):
            hub = Hub(control.bus, control.actions, control.params, clock, path=path)
            with pytest.raises(Unavailable, match="cannot be opened"):
                await hub.start()

    virtual_run(main)


def test_memory_channels_wait_for_room_and_end_together():
    async def main(clock: VirtualClock) -> None:
        near, far = memory_pair(limit=10)
        async with asyncio.TaskGroup() as group:
            await near.send(b"x" * 10)
            waiting = group.create_task(near.send(b"y"))
            await clock.sleep(1)
            assert not waiting.done()
            assert await far.receive() == b"x" * 10
            await waiting
            assert await far.receive() == b"y"
        far.close()
        assert await near.receive() == b""
        with pytest.raises(ConnectionError):
            await near.send(b"z")

    virtual_run(main)


def test_what_one_role_has_control_remember_is_bounded(play):
    async def body(device: Device) -> None:
        network = await device.join("network")
        for n in range(STATES + 50):
            network.bus.publish(ServiceState(service=f"s{n}", role="network", phase=ServicePhase.OFF))
            if n % 100 == 0:
                await device.settle()
        await device.settle()
        assert len(device.control.bus.states(ServiceState)) == STATES
        for n in range(OFFERS + 1):
            network.actions.register(f"a{n}", Nothing, network.note, summary="x")
            if n % 100 == 0:
                await device.settle()
        await network.task
        assert device.control.bus.states(ServiceState) == ()

    play(body)


def test_whoever_sits_at_the_device_sees_the_states_and_asks_as_an_administrator_and_is_no_role(play):
    async def body(device: Device) -> None:
        device.control.bus.publish(DevicePhase(phase=Phase.NORMAL))
        device.control.actions.register("door.release", ReleaseParams, device.control.note, summary="Release")
        network = await device.join("network", offers_release)
        console = await device.join("console")
        await device.settle()
        assert console.bus.state(DevicePhase).phase is Phase.NORMAL
        assert device.control.bus.state(RoleState, "console") is None
        # Whoever it says it is, and whatever it may.
        await console.link.command("door.release", {"door": "door"}, replace(ADMIN, level=Level.SYSTEM))
        await console.link.command("clip.play", {"door": "door"}, replace(ADMIN, name="nobody"))
        callers = [told.caller for told in (*device.control.told, *network.told)]
        assert {(caller.name, caller.level, caller.via) for caller in callers} == {("console", Level.ADMIN, "console")}
        assert len(callers) == 2
        second = await device.join("console")
        await device.settle()
        assert not console.task.done()
        assert second.bus.state(RoleState, "network").joined

    play(body)


def test_so_many_sit_at_the_device_and_one_more_when_one_has_gone(play):
    async def body(device: Device) -> None:
        async def sit() -> tuple[Channel, bytes]:
            channel = await device.connect()
            await channel.send(pack(Hello(role="console", boot="b", pid=1)))
            return channel, await channel.receive()

        sitting = [await sit() for _ in range(CONSOLES)]
        assert all(welcome for _, welcome in sitting)
        turned_away, welcome = await sit()
        assert welcome == b""
        sitting[0][0].close()
        await device.settle()
        next_one, welcome = await sit()
        assert welcome
        for channel in (turned_away, next_one, *(each for each, _ in sitting)):
            channel.close()

    play(body)


def test_whoever_sits_at_the_device_says_nothing_and_offers_nothing(play):
    async def body(device: Device) -> None:
        liar = await device.join("console")
        with device.control.bus.subscribe(retained=False) as seen:
            liar.bus.publish(LoginFailed(name="x", address="::1", via="api"))
            await liar.task
            assert seen.pending() == 0
        thief = await device.join("console", offers_release)
        await thief.task
        assert (liar.ended, thief.ended) == ("control went away", "control went away")

    play(body)


def test_root_asks_at_the_device_and_is_no_role_of_a_device_that_runs_as_somebody_else(tmp_path, caplog):
    async def main(clock: VirtualClock) -> None:
        control = Role("control", clock)
        control.bus.publish(DevicePhase(phase=Phase.NORMAL))
        hub = Hub(control.bus, control.actions, control.params, clock, path=tmp_path / "link")
        # As if control had another user, and this process were root.
        hub._uids, hub._visitors = frozenset({os.getuid() + 1}), frozenset({os.getuid()})
        await hub.start()
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(hub.run())
            for role, taken in (("network", False), ("console", True)):
                channel = await connect_unix(tmp_path / "link")
                await channel.send(pack(Hello(role=role, boot="b1", pid=1)))
                said = Unpacker().feed(await channel.receive())
                assert any(isinstance(each, Settled) for each in said) is taken
                assert control.bus.state(RoleState, role) is None
                channel.close()
            serving.cancel()
        await hub.stop()
        assert "a process of user 0 may not join the link" in caplog.text

    virtual_run(main)
