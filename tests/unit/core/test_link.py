"""The link between the roles of a device, over memory and over a Unix socket: the same tests for both."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest

from firmware.core.actions import SYSTEM, ActionTable, Caller, Invocation, Level, Nothing
from firmware.core.bus import Bus
from firmware.core.errors import Busy, Exhausted, Forbidden, Invalid, NotFound, Unavailable
from firmware.core.events import Notice, Operation
from firmware.core.link import peer as peer_module
from firmware.core.link.channel import Channel, connect_unix, memory_pair
from firmware.core.link.client import LinkClient
from firmware.core.link.guest import OFFERS, STATES
from firmware.core.link.hub import Hub
from firmware.core.link.wire import Fact, Hello, Ready, Settled, Unpacker, fact_of, pack
from firmware.core.params import Group, Params, param
from firmware.core.vocabulary.access import (
    AccessGranted,
    EntryKind,
    EntryPage,
    EntryQuery,
    EntryView,
    LockParams,
    ReleaseParams,
)
from firmware.core.vocabulary.device import DevicePhase, NetworkState, Phase
from firmware.core.vocabulary.io import VirtualInputState
from firmware.core.vocabulary.security import LoginFailed, SetupState
from firmware.core.vocabulary.station import RoleState, ServicePhase, ServiceState
from hal.errors import BusError
from hal.sim.time import VirtualClock, virtual_run

ADMIN = Caller("ada", Level.ADMIN, "api")
VIEWER = Caller("vera", Level.VIEWER, "api")
AUDIO = ServiceState(service="audio", role="media", phase=ServicePhase.RUNNING)


class MemoryKeeper:
    """Keeps parameters for a test."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def load(self, name: str) -> bytes | None:
        return self.kept.get(name)

    async def save(self, name: str, data: bytes) -> None:
        self.kept[name] = data


class ControlGroup(Group):
    group: ClassVar[str] = "control"
    hold_s: float = param(7.0, "Release time", gt=0, le=60)


class NetworkGroup(Group):
    group: ClassVar[str] = "network"
    port: int = param(8080, "HTTP port", ge=1, le=65535)
    password: str = param("", "A secret", secret=True)


class Role:
    """The core of one role."""

    def __init__(self, name: str, clock: VirtualClock, boot: str = "b1") -> None:
        self.bus = Bus(clock, role=name, boot=boot)
        self.actions = ActionTable()
        self.params = Params(MemoryKeeper(), self.bus, print)
        self.told: list[Invocation] = []
        self.link: LinkClient
        self.task: asyncio.Task[None]

    async def note(self, invocation: Invocation) -> None:
        self.told.append(invocation)


class Device:
    """Control with its hub; roles join over one of the two forms."""

    def __init__(self, clock: VirtualClock, path: Path | None, group: asyncio.TaskGroup) -> None:
        self.clock = clock
        self.path = path
        self.group = group
        self.control = Role("control", clock, "c1")
        self.hub = Hub(self.control.bus, self.control.actions, self.control.params, clock, path=path)

    async def start(self) -> None:
        await self.hub.start()
        self.hub_task = self.group.create_task(self.hub.run())

    async def connect(self) -> Channel:
        return await self.hub.join() if self.path is None else await connect_unix(self.path)

    async def join(self, name: str, prepare: Callable[[Role], None] = lambda role: None, boot: str = "b1") -> Role:
        role = Role(name, self.clock, boot)
        prepare(role)
        connect = self.path if self.path is not None else self.hub.join
        role.link = LinkClient(role.bus, role.actions, role.params, self.clock, connect)
        await role.link.start()
        role.task = self.group.create_task(self._run(role))
        return role

    async def _run(self, role: Role) -> None:
        try:
            await role.link.run()
        except Unavailable as error:
            role.ended = error.message

    async def leave(self, role: Role) -> None:
        role.task.cancel()
        await role.link.stop()
        await self.settle()

    async def settle(self) -> None:
        """Let everything that is under way arrive."""
        for _ in range(60):
            await self.clock.sleep(0)


@pytest.fixture(params=["memory", "unix"])
def play(request, tmp_path_factory):
    """Run a body on a device in virtual time."""

    def run(body: Callable[[Device], Awaitable[None]]) -> None:
        async def main(clock: VirtualClock) -> None:
            path = tmp_path_factory.mktemp("run") / "link" if request.param == "unix" else None
            async with asyncio.TaskGroup() as group:
                device = Device(clock, path, group)
                await device.start()
                try:
                    await body(device)
                finally:
                    device.hub_task.cancel()
                    await device.hub.stop()
                await device.settle()

        virtual_run(main)

    return run


def offers_release(role: Role) -> None:
    role.actions.register("clip.play", LockParams, role.note, summary="Play a clip")


def offers_port(role: Role) -> None:
    role.params.declare(NetworkGroup)


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
