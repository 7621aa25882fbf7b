"""Service `discovery`: answers programs that look for devices, at the adapters it was given. Nobody waits for it.

Follows the parameters, the ways in over HTTP, and the addresses of the adapters, which it looks at every `LOOK_S`.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv6Interface
from typing import ClassVar, Protocol

from firmware.core.context import Core
from firmware.core.events import Notice
from firmware.core.vocabulary.certificates import HttpState
from firmware.core.vocabulary.device import DeviceInfo
from firmware.core.vocabulary.discovery import DiscoveryState
from firmware.core.vocabulary.station import ParamsChanged
from firmware.interfaces.discovery import mdns, ssdp, wsd
from firmware.interfaces.discovery.portrait import Portrait, name_of, paint
from firmware.interfaces.discovery.post import Ear, Group, Listener, Post, Spot, open_group
from firmware.interfaces.discovery.settings import DiscoverySettings
from firmware.interfaces.net.adapters import Adapter, adapters
from firmware.interfaces.net.changes import Changes, by_nobody

ALL, OFF = "all", "off"  # what `lintel run --discovery` takes besides names of adapters
LOOK_S = 5.0  # where nobody tells of a change
RETRY_S = 30.0
MDNS, SSDP, WSD = "mdns", "ssdp", "ws_discovery"
GROUPS = {MDNS: mdns.GROUP, SSDP: ssdp.GROUP, WSD: wsd.GROUP}
GROUPS6 = {MDNS: mdns.GROUP6, SSDP: ssdp.GROUP6, WSD: wsd.GROUP6}
MOST_ADDRESSES = 4  # of IPv6 at one adapter that are told

log = logging.getLogger("lintel.discovery")


class Engine(Listener, Protocol):
    """One protocol at work."""

    async def run(self) -> None:
        """Say hello, and goodbye when cancelled."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One protocol at one adapter over one version of IP: what is answered there."""

    protocol: str
    adapter: str
    at: Spot
    portrait: Portrait

    @property
    def group(self) -> Group:
        """Where it is spoken."""
        return (GROUPS6 if self.at.six else GROUPS)[self.protocol]


def chosen(wanted: str, there: Iterable[Adapter]) -> list[Adapter]:
    """The adapters of `off`, `all` (those that lead somewhere), or of a list of names, that are up."""
    if wanted == OFF:
        return []
    names = None if wanted == ALL else wanted.split(",")
    return [each for each in there if each.up and (not each.loopback if names is None else each.name in names)]


def spots(adapter: Adapter) -> list[Spot]:
    """Where an adapter is spoken at: IPv4 and IPv6, each with the address that reaches furthest."""
    found = [Spot(address=str(at.ip), networks=(at.network,)) for at in adapter.ipv4[:1]]
    six = furthest_first(adapter)
    try:
        index = socket.if_nametoindex(adapter.name) if six else 0
    except OSError:  # it has just gone
        return found
    networks = tuple(at.network for at in six if not at.ip.is_link_local)
    return [*found, *(Spot(address=str(at.ip), networks=networks, index=index) for at in six[:1])]


def furthest_first(adapter: Adapter) -> list[IPv6Interface]:
    """The IPv6 addresses that are told: those that need no scope to be reached come before link-local ones."""
    return sorted(adapter.ipv6, key=lambda at: at.ip.is_link_local)[:MOST_ADDRESSES]


class DiscoveryService:
    """Answers at the adapters that `where` names: `off`, `all`, or names with commas between."""

    name: ClassVar[str] = "discovery"
    vital: ClassVar[bool] = False
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        core: Core,
        info: DeviceInfo,
        where: str,
        look: Callable[[], Iterable[Adapter]] = adapters,
        changes: Changes | None = None,
    ) -> None:
        """Without `changes` nobody tells of one."""
        self._core = core
        self._info = info
        self._where = where
        self._look = look
        self._changes = changes or Changes(core.clock, by_nobody)
        self._running: dict[Plan, asyncio.Task[None]] = {}
        self._up: set[Plan] = set()
        self._hosts: dict[Plan, tuple[str, str]] = {}  # host and instance as multicast DNS got them
        self._troubles: dict[Plan, str] = {}
        self._obeying = asyncio.Lock()
        self._chance = random.SystemRandom()

    async def start(self) -> None:
        """Read the parameters."""
        params = self._core.params
        if DiscoverySettings.group not in params:
            params.declare(DiscoverySettings)
        await params.load(DiscoverySettings)

    async def run(self) -> None:
        """Answer until cancelled, then say goodbye."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch(group), name="adapters")
                with self._core.bus.subscribe(ParamsChanged, HttpState) as changes:
                    async for notice in changes:
                        if self._concerns(notice):
                            await self._obey(group)
        finally:
            self._running.clear()

    async def stop(self) -> None:
        """Nothing is found any more."""
        for state in self._core.bus.states(DiscoveryState):
            self._core.bus.forget(DiscoveryState, state.protocol)

    @staticmethod
    def _concerns(notice: Notice) -> bool:
        event = notice.event
        return not isinstance(event, ParamsChanged) or event.group == DiscoverySettings.group

    async def _watch(self, group: asyncio.TaskGroup) -> None:
        with self._changes.watching() as watch:
            while True:
                await self._obey(group)
                await watch.next(LOOK_S)

    async def _obey(self, group: asyncio.TaskGroup) -> None:
        """What is to be answered now: what is no more says goodbye before what is new begins."""
        async with self._obeying:
            plans = list(self._plans())
            gone = [plan for plan in self._running if plan not in plans]
            ending = [self._running.pop(plan) for plan in gone]
            for task in ending:
                task.cancel()
            if ending:
                await asyncio.wait(ending)
            for plan in gone:
                self._troubles.pop(plan, None)
                self._hosts.pop(plan, None)
            for plan in plans:
                if plan not in self._running:
                    self._running[plan] = group.create_task(self._answer(plan), name=f"{plan.protocol} {plan.adapter}")
            self._tell()

    def _plans(self) -> Iterable[Plan]:
        settings = self._core.params.get(DiscoverySettings)
        doors = self._core.bus.state(HttpState) or HttpState(http="", https="")
        wished = wishes(settings)
        for adapter in chosen(self._where, self._look()):
            known = [*(str(at.ip) for at in adapter.ipv4[:1]), *(str(at.ip) for at in furthest_first(adapter))]
            for at in spots(adapter):
                others = [each for each in known if each != at.address]
                for protocol in self._switched_on(settings):
                    portrait = paint(self._info, wished[protocol], at.address, doors.http, doors.https, others)
                    if portrait is not None:
                        yield Plan(protocol, adapter.name, at, portrait)

    @staticmethod
    def _switched_on(settings: DiscoverySettings) -> list[str]:
        on = {MDNS: settings.mdns, SSDP: settings.ssdp, WSD: settings.ws_discovery}
        return [protocol for protocol, wanted in on.items() if wanted]

    async def _answer(self, plan: Plan) -> None:
        """Answer at one adapter until cancelled; a socket that cannot be had is tried again."""
        while True:
            try:
                sock = open_group(plan.group, plan.at)
                break
            except OSError as error:
                version = " over IPv6" if plan.at.six else ""
                self._stumble(plan, f"{plan.adapter}{version}: {error.strerror or error}")
            await self._core.clock.sleep(RETRY_S)
        self._troubles.pop(plan, None)
        with self._core.clock.outside():
            await self._serve(plan, sock)

    async def _serve(self, plan: Plan, sock: socket.socket) -> None:
        ways: list[asyncio.DatagramTransport] = []
        post = Post(self._core.clock, plan.group, plan.at.networks, lambda data, to: ways[0].sendto(data, to))
        engine = self._engine(plan, post)
        loop = asyncio.get_running_loop()
        way, _ = await loop.create_datagram_endpoint(
            lambda: Ear(lambda data, source: post.arrive(data, source, engine)), sock=sock
        )
        ways.append(way)
        self._up.add(plan)
        self._tell()
        try:
            await engine.run()
        finally:
            self._up.discard(plan)
            post.close()
            way.close()

    def _engine(self, plan: Plan, post: Post) -> Engine:
        clock, chance = self._core.clock, self._chance
        if plan.protocol == MDNS:
            return mdns.Mdns(plan.portrait, post, clock, chance, lambda *names: self._named(plan, *names))
        if plan.protocol == SSDP:
            return ssdp.Ssdp(plan.portrait, post, clock, chance)
        return wsd.WsDiscovery(plan.portrait, post, clock, chance, int(clock.utc().timestamp()))

    def _stumble(self, plan: Plan, trouble: str) -> None:
        if self._troubles.get(plan) != trouble:
            log.error("%s cannot be answered at %s", plan.protocol, trouble)
        self._troubles[plan] = trouble
        self._tell()

    def _named(self, plan: Plan, host: str, instance: str) -> None:
        self._hosts[plan] = (host, instance)
        self._tell()

    def _tell(self) -> None:
        """The state of each protocol; only what has changed becomes a fact."""
        settings = self._core.params.get(DiscoverySettings)
        for protocol, wished in wishes(settings).items():
            up = sorted(
                (plan for plan in self._up if plan.protocol == protocol), key=lambda plan: (plan.adapter, plan.at.six)
            )
            named = [self._hosts[plan] for plan in up if plan in self._hosts]
            host, name = named[0] if named else ("", "")
            state = DiscoveryState(
                protocol=protocol,
                adapters=tuple(dict.fromkeys(plan.adapter for plan in up)),
                ipv6=tuple(plan.adapter for plan in up if plan.at.six),
                name=name or (name_of(wished, self._info) if up else ""),
                host=host,
                also=tuple(dict.fromkeys(other for other, _ in named if other != host)),
                trouble=", ".join(sorted(why for plan, why in self._troubles.items() if plan.protocol == protocol)),
            )
            if shown(self._core.bus.state(DiscoveryState, protocol)) != shown(state):
                self._core.bus.publish(state)


def wishes(settings: DiscoverySettings) -> dict[str, str]:
    """The names that were set, by protocol; WS-Discovery shows that of UPnP."""
    return {MDNS: settings.mdns_name, SSDP: settings.ssdp_name, WSD: settings.ssdp_name}


def shown(state: DiscoveryState | None) -> tuple[object, ...] | None:
    """What a state says, without its stamps."""
    return None if state is None else (state.adapters, state.ipv6, state.name, state.host, state.also, state.trouble)
