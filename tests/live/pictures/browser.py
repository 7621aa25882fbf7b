"""A browser without a window, driven over its debugging protocol; it talks to nothing but this machine's loopback."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.live.device import PATIENCE_S, until
from tests.live.pictures.viewers import authorization

PROGRAMS = ("chromium-headless-shell", "chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-extensions",
    "--disable-dev-shm-usage", "--remote-debugging-port=0",
)  # fmt: skip


class Page:
    """One page of a browser."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    def call(self, method: str, **params: Any) -> Any:
        """One command of the debugging protocol, and its result."""
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._connection.recv(PATIENCE_S))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def run(self, script: str) -> Any:
        """The value of an expression, awaited when it is a promise."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")


@contextlib.contextmanager
def browser(folder: Path, *names: str) -> Iterator[Page]:
    """A page of a fresh browser, logged in as the administrator wherever it goes; `names` are this machine to it."""
    program = next(found for name in PROGRAMS if (found := shutil.which(name)))
    known = "".join(f"MAP {name} 127.0.0.1, " for name in names)
    rules = f"--host-resolver-rules={known}MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    words = [program, *FLAGS, rules, f"--user-data-dir={folder}", "about:blank"]
    with (folder.with_suffix(".log")).open("wb") as log:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        place = folder / "DevToolsActivePort"
        until("the browser's port", lambda: place.exists() and len(place.read_text().splitlines()) == 2)
        port = int(place.read_text().splitlines()[0])
        pages = httpx.get(f"http://127.0.0.1:{port}/json/list", timeout=PATIENCE_S).json()
        url = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
        with connect(url, max_size=None, open_timeout=PATIENCE_S) as connection:
            page = Page(connection)
            page.call("Network.enable")
            page.call("Network.setExtraHTTPHeaders", headers={"Authorization": authorization()})
            yield page
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
