"""The address that WS-Discovery names: as much of the ONVIF device service as a program asks before anything else.

Date and time for everybody, as ONVIF wants it (a program sets its clock by it before it logs in); what the device is
and which services it has for whoever logs in with HTTP Digest. It names no other service: there is none yet.
Source: ONVIF Core Specification, 8.1 (capabilities), 8.3.1 (device information), 8.3.6 (date and time).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from xml.sax.saxutils import escape

from firmware.core.actions import Level
from firmware.core.context import Core
from firmware.core.local_time import local
from firmware.core.vocabulary.system import ClockSetup
from firmware.interfaces.vapix.asked import Asked
from firmware.interfaces.vapix.clock import posix_zone
from firmware.interfaces.vapix.device import BRAND, identity
from firmware.interfaces.vapix.soap import Operation
from firmware.interfaces.vapix.xml import Element

PATH = "/onvif/device_service"
DEVICE = "http://www.onvif.org/ver10/device/wsdl"
SCHEMA = "http://www.onvif.org/ver10/schema"
NAMES = f'xmlns:tds="{DEVICE}" xmlns:tt="{SCHEMA}"'
VERSION = "<tt:Major>2</tt:Major><tt:Minor>0</tt:Minor>"


class OnvifDevice:
    """Its operations."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def operations(self) -> Mapping[tuple[str, str], Operation]:
        """By namespace and name of the request."""
        return {
            (DEVICE, "GetSystemDateAndTime"): Operation(run=self._time, level=Level.ANONYMOUS),
            (DEVICE, "GetDeviceInformation"): Operation(run=self._information),
            (DEVICE, "GetServices"): Operation(run=self._services),
            (DEVICE, "GetCapabilities"): Operation(run=self._capabilities),
        }

    async def _time(self, _: Asked, __: Element) -> str:
        utc = self._core.clock.utc()
        here = local(self._core.bus, utc)
        setup = self._core.bus.state(ClockSetup)
        source = "NTP" if setup is not None and setup.ntp else "Manual"
        inner = (
            f"<tt:DateTimeType>{source}</tt:DateTimeType>"
            f"<tt:DaylightSavings>{str(bool(here.dst())).lower()}</tt:DaylightSavings>"
            f"<tt:TimeZone><tt:TZ>{escape(posix_zone(here))}</tt:TZ></tt:TimeZone>"
            f"<tt:UTCDateTime>{instant(utc)}</tt:UTCDateTime><tt:LocalDateTime>{instant(here)}</tt:LocalDateTime>"
        )
        return answer("GetSystemDateAndTime", f"<tds:SystemDateAndTime>{inner}</tds:SystemDateAndTime>")

    async def _information(self, _: Asked, __: Element) -> str:
        info = identity(self._core)
        told = {
            "Manufacturer": BRAND,
            "Model": info.model,
            "FirmwareVersion": info.version,
            "SerialNumber": info.serial,
            "HardwareId": info.board,
        }
        return answer(
            "GetDeviceInformation", "".join(f"<tds:{name}>{escape(value)}</tds:{name}>" for name, value in told.items())
        )

    async def _services(self, asked: Asked, _: Element) -> str:
        service = (
            f"<tds:Namespace>{DEVICE}</tds:Namespace><tds:XAddr>{self._address(asked)}</tds:XAddr>"
            f"<tds:Version>{VERSION}</tds:Version>"
        )
        return answer("GetServices", f"<tds:Service>{service}</tds:Service>")

    async def _capabilities(self, asked: Asked, _: Element) -> str:
        device = f"<tt:Device><tt:XAddr>{self._address(asked)}</tt:XAddr></tt:Device>"
        return answer("GetCapabilities", f"<tds:Capabilities>{device}</tds:Capabilities>")

    def _address(self, asked: Asked) -> str:
        """This very address, as the program called it: the guard let its Host in."""
        url = asked.request.url
        return escape(f"{url.scheme}://{url.netloc}{PATH}")


def answer(operation: str, inner: str) -> str:
    """The inside of a Body."""
    return f"<tds:{operation}Response {NAMES}>{inner}</tds:{operation}Response>"


def instant(at: datetime) -> str:
    """A time as ONVIF writes it."""
    time = f"<tt:Hour>{at.hour}</tt:Hour><tt:Minute>{at.minute}</tt:Minute><tt:Second>{at.second}</tt:Second>"
    date = f"<tt:Year>{at.year}</tt:Year><tt:Month>{at.month}</tt:Month><tt:Day>{at.day}</tt:Day>"
    return f"<tt:Time>{time}</tt:Time><tt:Date>{date}</tt:Date>"
