"""The device's processes as the kernel sees them (proc(5)): memory, threads, open files."""

from __future__ import annotations

from pathlib import Path

from firmware.interfaces.net.clients import PROC, processes

WANTED = ("State", "VmHWM", "VmRSS", "VmSwap", "Threads", "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")


def told_of_processes(proc: Path = PROC) -> str:
    """One paragraph for each process of the device, and the load of the machine."""
    parts = [f"load: {_text(proc / 'loadavg') or 'unknown'}\n"]
    for pid, role in sorted(processes(proc).items()):
        process = proc / str(pid)
        lines = (line.split(":", 1) for line in _text(process / "status").splitlines() if ":" in line)
        told = "".join(f"  {name}: {' '.join(value.split())}\n" for name, value in lines if name in WANTED)
        parts.append(f"{role} ({pid})\n{told}  open files: {_files(process)}\n")
    return "\n".join(parts)


def _files(process: Path) -> str:
    try:
        return str(sum(1 for _ in (process / "fd").iterdir()))
    except OSError:
        return "unknown"


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
