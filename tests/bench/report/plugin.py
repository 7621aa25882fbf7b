"""The part of pytest that notes what a session saw and writes its report when it ends (`--report DIR`)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hal.clock import SystemClock
from tests.bench.base import BenchBase
from tests.bench.report.record import Case, Session, lines_of
from tests.bench.report.write import write_reports


class Reporter:
    """Registered with pytest for one session."""

    def __init__(self, folder: Path, bench: str) -> None:
        self._folder = folder
        self._bench = bench
        self._began = SystemClock().utc().isoformat(timespec="seconds")
        self._cases: list[Case] = []

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        """Note a test once its outcome is known: a skip or an error of its set-up, or the end of its call."""
        outcome = yield
        report: pytest.TestReport = outcome.get_result()
        if report.when == "call" or (report.when == "setup" and not report.passed):
            self._cases.append(self._case(item, report))

    def _case(self, item: pytest.Item, report: pytest.TestReport) -> Case:
        place, _, name = report.nodeid.partition("::")
        case = Case(name, place, report.outcome, report.duration, self._why(report))
        bench = getattr(item, "funcargs", {}).get("bench")
        if not isinstance(bench, BenchBase) or "world" not in vars(bench):
            return case
        seen, ends_s = tuple(lines_of(bench)), bench.world.now_s - bench.began_s
        return replace(case, measurements=tuple(bench.measurements), lines=seen, ends_s=ends_s)

    def _why(self, report: pytest.TestReport) -> str:
        if report.skipped and isinstance(report.longrepr, tuple):
            return report.longrepr[2].removeprefix("Skipped: ")
        return report.longreprtext if report.failed else ""

    def pytest_sessionfinish(self) -> None:
        """Write the report, whatever the tests came to."""
        write_reports(Session(self._bench, self._began, tuple(self._cases)), self._folder)
