"""Browses for a service type through the library that many programs use; one JSON line an event.

mdns_browser.py TYPE [ADDRESS]  ->  {"event": "added", "name": "...", "port": 8080, "addresses": [...], "words": {...}}
It listens at the loopback, or at the adapter that has ADDRESS (of IPv6: with IPv6 alone). Ends with its standard input.
"""

from __future__ import annotations

import json
import sys

from zeroconf import IPVersion, ServiceBrowser, ServiceListener, Zeroconf  # type: ignore[import-not-found]

WAIT_MS = 100_000


class Teller(ServiceListener):  # type: ignore[misc]
    """Prints what the browser sees."""

    def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        """Somebody is there."""
        info = zc.get_service_info(type_, name, WAIT_MS)
        told = {"event": "added", "name": name.removesuffix(f".{type_}"), "host": "", "port": 0}
        if info is not None:
            words = {key.decode(): (value or b"").decode() for key, value in info.properties.items()}
            told |= {"host": info.server, "port": info.port, "addresses": info.parsed_addresses(), "words": words}
        print(json.dumps(told), flush=True)

    def remove_service(self, _: Zeroconf, type_: str, name: str) -> None:
        """Somebody said goodbye."""
        print(json.dumps({"event": "removed", "name": name.removesuffix(f".{type_}")}), flush=True)

    def update_service(self, *_: object) -> None:
        """Nothing to say."""


if __name__ == "__main__":
    at = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
    version = IPVersion.V6Only if ":" in at else IPVersion.V4Only
    zeroconf = Zeroconf(interfaces=[at], ip_version=version)
    ServiceBrowser(zeroconf, f"{sys.argv[1]}.local.", Teller())
    sys.stdin.read()
    zeroconf.close()
