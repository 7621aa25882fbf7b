"""A Chromium without a window: it reaches nothing but this machine's loopback, and nothing of it outlives its block."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from playwright.sync_api import Browser, sync_playwright

from tests.live.device import until

PROGRAMS = ("chromium-headless-shell", "chromium")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--disable-background-networking",
)  # fmt: skip


@contextmanager
def chromium(folder: Path, *names: str) -> Iterator[Browser]:
    """A fresh browser, its profile and other files in `folder`, made and removed here; `names` are this machine to it.

    What lies in /usr/bin is a script that waits for the browser: a signal to it reaches no browser. The driver asks the
    browser itself, kills its process group when it does not answer, and does so as well when this process has died.
    """
    program = next(found for name in PROGRAMS if (found := shutil.which(name)))
    known = "".join(f"MAP {name} 127.0.0.1, " for name in names)
    rules = f"--host-resolver-rules={known}MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    folder.mkdir()
    try:
        # The driver makes the profile where temporary files go.
        with mock.patch.dict(os.environ, TMPDIR=str(folder)):
            playwright = sync_playwright().start()
        try:
            yield playwright.chromium.launch(executable_path=program, args=[*FLAGS, rules])
        finally:
            playwright.stop()
    finally:
        until("an empty place where the browser was", lambda: removed(folder))


def removed(folder: Path) -> bool:
    """Whether a folder is gone; a child of the browser that is ending may still write into it."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()
