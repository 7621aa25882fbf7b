"""What the web interface costs and how fast it is: first page, event to open page, twenty open pages, memory.

A whole device and a Chromium on one machine, in one run. Beside the aims stand peers of the same run: the same facts on
the API's own stream for a plain client, the API's answer for a page, and a device that runs without the web.
"""

from __future__ import annotations

import asyncio
import base64
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median

import httpx
from playwright.sync_api import Browser
from websockets.asyncio.client import connect

from bench.fan_out import cpu_s
from bench.table import Row, percentile, show
from bench.whole_bench import memory_mb
from tests.live.chromium import chromium
from tests.live.decisions import CARD
from tests.live.device import PASSWORD, USER, Device, running, until
from tests.live.web.browser import DESK, Person, person

SWIPES = 60
APART_S = 0.3
PAGES = 20
IDLE_S = 20.0
SETTLE_S = 3.0
TYPED_S = 3.0  # how long a person takes for name and password
FIRST_S, SHOWN_MS, IDLE_PERCENT, MEMORY_MB = 1.0, 150.0, 10.0, 45.0
MS = 1000.0
# When each row of the last events was there and had been drawn, against when the device says that it happened.
WATCH = """() => {
    window.seen = [];
    const now = () => performance.timeOrigin + performance.now();
    new MutationObserver((changes) => {
        for (const change of changes) for (const node of change.addedNodes) {
            const time = node.querySelector?.("time[datetime]");
            if (!time || !node.textContent.includes("access/granted")) continue;
            const at = Date.parse(time.getAttribute("datetime"));
            requestAnimationFrame(() => setTimeout(() => window.seen.push(now() - at)));
        }
    }).observe(document.querySelector(".events"), { childList: true, subtree: true });
}"""


def swipes(device: Device) -> None:
    """Cards at the reader, each an access that is granted."""
    for _ in range(SWIPES):
        device.ask("swipe", "front", CARD)
        time.sleep(APART_S)


@contextmanager
def streamed(device: Device) -> Iterator[list[float]]:
    """Milliseconds from each granted access to a plain client of the API's stream."""
    found: list[float] = []
    ready, done = threading.Event(), threading.Event()

    async def listen() -> None:
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        url = f"ws://127.0.0.1:{device.port}/api/v1/events?topics=access/granted"
        async with connect(url, additional_headers={"authorization": f"Basic {basic}"}) as stream:
            ready.set()
            while not done.is_set():
                try:
                    line = json.loads(await asyncio.wait_for(stream.recv(), 0.5))
                except TimeoutError:
                    continue
                now = time.time()
                event = line.get("event", line)
                if "at" in event and event.get("topic", line.get("topic")) == "access/granted":
                    found.append(MS * (now - datetime.fromisoformat(event["at"]).timestamp()))

    thread = threading.Thread(target=lambda: asyncio.run(listen()))
    thread.start()
    try:
        assert ready.wait(30), "no stream"
        yield found
    finally:
        done.set()
        thread.join()


def first_page(browser: Browser, device: Device) -> tuple[float, float, float]:
    """Seconds until the first page after the log-in lives, until the same page again, and for the API's answer."""
    with httpx.Client(base_url=f"http://127.0.0.1:{device.port}/api/v1") as api:
        api.post("/session", json={"name": USER, "password": PASSWORD}).raise_for_status()
        began = time.perf_counter()
        api.get("/device").raise_for_status()
        answered = time.perf_counter() - began
    ada = Person(browser, device, viewport=DESK)
    try:
        page = ada.page
        page.goto("/login")
        page.fill("#name", USER)
        page.fill("#password", PASSWORD)
        time.sleep(TYPED_S)
        with page.expect_response(lambda answer: answer.url.endswith("/session")):
            page.click("#send")
        began = time.perf_counter()
        page.wait_for_url(lambda url: "/login" not in url)
        ada.alive()
        first = time.perf_counter() - began
        began = time.perf_counter()
        ada.go("/")
        again = time.perf_counter() - began
    finally:
        ada.close()
    return first, again, answered


def latency(browser: Browser, device: Device) -> tuple[list[float], list[float]]:
    """Milliseconds from fact to open page, and to a plain client of the stream, of the same facts."""
    with person(browser, device, viewport=DESK) as ada, streamed(device) as plain:
        ada.log_in()
        ada.page.evaluate(WATCH)
        swipes(device)
        until("the last row", lambda: ada.page.evaluate("window.seen.length") >= SWIPES)
        shown: list[float] = ada.page.evaluate("window.seen")
    return shown, plain


def load(pid: int) -> float:
    """Percent of a core that a process takes while nothing happens."""
    time.sleep(SETTLE_S)
    began, before = time.perf_counter(), cpu_s(pid)
    time.sleep(IDLE_S)
    return 100 * (cpu_s(pid) - before) / (time.perf_counter() - began)


def idle(browser: Browser, device: Device, pid: int) -> tuple[float, float]:
    """Percent of a core of the network role with no page open, and with twenty."""
    nobody = load(pid)
    with person(browser, device, viewport=DESK) as ada:
        ada.log_in()
        for _ in range(PAGES - 1):
            page = ada.context.new_page()
            page.goto("/")
            page.wait_for_function("window.did_handshake === true")
        return nobody, load(pid)


def without_web(folder: Path) -> float:
    """Proportional memory in MB of the network role of a device without the web."""
    with running(folder / "plain", "door_station", "--no-web") as device:
        device.set_up()
        time.sleep(SETTLE_S)
        return memory_mb(pid_of(device))[1]


def pid_of(device: Device) -> int:
    """The network role."""
    pid = device.pid("network")
    assert pid is not None
    return pid


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name, chromium(Path(name) / "browser") as browser:
        folder = Path(name)
        bare_mb = without_web(folder)
        with running(folder / "state") as device:
            device.set_up()
            device.enrol(CARD)
            device.api.patch("/params/place", json={"first_steps": False})
            pid = pid_of(device)
            first_s, again_s, answered_s = first_page(browser, device)
            one_mb = memory_mb(pid)[1]
            shown, plain = latency(browser, device)
            nobody, twenty = idle(browser, device, pid)
            whole_mb = memory_mb(pid)[1]
    stream = "the same facts at a client of the API's stream"
    rows = [
        Row("first page after the first log-in, alive", first_s, "s", FIRST_S, "the aim"),
        Row("the same page again", again_s, "s", answered_s, "the API's answer GET /device"),
        Row("event to open page, drawn, p50", median(shown), "ms", median(plain), stream),
        Row("event to open page, drawn, p95", percentile(shown, 0.95), "ms", SHOWN_MS, "the aim"),
        Row("  and", percentile(shown, 0.95), "ms", percentile(plain, 0.95), stream),
        Row(f"{PAGES} open pages, nothing happens", twenty, "%", IDLE_PERCENT, "the aim"),
        Row("  and", twenty, "%", nobody, "no page is open"),
        Row("memory of the network role after two pages", one_mb, "MB", bare_mb, "without the web"),
        Row("memory the web adds", one_mb - bare_mb, "MB", MEMORY_MB, "the aim"),
        Row(f"  with {PAGES} pages open", whole_mb - bare_mb, "MB", MEMORY_MB, "the aim"),
    ]
    show(f"web: {len(shown)} of {SWIPES} accesses shown, {len(plain)} streamed; PSS", rows)


if __name__ == "__main__":
    main()
