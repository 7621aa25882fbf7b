"""How fast a card opens the door of a running device, seen from outside: from its last pulse to the relay."""

from __future__ import annotations

from tests.live.device import Device, until

CARD = "H10301:42:1234"
READER_LINES = ("line:gpio0:23", "line:gpio0:24")


def decision_ms(device: Device) -> float:
    """One enrolled card: milliseconds from the last edge of its frame to the relay's switching on; then it is locked.

    Both are times of the simulated world, which knows nothing of what the firmware has to do meanwhile.
    """
    since = f"{device.ask('state')['now_s']:.6f}"
    device.ask("swipe", "front", CARD)
    points = until("the relay on", lambda: _points(device, "door", since))
    at_s = points[0][0]
    edges = [t_s for line in READER_LINES for t_s, _ in _points(device, line, since) if t_s < at_s]
    answer = device.api.post("/actions/door.lock", json={"door": "door"})
    assert answer.status_code == 200, answer.text
    until("the relay off", lambda: not _points(device, "door", since)[-1][1])
    return (at_s - max(edges)) * 1000


def _points(device: Device, name: str, since: str) -> list[tuple[float, bool]]:
    return [(float(t_s), bool(value)) for t_s, value in device.ask("trace", name, "--since", since)["points"]]
