"""The link between the roles of a device, over memory and over a Unix socket: the same tests for both."""

from __future__ import annotations

import os
from collections.abc import Awaitable

import pytest

from firmware.core.actions import SYSTEM, Caller, Invocation, Level, Nothing
from firmware.core.errors import Busy, Exhausted, Forbidden, Invalid, NotFound, Unavailable
from firmware.core.events import Operation
from firmware.core.vocabulary.access import LockParams, ReleaseParams
from firmware.core.vocabulary.device import DevicePhase, NetworkState, Phase
from firmware.core.vocabulary.entries import EntryKind, EntryPage, EntryQuery, EntryView
from firmware.core.vocabulary.io import VirtualInputState
from firmware.core.vocabulary.security import LoginFailed
from firmware.core.vocabulary.station import RoleState, ServicePhase, ServiceState
from hal.errors import BusError
from tests.unit.core.device import (
    ADMIN,
    AUDIO,
    VIEWER,
    ControlGroup,
    Device,
    NetworkGroup,
    Role,
    SceneGroup,
    offers_port,
    offers_release,
)


def test_a_joining_role_first_has_every_retained_state(play):
    async def body(device: Device) -> None:
        device.control.bus.publish(DevicePhase(phase=Phase.NORMAL))
        device.control.bus.publish(VirtualInputState(input=1, active=True))
        network = await device.join("network")
        assert network.bus.state(DevicePhase) == device.control.bus.state(DevicePhase)
        assert network.bus.state(VirtualInputState, "1").active
        await device.settle()
        for bus in (device.control.bus, network.bus):
            state = bus.state(RoleState, "network")
            assert (state.joined, state.pid, state.ready) == (True, os.getpid(), False)
        network.link.ready()
        device.hub.ready()
        await device.settle()
        assert all(network.bus.state(RoleState, name).ready for name in ("network", "control"))

    play(body)


def test_facts_reach_every_other_role_once_with_their_stamp(play):
    async def body(device: Device) -> None:
        network, media = await device.join("network"), await device.join("media", boot="m7")
        await device.settle()
        buses = [device.control.bus, network.bus, media.bus]
        seen = [bus.subscribe(retained=False) for bus in buses]
        said = [
            device.control.bus.publish(VirtualInputState(input=1, active=True)),
            network.bus.publish(LoginFailed(name="x", address="::1", via="api")),
            media.bus.publish(
                ServiceState(service="audio", role="media", phase=ServicePhase.RUNNING), cause="c1-control-1"
            ),
        ]
        await device.settle()
        for subscription in seen:
            heard = [(await subscription.get()).event for _ in range(subscription.pending())]
            assert sorted(heard, key=lambda event: event.id) == sorted(said, key=lambda event: event.id)
            subscription.close()

    play(body)


def test_a_forgotten_state_is_forgotten_everywhere(play):
    async def body(device: Device) -> None:
        network = await device.join("network")
        network.bus.publish(NetworkState(up=True))
        device.control.bus.publish(VirtualInputState(input=1, active=True))
        await device.settle()
        assert device.control.bus.state(NetworkState).up
        network.bus.forget(NetworkState)
        device.control.bus.forget(VirtualInputState, "1")
        await device.settle()
        assert device.control.bus.state(NetworkState) is None
        assert network.bus.state(VirtualInputState, "1") is None

    play(body)


def test_typed_commands_reach_their_owner_in_any_role(play):
    async def body(device: Device) -> None:
        page = EntryPage(
            total=1,
            entries=(
                EntryView(
                    id="1", name="Ada", kind=EntryKind.CARD, card="H10301:42:1", uses_left=None,
                    valid_from=device.clock.utc(), valid_to=None, schedule=None, doors=("door",),
                ),
            ),
        )  # fmt: skip

        async def entries(invocation: Invocation) -> EntryPage:
            device.control.told.append(invocation)
            return page

        device.control.actions.register(
            "entry.list", EntryQuery, entries, summary="Entries", answer=EntryPage, private=True
        )
        media = await device.join("media", offers_release)
        network = await device.join("network")
        await device.settle()
        ask = Invocation(action="entry.list", params=EntryQuery(limit=3), caller=ADMIN, cause="n-1")
        assert await network.link.invoke(ask, EntryPage) == page
        assert device.control.told == [ask]
        play_it = Invocation(action="clip.play", params=LockParams(door="door"), caller=SYSTEM, cause="c1-control-9")
        for role in (device.hub, network.link, media.link):
            await role.invoke(play_it, Nothing)
        assert media.told == [play_it] * 3

    play(body)


def test_commands_with_outside_data_answer_data_or_the_owners_error(play):
    async def body(device: Device) -> None:
        async def busy(invocation: Invocation) -> None:
            raise Busy("door", "somebody else is at it")

        async def bus_error(invocation: Invocation) -> None:
            raise BusError("relay1", "line gone")

        async def bug(invocation: Invocation) -> None:
            raise ZeroDivisionError("secret detail")

        actions = device.control.actions
        actions.register("door.release", ReleaseParams, device.control.note, summary="Release")
        actions.register("door.lock", LockParams, busy, summary="Lock", level=Level.ADMIN)
        actions.register("relay.set", LockParams, bus_error, summary="Switch")
        actions.register("bug", Nothing, bug, summary="Fails")
        actions.register("hidden", Nothing, device.control.note, summary="Hidden", private=True)
        network = await device.join("network")
        link = network.link
        assert await link.command("door.release", {"door": "door", "hold_s": 7}, ADMIN, cause="n-1") == {}
        assert device.control.told[0].params == ReleaseParams(door="door", hold_s=7.0)
        assert device.control.told[0].cause == "n-1"
        with pytest.raises(Forbidden, match=r"door\.lock: needs admin"):
            await link.command("door.lock", {"door": "door"}, Caller("otto", Level.OPERATOR, "api"))
        with pytest.raises(Busy, match="door: somebody else is at it"):
            await link.command("door.lock", {"door": "door"}, ADMIN)
        with pytest.raises(Invalid, match=r"door\.release\.dor: unknown name 'dor'; did you mean 'door'\?"):
            await link.command("door.release", {"dor": 1}, ADMIN)
        with pytest.raises(Unavailable, match="relay1: line gone"):
            await link.command("relay.set", {"door": "x"}, ADMIN)
        with pytest.raises(Unavailable, match="failed inside") as caught:
            await link.command("bug", {}, ADMIN)
        assert "secret" not in str(caught.value)
        with pytest.raises(NotFound):
            await link.command("hidden", {}, SYSTEM)
        with pytest.raises(Exhausted, match="longer than"):
            await link.command("door.release", {"door": "x" * (1 << 20)}, ADMIN)
        assert len(device.control.told) == 1

    play(body)


def test_an_unknown_name_suggests_the_nearest_of_all_roles(play):
    async def body(device: Device) -> None:
        def prepare(role: Role) -> None:
            offers_release(role)
            offers_port(role)
            role.actions.register("clip.secret", LockParams, role.note, summary="x", private=True)

        device.control.params.declare(ControlGroup)
        media, network = await device.join("media", prepare), await device.join("network")
        await device.settle()
        for link in (device.hub, network.link, media.link):  # its owner may be about to come
            with pytest.raises(Unavailable, match=r"nobody answers for 'clip\.pley' yet, the device is starting"):
                await link.command("clip.pley", {}, ADMIN)
        device.hub.ready()
        for link in (device.hub, network.link, media.link):
            with pytest.raises(NotFound, match=r"no action 'clip\.pley'; did you mean 'clip\.play'\?"):
                await link.command("clip.pley", {}, ADMIN)
            with pytest.raises(NotFound, match=r"did you mean 'clip\.play'"):
                await link.invoke(Invocation(action="clip.plai"), Nothing)
            with pytest.raises(NotFound, match=r"no group 'netwrk'; did you mean 'network'\?"):
                await link.read("netwrk", ADMIN)
            with pytest.raises(NotFound):
                await link.command("clip.secret", {"door": "x"}, ADMIN)

    play(body)


def test_actions_and_groups_of_all_roles_are_listed_wherever_asked(play):
    async def body(device: Device) -> None:
        device.control.actions.register("door.release", ReleaseParams, device.control.note, summary="Release a door")
        device.control.params.declare(ControlGroup)
        network, media = await device.join("network", offers_port), await device.join("media")
        offers_release(media)  # after joining: a service that starts later
        await device.settle()
        for link in (device.hub, network.link, media.link):
            infos = await link.actions()
            assert [(info.name, info.summary, info.level) for info in infos] == [
                ("clip.play", "Play a clip", Level.OPERATOR),
                ("door.release", "Release a door", Level.OPERATOR),
            ]
            assert '"hold_s"' in infos[1].schema
            assert await link.groups() == ("control", "network")
            assert [(info.name, info.default) for info in await link.infos("network")] == [
                ("port", 8080),
                ("password", ""),
            ]
            assert [info.name for info in await link.infos("control")] == ["hold_s"]

    play(body)


def test_parameters_are_read_and_changed_wherever_they_live(play):
    async def body(device: Device) -> None:
        device.control.params.declare(ControlGroup)
        network = await device.join("network", offers_port)
        media = await device.join("media")
        await device.settle()
        for n, link in enumerate((device.hub, network.link, media.link), start=1):
            assert (await link.change("network", {"port": 8080 + n, "password": "x"}, ADMIN))["port"] == 8080 + n
            assert (await link.change("control", {"hold_s": float(n)}, ADMIN, cause="c")) == {"hold_s": float(n)}
            assert await link.read("network", VIEWER) == {"port": 8080 + n, "password": "*****"}
            with pytest.raises(Forbidden, match=r"network\.port: needs admin"):
                await link.change("network", {"port": 1}, VIEWER)
            with pytest.raises(Invalid, match=r"control\.hold_s: .*\(got 61\)"):
                await link.change("control", {"hold_s": 61}, ADMIN)
        assert network.params.get(NetworkGroup).port == 8083
        assert device.control.params.get(ControlGroup).hold_s == 3.0

    play(body)


def test_when_a_role_leaves_its_words_go_and_its_callers_are_told(play):
    async def body(device: Device) -> None:
        def prepare(role: Role) -> None:
            role.actions.register("clip.play", LockParams, forever, summary="Play")
            role.params.declare(NetworkGroup)

        async def forever(invocation: Invocation) -> None:
            await device.clock.sleep(1000)

        media, network = await device.join("media", prepare), await device.join("network")
        device.hub.ready()
        media.bus.publish(AUDIO)
        await device.settle()
        asked = [
            device.group.create_task(expect_unavailable(link.command("clip.play", {"door": "x"}, ADMIN)))
            for link in (device.hub, network.link)
        ]
        await device.settle()
        with network.bus.subscribe(RoleState, ServiceState, retained=False) as seen:
            await device.leave(media)
            heard = {type(notice.event): notice for notice in [await seen.get() for _ in range(seen.pending())]}
        assert [await task for task in asked] == ["media is away"] * 2
        gone = heard[ServiceState]
        assert gone.operation is Operation.DELETED
        assert gone.event.cause == heard[RoleState].event.id
        assert device.control.bus.state(RoleState, "media").joined is False
        with pytest.raises(NotFound):
            await network.link.command("clip.play", {"door": "x"}, ADMIN)
        assert await network.link.groups() == ()
        again = await device.join("media", offers_release, boot="b2")
        await device.settle()
        await network.link.command("clip.play", {"door": "door"}, ADMIN)
        assert len(again.told) == 1
        assert network.bus.state(RoleState, "media").joined is True

    play(body)


def test_what_a_role_is_going_to_own_is_not_unknown_while_the_role_is_away(play):
    async def body(device: Device) -> None:
        def prepare(role: Role) -> None:
            role.actions.register("scene.learn", LockParams, role.note, summary="Learn")
            role.actions.register("scene.lend", LockParams, role.note, summary="Lend", private=True)
            role.params.declare(SceneGroup)

        network = await device.join("network")
        device.hub.ready()
        links = (device.hub, network.link)

        async def all_wait(why: str) -> None:
            for link in links:
                asked = [
                    link.command("scene.learn", {"door": "x"}, ADMIN),
                    link.invoke(Invocation(action="scene.lend", params=LockParams(door="x")), Nothing),
                    link.read("scene", ADMIN),
                    link.change("scene", {}, ADMIN),
                    link.infos("scene"),
                ]
                for name, call in zip(("scene.learn", "scene.lend", *["scene"] * 3), asked, strict=True):
                    assert await expect_unavailable(call) == f"nobody answers for {name!r} now: {why}; try again"

        async def unknown_stays_unknown() -> None:
            for link in links:
                with pytest.raises(NotFound, match=r"no action 'scene\.lern'; did you mean 'scene\.learn'\?"):
                    await link.command("scene.lern", {}, ADMIN)
                with pytest.raises(NotFound, match=r"no action 'scene\.lend'"):  # private: not for callers outside
                    await link.command("scene.lend", {}, ADMIN)
                with pytest.raises(NotFound, match=r"no group 'scena'; did you mean 'scene'\?"):
                    await link.read("scena", ADMIN)

        await all_wait("media is not there")
        await unknown_stays_unknown()
        media = await device.join("media")
        await device.settle()
        await all_wait("media is starting")
        await unknown_stays_unknown()
        prepare(media)
        media.link.ready()
        await device.settle()
        for link in links:
            await link.command("scene.learn", {"door": "x"}, ADMIN)
            assert await link.read("scene", ADMIN) == {"still_s": 10.0}
        await unknown_stays_unknown()
        await device.leave(media)
        await all_wait("media is not there")
        media = await device.join("media", boot="b2")  # where its service has failed
        media.link.ready()
        await device.settle()
        await all_wait("media runs without it")

    play(body)


async def expect_unavailable(call: Awaitable[object]) -> str:
    with pytest.raises(Unavailable) as caught:
        await call
    return caught.value.message


def test_when_control_goes_away_the_role_ends(play):
    async def body(device: Device) -> None:
        async def forever(invocation: Invocation) -> None:
            await device.clock.sleep(1000)

        device.control.actions.register("slow", Nothing, forever, summary="Slow")
        network = await device.join("network")
        asked = device.group.create_task(expect_unavailable(network.link.command("slow", {}, ADMIN)))
        await device.settle()
        device.hub_task.cancel()
        await device.hub.stop()
        await network.task
        assert network.ended == "control went away"
        assert await asked == "control is away"
        with pytest.raises(Unavailable):
            await network.link.command("slow", {}, ADMIN)

    play(body)


def test_answers_come_after_the_facts_they_caused(play):
    async def body(device: Device) -> None:
        async def work(invocation: Invocation) -> None:
            for n in range(1, 20):
                device.control.bus.publish(VirtualInputState(input=n, active=True), cause=invocation.cause)

        device.control.actions.register("work", Nothing, work, summary="Work")
        network = await device.join("network")
        await network.link.command("work", {}, ADMIN)
        assert all(network.bus.state(VirtualInputState, str(n)).active for n in range(1, 20))

    play(body)
