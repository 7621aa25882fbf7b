"""Virtual environments for peers: made once, kept outside the repository, found again by name and version."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

MOST_S = 300


def cache() -> Path:
    """Where they are kept."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "lintel-peers"


def python_with(package: str, version: str) -> str:
    """The interpreter of an environment with that package alone. Raises RuntimeError: a missing peer fails."""
    folder = cache() / f"{package}-{version}-py{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / "venv" / "bin" / "python"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "ready").exists():
            return str(python)
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(folder / "venv")],
            [str(python), "-m", "pip", "install", "-q", f"{package}=={version}"],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=MOST_S)
            if done.returncode:
                raise RuntimeError(f"no peer {package} {version}: {done.stdout[-500:]}{done.stderr[-1500:]}")
        (folder / "ready").touch()
    return str(python)
