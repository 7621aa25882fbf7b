"""A second try for live tests: `python -m tools.steady PYTEST_WORDS` runs them beside one another, as pytest would.

Live tests share a machine whose processors are all taken. When few of them fail, the files that these are in are run
once more, one after the other and each by itself, in a process of its own and whole: tests of a file may share a
device, and one that fails for what was asked of it before fails again only behind the same tests. A device of a whole
file that does not come up fails all of its tests: that counts as one. What does not pass
then, in a file in which nothing else fails, fails the run; what passes is told under a heading, because it is unsteady
and somebody has to mend it. Where many fail, or one that is not marked `live`, a teardown fails, a test cannot be
collected, a worker crashes or the run ends early, something is wrong with more than a test: the run fails at once.

What is told of unsteady tests is written to the file that LINTEL_UNSTEADY names as well, where it is set.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

# More than so many at once are no accident.
MOST = 3
FAILED, UNSTEADY = "failed twice: beside others and alone", "unsteady: failed beside others, passed alone"
LIST = "LINTEL_UNSTEADY"
# The first word of the process of a second try.
ALONE = "--alone"


class Seen:
    """What a run says to pytest's hooks, in the process that begins it."""

    def __init__(self) -> None:
        self.failed: dict[str, None] = {}  # ids, in their order, each once
        self.accidents: set[str] = set()  # tests, and files in which something could not be set up
        self.broken = False  # more than tests
        self.root = Path()  # what ids begin at

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test has failed. One that is not live hangs on nothing; of a teardown nobody knows what it has left."""
        if report.failed:
            self.failed[report.nodeid] = None
            self.accidents.add(report.nodeid.partition("::")[0] if report.when == "setup" else report.nodeid)
            self.broken |= "live" not in report.keywords or report.when == "teardown"

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file cannot be read."""
        self.broken |= report.failed

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, error: object) -> None:
        """A worker has ended; with an error when it has crashed."""
        self.broken |= bool(error)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """The run is over; perhaps before every test has had its turn."""
        self.root = session.config.rootpath
        self.broken |= bool(session.shouldfail or session.shouldstop)

    def may_try_again(self, code: int) -> bool:
        """Whether a run that ended with `code` is worth a second try."""
        return code == pytest.ExitCode.TESTS_FAILED and not self.broken and 0 < len(self.accidents) <= MOST


class Outcomes:
    """What came of each test in a run by itself, in its body or, where that is no success, around it."""

    def __init__(self) -> None:
        self.of: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A part of a test is over."""
        if report.when == "call" or not report.passed:
            self.of[report.nodeid] = "expected to fail" if hasattr(report, "wasxfail") else report.outcome


def alone(said: Path, words: Sequence[str]) -> int:
    """The process of a second try: run, leave what came of each test in `said`; returns the exit code of pytest."""
    outcomes = Outcomes()
    code = int(pytest.main([*words], plugins=[outcomes]))
    said.write_text(json.dumps(outcomes.of))
    return code


def tried_again(file: str, root: Path) -> tuple[dict[str, str], bool]:
    """Run a file in a process of its own, which prints what it sees: what came of its tests, and if all is well."""
    print(f"\nonce more, by itself: {file}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "outcomes"
        words = [sys.executable, "-m", "tools.steady", ALONE, str(said), f"--rootdir={root}", str(root / file)]
        done = subprocess.run(words, check=False)
        if not said.exists():
            return {}, False  # it ended before its run did
        found: dict[str, str] = json.loads(said.read_text())
    return found, done.returncode == pytest.ExitCode.OK


def second_try(failed: Sequence[str], root: Path) -> tuple[list[str], list[str]]:
    """Try the files of these tests again: those that failed for good, with what came of them, and the unsteady ones."""
    files = {file: tried_again(file, root) for file in dict.fromkeys(test.partition("::")[0] for test in failed)}
    bad, unsteady = [], []
    for test in failed:
        outcomes, sound = files[test.partition("::")[0]]
        match outcomes.get(test, "not run"):
            case "passed" if sound:
                unsteady.append(test)
            case "passed":
                bad.append(f"{test} (passed alone, but its file did not)")
            case "failed":
                bad.append(test)
            case other:
                bad.append(f"{test} ({other} alone)")
    return bad, unsteady


def told(heading: str, tests: Sequence[str]) -> str:
    """A heading and the tests below it, which are printed; nothing where there are none."""
    text = "".join(f"{line}\n" for line in (heading, *(f"  {test}" for test in tests))) if tests else ""
    print(f"\n{text}" if tests else "", end="", flush=True)
    return text


def main(words: Sequence[str]) -> int:
    """Run; returns the exit code of pytest, 0 where every test that failed has passed in its file alone."""
    seen, listed = Seen(), os.environ.pop(LIST, None)  # what the tests start is not to write there
    code = int(pytest.main([*words], plugins=[seen]))
    if not seen.may_try_again(code):
        return code
    bad, unsteady = second_try([*seen.failed], seen.root)
    told(FAILED, bad)
    text = told(UNSTEADY, unsteady)
    if listed and text:
        Path(listed).write_text(text)
    return code if bad else int(pytest.ExitCode.OK)


if __name__ == "__main__":
    if sys.argv[1:2] == [ALONE]:
        sys.exit(alone(Path(sys.argv[2]), sys.argv[3:]))
    sys.exit(main(sys.argv[1:]))
