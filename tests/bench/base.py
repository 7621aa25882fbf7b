"""What every bench has: faces on the peers of its world, the device's own account of itself, figures and time.

A bench brings a world (the far end of every node), a clock, a client of the device's API and the device's events.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import httpx

from firmware.core.events import Event
from firmware.paths import StateDir
from firmware.upgrade.ports import Slot
from hal.clock import Clock
from hal.sim.peers.button import ButtonPeer
from hal.sim.peers.card_reader import CardReaderPeer
from hal.sim.peers.controller import ControllerPeer
from hal.sim.peers.light import Lamp
from hal.sim.peers.loop import LoopPeer
from hal.sim.peers.osdp_panel import OsdpPanelPeer
from hal.sim.peers.switch import StrikePeer
from hal.sim.world import NoSuchPeer, World
from tests.bench.sim_faces import Controller, Light, Panel, Reader, Relay

USER, PASSWORD = "admin", "bench-password"
SETTLE_S = 0.5

C = TypeVar("C", bound=Clock)


@dataclass(frozen=True, slots=True)
class Measurement:
    """A figure a test took: measured, expected, and the tolerance of this bench."""

    name: str
    value: float
    expected: float
    tolerance: float


class BenchBase(Generic[C]):
    """What a behaviour test may do and see on any bench. Times in seconds of the bench's own clock."""

    tolerance_s = 0.0

    def __init__(self, state: Path) -> None:
        self._state = state
        self._slot = Slot.A
        self._events: list[Event] = []
        self.measurements: list[Measurement] = []
        self.began_s = 0.0
        self.world: World
        self.clock: C
        self._http: httpx.AsyncClient

    @property
    def state(self) -> Path:
        """The state directory of the device."""
        return self._state

    def file(self, role: str, name: str) -> Path:
        """A file among the settings of a role."""
        return StateDir(self._state).settings(self._slot, role) / name

    def flip(self, role: str, name: str, at: bytes = b"") -> None:
        """Rot: one bit of a file changes, in its middle or where the bytes `at` begin."""
        path = self.file(role, name)
        raw = bytearray(path.read_bytes())
        raw[raw.index(at) if at else len(raw) // 2] ^= 0x04
        path.write_bytes(bytes(raw))

    # needs, figures, time

    def needs(self, *names: str) -> None:
        """What the test touches; here everything can be had, so that a missing thing is a failure."""
        for name in names:
            try:
                self.world.find(name)
            except NoSuchPeer as missing:
                raise AssertionError(f"this board has no {name}: {missing}") from missing

    def measure(self, name: str, value: float, expected: float) -> None:
        """Note a figure, and fail when it is outside this bench's tolerance."""
        figure = Measurement(name, value, expected, self.tolerance_s)
        self.measurements.append(figure)
        assert abs(value - expected) <= self.tolerance_s, figure

    async def until(self, check: Callable[[], bool], within_s: float = 30.0) -> None:
        """Wait until `check` holds."""
        end_ns = self.clock.now_ns() + round(within_s * 1e9)
        while not check():
            assert self.clock.now_ns() < end_ns, f"not seen within {within_s} s"
            await self.clock.sleep(0.01)

    async def advance(self, s: float) -> None:
        """Let time pass."""
        await self.clock.sleep(s)

    async def settle(self) -> None:
        """Let everything that follows at once, follow."""
        await self.clock.sleep(SETTLE_S)

    # faces

    def reader(self, name: str) -> Reader:
        """A reader."""
        peer = self.world.find(f"reader:{name}")
        assert isinstance(peer, CardReaderPeer)
        return Reader(peer)

    def controller(self, name: str = "controller") -> Controller:
        """The door controller at our Wiegand output."""
        peer = self.world.find(f"controller:{name}")
        assert isinstance(peer, ControllerPeer)
        return Controller(self, peer)

    def panel(self, name: str) -> Panel:
        """Somebody's panel on our second serial port."""
        peer = self.world.find(f"panel:{name}")
        assert isinstance(peer, OsdpPanelPeer)
        return Panel(peer)

    def relay(self, name: str) -> Relay:
        """A relay with its strike."""
        peer = self.world.find(f"relay:{name}")
        assert isinstance(peer, StrikePeer)
        return Relay(self, peer)

    def light(self, name: str) -> Light:
        """A light of the product."""
        peer = self.world.find(f"led:{name}")
        assert isinstance(peer, Lamp)
        return Light(peer)

    def loop(self, name: str) -> LoopPeer:
        """A contact, a request to exit, or what is wired to a terminal."""
        peer = self.world.find(name)
        assert isinstance(peer, LoopPeer)
        return peer

    def button(self, name: str) -> ButtonPeer:
        """A button."""
        peer = self.world.find(f"button:{name}")
        assert isinstance(peer, ButtonPeer)
        return peer

    # the device's own account of itself

    async def api(self, method: str, path: str, body: object = None) -> httpx.Response:
        """A request to the native API as the administrator."""
        return await self._http.request(method, path, json=body)

    @property
    def origin(self) -> str:
        """Where the device's HTTP face is, such as http://127.0.0.1:8080."""
        url = self._http.base_url
        return f"{url.scheme}://{url.netloc.decode()}"

    async def http(self, method: str, path: str, **how: Any) -> httpx.Response:
        """Any request to the device, as the administrator unless `auth` says otherwise."""
        return await self._http.request(method, f"{self.origin}{path}", **how)

    async def enrol(self, card: str | None = None, **more: Any) -> str:
        """Add an entry; returns its id."""
        body = {"name": f"holder {card or 'of a PIN'}", **({"card": card} if card else {}), **more}
        answer = await self.api("POST", "/entries", json.loads(json.dumps(body)))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def action(self, name: str, /, **params: Any) -> httpx.Response:
        """Invoke an action."""
        return await self.api("POST", f"/actions/{name}", params)

    async def params(self, group: str, /, **wishes: Any) -> httpx.Response:
        """Change parameters of a group."""
        return await self.api("PATCH", f"/params/{group}", wishes)

    def events(self, topic: str) -> list[Any]:
        """Everything published under a topic since the firmware started, in order."""
        return [event for event in self._events if event.topic == topic]

    async def event(self, topic: str, within_s: float = 30.0, **fields: object) -> Any:
        """The first event of a topic with these field values; waits for it."""

        def fitting() -> list[Any]:
            return [
                event
                for event in self.events(topic)
                if all(str(getattr(event, name)) == str(value) for name, value in fields.items())
            ]

        await self.until(lambda: bool(fitting()), within_s)
        return fitting()[0]

    def chain(self, event: Event) -> list[str]:
        """The topics that led to an event, first cause first."""
        by_id = {each.id: each for each in self._events}
        found = [event]
        while found[0].cause in by_id:
            found.insert(0, by_id[found[0].cause])
        return [each.topic for each in found]

    async def param(self, group: str) -> dict[str, Any]:
        """The parameters of a group."""
        answer = await self.api("GET", f"/params/{group}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found
