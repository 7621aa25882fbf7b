"""Asks a device through ax-devil-device-api, and prints what it was told: run in an environment that has that library.

ax_devil.py HOST PORT NAME PASSWORD      ->  {"info": {...}, "healthy": true, ...}
"""

from __future__ import annotations

import base64
import json
import sys

from ax_devil_device_api import Client, DeviceConfig  # type: ignore[import-not-found]


def text_of(data: bytes) -> str:
    """Bytes as JSON can carry them."""
    return base64.b64encode(data).decode()


def main(host: str, port: str, name: str, password: str) -> None:
    """Every capability of it that the device has a service for."""
    with Client(DeviceConfig.http(host, name, password, port=int(port))) as client:
        told = {
            "info": client.device.get_info(),
            "detailed": client.device.get_info_detailed(),
            "healthy": client.device.check_health(),
            "authenticated": client.device.get_info_auth(),
            "open": client.device.get_info_no_auth(),
            "ready": client.systemready.systemready(),
            "network": client.network.get_network_info(),
            "snapshot": text_of(client.media.get_snapshot(resolution="320x180", compression=50)),
        }
        native = client.discovery.discover().get_api("lintel")
        told |= {
            "apis": [api.name for api in client.discovery.discover().get_all_apis()],
            "described": native.get_openapi_spec()["info"]["title"],
            "report": text_of(client.device_debug.download_server_report()),
            "crash": text_of(client.device_debug.download_crash_report()),
            "ping": client.device_debug.ping_test(host),
            "tcp": client.device_debug.port_open_test(host, int(port)),
            "shut": client.device_debug.port_open_test(host, 1),
        }
    print(json.dumps(told, default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])
