"""What `lintel run` was asked for: one frozen value, handed from the command line to every process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

OFF, ALL, LOOPBACK = "off", "all", "lo"
ROLES = ("control", "media", "network")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Board, hardware, state directory, addresses, and which roles this process is to run.

    `https` is None when HTTPS is off; `https_asked` when the address was named, not just the default. `rtsp` likewise.
    `discovery` names the adapters at which the device can be found: `off`, `all`, names with commas between, or None:
    as is usual. `machine` says who sets network and clock: `real` services of this machine, or simulated ones.
    """

    board: str
    hal: str
    state: Path
    http: tuple[str, int]
    https: tuple[str, int] | None
    role: str | None
    web: bool
    https_asked: bool = False
    rtsp: tuple[str, int] | None = None
    rtsp_asked: bool = False
    discovery: str | None = None
    machine: str | None = None

    @property
    def sets_machine(self) -> bool:
        """Whether the network and the clock of this machine are set; a simulated device does not unless it is told."""
        return (self.machine or self.hal) == "real"

    @property
    def found_at(self) -> str:
        """Where the device can be found; a simulated one disturbs nobody's network unless it is told to."""
        return self.discovery or (ALL if self.hal == "real" else LOOPBACK)

    def words(self, role: str) -> list[str]:
        """The command line that starts one role with these options."""
        words = ["run", "--board", self.board, "--hal", self.hal, "--state", str(self.state)]
        words += ["--http", shown(self.http), "--https", shown(self.https) if self.https else OFF]
        words += ["--rtsp", shown(self.rtsp) if self.rtsp else OFF, "--role", role]
        words += [] if self.discovery is None else ["--discovery", self.discovery]
        words += [] if self.machine is None else ["--machine", self.machine]
        return words if self.web else [*words, "--no-web"]


def shown(address: tuple[str, int]) -> str:
    """An address as the command line has it."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
