"""What every test shares: bounded effort for properties, and tests that are coroutines run in virtual time."""

from __future__ import annotations

import inspect
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.effort import EFFORT, examples

settings.register_profile(
    "lintel",
    max_examples=examples(100),
    deadline=None,
    derandomize=EFFORT == 1,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("lintel")


def _bench(text: str) -> str:
    """A bench by its name. Raises ValueError, which pytest shows."""
    if text in ("sim", "kernel") or (text.startswith("rig:") and len(text) > len("rig:")):
        return text
    raise ArgumentTypeError(f"no bench {text!r}; there are sim, kernel and rig:FILE (a wiring file, docs/rig.md)")


def pytest_addoption(parser: pytest.Parser) -> None:
    """On what the behaviour tests run: in this process, on the devices of a guest's kernel, or on a rig with wires."""
    parser.addoption("--bench", type=_bench, default="sim", help="where behaviour tests run: sim, kernel, rig:FILE")
    parser.addoption("--report", type=Path, metavar="DIR", help="write report.json, report.xml and report.html there")


def pytest_configure(config: pytest.Config) -> None:
    """Note what tests saw, where a report is wanted."""
    folder = config.getoption("report")
    if folder is not None:
        from tests.bench.report.plugin import Reporter

        config.pluginmanager.register(Reporter(folder, config.getoption("bench")))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run `async def test_...(bench)` on the bench's own loop."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    bench: Any = pyfuncitem.funcargs.get("bench")
    if bench is None:
        pytest.fail("a coroutine test needs the bench fixture, or runs itself with virtual_run")
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: value for name, value in pyfuncitem.funcargs.items() if name in names}
    bench.play(pyfuncitem.obj, arguments)
    return True
