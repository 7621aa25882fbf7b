"""Taking a bundle of 272 MB in: gate and file engine, against `sha256sum` and `dd conv=fsync` on the same file.

The bundle is really built and signed; everything happens in one folder, so on one disk. Memory is the highest that
the gate's child had, and what the checking and writing process took beyond what it had before.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from bench.table import Row, percentile, show
from firmware.upgrade import bundle_build, pki
from firmware.upgrade.bundle_build import Facts, Signer
from firmware.upgrade.engine_file import FileEngine
from firmware.upgrade.gate import GateContext, Mode, approve
from firmware.upgrade.medium import FileMedium
from firmware.upgrade.ports import Slot
from hal.clock import SystemClock

ROOT = Path(__file__).resolve().parent.parent
MEGABYTES, ROUNDS = 270, 5
MODEL = "LINTEL-DS1"
BUNDLE = "bundle.raucb"


def build(folder: Path) -> None:
    """A bundle of this checkout with much in it that does not pack, and the keys of its vendor."""
    pki.Vendor.new(SystemClock().utc().replace(microsecond=0) - timedelta(days=1)).save(folder / "keys")
    tree, content = folder / "tree", folder / "content"
    version = bundle_build.stage(ROOT, tree, "99.0.0")
    with (tree / "noise").open("wb") as file:
        for _ in range(MEGABYTES):
            file.write(os.urandom(1 << 20))
    content.mkdir()
    bundle_build.pack(tree, content / bundle_build.IMAGE, "-noD")
    (content / "manifest.raucm").write_text(bundle_build.manifest_text(version, Facts(models=(MODEL,))))
    bundle_build.bundle(content, folder / BUNDLE, Signer.of(folder / "keys", "release").words())


def device(folder: Path) -> GateContext:
    """A device that takes it."""
    return GateContext(
        model=MODEL,
        hardware_revision=1,
        running="0.1.0",
        floor=0,
        serial="02AABBCCDDEE",
        chip_id="0",
        now=SystemClock().utc(),
        clock_trusted=True,
        mode=Mode.STANDARD,
        slot_size=1 << 30,
        keyring=folder / "keys" / "keyring",
    )


def taken_s(act: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def own_memory_mb(which: str) -> float:
    """A figure of this process: VmRSS now, VmHWM at its highest."""
    found = re.search(rf"{which}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def measure(folder: Path) -> None:
    """Print the table; in a process of its own, whose only children are the ones that are measured."""
    bundle, context, copy = folder / BUNDLE, device(folder), folder / "copy"
    engine = FileEngine(FileMedium(folder))
    (folder / "boot").mkdir()
    size_mb = bundle.stat().st_size / 1e6
    before_mb = own_memory_mb("VmRSS")
    approved = approve(bundle, context)
    child_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    dd = ["dd", f"if={bundle}", f"of={copy}", "bs=1M", "conv=fsync", "status=none"]
    parts: dict[str, Callable[[], object]] = {
        "gate": lambda: approve(bundle, context),
        "write": lambda: engine.write(Slot.B, approved, lambda done: None),
        "sum": lambda: subprocess.run(["sha256sum", bundle], stdout=subprocess.DEVNULL, check=True),
        "dd": lambda: subprocess.run(dd, check=True),
    }
    times: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(ROUNDS):
        for old in (copy, folder / "boot" / "slots" / "B.img"):
            old.unlink(missing_ok=True)
        for name, act in parts.items():
            times[name].append(taken_s(act))
    half = {name: percentile(values, 0.5) for name, values in times.items()}
    more_mb = own_memory_mb("VmHWM") - before_mb

    def speed(*names: str) -> float:
        return size_mb / sum(half[name] for name in names)

    rows = [
        Row("verify and write", speed("gate", "write"), "MB/s", speed("sum", "dd"), "sha256sum and dd conv=fsync"),
        Row("verify (gate)", speed("gate"), "MB/s", speed("sum"), "sha256sum"),
        Row("write and read back (engine)", speed("write"), "MB/s", speed("dd"), "dd conv=fsync"),
        Row("memory of the gate's child", child_mb, "MB", 64.0, "the most allowed"),
        Row("memory on top in the firmware process", more_mb, "MB", 8.0, "the most allowed"),
    ]
    show(f"upgrade: a bundle of {size_mb:.0f} MB", rows)


def main(words: list[str]) -> int:
    """Build in this process, measure in another."""
    if words:
        measure(Path(words[0]))
        return 0
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".bench-") as scratch:
        build(Path(scratch))
        return subprocess.run([sys.executable, __file__, scratch], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
