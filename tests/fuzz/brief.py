"""Every target for so many changed inputs: `python -m tests.fuzz.brief SEED INPUTS SECONDS [TARGET ...]`.

Always the same inputs for the same seed. The last line on standard error names the input at work; a failure prints its
trace. One JSON line on standard output says what was done. Also what `make fuzz` uses where atheris does not install.
"""

from __future__ import annotations

import json
import logging
import sys

from hal.clock import SystemClock
from tests.fuzz.judge import Judge, bound_memory
from tests.fuzz.mutate import text_input
from tests.fuzz.targets import TARGETS, corpus

LONGEST = 64 * 1024


def fuzz(name: str, seed: int, inputs: int, seconds: float, judge: Judge) -> int:
    """The kept inputs as they are, then changed ones; returns how many."""
    target, good, clock = TARGETS[name], corpus(name), SystemClock()
    end_ns = clock.now_ns() + int(seconds * 1e9)
    for number, data in enumerate(good):
        print(f"{name} corpus {number}", file=sys.stderr)
        judge.look(target, data, f"{name} corpus {number}")
    done = 0
    while done < inputs and clock.now_ns() < end_ns:
        which = f"{name} seed {seed} input {done}"
        print(which, file=sys.stderr)
        judge.look(target, text_input(seed, done, good, LONGEST), which)
        done += 1
    return done


def main(words: list[str]) -> None:
    """Run the named targets, or all."""
    seed, inputs, seconds = int(words[0]), int(words[1]), float(words[2])
    logging.disable()  # every refused input would be told of
    judge = Judge()
    bound_memory()
    done = {name: fuzz(name, seed, inputs, seconds, judge) for name in words[3:] or TARGETS}
    print(json.dumps({"seed": seed, "inputs": done, "slowest_units": round(judge.slowest, 1)}))


if __name__ == "__main__":
    main(sys.argv[1:])
