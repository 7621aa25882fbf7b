"""The verbs of `lintel bench`, one function each: what a person could do to the device and see of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from firmware.board_process.camera_verbs import CameraVerbs
from firmware.board_process.panel_verb import USAGE, panel_verb
from firmware.board_process.sound_verbs import SoundVerbs
from firmware.board_process.supervisor import Supervisor
from firmware.board_process.watch_verbs import VERBS as WATCH_VERBS
from firmware.core.errors import Invalid, NotFound, Unsupported
from firmware.options import RunOptions
from hal.clock import Clock
from hal.errors import nearest
from hal.sim.peers.base import Peer
from hal.sim.peers.button import PRESS_S, ButtonPeer
from hal.sim.peers.card_reader import CardReaderPeer
from hal.sim.peers.loop import LoopPeer
from hal.sim.peers.osdp_panel import OsdpPanelPeer
from hal.sim.world import World
from hal.types import LoopState

if TYPE_CHECKING:
    from hal.sim.sound import SoundRig

WATCH_DEPTH = 1000
DONE = {"done": True}


def number(text: str, what: str) -> float:
    """A duration or instant in seconds. Raises Invalid."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 86_400 * 366:
        raise Invalid(what, f"{text!r} is not a number of seconds")
    return value


def take_option(words: list[str], option: str) -> str | None:
    """Remove `OPTION VALUE` from the words and return the value. Raises Invalid."""
    if option not in words:
        return None
    at = words.index(option)
    if at + 1 >= len(words):
        raise Invalid(option, "needs a value")
    value = words[at + 1]
    del words[at : at + 2]
    return value


class Verbs:
    """The verbs on one world and one set of roles."""

    def __init__(
        self, world: World, supervisor: Supervisor, options: RunOptions, clock: Clock, rig: SoundRig | None = None
    ) -> None:
        self._world = world
        self._sound = SoundVerbs(world, rig)
        self._supervisor = supervisor
        self._options = options
        self._clock = clock
        self._cameras = CameraVerbs(world)
        self._simple: dict[str, tuple[str, int, Callable[..., object]]] = {
            "hold": ("hold BUTTON", 1, lambda name: self._button(name).hold()),
            "release": ("release BUTTON", 1, lambda name: self._button(name).release()),
            "swipe": (
                "swipe READER FORMAT:FACILITY:NUMBER|BITS|CHIP:CSN",
                2,
                lambda n, card: self._reader(n).swipe(card),
            ),
            "keys": ("keys READER DIGITS", 2, lambda name, keys: self._reader(name).keys(keys)),
            "input": ("input PORT open|closed|cut|short", 2, self._input),
            "tamper": ("tamper PEER", 1, lambda name: self._world.find(name).tamper()),
            "unplug": ("unplug PEER", 1, lambda name: self._world.find(name).unplug()),
            "plug": ("plug PEER", 1, lambda name: self._world.find(name).plug()),
            "fault": ("fault PEER KIND|none", 2, self._world.fault),
            "loss": ("loss SPEAKER DB", 2, self._sound.loss),
        }

    async def run(self, words: list[str]) -> AsyncIterator[object]:
        """Carry out one verb; yields its answers. Raises Invalid, NotFound, Unsupported, and what a peer refuses."""
        if not words:
            raise Invalid("bench", "a verb is missing")
        verb, rest = words[0], list(words[1:])
        if verb in self._simple:
            usage, count, act = self._simple[verb]
            if len(rest) != count:
                raise Invalid(verb, f"write: {usage}")
            act(*rest)
            yield DONE
        elif verb in self._cameras.table and not (verb == "light" and len(rest) == 1):
            self._cameras.run(verb, rest)
            yield DONE
        elif verb in WATCH_VERBS:
            WATCH_VERBS[verb](self._world, rest)
            yield DONE
        elif verb == "watch":
            if rest:
                raise Invalid("watch", f"takes no words, got {rest[0]!r}")
            async for change in self._watch():
                yield change
        elif verb in ("power", "press", "trace", "state", "panel", "hear", "heard", "noise"):
            yield await getattr(self, f"_{verb}")(rest)
        else:
            others = ("watch", "power", "press", "trace", "state", "panel", "hear", "heard", "noise")
            verbs = [*self._simple, *WATCH_VERBS, *self._cameras.table, *others]
            raise Invalid("bench", f"unknown verb {verb!r}{nearest(verb, verbs)}")

    # peers by kind

    def _peer(self, name: str, kind: str, cls: type[Any]) -> Any:
        peer = self._world.find(name if ":" in name else f"{kind}:{name}")
        if not isinstance(peer, cls):
            raise Invalid(name, f"is not a {kind}")
        return peer

    def _button(self, name: str) -> ButtonPeer:
        found: ButtonPeer = self._peer(name, "button", ButtonPeer)
        return found

    def _reader(self, name: str) -> CardReaderPeer:
        found: CardReaderPeer = self._peer(name, "reader", CardReaderPeer)
        return found

    def _input(self, name: str, state: str) -> None:
        states = [each.value for each in LoopState]
        if state not in states:
            raise Invalid("input", f"unknown state {state!r}{nearest(state, states)}")
        peer = self._world.find(name) if ":" in name else self._loop(name)
        if not isinstance(peer, LoopPeer):
            raise Invalid(name, "is not an input")
        peer.set(LoopState(state))

    def _loop(self, name: str) -> Peer:
        loops = [peer for peer in self._world.peers.values() if isinstance(peer, LoopPeer)]
        for peer in loops:
            if name in (peer.name, peer.alias):
                return peer
        names = [word for peer in loops for word in (peer.name, peer.alias) if word]
        raise NotFound("input", f"no input {name!r}{nearest(name, names)}")

    # verbs with options

    async def _panel(self, words: list[str]) -> object:
        if len(words) < 2:
            raise Invalid("panel", USAGE)
        panel_verb(self._peer(words[0], "panel", OsdpPanelPeer), words[1:])
        return DONE

    async def _hear(self, words: list[str]) -> object:
        return self._sound.hear(words)

    async def _noise(self, words: list[str]) -> object:
        return self._sound.noise(words)

    async def _heard(self, words: list[str]) -> object:
        since, out = take_option(words, "--since"), take_option(words, "--out")
        return await self._sound.heard(words, None if since is None else number(since, "heard --since"), out)

    async def _power(self, words: list[str]) -> object:
        held = []
        while (button := take_option(words, "--hold")) is not None:
            held.append(self._button(button))
        if len(words) != 1:
            raise Invalid("power", "write: power on|off|cycle [--hold BUTTON]...")
        if words[0] not in ("on", "off", "cycle"):
            raise Invalid("power", f"unknown position {words[0]!r}{nearest(words[0], ('on', 'off', 'cycle'))}")
        if held and words[0] == "off":
            raise Invalid("power --hold", "a button is held while power comes back: use on or cycle")
        if words[0] in ("off", "cycle"):
            await self._supervisor.off()
            self._world.power(False)
        for peer in held:
            peer.hold()
        if words[0] in ("on", "cycle"):
            self._world.power(True)
            await self._supervisor.on()
        return {"power": "on" if self._world.powered else "off"}

    async def _press(self, words: list[str]) -> object:
        for_s = take_option(words, "--for")
        if len(words) != 1:
            raise Invalid("press", "write: press BUTTON [--for S]")
        duration_s = PRESS_S if for_s is None else number(for_s, "press --for")
        self._pressable(words[0]).press(duration_s)
        return DONE

    def _pressable(self, name: str) -> ButtonPeer | LoopPeer:
        """A button, or a contact that is pressed like one: the request to exit."""
        if ":" in name:
            peer = self._world.find(name)
            return peer if isinstance(peer, LoopPeer) else self._button(name)
        for peer in self._world.peers.values():
            if isinstance(peer, ButtonPeer | LoopPeer) and name in (peer.name, peer.alias):
                return peer
        return self._button(name)

    async def _trace(self, words: list[str]) -> object:
        since = take_option(words, "--since")
        if len(words) != 1:
            raise Invalid("trace", "write: trace NAME [--since S]")
        peer = self._world.find(words[0])
        if not peer.traces:
            raise Unsupported(words[0], "has nothing to trace")
        trace = next(iter(peer.traces.values()))
        since_s = float("-inf") if since is None else number(since, "trace --since")
        return {
            "name": peer.title,
            "points": [[t_s, value] for t_s, value in trace.points if t_s >= since_s],
            "pulses": [{"t_s": pulse.t_s, "width_s": pulse.width_s} for pulse in trace.pulses(since_s)],
        }

    async def _state(self, words: list[str]) -> object:
        if words:
            raise Invalid("state", f"takes no words, got {words[0]!r}")
        booted, hub = self._supervisor.booted, next(iter(self._supervisor.children.values()))
        return {
            "board": self._world.board.name,
            "model": self._world.board.product.model,
            "serial": self._world.identity.serial,
            "version": hub.said.get("VERSION"),
            "slot": booted and booted.slot.value,
            "slot_runs": booted and ("image" if booted.image else "checkout"),
            "trying": self._supervisor.on_trial,
            "power": "on" if self._world.powered else "off",
            "now_s": self._world.now_s,
            "roles": {
                role: {
                    "pid": child.pid,
                    "ready": child.said.get("READY") == "1",
                    "restarts": child.restarts,
                    "started_s": (child.started_ns - self._world.origin_ns) / 1e9 if child.pid else None,
                    "ready_s": (child.ready_ns - self._world.origin_ns) / 1e9 if child.ready_ns else None,
                }
                for role, child in self._supervisor.children.items()
            },
            "peers": self._world.states(),
        }

    async def _watch(self) -> AsyncIterator[object]:
        changes: asyncio.Queue[object] = asyncio.Queue(WATCH_DEPTH)

        def changed(name: str, t_s: float, value: bool | str) -> None:
            # A watcher that does not read loses changes; the world never waits for it.
            if not changes.full():
                changes.put_nowait({"t_s": t_s, "name": name, "value": value})

        end = self._world.listen(changed)
        try:
            while True:
                yield await changes.get()
        finally:
            end()
