"""Asks a device through the library that a home automation uses, and prints what it made of the answers.

home_library.py HOST PORT NAME PASSWORD      ->  {"serial": "...", ...}
"""

from __future__ import annotations

import asyncio
import json
import sys

import httpx
from axis.device import AxisDevice  # type: ignore[import-not-found]
from axis.models.configuration import Configuration  # type: ignore[import-not-found]


async def main(host: str, port: str, name: str, password: str) -> None:
    """Everything it asks when somebody adds the device."""
    async with httpx.AsyncClient(timeout=120) as session:
        wanted = Configuration(session, host, username=name, password=password, port=int(port))
        vapix = AxisDevice(wanted).vapix
        await vapix.initialize()
        await vapix.initialize_users()
        told = {
            "serial": vapix.serial_number,
            "product": vapix.product_number,
            "apis": sorted(vapix.api_discovery.keys()),
            "cameras": [image.name for image in vapix.params.image_handler.values()],
            "ports": [[port.name, port.direction, port.state] for port in vapix.ports.values()],
            "areas": [area.camera for area in vapix.view_areas.values()],
            "profiles": list(vapix.streaming_profiles),
            "administrators": [user.name for user in vapix.users.values() if user.admin],
        }
    print(json.dumps(told))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
