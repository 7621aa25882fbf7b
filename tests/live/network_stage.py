"""A device whose network and clock are set by the real NetworkManager and systemd-timedated, on a stage of ours.

Run as `unshare --net --mount --uts python -m tests.live.network_stage FOLDER`: a network, a message bus, a /etc and a
/run of its own; `eth0` is one end of a cable, at the other somebody in a namespace of its own looks for the device.
Prints one line of JSON with what was seen. The clock of this computer is not set: who could has lost the capability.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from tests.live.device import PASSWORD, PATIENCE_S, USER, Device, until

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<servicedir>{folder}</servicedir><policy context="default">
<allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
</policy></busconfig>
"""
# Whatever is asked of it, it cannot set the clock of this computer. It ends when it has nothing to do.
TIMEDATED = """[D-BUS Service]
Name=org.freedesktop.timedate1
Exec=/usr/bin/setpriv --bounding-set=-sys_time /lib/systemd/systemd-timedated
"""
MANAGER = """[main]
plugins=keyfile
dns=default
rc-manager=file
auth-polkit=false
dhcp=internal
no-auto-default=*
[keyfile]
unmanaged-devices=interface-name:far
"""
FIRST, SECOND, LOST = "10.9.0.5", "10.9.0.6", "10.77.0.5"
CGI = "/axis-cgi/network_settings.cgi"


def run(*words: str) -> str:
    """One command to its end; its output."""
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


class Stage:
    """Everything that is started, and ends with the stage."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[bytes]] = []
        self.manager: subprocess.Popen[bytes]
        self.far: subprocess.Popen[bytes]

    def set(self) -> None:
        """A machine with an adapter that nobody has set up."""
        run("mount", "--make-rprivate", "/")
        # Read-only: NetworkManager then knows that no udev runs here, and looks after the adapters all the same.
        run("mount", "-t", "sysfs", "-o", "ro", "sysfs", "/sys")
        run("mount", "-t", "tmpfs", "tmpfs", "/run")
        # A folder of it is enough; programs of the certificates are looked for elsewhere.
        shutil.copytree("/etc", self.folder / "etc", symlinks=True, ignore_dangling_symlinks=True)
        run("mount", "--bind", str(self.folder / "etc"), "/etc")
        Path("/etc/resolv.conf").unlink(missing_ok=True)
        Path("/etc/hostname").write_text("before\n")
        Path("/var/lib/NetworkManager").mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "tmpfs", "/var/lib/NetworkManager")
        shutil.rmtree("/etc/NetworkManager", ignore_errors=True)
        Path("/etc/NetworkManager/system-connections").mkdir(parents=True)
        Path("/etc/NetworkManager/NetworkManager.conf").write_text(MANAGER)
        self.far = self.start("unshare", "--net", "sleep", "600")
        until("the far end", lambda: Path(f"/proc/{self.far.pid}/comm").read_text() == "sleep\n")
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "far")
        run("ip", "link", "set", "far", "netns", str(self.far.pid))
        self.beyond("ip", "addr", "add", "10.9.0.1/24", "dev", "far")
        self.beyond("ip", "link", "set", "far", "up")
        (self.folder / "timedate1.service").write_text(TIMEDATED)
        (self.folder / "bus.conf").write_text(BUS.format(socket=self.folder / "bus", folder=self.folder))
        self.start("dbus-daemon", f"--config-file={self.folder / 'bus.conf'}", "--nofork")
        os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={self.folder / 'bus'}"
        until("the bus", (self.folder / "bus").exists)

    def begin_manager(self) -> None:
        """NetworkManager, as the system would start it."""
        Path("/run/NetworkManager").mkdir(exist_ok=True)
        self.manager = self.start("NetworkManager", "--no-daemon")

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """A program of the stage; what it says goes to a file."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.started.append(process)
        return process

    def beyond(self, *words: str) -> str:
        """A command at the far end of the cable."""
        return run("nsenter", "-t", str(self.far.pid), "--net", *words)

    def end(self) -> None:
        """Nothing is left."""
        for process in reversed(self.started):
            process.terminate()
        for process in self.started:
            process.wait(PATIENCE_S)


def addresses() -> list[str]:
    """What the kernel says of eth0: addresses with their prefixes."""
    told: list[dict[str, Any]] = json.loads(run("ip", "-j", "addr", "show", "eth0"))
    found = [address for each in told for address in each.get("addr_info", ())]
    return [f"{each['local']}/{each['prefixlen']}" for each in found if each["scope"] == "global"]


class Seen:
    """The device over the loopback, which proves nothing of its network."""

    def __init__(self, device: Device) -> None:
        self.device = device

    def setup(self) -> dict[str, Any]:
        """The state of the network settings; no phase while a role starts anew."""
        try:
            states: list[dict[str, Any]] = self.device.api.get("/state").json().get("states", [])
        except httpx.TransportError:
            states = []
        return next((each for each in states if each["topic"] == "network/setup"), {"phase": "", "reason": ""})

    def phase(self, wanted: str) -> dict[str, Any]:
        """Wait until they stand so."""

        def there() -> dict[str, Any] | None:
            now = self.setup()
            return now if now["phase"] == wanted else None

        found: dict[str, Any] = until(f"the network {wanted}", there)
        return found

    def cgi(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """What network_settings.cgi answers."""
        url = f"http://127.0.0.1:{self.device.port}{CGI}"
        body = {"apiVersion": "1.0", "method": method, "params": params}
        answer: dict[str, Any] = self.device.api.post(url, json=body).json()
        return answer

    def static(self, address: str, prefix: int = 24, router: str = "10.9.0.1") -> dict[str, Any]:
        """Set a static address."""
        wish = [{"address": address, "prefixLength": prefix}]
        how = {"deviceName": "eth0", "configurationMode": "static", "staticDefaultRouter": router}
        return self.cgi("setIPv4AddressConfiguration", {**how, "staticAddressConfigurations": wish})

    def address(self) -> str:
        """The parameter."""
        return str(self.device.api.get("/params/network").json()["address"])


def play(stage: Stage, device: Device) -> dict[str, Any]:
    """All that is to be seen, in the order of a day."""
    seen, told = Seen(device), {}
    told["without_manager"] = seen.phase("unavailable")["reason"]
    told["refused_without_manager"] = seen.static(FIRST)["error"]["message"]
    told["address_without_manager"] = seen.address()
    stage.begin_manager()
    told["at_first"] = seen.phase("kept")
    told["profiles_at_first"] = run("nmcli", "-g", "NAME", "connection").split()
    told["good"] = seen.static(FIRST)
    seen.phase("trying")
    told["while_tried"] = addresses()
    told["on_disk_while_tried"] = [path.name for path in Path("/etc/NetworkManager/system-connections").iterdir()]
    answer = stage.beyond(
        "curl", "-s", "--digest", "-u", f"{USER}:{PASSWORD}", f"http://{FIRST}:{device.port}/api/v1/device"
    )
    told["reached"] = json.loads(answer)["model"]
    seen.phase("kept")
    told["kept"] = addresses()
    told["route"] = run("ip", "route", "show", "default").strip()
    told["on_disk"] = "".join(path.read_text() for path in Path("/etc/NetworkManager/system-connections").iterdir())
    told["bad"] = [
        seen.static(SECOND, 33)["error"]["message"],
        seen.static(SECOND, 24, "10.10.0.1")["error"]["message"],
        seen.static("10.9.0.255")["error"]["message"],
    ]
    told["after_bad"] = [addresses(), seen.address(), seen.setup()["phase"]]
    seen.cgi("setResolverConfiguration", {"staticNameServers": ["10.9.0.53"], "staticSearchDomains": ["example.com"]})
    seen.cgi("setHostnameConfiguration", {"staticHostname": "door-7"})
    until("the name", lambda: Path("/etc/hostname").read_text().strip() == "door-7")
    until("the resolver", lambda: "10.9.0.53" in Path("/etc/resolv.conf").read_text())
    told["resolver"] = Path("/etc/resolv.conf").read_text()
    seen.phase("kept")
    device.api.patch("/params/network", json={"confirm_within_s": 20})
    seen.static(LOST, 24, "10.77.0.1")
    seen.phase("trying")
    told["lost"] = addresses()
    old = device.kill("control")
    device.wait_ready("control", old)
    seen.phase("trying")
    told["lost_again"] = addresses()
    told["came_back"] = seen.phase("kept")["reason"]
    # It is looked for on the network first, for two seconds.
    until("the address before", lambda: addresses() == [f"{FIRST}/24"])
    told["after_lost"] = [addresses(), seen.address()]
    told |= restarted(stage, seen)
    six = {"acceptRouterAdvertisements": False}
    static6 = [{"address": "2001:db8::5", "prefixLength": 64}]
    told["six"] = seen.cgi(
        "setIPv6AddressConfiguration", {"deviceName": "eth0", **six, "staticAddressConfigurations": static6}
    )
    seen.phase("trying")
    seen.device.api.post("/actions/network.confirm", json={})
    seen.phase("kept")
    told["with_six"] = sorted(addresses())
    told["zone"] = zone(seen)
    return told


def restarted(stage: Stage, seen: Seen) -> dict[str, Any]:
    """What control, which began anew, knows of the name it gave; and a trial in which NetworkManager begins anew."""
    told: dict[str, Any] = {"name_before": Path("/etc/hostname").read_text().strip()}
    seen.cgi("setHostnameConfiguration", {"useDhcpHostname": True})
    until("no name", lambda: not Path("/etc/hostname").exists() or "door-7" not in Path("/etc/hostname").read_text())
    seen.phase("kept")
    seen.static(LOST, 24, "10.77.0.1")
    seen.phase("trying")
    told["before_manager_ended"] = addresses()
    stage.manager.terminate()
    stage.manager.wait(PATIENCE_S)
    stage.begin_manager()
    told["manager_restarted"] = seen.phase("kept")["reason"]
    until("the address before", lambda: addresses() == [f"{FIRST}/24"])
    told["after_manager"] = [addresses(), seen.address()]
    told["on_disk_after_manager"] = "".join(
        path.read_text() for path in Path("/etc/NetworkManager/system-connections").iterdir()
    )
    return told


def zone(seen: Seen) -> list[str]:
    """The time zone of the system, before and after it was set."""
    before = os.readlink("/etc/localtime")
    seen.device.api.patch("/params/place", json={"time_zone": "Asia/Kathmandu"})
    until("the time zone", lambda: os.readlink("/etc/localtime") != before)
    return [before, os.readlink("/etc/localtime")]


def main(folder: Path) -> None:
    """Set the stage, play, and end everything."""
    stage = Stage(folder)
    try:
        stage.set()
        device = Device(folder / "state", "door_station", "--machine", "real", "--no-web", "--https", "off")
        device._words += ["--http", f"0.0.0.0:{device.port}"]
        try:
            device.start()
            device.set_up()
            began = time.monotonic()
            told = play(stage, device)
            print(json.dumps({**told, "took_s": round(time.monotonic() - began)}), flush=True)
        finally:
            device.stop()
    finally:
        stage.end()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
