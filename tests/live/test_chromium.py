"""What the tests start as a browser is gone after them, however they end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.chromium import chromium
from tests.live.device import environment, until

PROGRAM = """
import pathlib, sys, time
from tests.live.chromium import chromium
with chromium(pathlib.Path(sys.argv[1])) as browser:
    browser.new_page()
    print("up", flush=True)
    time.sleep(600)
"""
Seen = dict[int, tuple[int, str]]


def running() -> Seen:
    """All processes that have not ended: the parent and the command line of each."""
    found: Seen = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_text(errors="replace").replace("\0", " ")
            parent = int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended meanwhile
        if words:
            found[int(entry.name)] = (parent, words)
    return found


def family(folder: Path) -> Seen:
    """The processes whose profile lies in that folder, and all below them; a page is among them."""
    every = running()
    found = {pid: told for pid, told in every.items() if f"--user-data-dir={folder}/" in told[1]}
    while below := {pid: told for pid, told in every.items() if told[0] in found and pid not in found}:
        found |= below
    assert any("--type=renderer" in words for _, words in found.values()), found
    return found


@pytest.mark.parametrize("how", ["works", "loses what was started"])
def test_nothing_of_a_browser_outlives_a_failing_test_whose_browser(how: str, tmp_path: Path) -> None:
    """What is started, the browser, its children: all that was seen while it ran is gone, and so are its files."""
    folder = tmp_path / "files"
    with contextlib.suppress(ZeroDivisionError), chromium(folder) as browser:
        browser.new_page().goto("data:text/html,here")
        seen = family(folder)
        profile = next(folder.glob("*profile*"))
        for pid, (parent, _) in seen.items():
            if how == "loses what was started" and parent not in seen:
                os.kill(pid, signal.SIGKILL)
        raise ZeroDivisionError
    until("the end of the browser", lambda: not seen.keys() & running().keys())
    assert not profile.exists()
    assert not folder.exists()


def test_a_browser_ends_with_the_process_whose_test_it_was(tmp_path: Path) -> None:
    """Killed in the middle of a test: nothing is left to kill the browser, and it goes by itself."""
    folder = tmp_path / "files"
    tests = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)], stdout=subprocess.PIPE, env=environment(), start_new_session=True
    )
    with tests:
        assert tests.stdout is not None
        assert tests.stdout.readline() == b"up\n"
        seen = family(folder)
        tests.kill()
    until("the end of the browser", lambda: not seen.keys() & running().keys())


def test_nothing_of_a_browser_outlives_a_test_that_passes(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    with chromium(folder) as browser:
        browser.new_page()
        seen = family(folder)
    until("the end of the browser", lambda: not seen.keys() & running().keys())
    assert not folder.exists()
