"""Looks for network video devices through a library for WS-Discovery, and prints what it found as JSON.

wsd_prober.py SECONDS     ->  [{"id": "urn:uuid:...", "types": [...], "scopes": [...], "addresses": [...]}]
"""

from __future__ import annotations

import json
import sys
from ipaddress import ip_address

from wsdiscovery import QName  # type: ignore[import-not-found]
from wsdiscovery.discovery import ThreadedWSDiscovery  # type: ignore[import-not-found]

VIDEO = QName("http://www.onvif.org/ver10/network/wsdl", "NetworkVideoTransmitter")

if __name__ == "__main__":
    prober = ThreadedWSDiscovery()
    prober.start()
    prober.addSourceAddr(ip_address("127.0.0.1"))  # it leaves the loopback out by itself
    found = prober.searchServices(types=[VIDEO], timeout=float(sys.argv[1]))
    print(
        json.dumps(
            [
                {
                    "id": each.getEPR(),
                    "types": [name.getFullname() for name in each.getTypes()],
                    "scopes": [str(scope) for scope in each.getScopes()],
                    "addresses": list(each.getXAddrs()),
                }
                for each in found
            ]
        )
    )
    prober.stop()
