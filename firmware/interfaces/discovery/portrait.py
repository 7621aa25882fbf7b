"""What is told about this device to whoever looks for one: names, address, and the ways in at one adapter. Pure."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from firmware.core.vocabulary.device import DeviceInfo

MAKER = "Lintel"
# A namespace of our own, so that a device's UUID follows from its serial number and nothing else.
NAMESPACE = uuid.UUID("5b3d0a6e-8f0e-4b59-9a39-6d0e5c7f1c2a")
DESCRIPTION = "/upnp.xml"  # short: an answer to the shortest search has to fit (ration.py)


@dataclass(frozen=True, slots=True, kw_only=True)
class Portrait:
    """The device at one adapter; ports are 0 where there is no such way in.

    `address` is the adapter's of the version of IP that is spoken; `addresses` are all at which it is reached there.
    """

    product: str
    model: str
    serial: str
    name: str
    address: str
    http_port: int
    https_port: int
    sees: bool
    hears: bool
    addresses: tuple[str, ...] = ()

    @property
    def uuid(self) -> str:
        """The UUID of the device, the same for ever."""
        return uuid_of(self.serial)

    @property
    def host(self) -> str:
        """Its host name without the domain."""
        return f"lintel-{self.serial.lower()}"

    @property
    def url(self) -> str:
        """Its address for browsers and programs: HTTP, or HTTPS where there is nothing else."""
        scheme, port, usual = ("http", self.http_port, 80) if self.http_port else ("https", self.https_port, 443)
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{scheme}://{host}" + ("" if port == usual else f":{port}")


def uuid_of(serial: str) -> str:
    """The UUID under which the device with this serial number is announced."""
    return str(uuid.uuid5(NAMESPACE, serial))


def port_at(door: str, address: str) -> int:
    """The port of a door (HOST:PORT, empty: shut) as far as it can be reached at `address`; else 0."""
    host, _, port = door.rpartition(":")
    if not host:
        return 0
    try:
        listens = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return 0
    # What listens at all addresses of IPv6 is reached over IPv4 as well, and not the other way round.
    every = listens.is_unspecified and (listens.version == 6 or ":" not in address)
    return int(port) if every or listens == ipaddress.ip_address(address) else 0


def name_of(wished: str, info: DeviceInfo) -> str:
    """The name to show: what was set, or product and serial number."""
    return wished or f"{info.product} - {info.serial}"


def paint(
    info: DeviceInfo, wished: str, address: str, http: str, https: str, others: Iterable[str] = ()
) -> Portrait | None:
    """The device as it is at the adapter with `address`, and `others`; None when nobody can come in at `address`."""
    http_port, https_port = port_at(http, address), port_at(https, address)
    if not (http_port or https_port):
        return None
    can = frozenset(info.capabilities)
    return Portrait(
        product=info.product,
        model=info.model,
        serial=info.serial,
        name=name_of(wished, info),
        address=address,
        http_port=http_port,
        https_port=https_port,
        sees="camera" in can,
        hears=bool({"microphone", "speaker"} & can),
        addresses=(
            address,
            *(each for each in others if (port_at(http, each), port_at(https, each)) == (http_port, https_port)),
        ),
    )
