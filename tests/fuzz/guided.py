"""One target, its inputs guided by coverage: `python -m tests.fuzz.guided TARGET SECONDS INPUTS WORK` (needs atheris).

What reaches new code is kept in the folder WORK, which begins with the kept inputs; an input that fails is written
there as `crash-...`, and the process ends with its trace.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["firmware", "hal", "starlette", "python_multipart"]):
    from tests.fuzz.targets import CORPUS, TARGETS

from tests.fuzz.judge import MOST_UNITS, Judge
from tests.fuzz.mutate import WORDS

LONGEST = 64 * 1024
# Code that counts its own coverage is slower than the work it is compared with.
SLOWER = 6.0


def main(name: str, seconds: str, inputs: str, work: Path) -> None:
    """Fuzz until time or inputs are used up; does not return."""
    logging.disable()
    target, judge = TARGETS[name], Judge(most=MOST_UNITS * SLOWER)
    found = work / "found"
    found.mkdir(parents=True, exist_ok=True)
    words = work / "words"
    words.write_text("".join(f'"{"".join(f"{chr(92)}x{byte:02x}" for byte in word[:64])}"\n' for word in WORDS))

    def look(data: bytes) -> None:
        judge.look(target, data, name)

    flags = [
        f"-max_total_time={seconds}", f"-runs={inputs}", f"-max_len={LONGEST}", f"-dict={words}", "-timeout=60",
        "-rss_limit_mb=1024", f"-artifact_prefix={work}/", "-print_final_stats=1", "-seed=1", "-use_value_profile=1",
        "-len_control=20",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *flags, str(found), str(CORPUS / name)], look, enable_python_coverage=True)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]))
