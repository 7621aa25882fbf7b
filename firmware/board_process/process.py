"""`lintel run`: world, power switch, roles and bench of one simulated device; or only the roles of a real one."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import gc
import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from firmware.board_process.rom import Installed, Rom
from firmware.board_process.supervisor import HUB, Child, Loader, RoleRefused, Supervisor
from firmware.core.errors import Busy, Invalid, StationError
from firmware.options import ROLES, RunOptions
from firmware.paths import RuntimeDir, StateDir
from firmware.roles import has_sound, roles_for
from hal.board import Board, load_board
from hal.buses.identity import read_identity
from hal.clock import SystemClock
from hal.errors import HalError
from hal.sim.pcm import alsa_environment

if TYPE_CHECKING:
    from hal.sim.sound import SoundRig
    from hal.sim.world import World


# Until then the start may take all of the processor, without looks for garbage.
START_S = 30.0


def run_board(options: RunOptions) -> int:
    """Run the whole device until told to stop. Raises BoardError, Invalid, Busy before anything is written."""
    board = load_board(options.board)
    if options.hal == "real":
        read_identity()
    state = StateDir(options.state)
    if (state.root / "lock").exists():
        # A second device here is a better explanation than the address, which the first one uses.
        with locked(state.root):
            pass
    check_free("--http", options.http)
    options = with_free(options)
    state.prepare()
    with locked(state.root), runtime_of(state) as runtime:
        if options.hal == "sim":
            Rom(state, runtime).furnish()
        try:
            return asyncio.run(BoardProcess(options, board, state, runtime).run())
        except ExceptionGroup as group:
            _, rest = group.split(RoleRefused)
            if rest is None:
                return 1
            known, other = rest.split((StationError, HalError))
            if other is not None or known is None:
                raise
            raise first_of(known) from None


def with_free(options: RunOptions) -> RunOptions:
    """The options as they can be had: a default address of HTTPS or RTSP that somebody else uses is no reason not to
    start.

    Raises Invalid, Busy for one that was asked for.
    """
    https = free_or_none("--https", options.https, asked=options.https_asked)
    rtsp = free_or_none("--rtsp", options.rtsp, asked=options.rtsp_asked)
    return replace(options, https=https, rtsp=rtsp)


def free_or_none(option: str, address: tuple[str, int] | None, *, asked: bool) -> tuple[str, int] | None:
    """The address where nobody listens there, None where somebody does. Raises Invalid, Busy for one asked for."""
    if address is None:
        return None
    try:
        check_free(option, address)
    except Busy:
        if asked:
            raise
        return None
    return address


def check_free(option: str, address: tuple[str, int]) -> None:
    """Whether this machine has the address and nobody listens there. Raises Invalid, Busy."""
    host, port = address
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
            probe.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Busy(option, f"{shown} is in use by another program; another with {option} HOST:PORT") from None
        raise Invalid(option, f"{shown} cannot be used: {error.strerror}") from None


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error inside nested groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold a state directory for one device. Raises Busy with the process that has it, Invalid when it is not ours."""
    try:
        handle = os.open(root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Invalid("--state", f"{root} cannot be used: lock: {error.strerror}") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(handle, 20).decode(errors="replace").strip() or "another process"
            raise Busy("--state", f"{root} belongs to a running device (process {owner})") from None
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        os.close(handle)


@contextmanager
def runtime_of(state: StateDir) -> Iterator[RuntimeDir]:
    """A fresh runtime directory, announced in the state directory and removed at the end."""
    RuntimeDir.clear_left_by(state)
    runtime = RuntimeDir.fresh()
    try:
        announce(state, runtime)
        yield runtime
    finally:
        state.bench_address.unlink(missing_ok=True)
        shutil.rmtree(runtime.root, ignore_errors=True)


def announce(state: StateDir, runtime: RuntimeDir) -> None:
    """Write where the sockets are into the state directory. Raises Invalid when it cannot be written."""
    try:
        state.bench_address.write_text(f"{runtime.bench}\n")
    except OSError as error:
        raise Invalid("--state", f"{state.root} cannot be used: {error.strerror}") from None


class BoardProcess:
    """One device: its world (in simulation), its roles, its bench."""

    def __init__(self, options: RunOptions, board: Board, state: StateDir, runtime: RuntimeDir) -> None:
        self._options = options
        self._board = board
        self._state = state
        self._runtime = runtime
        self._clock = SystemClock()
        self._code = ""  # the set-up code that was shown last
        self._greeted = False
        self._works = False  # control is ready
        self._face: Mapping[str, str] = {}  # what the network role said of itself

    async def run(self) -> int:
        """Serve until SIGINT, SIGTERM or the end of the terminal; returns 0."""
        roles = ("all",) if self._options.role == "all" else roles_for(self._board)
        loader: Loader = Rom(self._state, self._runtime) if self._options.hal == "sim" else Installed()
        sound = alsa_environment(self._runtime.sound) if self._options.hal == "sim" and has_sound(self._board) else {}
        supervisor = Supervisor(self._options, self._runtime, self._clock, roles, loader, self._said, sound)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._clock.call_later(START_S, gc.enable)  # also where no role ever says that it is ready
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores the end of the terminal
            loop.add_signal_handler(signal.SIGHUP, stop.set)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(supervisor.run(), name="supervisor")]
            if self._options.hal == "sim":
                tasks.append(group.create_task(self._simulate(supervisor), name="world"))
            else:
                await supervisor.on()
            tasks.append(group.create_task(self._wait(stop, tasks), name="stop"))
        return 0

    @staticmethod
    async def _wait(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
        await stop.wait()
        # The roles first, while their world still answers: they put their outputs into the safe state.
        for task in tasks:
            task.cancel()
            await asyncio.wait((task,))

    async def _simulate(self, supervisor: Supervisor) -> None:
        # The roles start while this process imports and builds the world: they wait for its socket.
        await supervisor.on()
        from firmware.board_process.bench import BenchServer
        from firmware.board_process.scene import furnish
        from firmware.core.identity import load_or_draw
        from hal.sim.remote import WorldServer
        from hal.sim.world import World

        identity = load_or_draw(self._state.identity)
        world = World(self._clock, self._board, identity=identity)
        furnish(world)
        rig = sound_rig(world, self._runtime.sound)  # its cards are there before anybody can connect
        server = WorldServer(world, self._runtime.world)
        bench = BenchServer(world, supervisor, self._runtime.bench, self._options, self._clock, rig)
        try:
            await server.start()
            await bench.start()
            await (rig.run() if rig is not None else asyncio.get_running_loop().create_future())
        finally:
            await bench.close()
            await server.close()
            if rig is not None:
                rig.close()

    def _said(self, child: Child) -> None:
        if child.said.get("READY") != "1":
            return
        if child.role in HUB:
            self._works = True
        if "HTTPS" in child.said:
            self._face = child.said
        if not self._works or not self._face:
            return  # whoever reads the greeting may use all that it says
        code = self._face.get("CODE", "")
        if not self._greeted:
            gc.freeze()
            gc.enable()
            print(greeting(self._options, self._board, self._face), flush=True)
        elif code and code != self._code:
            # A reset has made it a new device.
            print("\n".join(["", *set_up_lines(self._face)]), flush=True)
        self._greeted, self._code = True, code


def sound_rig(world: World, folder: Path) -> SoundRig | None:
    """The simulated room around a device that sounds; others load no acoustics."""
    if not has_sound(world.board):
        return None
    from hal.sim.sound import SoundRig

    folder.mkdir()
    return SoundRig(world, folder)


def greeting(options: RunOptions, board: Board, said: Mapping[str, str]) -> str:
    """What a person reads first: where the page is, how to set up, how to swipe a card."""
    url = url_of(said)
    command = os.path.relpath(sys.argv[0]) if sys.argv[0].endswith("lintel") else f"{sys.executable} -m firmware"
    where = "" if options.state == Path("state").absolute() else f" --state {os.path.relpath(options.state)}"
    lines = [f"Lintel {said['VERSION']}: {board.product.name} ({board.product.model}), {options.hal}", ""]
    if options.web:
        lines.append(f"  page     {url}/")
    lines.append(f"  API      {url}/api/v1  (OpenAPI at {url}/api/v1/openapi.json)")
    if said["HTTPS"]:
        lines.append(f"  HTTPS    https://{said['HTTPS']}  (certificate SHA-256 {said['FINGERPRINT'][:16]}...)")
    elif options.https is None and not options.https_asked:
        lines.append("  HTTPS    off: its address is in use by another program; another with --https HOST:PORT")
    if said.get("RTSP"):
        lines.append(f"  events   rtsp://{said['RTSP']}/axis-media/media.amp?event=on")
    elif options.rtsp is None and not options.rtsp_asked:
        lines.append("  RTSP     off: its address is in use by another program; another with --rtsp HOST:PORT")
    if said.get("SETUP") == "needed":
        lines += set_up_lines(said)
    if options.hal == "sim":
        reader = next((node.alias or name for name, node in board.nodes.items() if node.kind == "reader"), None)
        if reader is not None:
            entry = '{"name":"Ada","card":"H10301:42:1234"}'
            lines.append(f"  enrol    curl -u admin:choose-one --json '{entry}' {url}/api/v1/entries")
            lines.append(f"  swipe    {command} bench{where} swipe {reader} H10301:42:1234")
            lines.append(f"  watch    {command} bench{where} trace door")
        else:
            lines.append(f"  look     {command} bench{where} state")
    lines += ["", "  Ctrl-C stops it."]
    return "\n".join(lines)


def url_of(said: Mapping[str, str]) -> str:
    """Where a person goes: HTTP, or HTTPS where nothing else is allowed."""
    return f"http://{said['HTTP']}" if said["HTTP"] else f"https://{said['HTTPS']}"


def set_up_lines(said: Mapping[str, str]) -> list[str]:
    """How to make the first administrator."""
    body = '{"name":"admin","password":"choose-one"}'
    return [
        f"  set up   curl --json '{body}' {url_of(said)}/api/v1/setup",
        f'           (after the first 30 minutes add "code":"{said["CODE"]}")',
    ]


__all__ = ["ROLES", "run_board"]
