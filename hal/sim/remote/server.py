"""The world's side: answers the wires of firmware processes, pushes them edges, and frees what they held.

A line that a client drove keeps its level when the client goes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hal.buses.pins import InputWish, OutputWish
from hal.errors import BusError, HalError, error_data, nearest
from hal.sim.remote.lines import MOST_UNSENT, LineReader, Message, packed
from hal.sim.remote.scenes import scene_data
from hal.types import Drive, Edge, EdgeKind, Pull

if TYPE_CHECKING:
    from hal.sim.pins import SimLines
    from hal.sim.scene.peer import CameraPeer
    from hal.sim.world import World

log = logging.getLogger("hal.sim")


class WorldServer:
    """Serves one world on a Unix socket, which only this user may open."""

    def __init__(self, world: World, path: Path) -> None:
        self._world = world
        self._path = path
        self._server: asyncio.Server | None = None
        self._clients: set[ClientOfWorld] = set()

    async def start(self) -> None:
        """Listen. Raises OSError when the socket cannot be made."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(self._connected, self._path)
        self._path.chmod(0o600)

    def _connected(self) -> ClientOfWorld:
        client = ClientOfWorld(self._world, self._clients)
        self._clients.add(client)
        if self._server is None:
            client.hang_up()  # it was accepted while we were closing
        return client

    async def close(self) -> None:
        """Stop listening and hang up; every client's lines become free."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for client in tuple(self._clients):
            client.hang_up()
        await server.wait_closed()
        self._path.unlink(missing_ok=True)


class ClientOfWorld(asyncio.Protocol):
    """One firmware process."""

    def __init__(self, world: World, clients: set[ClientOfWorld]) -> None:
        self._world = world
        self._clients = clients
        self._lines = LineReader()
        self._groups: dict[int, SimLines] = {}
        self._edges: list[list[int | bool]] = []
        self._eyes: dict[str, tuple[CameraPeer, Callable[[], None]]] = {}
        self._transport: asyncio.Transport | None = None
        self._ended = False
        self._operations: dict[str, Callable[[Message], object]] = {
            "inputs": self._inputs,
            "outputs": self._outputs,
            "set": self._set,
            "play": self._play,
            "close": self._close,
            "read": self._read,
            "words": self._words,
            "write": self._write,
            "has": self._has,
            "uart": self._uart,
            "identity": self._identity,
            "eye": self._eye,
            "looking": self._looking,
        }

    # the stream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._ended:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._lines.feed(data)
        except BusError as error:
            log.error("%s; hanging up", error)
            self.hang_up()
            return
        for message in messages:
            self._answer(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self._clients.discard(self)
        for group in self._groups.values():
            group.close()
        self._groups.clear()
        for peer, tell in self._eyes.values():
            peer.changed.discard(tell)
            peer.looking(False)
        self._eyes.clear()

    def hang_up(self) -> None:
        """End the connection at once, even one that is only just being made."""
        self._ended = True
        if self._transport is not None:
            self._transport.abort()

    def _push(self, edge: list[int | bool]) -> None:
        """Queue an edge. All of one moment go in one message: a reader that got half of a burst would take the
        rest of it, which is stamped in the past already, for silence.
        """
        if not self._edges:
            asyncio.get_running_loop().call_soon(self._flush)
        self._edges.append(edge)

    def _flush(self) -> None:
        edges, self._edges = self._edges, []
        if edges:
            self._write_out({"edges": edges})

    def _send(self, message: Message) -> None:
        self._flush()  # what happened before an answer comes before it
        self._write_out(message)

    def _write_out(self, message: Message) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(packed(message))
        if self._transport.get_write_buffer_size() > MOST_UNSENT:
            log.error("a firmware process does not read what the world sends it; hanging up")
            self.hang_up()

    def _answer(self, message: Message) -> None:
        reply: Message = {"id": message["id"]} if "id" in message else {}
        try:
            answer = self._run(message)
        except HalError as error:
            self._send(reply | {"error": error_data(error)})
            return
        if reply:
            self._send(reply | {"answer": answer})

    def _run(self, message: Message) -> object:
        name = str(message.get("op"))
        if name not in self._operations:
            raise BusError("world", f"no operation {name!r}{nearest(name, self._operations)}")
        try:
            return self._operations[name](message)
        except (KeyError, TypeError, ValueError) as error:
            raise BusError("world", f"{name}: cannot read the message: {error!r}") from error

    # the wires

    def _inputs(self, message: Message) -> Message:
        wish = InputWish(Pull(message["pull"]), EdgeKind.BOTH, message["debounce_us"])
        wanted, group = EdgeKind(message["edges"]), self._fresh(message)
        lines = self._world.gpio(message["bus"]).request(message["offsets"], wish, owner=message["owner"])
        return self._keep(lines, group, wanted)

    def _fresh(self, message: Message) -> int:
        """The number the client gives its new group."""
        if message["group"] in self._groups:
            raise BusError("world", f"group {message['group']!r} is in use")
        return int(message["group"])

    def _keep(self, lines: SimLines, group: int, wanted: EdgeKind) -> Message:
        count = 0

        def push(edge: Edge) -> None:
            # Every change goes over, so that the client knows the levels; only the wanted ones are edges.
            nonlocal count
            counts = wanted in (EdgeKind.BOTH, EdgeKind.RISING if edge.level else EdgeKind.FALLING)
            count += counts
            self._push([group, edge.t_ns, edge.line, edge.level, count if counts else 0])

        lines.watch(push)
        self._groups[group] = lines
        return {"levels": lines.levels()}

    def _outputs(self, message: Message) -> Message:
        wish, group = OutputWish(tuple(message["initial"]), Drive(message["drive"])), self._fresh(message)
        lines = self._world.gpio(message["bus"]).request(message["offsets"], wish, owner=message["owner"])
        self._groups[group] = lines
        return {}

    def _group(self, message: Message) -> SimLines:
        if message["group"] not in self._groups:
            raise BusError("world", f"no group {message['group']!r}")
        return self._groups[message["group"]]

    def _set(self, message: Message) -> None:
        self._group(message).set(*message["levels"])

    def _play(self, message: Message) -> None:
        self._group(message).play((int(t_ns), (bool(d0), bool(d1))) for t_ns, (d0, d1) in message["moves"])

    def _close(self, message: Message) -> None:
        self._group(message).close()
        del self._groups[message["group"]]

    def _read(self, message: Message) -> str:
        bus = self._world.i2c(message["bus"])
        return bus.transfer(message["address"], message["register"], length=message["length"]).hex()

    def _words(self, message: Message) -> list[int]:
        bus, address = self._world.i2c(message["bus"]), message["address"]
        found = [bus.transfer(address, register, length=2) for register in message["registers"]]
        return [int.from_bytes(word, "little") for word in found]

    def _write(self, message: Message) -> None:
        data = bytes.fromhex(message["data"])
        self._world.i2c(message["bus"]).transfer(message["address"], message["register"], data=data)

    def _has(self, message: Message) -> None:
        """Whether there is such a bus. Raises BoardError."""
        finders: dict[str, Callable[[str], Any]] = {"gpio": self._world.gpio, "i2c": self._world.i2c}
        finders[message["kind"]](message["bus"])

    def _uart(self, message: Message) -> Message:
        bus = self._world.uart(message["bus"])
        return {"path": bus.path}

    def _identity(self, _message: Message) -> Message:
        identity = self._world.identity
        return {"serial": identity.serial, "chip_id": identity.chip_id}

    def _eye(self, message: Message) -> Message:
        """A camera's scene now, and pushed again whenever it changes. Raises BoardError."""
        bus = str(message["bus"])
        peer = self._world.camera(bus)
        if bus not in self._eyes:

            def tell() -> None:
                self._send({"eye": bus, "scene": scene_data(peer.scene())})

            peer.changed.add(tell)
            self._eyes[bus] = peer, tell
        return scene_data(peer.scene())

    def _looking(self, message: Message) -> None:
        if message["bus"] not in self._eyes:
            raise BusError("world", f"no eye {message['bus']!r}")
        self._eyes[message["bus"]][0].looking(bool(message["on"]))
