"""The parameter tree as a picture of the device: each part makes its leaves from states and parameter groups.

Nothing is kept here. A leaf that can be changed asks the owner of what it shows, so limits and levels are the owner's.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from firmware.core.actions import Caller, Level
from firmware.core.context import Core
from firmware.core.vocabulary.device import DeviceInfo
from firmware.core.vocabulary.rtsp import RtspState
from firmware.interfaces.net.adapters import Adapter, adapters, default_router, name_servers
from firmware.interfaces.rtsp.settings import WELL_KNOWN, RtspSettings
from firmware.interfaces.vapix.device import BRAND, WEB, built, identity, properties
from firmware.interfaces.vapix.param_tree import Kind, Leaf, Write, yes
from firmware.interfaces.vapix.ports import Port, Ports

MANUAL_TRIGGER = 6
NAME_CHARS = 64
ACTIVE = {"closed": "open", "open": "closed"}


class Tree:
    """Makes the leaves. `groups` are the parameter groups as last read, by name."""

    def __init__(self, core: Core, parts: Iterable[Callable[[], Iterable[Leaf]]] = ()) -> None:
        """`parts` are makers of leaves that other files of this face add."""
        self._core = core
        self._ports = Ports(core)
        self._parts = (self._brand, self._properties, self._network, self._ports_leaves, *parts)

    def leaves(self) -> list[Leaf]:
        """Every leaf now. Raises Unavailable while control has not said who this is."""
        return [leaf for make in self._parts for leaf in make()]

    def product(self) -> tuple[str, str]:
        """Model and version for the definitions."""
        info = identity(self._core)
        return info.model, info.version

    def _brand(self) -> Iterable[Leaf]:
        known = properties(self._core)
        names = ("ProdFullName", "ProdNbr", "ProdShortName", "ProdType", "ProdVariant")
        values = {"Brand": BRAND, **{name: known[name] for name in names}, "WebURL": WEB}
        return fixed("Brand", values, reads=Level.ANONYMOUS)

    def _properties(self) -> Iterable[Leaf]:
        info, known = identity(self._core), properties(self._core)
        yield from fixed("Properties.API.HTTP", {"Version": "3", "AdminPath": "/"})
        events = self._core.bus.state(RtspState)
        yield from fixed("Properties.API.Metadata", {"Metadata": "yes", "Version": "1.0"})
        if events is not None:
            yield from fixed("Properties.API.RTSP", {"RTSPAuth": "yes", "Version": "2.01"})
        build = {"BuildDate": known["BuildDate"], "BuildNumber": built().strftime("%y%m%d"), "Version": info.version}
        yield from fixed("Properties.Firmware", build)
        system = {"Architecture": known["Architecture"], "HardwareID": info.board, "SerialNumber": info.serial}
        yield from fixed("Properties.System", {**system, "Soc": known["Soc"]})
        has = frozenset(info.capabilities)
        audio = {"Audio": yes(bool(has & {"microphone", "speaker"}))}
        yield from fixed("Properties.Audio", audio)
        yield from fixed("Properties.PTZ", {"PTZ": "no"})
        yield from fixed("Properties.IO", {"ManualTriggerNbr": str(MANUAL_TRIGGER)})
        yield from fixed("Properties.VirtualInput", {"VirtualInput": "yes"})

    def _network(self) -> Iterable[Leaf]:
        name = socket.gethostname()
        yield Leaf(name="Network.HostName", value=name)
        yield Leaf(name="Network.VolatileHostName.HostName", value=name)
        events = self._core.bus.state(RtspState)
        if events is not None:
            port = events.rtsp.rpartition(":")[2] or str(WELL_KNOWN)
            yield Leaf(name="Network.RTSP.Enabled", value=yes(bool(events.rtsp)), kind=Kind.YES_NO,
                       write=self._rtsp("enabled", lambda value: value == "yes"))  # fmt: skip
            yield Leaf(name="Network.RTSP.Port", value=port, kind=Kind.NUMBER, least=1, most=65_535,
                       write=self._rtsp("port", int))  # fmt: skip
        router, servers = default_router(), name_servers()
        yield Leaf(name="Network.DefaultRouter", value=router)
        yield Leaf(name="Network.DNSServer1", value=servers[0] if servers else "")
        yield Leaf(name="Network.DNSServer2", value=servers[1] if len(servers) > 1 else "")
        leading = [adapter for adapter in adapters() if not adapter.loopback]
        main = next((adapter for adapter in leading if adapter.ipv4), None)
        if main is not None:
            address = main.ipv4[0]
            yield Leaf(name="Network.IPAddress", value=str(address.ip))
            yield Leaf(name="Network.SubnetMask", value=str(address.netmask))
            yield Leaf(name="Network.Broadcast", value=str(address.network.broadcast_address))
        for number, adapter in enumerate(leading):
            yield from self._adapter(number, adapter, identity(self._core))

    def _rtsp(self, name: str, read: Callable[[str], Any]) -> Write:
        async def write(caller: Caller, value: str) -> None:
            await self._core.link.change(RtspSettings.group, {name: read(value)}, caller)

        return write

    def _adapter(self, number: int, adapter: Adapter, info: DeviceInfo) -> Iterable[Leaf]:
        """An adapter under the number clients know; the first one carries the device's serial as its address."""
        group = f"Network.eth{number}"
        octets = info.serial if number == 0 else adapter.mac
        mac = ":".join(octets[place : place + 2] for place in range(0, len(octets), 2))
        yield from fixed(group, {"MACAddress": mac, "IPAddress": str(adapter.ipv4[0].ip) if adapter.ipv4 else ""})
        yield Leaf(name=f"{group}.IPv6.IPAddresses", value=" ".join(map(str, adapter.ipv6)))

    def _ports_leaves(self) -> Iterable[Leaf]:
        ports = self._ports.all()
        outputs = sum(port.is_output for port in ports)
        yield Leaf(name="Input.NbrOfInputs", value=str(len(ports) - outputs), kind=Kind.NUMBER)
        yield Leaf(name="Output.NbrOfOutputs", value=str(outputs), kind=Kind.NUMBER)
        for port in ports:
            yield from self._port(port)

    def _port(self, port: Port) -> Iterable[Leaf]:
        group = f"IOPort.I{port.number}"
        active = ACTIVE[port.normal]
        turn = self._change(port, "direction") if port.state.configurable else None
        yield Leaf(name=f"{group}.Configurable", value=yes(port.state.configurable), kind=Kind.YES_NO)
        yield Leaf(
            name=f"{group}.Direction",
            value="output" if port.is_output else "input",
            kind=Kind.CHOICE,
            choices=("input", "output"),
            write=turn,
        )
        yield Leaf(name=f"{group}.Usage", value="")
        if port.is_output:
            yield Leaf(name=f"{group}.Output.Active", value=active, kind=Kind.CHOICE, choices=("closed", "open"),
                       write=self._change(port, "normal", ACTIVE))  # fmt: skip
            yield Leaf(name=f"{group}.Output.Button", value="none")
            yield Leaf(name=f"{group}.Output.DelayTime", value="0", kind=Kind.NUMBER)
            yield Leaf(name=f"{group}.Output.Mode", value="bistable")
            yield Leaf(name=f"{group}.Output.PulseTime", value="0", kind=Kind.NUMBER)
            side = "Output"
        else:
            yield Leaf(name=f"{group}.Input.Trig", value=active, kind=Kind.CHOICE, choices=("closed", "open"),
                       write=self._change(port, "normal", ACTIVE))  # fmt: skip
            side = "Input"
        yield Leaf(name=f"{group}.{side}.Name", value=port.state.name, most=NAME_CHARS,
                   write=self._change(port, "name"))  # fmt: skip

    def _change(self, port: Port, setting: str, words: Mapping[str, str] | None = None) -> Write:
        async def write(caller: Caller, value: str) -> None:
            change: dict[str, Any] = {setting: value if words is None else words[value]}
            await self._ports.configure(port, change, caller)

        return write


def fixed(group: str, values: Mapping[str, str], reads: Level = Level.VIEWER) -> Iterable[Leaf]:
    """Leaves that only tell something."""
    for name, value in values.items():
        yield Leaf(name=f"{group}.{name}", value=value, reads=reads)
