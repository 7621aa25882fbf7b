"""`make bench`: all benchmarks of the project, one table each: value, floor or peer, ratio.

Nothing here is asserted: machines differ. The GPIO benchmark needs a chip of the kernel's gpio-sim; where
the machine has none it is left out with a line that says so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMES = (
    "gpio", "rules", "decision", "wiegand", "osdp", "upgrade", "http", "whole",
    "sound", "clips", "echo", "pictures", "tampering", "busy", "web",
)  # fmt: skip
NO_CHIP = 2


def main(words: list[str]) -> int:
    """Run the named benchmarks, or all; returns 0 unless one breaks."""
    wrong = [word for word in words if word not in NAMES]
    if wrong:
        print(f"no benchmark {wrong[0]!r}; valid: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    broken = 0
    for name in words or NAMES:
        command = [sys.executable, str(ROOT / "bench" / f"{name}_bench.py")]
        code = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False).returncode
        if name == "gpio" and code == NO_CHIP:
            print("\ngpio\n  left out: this kernel has no gpio-sim chip; run bench/gpio_bench.py where one is")
        elif code:
            print(f"{name}: ended with {code}", file=sys.stderr)
            broken = 1
    return broken


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
