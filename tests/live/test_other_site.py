"""Row 39 in a browser: a page of another site, opened by somebody who is logged in, moves nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.live.device import Device
from tests.live.pictures.browser import browser

# Over plain HTTP to a name, a browser does not say which site made it ask; to a loopback address it does.
NAME, EVIL = "door.example", "evil.example"
STAMPS = ("id", "at", "cause")
PAGE = """<!doctype html><title>evil</title><body>
<script>
let frames = 0;
const image = path => new Promise(done => {
  const it = new Image(); it.onload = it.onerror = done; it.src = DEVICE + path;
});
const form = (path, type, text) => new Promise(done => {
  const frame = document.createElement("iframe"); frame.name = "f" + frames++; document.body.append(frame);
  const it = document.createElement("form"); it.method = "POST"; it.action = DEVICE + path; it.enctype = type;
  it.target = frame.name;
  const field = document.createElement("input"); field.name = text; field.value = ""; it.append(field);
  document.body.append(it); frame.onload = () => { if (frame.dataset.sent) done(); };
  frame.dataset.sent = "1"; it.submit();
  setTimeout(done, 3000);
});
const quiet = (path, how) => fetch(DEVICE + path, {mode: "no-cors", credentials: "include", ...how}).catch(() => 0);
window.attack = async () => {
  await image("/axis-cgi/io/port.cgi?action=1:/");
  await image("/axis-cgi/virtualinput/activate.cgi?schemaversion=1&port=3");
  await image("/axis-cgi/param.cgi?action=update&IOPort.I1.Input.Name=stolen");
  await quiet("/axis-cgi/virtualinput/activate.cgi?schemaversion=1&port=4", {referrerPolicy: "no-referrer"});
  await quiet("/axis-cgi/pwdgrp.cgi?action=add&user=eve&pwd=eve&grp=users&sgrp=admin:operator:viewer");
  await quiet("/axis-cgi/param.cgi", {method: "POST", body: "action=update&IOPort.I1.Input.Name=stolen"});
  await quiet("/api/v1/actions/door.release", {method: "POST", body: '{"door": "door"}'});
  await form("/api/v1/actions/door.release", "text/plain", '{"door": "door", "x": "');
  await form("/axis-cgi/virtualinput/activate.cgi?schemaversion=1&port=5", "application/x-www-form-urlencoded", "a");
  return "done";
};
</script>"""


@contextmanager
def site(folder: Path, page: str) -> Iterator[int]:
    """Another site; its port."""
    (folder / "index.html").write_text(page)
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def named(shared_device: Device) -> Device:
    """A device that has a name in DNS."""
    assert shared_device.api.patch("/params/http", json={"host_names": [NAME]}).status_code == 200
    return shared_device


def whole(device: Device) -> dict[str, object]:
    """What an attack would change: states of ports and inputs, accounts, and what was released."""
    shown = {"io/port": "port", "virtual_input": "input", "relay/changed": "relay", "door/state": "door"}
    states = device.api.get("/state").json()["states"]
    found: dict[str, object] = {
        f"{each['topic']} {each.get(shown[each['topic']])}": {name: each[name] for name in each if name not in STAMPS}
        for each in states
        if each["topic"] in shown
    }
    found["accounts"] = [each["name"] for each in device.api.get("/accounts").json()["accounts"]]
    found["releases"] = [line for line in lines(device) if "release" in str(line)]
    return found


@pytest.mark.parametrize("host", [NAME, "127.0.0.1"])
def test_row_39_a_page_of_another_site_moves_nothing_with_the_log_in_of_a_browser(
    named: Device, tmp_path: Path, host: str
) -> None:
    before, folder, device = whole(named), tmp_path / "evil", f"http://{host}:{named.port}"
    folder.mkdir()
    with site(folder, PAGE.replace("DEVICE", repr(device))) as port, browser(tmp_path / "profile", NAME, EVIL) as page:
        page.goto(f"http://{EVIL}:{port}/")
        assert page.evaluate("window.attack()") == "done"
        # The log-in is there and good: the device's own page, in the same browser, is served.
        answer = page.goto(f"{device}/api/v1/device")
        assert answer is not None
        assert "LINTEL" in answer.text()
    assert whole(named) == before


def lines(device: Device) -> list[object]:
    """The newest lines of the journal."""
    found: list[object] = device.api.get("/journal", params={"limit": 100}).json()["lines"]
    return found
