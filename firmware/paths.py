"""Where a device keeps things: the state directory, its rooms, and the runtime directory of sockets.

settings/<slot>/<role>/ goes with the firmware slot, shared/<role>/ stays, identity/ and boot/ (the simulated
card, `firmware.board_process.rom`) belong to the hardware. Sockets lie in a short-lived runtime directory,
because Unix socket paths are short; a power cut empties it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from firmware.core.errors import Invalid, Unavailable

CHECKOUT = Path(__file__).resolve().parent.parent
CONSOLE_SPOOL = "console"
PREFIX = "lintel-"
# Where the units keep a real device, and where its roles meet (systemd/*.service).
INSTALLED, INSTALLED_RUNTIME = Path("/var/lib/lintel"), Path("/run/lintel")
# The longest request on the bench socket, in bytes with its newline.
LONGEST_LINE = 64 * 1024


@dataclass(frozen=True, slots=True)
class StateDir:
    """The state directory of one device."""

    root: Path

    def settings(self, slot: str, role: str) -> Path:
        """Parameters, entries, accounts of a role, per slot."""
        return self.root / "settings" / slot / role

    def shared(self, role: str) -> Path:
        """Journal and logs of a role, the same for both slots."""
        return self.root / "shared" / role

    @property
    def identity(self) -> Path:
        """Serial number and chip id of the simulated hardware."""
        return self.root / "identity"

    @property
    def boot(self) -> Path:
        """What stands for the boot partitions and slots of a simulated device."""
        return self.root / "boot"

    @property
    def slots(self) -> Path:
        """The firmware of each slot: `A.img` a squashfs of the program tree, `A` a link to a checkout."""
        return self.boot / "slots"

    @property
    def spool(self) -> Path:
        """Uploads on their way from the network role to control."""
        return self.root / "spool"

    @property
    def console_spool(self) -> Path:
        """Bundles of whoever sits at the device; nobody else clears it."""
        return self.spool / CONSOLE_SPOOL

    @property
    def clip_spool(self) -> Path:
        """Audio clips on their way between the network role and media."""
        return self.spool / "clips"

    @property
    def keyring(self) -> Path:
        """Whom this device trusts to sign firmware; a folder made by `lintel bundle keys`. Survives every reset."""
        own = self.root / "keyring"
        return own if own.exists() else CHECKOUT / "keyring"

    @property
    def bench_address(self) -> Path:
        """The file that holds the address of the bench socket."""
        return self.root / "bench.addr"

    def prepare(self) -> None:
        """Make the directories, private to this user. Raises Invalid when the place cannot be used."""
        try:
            for directory in (self.root, self.identity):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Invalid("--state", f"{self.root} cannot be used: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class RuntimeDir:
    """The sockets by which the processes of one device meet."""

    root: Path

    @property
    def world(self) -> Path:
        """The simulated world's wires."""
        return self.root / "world"

    @property
    def link(self) -> Path:
        """The link's hub in the control role."""
        return self.root / "link"

    def video(self, source: str) -> Path:
        """The pictures of a source; its name is that of a node of the board file."""
        return self.root / f"v-{source}"

    def viewers(self, source: str) -> Path:
        """Where the connections of those who look at a source are handed over."""
        return self.root / f"w-{source}"

    @property
    def voices(self) -> Path:
        """The sound of those who listen and talk over the network."""
        return self.root / "voices"

    @property
    def listener(self) -> Path:
        """Who listens to an adapter for the network role of a real device (systemd/lintel-trace.socket)."""
        return self.root / "listener"

    @property
    def bench(self) -> Path:
        """The bench's verbs."""
        return self.root / "bench"

    def memory(self, role: str) -> Path:
        """What a role remembers over its own end, and not over that of the power."""
        return self.root / f"memory-{role}"

    @property
    def sound(self) -> Path:
        """The simulated sound cards and their ALSA configuration."""
        return self.root / "sound"

    @property
    def notify(self) -> Path:
        """Where children say that they are ready (the sd_notify protocol)."""
        return self.root / "notify"

    @property
    def started(self) -> Path:
        """There since control has started once; gone with the power."""
        return self.root / "started"

    def first_start(self) -> bool:
        """Whether this is control's first start since the power came; asked once by each start. Raises OSError."""
        try:
            self.started.touch(mode=0o600, exist_ok=False)
        except FileExistsError:
            return False
        return True

    @classmethod
    def fresh(cls) -> RuntimeDir:
        """A new private directory, under the user's runtime directory where there is one."""
        base = os.environ.get("XDG_RUNTIME_DIR")
        return cls(Path(tempfile.mkdtemp(prefix=PREFIX, dir=base if base and Path(base).is_dir() else None)))

    @classmethod
    def clear_left_by(cls, state: StateDir) -> None:
        """Remove what a board process that was killed left behind; the caller holds the state directory's lock."""
        try:
            left = Path(state.bench_address.read_text().strip()).parent
        except OSError:
            return
        if left.name.startswith(PREFIX):
            shutil.rmtree(left, ignore_errors=True)

    @classmethod
    def of(cls, state: StateDir) -> RuntimeDir:
        """The runtime directory of a device that runs: given by systemd, by its board process, or found by state.

        That of the installed device is where the units have it.

        Raises Unavailable when nothing runs there.
        """
        for variable in ("LINTEL_RUNTIME", "RUNTIME_DIRECTORY"):
            if value := os.environ.get(variable):
                return cls(Path(value))
        if state.root == INSTALLED and INSTALLED_RUNTIME.is_dir():
            return cls(INSTALLED_RUNTIME)
        try:
            return cls(Path(state.bench_address.read_text().strip()).parent)
        except OSError:
            raise Unavailable("--state", f"no device runs in {state.root}; start one with 'lintel run'") from None
