"""A device of two adapters, at one of which somebody else has had its name all along.

Run as `python -m tests.live.namesake STATE` on a stage (`tests.live.two_ends`); prints one line of JSON.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

from firmware.interfaces.discovery import dns
from firmware.interfaces.discovery.mdns import GROUP
from tests.live.device import Device, until
from tests.live.two_ends import FAR, NEAR, cable_to, device_at, ip, plugged_in

HERE, NAMESAKE = "10.9.0.1", "10.9.0.2"


def far() -> None:
    """Defend the first name that is asked for, and no other, until the cable is pulled (RFC 6762, 8.1)."""
    plugged_in()
    ip("addr", "add", f"{NAMESAKE}/24", "dev", FAR)
    ours: dns.Name | None = None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(NAMESAKE))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        sock.bind((GROUP.address, GROUP.port))
        member = socket.inet_aton(GROUP.address) + socket.inet_aton(NAMESAKE)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        print("up", flush=True)
        while True:
            message = dns.parse(sock.recv(9000))
            hosts = [each.name for each in message.questions if len(each.name) == 2 and each.kind == dns.ANY]
            ours = ours or next(iter(hosts), None)
            if ours is not None and ours in hosts:
                mine = dns.Record(ours, dns.A, 120, socket.inet_aton(NAMESAKE), unique=True)
                sock.sendto(dns.pack(dns.Message(flags=dns.RESPONSE, answers=(mine,))), (GROUP.address, GROUP.port))


def near(state: Path) -> None:
    """What the device says of its names."""
    with cable_to("tests.live.namesake", addresses=addresses) as end:
        assert end.hear() == "up"
        with device_at("0.0.0.0", state, "--discovery", f"lo,{NEAR}") as device:
            print(json.dumps(until("a name at both adapters", lambda: named(device))), flush=True)
        end.pull()


def addresses() -> None:
    """Of the device's end."""
    ip("addr", "add", f"{HERE}/24", "dev", NEAR)


def named(device: Device) -> dict[str, Any] | None:
    """The state of multicast DNS, once it has a name at both adapters."""
    states = device.api.get("/state").json()["states"]
    found = [each for each in states if each["topic"] == "network/discovery" and each["protocol"] == "mdns"]
    return next((each for each in found if len(each["adapters"]) == 2 and each["host"] and each["also"]), None)


if __name__ == "__main__":
    near(Path(sys.argv[1])) if len(sys.argv) > 1 else far()
