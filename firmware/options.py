"""What `lintel run` was asked for: one frozen value, handed from the command line to every process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROLES = ("control", "media", "network")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Board, hardware, state directory, addresses, and which roles this process is to run."""

    board: str
    hal: str
    state: Path
    http: tuple[str, int]
    role: str | None
    web: bool

    def words(self, role: str) -> list[str]:
        """The command line that starts one role with these options."""
        host, port = self.http
        shown = f"[{host}]" if ":" in host else host
        words = ["run", "--board", self.board, "--hal", self.hal, "--state", str(self.state)]
        words += ["--http", f"{shown}:{port}", "--role", role]
        return words if self.web else [*words, "--no-web"]
