"""`make fuzz`: every target, ten minutes or ten million inputs each, unless told otherwise; one line of outcome each.

    python -m tests.fuzz.run [--seconds S] [--inputs N] [--work FOLDER] [TARGET ...]

Readers of requests are guided by coverage where atheris is installed, and get inputs changed at random where it is not.
`clips` is the decoder of sound files, `native` all routes of the native API as its own description has them
(schemathesis), `properties` the property tests with two hundred times the effort. Findings stay in the folder.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from hal.errors import nearest
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
GUIDED = find_spec("atheris") is not None
OTHERS = ("clips", "native", "properties")
DONE = re.compile(r"stat::number_of_executed_units:\s*(\d+)|\"inputs\": (?:\{\"\w+\": )?(\d+)|(\d+) passed")


def command(name: str, seconds: int, inputs: int, work: Path) -> list[str]:
    """What fuzzes one target."""
    if name == "clips":
        return ["-m", "tests.fuzz.clips", "1", str(inputs), str(seconds)]
    if name == "native":
        return ["-m", "pytest", "--timeout", "0", "tests/behaviour/test_native_described.py"]
    if name == "properties":
        return ["-m", "pytest", "--timeout", "0", "tests/unit"]
    if GUIDED:
        return ["-m", "tests.fuzz.guided", name, str(seconds), str(inputs), str(work / name)]
    return ["-m", "tests.fuzz.brief", "1", str(inputs), str(seconds), name]


def fuzz(name: str, seconds: int, inputs: int, work: Path) -> bool:
    """Run one target to its end and say what came of it; False for a finding."""
    work.mkdir(parents=True, exist_ok=True)
    said = work / f"{name}.out"
    with said.open("wb") as out:
        words = [sys.executable, *command(name, seconds, inputs, work)]
        env = os.environ | {"LINTEL_FUZZ": os.environ.get("LINTEL_FUZZ", "200")}
        code = subprocess.run(words, cwd=ROOT, env=env, stdout=out, stderr=out, check=False).returncode
    with said.open("rb") as out:
        out.seek(max(0, said.stat().st_size - 64 * 1024))
        tail = out.read().decode(errors="replace")
    done = DONE.findall(tail)
    count = max(done[-1]) if done else "?"
    print(f"{name}: {count} inputs, {'nothing found' if code == 0 else f'A FINDING, see {said}'}", flush=True)
    return code == 0


def main(words: list[str]) -> int:
    """Fuzz the named targets, or all; returns 0 when nothing was found, 2 for a wrong name."""
    parser = argparse.ArgumentParser(prog="make fuzz", allow_abbrev=False)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--inputs", type=int, default=10_000_000)
    parser.add_argument("--work", type=Path, default=ROOT / ".fuzz")
    parser.add_argument("targets", nargs="*")
    asked = parser.parse_args(words)
    known = (*TARGETS, *OTHERS)
    wrong = [name for name in asked.targets if name not in known]
    if wrong:
        print(f"no target {wrong[0]!r}{nearest(wrong[0], known)}; valid: {', '.join(known)}", file=sys.stderr)
        return 2
    print(f"{'guided by coverage (atheris)' if GUIDED else 'changed at random: atheris is not installed'}", flush=True)
    good = [fuzz(name, asked.seconds, asked.inputs, asked.work) for name in asked.targets or known]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
