"""A second try for live tests: `python -m tools.steady PYTEST_WORDS` runs them beside one another, as pytest would.

Live tests share a machine whose processors are all taken. When few of them fail, each of these is run once more by
itself, in a process of its own: what fails again fails the run, and what passes then is told under a heading, because
it is unsteady and somebody has to mend it. Where many fail, or one that is not marked `live`, a test cannot be
collected, a worker crashes or the run ends early, something is wrong with more than a test, and the run fails at once.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest

# More than so many at once are no accident.
MOST = 3
FAILED, UNSTEADY = "failed twice: beside others and alone", "unsteady: failed beside others, passed alone"


class Seen:
    """What a run says to pytest's hooks, in the process that begins it."""

    def __init__(self) -> None:
        self.failed: dict[str, None] = {}  # ids, in their order, each once
        self.broken = False  # more than tests

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test has failed, in its body or around it; one that is not live hangs on nothing and has no second try."""
        if report.failed:
            self.failed[report.nodeid] = None
            self.broken |= "live" not in report.keywords

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file cannot be read."""
        self.broken |= report.failed

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, error: object) -> None:
        """A worker has ended; with an error when it has crashed."""
        self.broken |= bool(error)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """The run is over; perhaps before every test has had its turn."""
        self.broken |= bool(session.shouldfail or session.shouldstop)

    def may_try_again(self, code: int) -> bool:
        """Whether a run that ended with `code` is worth a second try."""
        return code == pytest.ExitCode.TESTS_FAILED and not self.broken and 0 < len(self.failed) <= MOST


def passes_alone(test: str) -> bool:
    """Run one test in a process of its own, which says what it sees."""
    print(f"\nonce more, by itself: {test}", flush=True)
    return subprocess.run([sys.executable, "-m", "pytest", test], check=False).returncode == pytest.ExitCode.OK


def told(heading: str, tests: Sequence[str]) -> None:
    """A heading and the tests below it; nothing where there are none."""
    if tests:
        print(f"\n{heading}", *(f"  {test}" for test in tests), sep="\n", flush=True)


def main(words: Sequence[str]) -> int:
    """Run; returns the exit code of pytest, 0 where every test that failed has passed alone."""
    seen = Seen()
    code = int(pytest.main([*words], plugins=[seen]))
    if not seen.may_try_again(code):
        return code
    alone = {test: passes_alone(test) for test in seen.failed}
    failed = [test for test, passes in alone.items() if not passes]
    told(FAILED, failed)
    told(UNSTEADY, [test for test, passes in alone.items() if passes])
    return code if failed else int(pytest.ExitCode.OK)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
